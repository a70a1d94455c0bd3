#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/tls/authority_inside.h"

#define MOST_BYTES        ((size_t)1024 * 1024)
#define MOST_CERTIFICATES 16

/* ---- a fresh one ---- */

static int sign_itself(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, struct error **ret)
{
    int result = gnutls_x509_crt_set_basic_constraints(certificate, 1, -1);

    if (result == 0)
        result = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    if (result == 0)
        result = gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
    return tls_check(result, "cannot sign the certificate authority's certificate", ret);
}

struct authority *authority_make(struct error **ret)
{
    struct authority *authority = memory_new(sizeof *authority);

    authority->key = tls_make_key(ret);
    authority->chain = memory_array(NULL, 1, sizeof *authority->chain);
    authority->chain[0] =
        authority->key ? tls_begin_certificate("sippod, for one run", authority->key, ret) : NULL;
    authority->chain_count = authority->chain[0] ? 1 : 0;
    if (authority->chain_count && sign_itself(authority->chain[0], authority->key, ret) == 0)
        return authority;
    authority_free(authority);
    return NULL;
}

/* ---- one that was given ---- */

static int read_pem(const char *path, char **ret_text, gnutls_datum_t *ret_datum, struct error **ret)
{
    size_t length;

    if (file_read(AT_FDCWD, path, MOST_BYTES, ret_text, &length, ret) < 0)
        return -1;
    if (!strstr(*ret_text, "-----BEGIN "))
        return error_set(ret, ERROR_INPUT, "%s holds no PEM (-----BEGIN ...)", path);
    *ret_datum = (gnutls_datum_t){.data = (unsigned char *)*ret_text, .size = (unsigned)length};
    return 0;
}

static int read_certificates(struct authority *authority, const char *path, struct error **ret)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t datum;
    int result;

    if (read_pem(path, &text, &datum, ret) < 0)
        return -1;
    authority->chain = memory_array(NULL, MOST_CERTIFICATES, sizeof(gnutls_x509_crt_t));
    authority->chain_count = MOST_CERTIFICATES;
    result = gnutls_x509_crt_list_import(authority->chain, &authority->chain_count, &datum,
                                         GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (result > 0)
        return 0;
    authority->chain_count = 0;
    return error_set(ret, ERROR_INPUT, "%s holds no certificate that can be read: %s", path,
                     result ? gnutls_strerror(result) : "there is none in it");
}

static int read_key(struct authority *authority, const char *path, struct error **ret)
{
    cleanup_free char *text = NULL;
    gnutls_datum_t datum;
    int result;

    if (read_pem(path, &text, &datum, ret) < 0)
        return -1;
    if (strstr(text, "ENCRYPTED")) /* in PKCS #8's first line, and in the header of the older form */
        return error_set(ret, ERROR_INPUT,
                         "%s is protected by a passphrase, and nobody is asked for one; `openssl pkey -in "
                         "%s -out FILE` writes it without",
                         path, path);
    result = gnutls_x509_privkey_init(&authority->key);
    if (result == 0)
        result = gnutls_x509_privkey_import2(authority->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    return result ? error_set(ret, ERROR_INPUT, "%s holds no private key that can be read: %s", path,
                              gnutls_strerror(result))
                  : 0;
}

static int check_is_authority(gnutls_x509_crt_t certificate, const char *path, struct error **ret)
{
    unsigned usage = 0, critical, is_authority = 0;
    int result = gnutls_x509_crt_get_basic_constraints(certificate, &critical, &is_authority, NULL);

    if (result < 0 || !is_authority)
        return error_set(ret, ERROR_INPUT,
                         "%s is no certificate authority's: its basicConstraints do not say CA:TRUE", path);
    if (gnutls_x509_crt_get_key_usage(certificate, &usage, &critical) == 0 &&
        !(usage & GNUTLS_KEY_KEY_CERT_SIGN))
        return error_set(ret, ERROR_INPUT, "%s may not sign certificates: its keyUsage has no keyCertSign",
                         path);
    return 0;
}

static void date_text(time_t when, char text[static 32])
{
    struct tm parts;

    if (!gmtime_r(&when, &parts) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &parts))
        *text = '\0';
}

static int check_dates(gnutls_x509_crt_t certificate, const char *path, struct error **ret)
{
    time_t now = time(NULL), from = gnutls_x509_crt_get_activation_time(certificate),
           to = gnutls_x509_crt_get_expiration_time(certificate);
    char date[32];

    if (now > to) {
        date_text(to, date);
        return error_set(ret, ERROR_INPUT, "%s expired on %s", path, date);
    }
    if (now < from) {
        date_text(from, date);
        return error_set(ret, ERROR_INPUT, "%s is not valid before %s", path, date);
    }
    return 0;
}

static int check_pair(const struct authority *authority, const char *certificate, const char *key,
                      struct error **ret)
{
    unsigned char of_certificate[64], of_key[64];
    size_t length = sizeof of_certificate, key_length = sizeof of_key;
    int algorithm = gnutls_x509_privkey_get_pk_algorithm(authority->key);

    if (gnutls_x509_crt_get_key_id(authority->chain[0], 0, of_certificate, &length) != 0 ||
        gnutls_x509_privkey_get_key_id(authority->key, 0, of_key, &key_length) != 0 || length != key_length ||
        memcmp(of_certificate, of_key, length) != 0)
        return error_set(ret, ERROR_INPUT, "%s is not the key of %s", key, certificate);
    if (algorithm != GNUTLS_PK_RSA && algorithm != GNUTLS_PK_RSA_PSS && algorithm != GNUTLS_PK_ECDSA)
        return error_set(ret, ERROR_INPUT, "%s is a key for %s: it can be one for RSA or ECDSA", key,
                         gnutls_pk_get_name(algorithm));
    return 0;
}

struct authority *authority_load(const char *certificate, const char *key, struct error **ret)
{
    struct authority *authority = memory_new(sizeof *authority);

    if (read_certificates(authority, certificate, ret) == 0 && read_key(authority, key, ret) == 0 &&
        check_is_authority(authority->chain[0], certificate, ret) == 0 &&
        check_dates(authority->chain[0], certificate, ret) == 0 &&
        check_pair(authority, certificate, key, ret) == 0)
        return authority;
    if (ret && *ret) /* the user named the files */
        (*ret)->code = ERROR_INPUT;
    authority_free(authority);
    return NULL;
}

void authority_free(struct authority *authority)
{
    if (!authority)
        return;
    for (unsigned i = 0; i < authority->chain_count; i++)
        gnutls_x509_crt_deinit(authority->chain[i]);
    for (size_t i = 0; i < authority->ua_key_count; i++) {
        gnutls_x509_privkey_deinit(authority->ua_keys[i].key);
        free(authority->ua_keys[i].ua);
    }
    if (authority->key)
        gnutls_x509_privkey_deinit(authority->key);
    free(authority->ua_keys);
    free(authority->chain);
    free(authority);
}
