#include <string.h>

#include "src/base/memory.h"
#include "src/mock/mock.h"

struct item *item_new(const uint8_t *bytes, size_t length)
{
    struct item *item = memory_new(sizeof *item + length + 1);

    item->size = sizeof *item + length + 1;
    if (length)
        memcpy(item->bytes, bytes, length);
    return item;
}

void queue_add(struct queue *queue, struct item *item)
{
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->count++;
    queue->bytes += item->size;
}

struct item *queue_take(struct queue *queue)
{
    struct item *item = queue->first;

    if (!item)
        return NULL;
    queue->first = item->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    queue->bytes -= item->size;
    return item;
}

void queue_free(struct queue *queue)
{
    struct item *item;

    while ((item = queue_take(queue)))
        free(item);
}
