#include "src/base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int random_text(char *text, size_t count, const char *alphabet, struct error **ret)
{
    size_t size = strlen(alphabet), fair = 256 - 256 % size;

    for (size_t i = 0; i < count;) {
        unsigned char byte;

        if (getrandom(&byte, 1, 0) != 1)
            return error_sys(ret, ERROR_HOST, errno, "cannot get random bytes");
        if (byte < fair)
            text[i++] = alphabet[byte % size];
    }
    text[count] = '\0';
    return 0;
}

int random_run_id(char ret_id[7], struct error **ret)
{
    return random_text(ret_id, 6, "abcdefghijklmnopqrstuvwxyz", ret);
}
