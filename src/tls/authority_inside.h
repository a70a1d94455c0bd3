/* Inside of an authority, shared by authority.c (where it comes from) and certificate.c (what it issues)
 * only.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#include "src/tls/authority.h"

#define KEY_BITS 2048

/* Certificates are valid from a day ago: the clock of a device under test may be slow. */
#define DAY_S        ((time_t)24 * 60 * 60)
#define VALID_BEFORE DAY_S
#define VALID_AFTER  (365 * DAY_S)

struct ua_key {
    char *ua;
    gnutls_x509_privkey_t key;
};

struct authority {
    gnutls_x509_crt_t *chain; /* its own certificate, then those above it that were given with it */
    unsigned chain_count;
    gnutls_x509_privkey_t key;
    struct ua_key *ua_keys;
    size_t ua_key_count;
};

/* `result` is what GnuTLS returned: 0 if all is well, else -1 with its words. */
int tls_check(int result, const char *what, struct error **ret);

gnutls_x509_privkey_t tls_make_key(struct error **ret);

/* A certificate with this common name and key, a random serial and its time of validity, not yet signed. */
gnutls_x509_crt_t tls_begin_certificate(const char *common_name, gnutls_x509_privkey_t key,
                                        struct error **ret);

static inline void free_certificate(gnutls_x509_crt_t *certificate)
{
    if (*certificate)
        gnutls_x509_crt_deinit(*certificate);
}
#define cleanup_certificate __attribute__((cleanup(free_certificate)))
