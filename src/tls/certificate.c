/* A UA's certificate and key. One key serves all UAs of a name during a run, as making one takes longer than
 * a test should wait; certificates are each test's own. */
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/tls/authority_inside.h"

#define SERIAL_BYTES 16

int tls_check(int result, const char *what, struct error **ret)
{
    return result < 0 ? error_set(ret, ERROR_FAILED, "%s: %s", what, gnutls_strerror(result)) : 0;
}

/* ---- keys ---- */

gnutls_x509_privkey_t tls_make_key(struct error **ret)
{
    gnutls_x509_privkey_t key = NULL;
    int result = gnutls_x509_privkey_init(&key);

    if (result == 0)
        result = gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, KEY_BITS, 0);
    if (tls_check(result, "cannot make an RSA key", ret) == 0)
        return key;
    if (key)
        gnutls_x509_privkey_deinit(key);
    return NULL;
}

static gnutls_x509_privkey_t find_key(const struct authority *authority, const char *ua)
{
    for (size_t i = 0; i < authority->ua_key_count; i++)
        if (strcmp(authority->ua_keys[i].ua, ua) == 0)
            return authority->ua_keys[i].key;
    return NULL;
}

int authority_make_key(struct authority *authority, const char *ua, struct error **ret)
{
    gnutls_x509_privkey_t key;

    if (find_key(authority, ua))
        return 0;
    key = tls_make_key(ret);
    if (!key)
        return -1;
    authority->ua_keys =
        memory_array(authority->ua_keys, authority->ua_key_count + 1, sizeof *authority->ua_keys);
    authority->ua_keys[authority->ua_key_count++] = (struct ua_key){.ua = text_copy(ua), .key = key};
    return 0;
}

/* ---- certificates ---- */

/* Positive, without a leading zero byte, and never the same again. */
static int set_serial(gnutls_x509_crt_t certificate)
{
    unsigned char serial[SERIAL_BYTES];
    int result = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);

    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40);
    return result == 0 ? gnutls_x509_crt_set_serial(certificate, serial, sizeof serial) : result;
}

/* The identifier by which others find the certificate that it was signed with. */
static int set_key_id(gnutls_x509_crt_t certificate)
{
    unsigned char id[64];
    size_t length = sizeof id;
    int result = gnutls_x509_crt_get_key_id(certificate, 0, id, &length);

    return result == 0 ? gnutls_x509_crt_set_subject_key_id(certificate, id, length) : result;
}

static int fill_certificate(gnutls_x509_crt_t certificate, const char *common_name, gnutls_x509_privkey_t key)
{
    time_t now = time(NULL);
    int result = gnutls_x509_crt_set_version(certificate, 3);

    if (result == 0)
        result = gnutls_x509_crt_set_key(certificate, key);
    if (result == 0)
        result = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                               (unsigned)strlen(common_name));
    if (result == 0)
        result = gnutls_x509_crt_set_activation_time(certificate, now - VALID_BEFORE);
    if (result == 0)
        result = gnutls_x509_crt_set_expiration_time(certificate, now + VALID_AFTER);
    if (result == 0)
        result = set_serial(certificate);
    return result == 0 ? set_key_id(certificate) : result;
}

gnutls_x509_crt_t tls_begin_certificate(const char *common_name, gnutls_x509_privkey_t key,
                                        struct error **ret)
{
    gnutls_x509_crt_t certificate = NULL;
    int result = gnutls_x509_crt_init(&certificate);

    if (result == 0)
        result = fill_certificate(certificate, common_name, key);
    if (tls_check(result, "cannot make a certificate", ret) == 0)
        return certificate;
    if (certificate)
        gnutls_x509_crt_deinit(certificate);
    return NULL;
}

static int set_names(gnutls_x509_crt_t certificate, const char *address, const struct strings *names)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    bool is_v6 = strchr(address, ':') != NULL;
    int result = GNUTLS_E_INVALID_REQUEST;

    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, address, bytes) == 1)
        result = gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, bytes,
            is_v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr), GNUTLS_FSAN_SET);
    for (size_t i = 0; result == 0 && names && i < names->count; i++)
        result = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, names->list[i],
                                                      (unsigned)strlen(names->list[i]), GNUTLS_FSAN_APPEND);
    return result;
}

/* Each UA is a client to one and a server to another. */
static int set_purposes(gnutls_x509_crt_t certificate)
{
    int result = gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);

    if (result == 0)
        result = gnutls_x509_crt_set_key_usage(certificate,
                                               GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_ENCIPHERMENT);
    if (result == 0)
        result = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (result == 0)
        result = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    return result;
}

/* It is not valid for longer than who signed it. */
static int sign(gnutls_x509_crt_t certificate, const struct authority *authority)
{
    time_t end = gnutls_x509_crt_get_expiration_time(authority->chain[0]);
    unsigned char id[64];
    size_t length = sizeof id;
    int result = 0;

    if (end < gnutls_x509_crt_get_expiration_time(certificate))
        result = gnutls_x509_crt_set_expiration_time(certificate, end);
    if (result == 0 && gnutls_x509_crt_get_subject_key_id(authority->chain[0], id, &length, NULL) ==
                           0) /* else it has none */
        result = gnutls_x509_crt_set_authority_key_id(certificate, id, length);
    return result == 0
               ? gnutls_x509_crt_sign2(certificate, authority->chain[0], authority->key, GNUTLS_DIG_SHA256, 0)
               : result;
}

/* ---- files ---- */

static int add_pem(gnutls_x509_crt_t certificate, struct buffer *text)
{
    gnutls_datum_t datum;
    int result = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &datum);

    if (result == 0) {
        buffer_add(text, datum.data, datum.size);
        gnutls_free(datum.data);
    }
    return result;
}

static int write_certificate(int folder, const char *name, const gnutls_x509_crt_t *list, unsigned count,
                             struct error **ret)
{
    cleanup_buffer struct buffer text = {0};
    int result = 0;

    for (unsigned i = 0; result == 0 && i < count; i++)
        result = add_pem(list[i], &text);
    return tls_check(result, name, ret) < 0 ? -1
                                            : file_write(folder, name, text.data, text.length, 0644, ret);
}

static int write_key(int folder, const char *name, gnutls_x509_privkey_t key, struct error **ret)
{
    gnutls_datum_t datum;
    int result;

    if (tls_check(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &datum), name, ret) < 0)
        return -1;
    result = file_write(folder, name, datum.data, datum.size, 0600, ret);
    gnutls_memset(datum.data, 0, datum.size);
    gnutls_free(datum.data);
    return result;
}

int authority_issue(struct authority *authority, int folder, const char *ua, const char *address,
                    const struct strings *names, struct error **ret)
{
    cleanup_free char *certificate_file = text_format("%s.crt", ua);
    cleanup_free char *key_file = text_format("%s.key", ua);
    cleanup_certificate gnutls_x509_crt_t certificate = NULL;
    gnutls_x509_privkey_t key;
    int result;

    if (authority_make_key(authority, ua, ret) < 0)
        return -1;
    key = find_key(authority, ua);
    certificate = tls_begin_certificate(address, key, ret);
    if (!certificate)
        return -1;
    result = set_names(certificate, address, names);
    if (result == 0)
        result = set_purposes(certificate);
    if (result == 0)
        result = sign(certificate, authority);
    if (tls_check(result, certificate_file, ret) < 0 || write_key(folder, key_file, key, ret) < 0 ||
        write_certificate(folder, AUTHORITY_FILE, authority->chain, authority->chain_count, ret) < 0)
        return -1;
    return write_certificate(folder, certificate_file, &certificate, 1, ret);
}
