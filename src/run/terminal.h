/* The terminal that sippod was started on, lent to a shell in a pod: raw, so that every key is the shell's
 * (^C and ^Z too), and without a word of sippod's own, which would spoil the screen: what is printed
 * meanwhile waits. It is given back on every way out but SIGKILL, a crash of sippod included. There is one
 * only. */
#pragma once

#include <stdbool.h>

#include "src/base/loop.h"

struct terminal;

bool terminal_is_there(void); /* standard input is one */

/* resized(user) is called when its size has changed. NULL on failure, with nothing changed. */
struct terminal *terminal_borrow(struct loop *loop, void (*resized)(void *user), void *user,
                                 struct error **ret);
/* As it was before, and what waited is printed. NULL is fine. */
void terminal_give_back(struct terminal *terminal);

/* Forgets what has been typed and not been read: it was not meant for whoever has the terminal next. */
void terminal_drop_keys(void);

void terminal_size(unsigned *ret_rows, unsigned *ret_columns); /* 0: it does not know */

/* The way to what shows it, not blocking where that can be had; standard output where that is no terminal. It
 * stays the terminal's. */
int terminal_output(const struct terminal *terminal);
