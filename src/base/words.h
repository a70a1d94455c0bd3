/* Command lines in one text, as configuration files and options hold them. */
#pragma once

#include "src/base/error.h"
#include "src/base/text.h"

/* Splits `text` into words as a shell does, without expanding anything: blanks part words, '…' keeps all as
 * it is, in "…" and outside a backslash keeps the next character. -1 (ERROR_INPUT) for a quote that is not
 * closed. */
int words_split(const char *text, struct strings *ret_words, struct error **ret);

/* Adds the word as a shell takes it, and as a terminal may show it: quoted if it has to be, control
 * characters written out. */
void words_quote(struct buffer *text, const char *word);
