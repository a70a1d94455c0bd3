/* Certificates: an authority, given by the user or made for one run, and what it issues to UAs. */
#pragma once

#include "src/base/error.h"
#include "src/base/text.h"

#define AUTHORITY_FILE "ca.crt"

struct authority;

/* A fresh one, whose key is never written down. */
struct authority *authority_make(struct error **ret);

/* The one in these PEM files. ERROR_INPUT with the file and the reason if it cannot issue certificates that
 * anybody would accept now. */
struct authority *authority_load(const char *certificate, const char *key, struct error **ret);

void authority_free(struct authority *authority); /* NULL is fine */

/* Makes the key for the UAs of this name beforehand: that takes some 50 ms. Once for each name. */
int authority_make_key(struct authority *authority, const char *ua, struct error **ret);

/* Writes UA.crt, UA.key and the authority's own certificate(s) into the folder, for the one at this address;
 * `names` (NULL: none) are host names that it goes by. */
int authority_issue(struct authority *authority, int folder, const char *ua, const char *address,
                    const struct strings *names, struct error **ret);
