/* The commands that were received, as the user asks for them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

struct hyperstart_mock_message *hyperstart_mock_last_messages(struct hyperstart_mock *mock, size_t *ret_count)
{
    struct hyperstart_mock_message *messages;
    struct queue queue;
    struct item *item;
    uint8_t *bytes;
    size_t count = 0;

    pthread_mutex_lock(&mock->lock);
    queue = mock->messages;
    mock->messages = (struct queue){0};
    mock->forgotten = 0;
    pthread_mutex_unlock(&mock->lock);
    *ret_count = queue.count;
    messages = memory_new(queue.count * sizeof *messages + queue.bytes);
    bytes = (uint8_t *)(messages + queue.count); /* all that items hold beside is more than enough */
    while ((item = queue_take(&queue))) {
        messages[count] = item->message;
        messages[count++].payload = bytes;
        memcpy(bytes, item->bytes, item->message.length + 1);
        bytes += item->message.length + 1;
        free(item);
    }
    return messages;
}

/* Waits until so many are there; 0 or an errno. Under the lock. */
static int wait_count(struct hyperstart_mock *mock, size_t count, const struct wait *wait)
{
    int error = 0;

    while (!error && mock->messages.count < count)
        error = wait_more(mock, HYPERSTART_MOCK_CTL, wait);
    return mock->messages.count < count ? error : 0;
}

struct hyperstart_mock_message *hyperstart_mock_next_message(struct hyperstart_mock *mock, int timeout_ms)
{
    struct wait wait = wait_for(timeout_ms);
    struct item *item = NULL;
    int error;

    pthread_mutex_lock(&mock->lock);
    error = wait_count(mock, 1, &wait);
    if (!error)
        item = queue_take(&mock->messages);
    return mock_unlock(mock, error) < 0 ? NULL : &item->message;
}

int hyperstart_mock_wait_messages(struct hyperstart_mock *mock, size_t count, int timeout_ms)
{
    struct wait wait = wait_for(timeout_ms);

    pthread_mutex_lock(&mock->lock);
    return mock_unlock(mock, wait_count(mock, count, &wait));
}

/* ---- expectations ---- */

/* The code's name, or its number. */
static const char *name_of(uint32_t code, char text[16])
{
    if (ctl_is_known(code))
        return ctl_name(code);
    (void)snprintf(text, 16, "%u", code);
    return text;
}

static const char *why_none(int error)
{
    switch (error) {
    case ETIMEDOUT:
        return "none in time";
    case EPIPE:
        return "none before the client left";
    case EDEADLK:
        return "none yet";
    default:
        return "none before the mock was stopped";
    }
}

/* 0, or an errno with the difference in `detail`. Under the lock. */
static int compare(struct hyperstart_mock *mock, const uint32_t *codes, size_t count, const struct wait *wait,
                   char detail[HYPERSTART_MOCK_DETAIL])
{
    for (size_t i = 0; i < count; i++) {
        int error = wait_count(mock, i + 1, wait);
        const struct item *item = mock->messages.first;
        char expected[16], got[16];

        if (mock->forgotten) {
            (void)snprintf(detail, HYPERSTART_MOCK_DETAIL, "%llu commands are forgotten already",
                           (unsigned long long)mock->forgotten);
            return EBADMSG;
        }
        for (size_t skip = 0; !error && skip < i; skip++)
            item = item->next;
        if (!error && item->message.code == codes[i])
            continue;
        (void)snprintf(detail, HYPERSTART_MOCK_DETAIL, "command %zu: expected %s, got %s", i + 1,
                       name_of(codes[i], expected),
                       error ? why_none(error) : name_of(item->message.code, got));
        return error ? error : EBADMSG;
    }
    return 0;
}

int hyperstart_mock_expect(struct hyperstart_mock *mock, const uint32_t *codes, size_t count, int timeout_ms,
                           char detail[HYPERSTART_MOCK_DETAIL])
{
    struct wait wait = wait_for(timeout_ms);
    char unwanted[HYPERSTART_MOCK_DETAIL];

    pthread_mutex_lock(&mock->lock);
    return mock_unlock(mock, compare(mock, codes, count, &wait, detail ? detail : unwanted));
}
