/* sippod-router: makes and connects network devices on behalf of sippod, which has no power to. It is started
 * by sippod, with a socket as descriptor 3, serves it, and ends with it.
 *
 * It is the only program that may be installed with file capabilities, so every user may start it with
 * whatever he likes for descriptors, environment, limits, signals, mounts and namespaces. main() is the list
 * of what it does about that before it reads the first request.
 *
 * Which network it works in follows from where it finds itself, never from what it is told: see find_trust().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/namespace.h"
#include "netns/router/router.h"
#include "sandbox/capabilities.h"
#include "sandbox/seccomp.h"
#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/text.h"

#define SOCKET_FD      3
#define INITIAL_USERNS 0xEFFFFFFDU /* PROC_USER_INIT_INO in the kernel, the same on every host */
#define OVERFLOW_UID   65534 /* what an unmapped uid reads as, unless kernel.overflowuid says otherwise */

/* Should: have descriptor 3 as its only way in. Mustn't: take a word from the command line or from a file. */
static int take_socket(int argc, struct router *router, struct error **ret)
{
    int domain = 0, type = 0, flags;
    socklen_t size = sizeof domain;

    if (argc > 1)
        return error_set(ret, ERROR_INPUT, "is started by sippod and takes no arguments");
    if (getsockopt(SOCKET_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
        getsockopt(SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || domain != AF_UNIX ||
        type != SOCK_SEQPACKET)
        return error_set(ret, ERROR_INPUT, "is started by sippod, with a socket as descriptor %d", SOCKET_FD);
    flags = fcntl(SOCKET_FD, F_GETFL);
    if (flags < 0 || fcntl(SOCKET_FD, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot use descriptor %d", SOCKET_FD);
    router->socket = SOCKET_FD;
    return 0;
}

/* Should: keep standard error, for its one line. Mustn't: hold any other file of the caller open or read its
 * environment, nor make files (it makes none) that others may write. */
static int isolate(struct error **ret)
{
    bool errors = fcntl(STDERR_FILENO, F_GETFD) >= 0;

    if (process_standard_streams(-1, errors ? STDERR_FILENO : -1, ret) < 0)
        return -1;
    if (close_range(SOCKET_FD + 1, ~0U, 0) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot close what it was not given");
    if (clearenv() != 0)
        return error_set(ret, ERROR_FAILED, "cannot clear the environment");
    umask(077);
    return 0;
}

/* Should: end when its socket does, and only then: a Ctrl-C reaches all processes of the terminal, and it is
 * sippod that decides when the router has done its work. For the same reason there is no parent-death signal:
 * after a SIGKILL of sippod the router is what is left to undo things. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM};

    process_reset_signals();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        (void)signal(ignored[i], SIG_IGN); /* cannot fail for these */
}

/* Mustn't: be traced, looked into or dumped by its user, nor gain anything by starting a program. */
static int protect(struct error **ret)
{
    if (prctl(PR_SET_NAME, "sippod-router") < 0 || prctl(PR_SET_PDEATHSIG, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot protect itself");
    return 0;
}

static uid_t overflow_uid(void)
{
    cleanup_fd int fd = open("/proc/sys/kernel/overflowuid", O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long uid;

    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    return text_number(text, 0, UINT32_MAX, &uid) ? (uid_t)uid : OVERFLOW_UID;
}

/* Opens the user namespace that owns the network namespace that the router is in: 1 if that is its own user
 * namespace, else 0. */
static int open_own_userns(int *ret_userns, ino_t *ret_number, struct error **ret)
{
    cleanup_fd int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    cleanup_fd int userns = -1;
    struct stat owner, own;

    if (netns < 0 || stat("/proc/self/ns/user", &own) < 0)
        return error_sys(ret, ERROR_HOST, errno, "cannot see its namespaces in /proc");
    if (namespace_userns(netns, &userns, NULL) < 0) /* not its own: the kernel does not even show it */
        return 0;
    if (fstat(userns, &owner) < 0)
        return error_sys(ret, ERROR_FAILED, errno, "cannot see its user namespace");
    if (owner.st_dev != own.st_dev || owner.st_ino != own.st_ino)
        return 0;
    *ret_userns = steal_fd(&userns);
    *ret_number = own.st_ino;
    return 1;
}

/* The network is the user's own if he has himself made the user namespace in which the router has its
 * capabilities, and the router's network namespace belongs to that one: then he could do with that network
 * all that the router does for him, and nothing can be gained by misleading it.
 *
 * Why an ordinary user cannot bring this about for a network that is not his, though the file has
 * capabilities:
 *
 * On a host, its network belongs to the initial user namespace, which has a fixed inode number. If the router
 * runs in another one, that is not the owner of the host's network; and what the file's capabilities are
 * worth there counts in that namespace only, whatever the router believes.
 *
 * In a container that is a user namespace as a whole, the network's owner is the router's own user namespace,
 * and not the initial one. But that was made by whoever started the container, and the kernel tells his uid.
 * If he is mapped into the container, only he himself has that uid there. If he is not, it reads as the
 * overflow uid; so that one never counts, not even for the user who really has it.
 *
 * /proc and the policy may be forged, but only by one who has a mount namespace of his own, and thus, being
 * an ordinary user, a user namespace of his own, in which the router's capabilities then count and nowhere
 * else.
 */
static int find_trust(struct router *router, struct error **ret)
{
    cleanup_fd int userns = -1;
    uid_t uid = getuid(), owner = 0;
    ino_t number = 0;
    int own;

    if (uid != geteuid() || getgid() != getegid())
        return error_set(ret, ERROR_HOST, "must not be installed with set-user-ID or set-group-ID");
    if (uid == overflow_uid())
        return error_set(ret, ERROR_HOST, "cannot work for uid %u, which stands for all unknown users", uid);
    own = open_own_userns(&userns, &number, ret);
    if (own < 0 || (own > 0 && namespace_owner(userns, &owner, ret) < 0))
        return -1;
    if (!own)
        return error_set(ret, ERROR_HOST,
                         "the network belongs to another user namespace, where nothing can be done from this "
                         "one");
    if (owner == uid && number != INITIAL_USERNS)
        router->trust = TRUST_PRIVATE;
    else
        router->trust = uid == 0 ? TRUST_ROOT : TRUST_POLICY;
    return 0;
}

static int lacks(uint64_t missing, struct error **ret)
{
    cleanup_free char *names = capabilities_text(missing);
    cleanup_free char *path = file_absolute("/proc/self/exe", NULL);

    return error_set(
        ret, ERROR_HOST,
        "lacks the capability %s: run sippod as root, or have root set it with \"setcap "
        "cap_net_admin,cap_net_raw=p %s\" (where file systems are not mounted nosuid, nor sippod is "
        "started with no_new_privs)",
        names, path ? path : "sippod-router");
}

/* Should: hold CAP_NET_ADMIN and CAP_NET_RAW as permitted, nothing as effective. Mustn't: have been given
 * anything else, unless by being root's; what gave it more did not mean this program, and more than it
 * expects it would not guard. */
static int check_capabilities(const struct router *router, struct error **ret)
{
    const uint64_t expected = CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_NET_RAW);
    const uint64_t needed = router->trust == TRUST_POLICY ? expected : CAPABILITY(CAP_NET_ADMIN);
    uint64_t permitted;

    if (capabilities_permitted(&permitted, ret) < 0)
        return -1;
    if (permitted & ~expected && router->trust != TRUST_ROOT) {
        cleanup_free char *surplus = capabilities_text(permitted & ~expected);

        return error_set(ret, ERROR_HOST, "has capabilities that it must not have: %s", surplus);
    }
    if (needed & ~permitted)
        return lacks(needed & ~permitted, ret);
    return capabilities_drop(expected, ret);
}

/* Opening needs no power: the kernel looks at who sends each request (netlink_capable()). */
static int open_netlink(struct router *router, struct error **ret)
{
    router->nl = netlink_open(ret);
    return router->nl ? 0 : -1;
}

#ifdef __SANITIZE_ADDRESS__
/* The search for leaks traces the process, which protect() forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Told once: to sippod, if there is one. */
static int fail(const struct router *router, const struct error *error)
{
    if (router->socket >= 0)
        reply_farewell((struct router *)router, error);
    else
        fprintf(stderr, "sippod-router: %s\n", error_text(error));
    return (int)error->code;
}

int main(int argc, char **argv)
{
    cleanup_error struct error *error = NULL;
    struct router router = {.socket = -1};
    int result = -1;

    (void)argv;
    ignore_signals();
    if (take_socket(argc, &router, &error) == 0 && isolate(&error) == 0 && protect(&error) == 0 &&
        find_trust(&router, &error) == 0 && check_capabilities(&router, &error) == 0 &&
        open_netlink(&router, &error) == 0 && (router.loop = loop_new(&error)) != NULL &&
        seccomp_router(&error) == 0)
        result = requests_serve(&router, &error);
    links_undo_all(&router);
    outside_close(&router);
    netlink_close(router.nl);
    loop_free(steal_pointer(&router.loop)); /* the last words go without it */
    return result == 0 ? 0 : fail(&router, error);
}
