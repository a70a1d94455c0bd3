/* libsippod-keylog.so: preloaded into SIPp, it has OpenSSL log the session keys of every TLS connection, from
 * which Wireshark reads what was said.
 *
 * OpenSSL hands each key, as one line of the NSS key log format, to a callback of the SSL_CTX. The three
 * functions that make an SSL_CTX or deal with that callback are replaced by those below, which go on to
 * OpenSSL's own; a program's own callback is kept and called as well. OpenSSL is found by name, as the
 * program finds it: no header and no version of it is built in, and a program without it never gets here.
 *
 * It must never get in the program's way: what cannot be written is left out, and errno is left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define VARIABLE "SIPPOD_KEYLOG" /* names the file */
#define EXPORT   __attribute__((visibility("default"), noinline))

typedef struct ssl SSL;
typedef struct ssl_ctx SSL_CTX;
typedef void keylog_fn(const SSL *ssl, const char *line);

/* OpenSSL's function of this name: that of the next library; or, where the program loaded OpenSSL for itself
 * (as Python does), the one that the caller sees. NULL: an OpenSSL too old to have it. */
static void *find(const char *name, const void *caller)
{
    void *function = dlsym(RTLD_NEXT, name);
    Dl_info where;
    void *library;

    if (function || !dladdr(caller, &where))
        return function;
    library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library)
        return NULL;
    function = dlsym(library, name);
    (void)dlclose(library); /* it stays loaded: the caller is in it */
    return function;
}

/* ---- callbacks that programs have set themselves ---- */

struct own {
    const SSL_CTX *context;
    keylog_fn *callback;
    struct own *next;
};

static struct own *owns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static keylog_fn *own_callback(const SSL_CTX *context)
{
    keylog_fn *callback = NULL;

    (void)pthread_mutex_lock(&lock);
    for (const struct own *own = owns; own && !callback; own = own->next)
        if (own->context == context)
            callback = own->callback;
    (void)pthread_mutex_unlock(&lock);
    return callback;
}

/* Contexts are not seen to end: an entry is used again with the next context at the same address. */
static void set_own_callback(const SSL_CTX *context, keylog_fn *callback)
{
    struct own *own;

    (void)pthread_mutex_lock(&lock);
    for (own = owns; own && own->context != context; own = own->next)
        ;
    if (!own && callback && (own = malloc(sizeof *own))) {
        *own = (struct own){.context = context, .next = owns};
        owns = own;
    }
    if (own)
        own->callback = callback;
    (void)pthread_mutex_unlock(&lock);
}

/* ---- the log ---- */

/* The whole line at once, at the end of what others write. Opened anew each time: a program may close every
 * descriptor that it does not know. */
static void write_line(const char *line)
{
    const char *path = getenv(VARIABLE);
    struct iovec parts[] = {{(void *)line, strlen(line)}, {(void *)"\n", 1}};
    ssize_t written;
    int fd;

    if (!path || !*path)
        return;
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0)
        return;
    written = writev(fd, parts, 2);
    (void)written; /* a full disk, say: the program is not to notice */
    (void)close(fd);
}

static void on_key(const SSL *ssl, const char *line)
{
    SSL_CTX *(*context_of)(const SSL *) = find("SSL_get_SSL_CTX", __builtin_return_address(0));
    keylog_fn *own = context_of ? own_callback(context_of(ssl)) : NULL;
    int saved = errno;

    write_line(line);
    errno = saved;
    if (own)
        own(ssl, line);
}

static void log_keys_of(SSL_CTX *context, const void *caller)
{
    void (*set)(SSL_CTX *, keylog_fn *) = find("SSL_CTX_set_keylog_callback", caller);

    if (set)
        set(context, on_key);
}

/* ---- in the place of OpenSSL's ---- */

EXPORT SSL_CTX *SSL_CTX_new(const void *method);
EXPORT SSL_CTX *SSL_CTX_new_ex(void *library, const char *properties, const void *method);
EXPORT void SSL_CTX_set_keylog_callback(SSL_CTX *context, keylog_fn *callback);
EXPORT keylog_fn *SSL_CTX_get_keylog_callback(const SSL_CTX *context);

static SSL_CTX *made(SSL_CTX *context, const void *caller)
{
    if (context) {
        set_own_callback(context, NULL);
        log_keys_of(context, caller);
    }
    return context;
}

/* OpenSSL's SSL_CTX_new() goes on to its SSL_CTX_new_ex(), which is the one below again: and by a jump, so
 * that this library seems to have called it. */
static _Thread_local const void *outer_caller;

SSL_CTX *SSL_CTX_new(const void *method)
{
    const void *caller = __builtin_return_address(0);
    SSL_CTX *(*make)(const void *) = find("SSL_CTX_new", caller);
    SSL_CTX *context;

    outer_caller = caller;
    context = made(make ? make(method) : NULL, caller);
    outer_caller = NULL;
    return context;
}

SSL_CTX *SSL_CTX_new_ex(void *library, const char *properties, const void *method)
{
    const void *caller = outer_caller ? outer_caller : __builtin_return_address(0);
    SSL_CTX *(*make)(void *, const char *, const void *) = find("SSL_CTX_new_ex", caller);

    return made(make ? make(library, properties, method) : NULL, caller);
}

void SSL_CTX_set_keylog_callback(SSL_CTX *context, keylog_fn *callback)
{
    set_own_callback(context, callback);
    log_keys_of(context, __builtin_return_address(0)); /* it may have been made by another way */
}

keylog_fn *SSL_CTX_get_keylog_callback(const SSL_CTX *context)
{
    return own_callback(context);
}
