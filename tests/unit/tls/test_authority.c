/* Certificate authorities, good and bad, and the certificates that they issue: looked at with GnuTLS, and
 * with the `openssl` command where there is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/tls/authority.h"
#include "tests/unit/support/support.h"

#define DAY ((time_t)24 * 60 * 60)

struct scene {
    char *folder, *certificate, *key; /* the given authority's files */
    int dir;
};

static int setup(void **state)
{
    struct scene *scene = memory_new(sizeof *scene);

    scene->folder = folder_make();
    scene->dir = folder_open(scene->folder);
    scene->certificate = text_format("%s/given.crt", scene->folder);
    scene->key = text_format("%s/given.key", scene->folder);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    close(scene->dir);
    folder_remove(scene->folder);
    free(scene->certificate);
    free(scene->key);
    free(scene);
    return 0;
}

/* ---- an authority that somebody else made ---- */

struct given {
    bool no_constraints, no_authority, no_signing; /* what it lacks */
    time_t from, to;                               /* from now */
    gnutls_pk_algorithm_t algorithm;               /* 0: ECDSA */
    const char *passphrase;
};

static gnutls_x509_privkey_t given_key(const struct scene *scene, const struct given *given)
{
    gnutls_pk_algorithm_t algorithm = given->algorithm ? given->algorithm : GNUTLS_PK_ECDSA;
    unsigned bits = algorithm == GNUTLS_PK_RSA     ? 2048
                    : algorithm == GNUTLS_PK_ECDSA ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
                                                   : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519);
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, algorithm, bits, 0), 0);
    if (given->passphrase) {
        unsigned char text[8192];
        size_t length = sizeof text;

        assert_int_equal(gnutls_x509_privkey_export_pkcs8(key, GNUTLS_X509_FMT_PEM, given->passphrase,
                                                          GNUTLS_PKCS_PBES2_AES_256, text, &length),
                         0);
        folder_put_bytes(scene->folder, "given.key", text, length);
        return key;
    }
    assert_int_equal(
        gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem), 0);
    folder_put_bytes(scene->folder, "given.key", pem.data, pem.size);
    gnutls_free(pem.data);
    return key;
}

static void give(const struct scene *scene, const struct given *given)
{
    gnutls_x509_privkey_t key = given_key(scene, given);
    gnutls_digest_algorithm_t digest =
        given->algorithm == GNUTLS_PK_EDDSA_ED25519 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_set_version(certificate, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(certificate, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_dn(certificate, "CN=given", NULL), 0);
    assert_int_equal(gnutls_x509_crt_set_key(certificate, key), 0);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) + (given->from ? given->from : -DAY));
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + (given->to ? given->to : 10 * DAY));
    gnutls_x509_crt_set_subject_key_id(certificate, "given", 5);
    if (!given->no_constraints)
        gnutls_x509_crt_set_basic_constraints(certificate, !given->no_authority, -1);
    gnutls_x509_crt_set_key_usage(certificate, given->no_signing ? GNUTLS_KEY_DIGITAL_SIGNATURE
                                                                 : GNUTLS_KEY_KEY_CERT_SIGN);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, digest, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
    folder_put_bytes(scene->folder, "given.crt", pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

static void refused(const struct scene *scene, const char *words)
{
    cleanup_error struct error *error = NULL;

    assert_null(authority_load(scene->certificate, scene->key, &error));
    assert_error(error, ERROR_INPUT, words);
    assert_non_null(strstr(error_text(error), "given.")); /* which file */
}

static void test_refused(void **state)
{
    static const struct {
        struct given given;
        const char *words;
    } cases[] = {
        {{.no_constraints = true}, "given.crt is no certificate authority's"},
        {{.no_authority = true}, "given.crt is no certificate authority's"},
        {{.no_signing = true}, "given.crt may not sign certificates"},
        {{.from = -2 * DAY, .to = -DAY}, "given.crt expired on 2"},
        {{.from = DAY}, "given.crt is not valid before 2"},
        {{.passphrase = "secret"}, "given.key is protected by a passphrase"},
        {{.algorithm = GNUTLS_PK_EDDSA_ED25519}, "it can be one for RSA or ECDSA"},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        give(scene, &cases[i].given);
        refused(scene, cases[i].words);
    }
}

static void test_refused_files(void **state)
{
    struct scene *scene = *state;

    refused(scene, "given.crt"); /* missing */
    give(scene, &(struct given){0});
    gnutls_x509_privkey_deinit(given_key(scene, &(struct given){0}));
    refused(scene, "given.key is not the key of");
    folder_put(scene->folder, "given.key",
               "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"
               "-----END RSA PRIVATE KEY-----\n");
    refused(scene, "given.key is protected by a passphrase");
    folder_put(scene->folder, "given.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    refused(scene, "given.key holds no private key that can be read");
    folder_put(scene->folder, "given.key", "");
    refused(scene, "given.key holds no PEM");
    folder_put(scene->folder, "given.crt", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    refused(scene, "given.crt holds no certificate");
    folder_put(scene->folder, "given.crt", "\x30\x82");
    refused(scene, "given.crt holds no PEM");
}

/* ---- what is issued ---- */

static gnutls_x509_crt_t read_certificate(const struct scene *scene, const char *name)
{
    cleanup_free char *text = folder_get(scene->folder, name);
    gnutls_datum_t datum = {(unsigned char *)text, (unsigned)strlen(text)};
    gnutls_x509_crt_t certificate;

    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM), 0);
    return certificate;
}

/* Names, in their order: an address, then host names. */
static void names_are(gnutls_x509_crt_t certificate, const char *address, const char *const *hosts)
{
    unsigned char name[256], bytes[16];
    char common_name[64];
    size_t length = sizeof common_name;
    unsigned index = 0;

    assert_int_equal(
        gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, common_name, &length),
        0);
    assert_string_equal(common_name, address);
    length = sizeof name;
    assert_int_equal(gnutls_x509_crt_get_subject_alt_name(certificate, index++, name, &length, NULL),
                     GNUTLS_SAN_IPADDRESS);
    assert_int_equal(inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, bytes), 1);
    assert_int_equal(length, strchr(address, ':') ? 16 : 4);
    assert_memory_equal(name, bytes, length);
    for (; *hosts; hosts++) {
        length = sizeof name;
        assert_int_equal(gnutls_x509_crt_get_subject_alt_name(certificate, index++, name, &length, NULL),
                         GNUTLS_SAN_DNSNAME);
        assert_int_equal(length, strlen(*hosts));
        assert_memory_equal(name, *hosts, length);
    }
    length = sizeof name;
    assert_int_equal(gnutls_x509_crt_get_subject_alt_name(certificate, index, name, &length, NULL),
                     GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
}

