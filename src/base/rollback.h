/* The rollback stack. Each step that changed something pushes its undo; running the stack pops them in
 * reverse order, one after the other. An undo that fails is remembered and the rest is undone all the same.
 *
 * An undo may take its time (wait for a process, drain a capture): its function starts it and whoever
 * finishes it calls rollback_done(), at once or from a later event. */
#pragma once

#include <stdbool.h>

#include "src/base/error.h"
#include "src/base/text.h"

struct rollback;

struct rollback *rollback_new(void);
void rollback_free(struct rollback *rollback); /* undoes nothing */

/* `name` must live as long as the stack (a literal). */
void rollback_push(struct rollback *rollback, const char *name, void (*undo)(void *user), void *user);

/* Starts popping. `finished(user, failures)` is called once the stack is empty; `failures` holds one line
 * "name: reason" (or a reason that begins with the name) for each undo that failed and belongs to the stack.
 * Steps may not be pushed any more. */
void rollback_run(struct rollback *rollback, void (*finished)(void *user, const struct strings *failures),
                  void *user);

/* The undo under way is over; takes `error` (NULL: it succeeded). */
void rollback_done(struct rollback *rollback, struct error *error);

bool rollback_running(const struct rollback *rollback);
