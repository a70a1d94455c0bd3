/* libhyperstart-mock: an agent that speaks hyperstart, and does as it is told, to test clients with.
 *
 *     struct hyperstart_mock *mock = hyperstart_mock_new(NULL);
 *     hyperstart_mock_start(mock, NULL);
 *     …              (the client connects to hyperstart_mock_ctl_path(mock) and
 * hyperstart_mock_io_path(mock)) hyperstart_mock_send_io_string(mock, 1, "hello\n");
 *     hyperstart_mock_stop(mock, 1000);
 *     hyperstart_mock_free(mock);
 *
 * Each command is answered as an agent that reads header and payload one after the other does: NEXT(8),
 * NEXT(length of the payload) if there is one, ACK. GETVERSION's ACK holds 4244; a code that has no name is
 * answered ERROR. hyperstart_mock_set_answer() makes it another answer, late, never, or the end.
 *
 * Channels. One client is accepted on each; nothing is read before both are connected. Once the client closes
 * one of them it has left: what it has sent on either is still taken, and no more can be sent to it. So has
 * one that sends what is no frame (a length below the header's or above 1 MiB), which on the control channel
 * is answered ERROR.
 *
 * Threads. A mock has one thread of its own, which reads, answers and logs; any number of mocks do not know
 * of each other. All functions but hyperstart_mock_free() may be called from any thread. From the log
 * function too, where one that had to wait fails with EDEADLK instead.
 *
 * Waiting. A timeout is in milliseconds; a negative one waits for ever, 0 not at all. A wait that ends
 * without what was waited for fails with ETIMEDOUT; EPIPE: the client has left, or its channel was closed;
 * ESHUTDOWN: the mock is not running, or was stopped meanwhile.
 *
 * Memory. What is held is bounded, whatever the client does: see hyperstart_mock_options. A program for whose
 * mock no memory is left ends with a line that says so. */
#ifndef HYPERSTART_MOCK_H
#define HYPERSTART_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hyperstart_code {
    HYPERSTART_GETVERSION = 0,
    HYPERSTART_STARTPOD = 1,
    HYPERSTART_DESTROYPOD = 4,
    HYPERSTART_EXECCMD = 6,
    HYPERSTART_READY = 8,
    HYPERSTART_ACK = 9,
    HYPERSTART_ERROR = 10,
    HYPERSTART_WINSIZE = 11,
    HYPERSTART_PING = 12,
    HYPERSTART_NEXT = 14,
    HYPERSTART_WRITEFILE = 15,
    HYPERSTART_READFILE = 16,
    HYPERSTART_NEWCONTAINER = 17,
    HYPERSTART_KILLCONTAINER = 18,
    HYPERSTART_ONLINECPUMEM = 19,
    HYPERSTART_SETUPINTERFACE = 20,
    HYPERSTART_SETUPROUTE = 21,
    HYPERSTART_REMOVECONTAINER = 22,
    HYPERSTART_PROCESSASYNCEVENT = 23,
    HYPERSTART_SIGNALPROCESS = 24,
    HYPERSTART_DELETEINTERFACE = 25
};

/* "newcontainer" for 17; "unknown" for a code that has no name. */
const char *hyperstart_mock_code_name(uint32_t code);
/* The other way round, and a decimal number for itself. -1 for what is neither. */
int hyperstart_mock_code(const char *name, uint32_t *ret_code);

/* ---- a mock ---- */

#define HYPERSTART_MOCK_DETAIL 512                       /* bytes of a detail, with its NUL */
#define HYPERSTART_MOCK_KEPT   ((size_t)8 * 1024 * 1024) /* what 0 stands for */

struct hyperstart_mock;

/* All 0 is the default. */
struct hyperstart_mock_options {
    /* Where it listens, at most 107 bytes each. NULL: mock.hyper.<suffix>.0.sock (control) and
     * mock.hyper.<suffix>.1.sock (I/O) in $TMPDIR, or /tmp, each with a suffix of its own. */
    const char *ctl_path, *io_path;
    bool ready;       /* READY is sent once both channels are connected */
    int send_wait_ms; /* how long sending waits for the client to connect, or to read; 0: for ever */
    size_t kept; /* bytes of commands kept for hyperstart_mock_last_messages(): beyond them the oldest are
                    forgotten. 0: HYPERSTART_MOCK_KEPT */
    /* Called with what happens, a line each without its newline: start, accepted clients, each command with
     * name and length and a hex dump of its payload, answers, what is sent and received on the I/O channel,
     * the end. From the mock's thread, but for the last line, which comes from whoever stops it. NULL:
     * nothing is logged. */
    void (*log)(void *user, const char *line);
    void *user;
};

/* `options` is copied; NULL: all defaults. NULL with errno on failure. */
struct hyperstart_mock *hyperstart_mock_new(const struct hyperstart_mock_options *options);
void hyperstart_mock_free(struct hyperstart_mock *mock); /* stops it at once; NULL is fine */

const char *hyperstart_mock_ctl_path(const struct hyperstart_mock *mock);
const char *hyperstart_mock_io_path(const struct hyperstart_mock *mock);

/* Listens on both sockets (0600), and returns at once. A socket that nobody listens on any more is replaced;
 * anything else at their paths is an error: EADDRINUSE, or EEXIST for what is no socket. -1 with errno, and a
 * sentence in `detail` (unless NULL). A mock that was stopped can be started again, with what was set. */
int hyperstart_mock_start(struct hyperstart_mock *mock, char detail[HYPERSTART_MOCK_DETAIL]);

/* Waits until the client has connected on both channels, and what was sent to it is on its way; then, or when
 * the time is over, takes what the client has sent (but for commands behind one that is held or answered
 * late), closes everything and removes the sockets. 0, or -1 with ETIMEDOUT: it is stopped all the same. */