static void is_rsa_with_sha256(gnutls_x509_crt_t certificate)
{
    unsigned bits;

    assert_int_equal(gnutls_x509_crt_get_version(certificate), 3);
    assert_int_equal(gnutls_x509_crt_get_pk_algorithm(certificate, &bits), GNUTLS_PK_RSA);
    assert_int_equal(bits, 2048);
    assert_int_equal(gnutls_sign_get_hash_algorithm(
                         (gnutls_sign_algorithm_t)gnutls_x509_crt_get_signature_algorithm(certificate)),
                     GNUTLS_DIG_SHA256);
}

/* Whether `openssl` accepts it for that purpose; where it is missing, nobody is asked. */
static void openssl_accepts(const struct scene *scene, const char *purpose, const char *file)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (chdir(scene->folder) == 0)
            execlp("openssl", "openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt",
                   file, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        print_message("SKIPPED: there is no openssl to ask about %s\n", file);
    else
        assert_int_equal(status, 0);
}

static void accepted(const struct scene *scene, const char *file)
{
    gnutls_x509_crt_t certificate = read_certificate(scene, file), ca = read_certificate(scene, "ca.crt");
    unsigned status;

    assert_int_equal(gnutls_x509_crt_list_verify(&certificate, 1, &ca, 1, NULL, 0, 0, &status), 0);
    assert_int_equal(status, 0);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_crt_deinit(ca);
    openssl_accepts(scene, "sslserver", file);
    openssl_accepts(scene, "sslclient", file);
}

static void key_fits(const struct scene *scene, const char *key_file, gnutls_x509_crt_t certificate)
{
    cleanup_free char *path = text_format("%s/%s", scene->folder, key_file);
    cleanup_free char *text = folder_get(scene->folder, key_file);
    gnutls_datum_t datum = {(unsigned char *)text, (unsigned)strlen(text)};
    unsigned char one[64], other[64];
    size_t one_length = sizeof one, other_length = sizeof other;
    gnutls_x509_privkey_t key;
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_import(key, &datum, GNUTLS_X509_FMT_PEM), 0);
    assert_int_equal(gnutls_x509_privkey_get_key_id(key, 0, one, &one_length), 0);
    assert_int_equal(gnutls_x509_crt_get_key_id(certificate, 0, other, &other_length), 0);
    assert_int_equal(one_length, other_length);
    assert_memory_equal(one, other, one_length);
    gnutls_x509_privkey_deinit(key);
}

