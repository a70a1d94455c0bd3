/* A pseudo-terminal for the three standard streams of a process. What the client sends goes to its master
 * like the keys of a user, what is to be seen comes from there. The agent holds the process's end too, so
 * that the master has no end of its own while the process lives: a program may close and open its terminal.
 * pty(7). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox/agent/agent.h"
#include "src/base/memory.h"

int terminal_open(struct process *process, uint64_t sequence, struct error **ret)
{
    cleanup_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cleanup_fd int keys = -1;

    if (master < 0 || unlockpt(master) < 0 || (keys = fcntl(master, F_DUPFD_CLOEXEC, 0)) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot make a terminal");
    /* By the master, not by its name: that would be looked up in whatever is mounted on /dev/pts. */
    process->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (process->terminal < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot open a terminal");
    if (output_use(process, 0, sequence, steal_fd(&master), ret) < 0)
        return -1;
    return sequence ? input_use(process, steal_fd(&keys), ret) : 0;
}

int terminal_resize(const struct process *process, uint16_t rows, uint16_t columns, struct error **ret)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};

    if (process->terminal < 0)
        return error_set(ret, ERROR_INPUT, "the process %s has no terminal", process->id);
    if (ioctl(process->terminal, TIOCSWINSZ, &size) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot set the size of a terminal");
    return 0;
}