int hyperstart_mock_stop(struct hyperstart_mock *mock, int timeout_ms);

/* 0 once the client is connected on both channels, also if it has left since. */
int hyperstart_mock_wait_connected(struct hyperstart_mock *mock, int timeout_ms);
/* 0 once it has left, or both channels are closed. */
int hyperstart_mock_wait_left(struct hyperstart_mock *mock, int timeout_ms);

/* ---- what the client has sent ---- */

struct hyperstart_mock_message {
    uint64_t number; /* 1 for the first command since start */
    uint32_t code;
    size_t length;          /* bytes of the payload */
    const uint8_t *payload; /* a NUL follows it */
};

/* The commands received since the previous call, oldest first: *ret_count of them, to be freed by one free().
 * Never NULL. A command is here before the client sees its answer. */
struct hyperstart_mock_message *hyperstart_mock_last_messages(struct hyperstart_mock *mock,
                                                              size_t *ret_count);

/* Waits for, and takes, the oldest one only; to be freed. NULL with errno. */
struct hyperstart_mock_message *hyperstart_mock_next_message(struct hyperstart_mock *mock, int timeout_ms);

/* Waits until `count` commands are there for hyperstart_mock_last_messages(); they have then been answered,
 * as far as they are answered at once. */
int hyperstart_mock_wait_messages(struct hyperstart_mock *mock, size_t count, int timeout_ms);

/* Waits until the commands that hyperstart_mock_last_messages() would return begin with these; takes none of
 * them. -1 as soon as one is different, with EBADMSG, or does not come, and a sentence about the first
 * difference in `detail` (unless NULL): "command 3: expected execcmd, got newcontainer". */
int hyperstart_mock_expect(struct hyperstart_mock *mock, const uint32_t *codes, size_t count, int timeout_ms,
                           char detail[HYPERSTART_MOCK_DETAIL]);

struct hyperstart_mock_packet {
    uint64_t sequence;
    size_t size; /* bytes of the whole packet, header (12 bytes) included */
    const uint8_t *packet;
    size_t length;          /* bytes of its payload; 0: the end of the stream */
    const uint8_t *payload; /* a NUL follows it */
};

/* Waits for, and takes, the oldest packet that was received on the I/O channel; to be freed by one free().
 * NULL with errno. While 2 MiB are there that nobody has taken, nothing more is read from the channel. */
struct hyperstart_mock_packet *hyperstart_mock_read_io(struct hyperstart_mock *mock, int timeout_ms);

/* ---- what is sent to the client ---- */

/* Each waits until both channels are connected, and while the client leaves more than 1 MiB unread, for
 * options.send_wait_ms. 0, or -1 with errno; EMSGSIZE: more than a frame of 1 MiB holds. */
int hyperstart_mock_send_message(struct hyperstart_mock *mock, uint32_t code, const void *payload,
                                 size_t length);
/* PROCESSASYNCEVENT with {container, process, event, info, status}; texts are UTF-8; process (the container's
 * name then) and info may be NULL. */
int hyperstart_mock_send_event(struct hyperstart_mock *mock, const char *container, const char *process,
                               const char *event, const char *info, int status);

/* A process has the sequences that its Process.stdio and .stderr name. After the end of the stdio one
 * (hyperstart_mock_close_io) its exit status is sent on it. */
int hyperstart_mock_send_io(struct hyperstart_mock *mock, uint64_t sequence, const void *data, size_t length);
int hyperstart_mock_send_io_string(struct hyperstart_mock *mock, uint64_t sequence, const char *text);
int hyperstart_mock_close_io(struct hyperstart_mock *mock, uint64_t sequence);
int hyperstart_mock_send_exit_status(struct hyperstart_mock *mock, uint64_t sequence, uint8_t status);

enum hyperstart_mock_channel { HYPERSTART_MOCK_CTL, HYPERSTART_MOCK_IO };

/* Closes a channel once what was sent before is on its way. What the client has sent on it and was not taken
 * yet is lost. */
int hyperstart_mock_close(struct hyperstart_mock *mock, enum hyperstart_mock_channel channel);

/* ---- how commands are answered ---- */

enum hyperstart_mock_reply {
    HYPERSTART_MOCK_ACK,   /* with the payload, if there is one */
    HYPERSTART_MOCK_ERROR, /* with the payload as its words */
    HYPERSTART_MOCK_NEVER, /* no answer, and on to the next command */
    HYPERSTART_MOCK_CLOSE, /* both channels are closed instead */
    HYPERSTART_MOCK_HOLD   /* the answer, and all further commands, wait for hyperstart_mock_answer() */
};

struct hyperstart_mock_answer {
    enum hyperstart_mock_reply reply;
    uint32_t delay_ms; /* milliseconds to wait before; commands behind wait, too, as answers come in order */
    const void *payload;
    size_t length;
};

#define HYPERSTART_MOCK_EVERY_CODE UINT32_MAX

/* Sets how commands of that code are answered (HYPERSTART_MOCK_EVERY_CODE: those of which nothing else is
 * said). `nth` 0: all of them from now on; N: only the N-th one from now on, which goes before 0. NULL: as it
 * is by default. The answer is copied. -1 with EMSGSIZE: more than a frame of 1 MiB holds. */
int hyperstart_mock_set_answer(struct hyperstart_mock *mock, uint32_t code, unsigned nth,
                               const struct hyperstart_mock_answer *answer);

/* Answers the command that is held; NULL: as it is by default. Fails with EAGAIN if none is, with EINVAL for
 * HYPERSTART_MOCK_HOLD. */
int hyperstart_mock_answer(struct hyperstart_mock *mock, const struct hyperstart_mock_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