static void issues(const struct scene *scene, struct authority *authority)
{
    static const char *const hosts[] = {"ep1.example.com", "example.com", NULL};
    cleanup_strings struct strings names = {0};
    gnutls_x509_crt_t first, second;

    for (const char *const *host = hosts; *host; host++)
        strings_add(&names, *host);
    assert_int_equal(authority_issue(authority, scene->dir, "ua0", "198.18.1.0", &names, NULL), 0);
    assert_int_equal(authority_issue(authority, scene->dir, "ua1", "2001:db8::1", NULL, NULL), 0);
    first = read_certificate(scene, "ua0.crt");
    second = read_certificate(scene, "ua1.crt");
    is_rsa_with_sha256(second);
    names_are(first, "198.18.1.0", hosts);
    names_are(second, "2001:db8::1", hosts + 2);
    key_fits(scene, "ua0.key", first);
    key_fits(scene, "ua1.key", second);
    accepted(scene, "ua0.crt");
    accepted(scene, "ua1.crt");
    gnutls_x509_crt_deinit(first);
    gnutls_x509_crt_deinit(second);
}

static void test_made(void **state)
{
    struct scene *scene = *state;
    struct authority *authority = authority_make(NULL);
    gnutls_x509_crt_t ca, ua;

    assert_non_null(authority);
    issues(scene, authority);
    ca = read_certificate(scene, "ca.crt");
    ua = read_certificate(scene, "ua0.crt");
    is_rsa_with_sha256(ca);
    is_rsa_with_sha256(ua);
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_crt_deinit(ua);
    authority_free(authority);
}

static void test_given(void **state)
{
    static const gnutls_pk_algorithm_t algorithms[] = {GNUTLS_PK_ECDSA, GNUTLS_PK_RSA};
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        struct authority *authority;

        give(scene, &(struct given){.algorithm = algorithms[i]});
        authority = authority_load(scene->certificate, scene->key, NULL);
        assert_non_null(authority);
        issues(scene, authority);
        authority_free(authority);
    }
}

/* A given authority's end is that of its certificates, and what else is in its files is not handed on. */
static void test_given_ends(void **state)
{
    struct scene *scene = *state;
    cleanup_free char *both = NULL;
    cleanup_free char *key = NULL;
    cleanup_free char *shown = NULL;
    cleanup_free char *certificate = NULL;
    struct authority *authority;
    gnutls_x509_crt_t ca, ua;

    give(scene, &(struct given){.to = 2 * DAY});
    certificate = folder_get(scene->folder, "given.crt");
    key = folder_get(scene->folder, "given.key");
    both = text_format("%s%s", key, certificate);
    folder_put(scene->folder, "given.crt", both);
    authority = authority_load(scene->certificate, scene->key, NULL);
    assert_non_null(authority);
    assert_int_equal(authority_issue(authority, scene->dir, "ua0", "198.18.1.0", NULL, NULL), 0);
    shown = folder_get(scene->folder, "ca.crt");
    assert_string_equal(shown, certificate);
    ca = read_certificate(scene, "ca.crt");
    ua = read_certificate(scene, "ua0.crt");
    assert_int_equal(gnutls_x509_crt_get_expiration_time(ua), gnutls_x509_crt_get_expiration_time(ca));
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_crt_deinit(ua);
    authority_free(authority);
}

/* Serials are never the same; the key of a name is. */
static void test_again(void **state)
{
    struct scene *scene = *state;
    struct authority *authority = authority_make(NULL);
    unsigned char serials[2][32];
    size_t lengths[2] = {sizeof serials[0], sizeof serials[1]};
    cleanup_free char *key = NULL;
    cleanup_free char *again = NULL;

    assert_non_null(authority);
    for (size_t i = 0; i < 2; i++) {
        gnutls_x509_crt_t certificate;

        assert_int_equal(authority_issue(authority, scene->dir, "ua0", "198.18.1.0", NULL, NULL), 0);
        certificate = read_certificate(scene, "ua0.crt");
        assert_int_equal(gnutls_x509_crt_get_serial(certificate, serials[i], &lengths[i]), 0);
        gnutls_x509_crt_deinit(certificate);
        if (i == 0)
            key = folder_get(scene->folder, "ua0.key");
    }
    again = folder_get(scene->folder, "ua0.key");
    assert_string_equal(key, again);
    assert_int_equal(lengths[0], 16);
    assert_memory_not_equal(serials[0], serials[1], 16);
    authority_free(authority);
}

static void test_no_address(void **state)
{
    struct scene *scene = *state;
    struct authority *authority = authority_make(NULL);
    cleanup_error struct error *error = NULL;

    assert_int_equal(authority_issue(authority, scene->dir, "ua0", "nowhere", NULL, &error), -1);
    assert_error(error, ERROR_FAILED, "ua0.crt: ");
    assert_false(folder_has(scene->folder, "ua0.crt"));
    authority_free(authority);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_refused),    TEST(test_refused_files), TEST(test_made),       TEST(test_given),
        TEST(test_given_ends), TEST(test_again),         TEST(test_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
