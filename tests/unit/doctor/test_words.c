/* The doctor's pure parts: what programs and errors say, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/capabilities.h"
#include "src/base/memory.h"
#include "src/doctor/ask.h"
#include "src/doctor/leftovers.h"
#include "src/doctor/limits.h"
#include "src/doctor/outside.h"
#include "src/doctor/programs.h"
#include "src/doctor/sipp.h"
#include "src/doctor/trial.h"

static void test_sipp_versions(void **state)
{
    static const struct {
        const char *text, *version, *names;
        bool tls, pcap, sctp;
    } known[] = {
        {"\n SIPp v3.6.1-SCTP-PCAP-RTPSTREAM.\n\n This program is free software", "v3.6.1",
         "SCTP, PCAP, RTPSTREAM", false, true, true},
        {"\n SIPp v3.6.0-TLS-SCTP-PCAP-SHA256-RTPSTREAM.\n", "v3.6.0", "TLS, SCTP, PCAP, SHA256, RTPSTREAM",
         true, true, true},
        {" SIPp v3.7.2-12-gabcdef0-TLS-PCAP.\n", "v3.7.2-12-gabcdef0", "TLS, PCAP", true, true, false},
        {" SIPp v3.4-beta1 (aka v3.3.990)-TLS.", "v3.4-beta1 (aka v3.3.990)", "TLS", true, false, false},
        {"\n SIPp v3.3-PCAP, version unknown, built Jan  1 2013, 00:00:00.\n", "v3.3", "PCAP", false, true,
         false},
        {" SIPp v3.6.1.\r\n", "v3.6.1", "", false, false, false},
        {"warning: TLS\n SIPp v3.6.1-rc1-PCAPX.\n", "v3.6.1-rc1-PCAPX", "", false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct sipp_version version;

        assert_true(sipp_version_parse(known[i].text, &version));
        assert_string_equal(version.version, known[i].version);
        assert_string_equal(version.names, known[i].names);
        assert_int_equal(version.tls, known[i].tls);
        assert_int_equal(version.pcap, known[i].pcap);
        assert_int_equal(version.sctp, known[i].sctp);
        sipp_version_free(&version);
    }
}

static void test_sipp_without_version(void **state)
{
    static const char *const unknown[] = {"",           "SIPp", "SIPp v", "SIPp version 3", "MySIPp v3.6.1",
                                          "sipp v3.6.1"};
    struct sipp_version version;

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_false(sipp_version_parse(unknown[i], &version));
}

static const struct finding *find(const struct findings *findings, const char *id)
{
    for (size_t i = 0; i < findings->count; i++)
        if (strcmp(findings->list[i].id, id) == 0)
            return &findings->list[i];
    return NULL;
}

static void test_sipp_findings(void **state)
{
    cleanup_findings struct findings findings = {0};

    (void)state;
    sipp_findings("/opt/sipp", " SIPp v3.6.1-SCTP.\n", 99, &findings);
    assert_int_equal(findings.count, 3);
    assert_int_equal(find(&findings, "sipp")->level, FINDING_OK);
    assert_non_null(strstr(find(&findings, "sipp")->what, "/opt/sipp"));
    assert_int_equal(find(&findings, "sipp-tls")->level, FINDING_NOTE);
    assert_int_equal(find(&findings, "sipp-pcap")->level, FINDING_NOTE);
    findings_free(&findings);
    sipp_findings("/opt/sipp", "\nerror while loading shared libraries: libssl\n", 127, &findings);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.list[0].level, FINDING_BAD);
    assert_non_null(strstr(findings.list[0].what, "/opt/sipp does not start: error while loading"));
    findings_free(&findings);
    sipp_findings("/opt/sipp", "", 0, &findings);
    assert_int_equal(findings.list[0].level, FINDING_WARNING);
}

static void test_messages(void **state)
{
    const struct finding finding = {.level = FINDING_NOTE, .id = "proc", .what = "is covered", .mend = "do"};
    cleanup_buffer struct buffer bytes = {0};
    struct finding back;

    (void)state;
    finding_encode(&finding, &bytes);
    assert_int_equal(finding_decode((char *)bytes.data, bytes.length, &back), 0);
    assert_int_equal(back.level, FINDING_NOTE);
    assert_string_equal(back.id, "proc");
    assert_string_equal(back.what, "is covered");
    assert_null(back.means);
    assert_string_equal(back.mend, "do");
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(finding_decode((char *)bytes.data, length, &back), -1);
    buffer_add(&bytes, "", 1);
    assert_int_equal(finding_decode((char *)bytes.data, bytes.length, &back), -1);
    bytes.data[0] = FINDING_BAD + 1;
    assert_int_equal(finding_decode((char *)bytes.data, bytes.length - 1, &back), -1);
}

static void check_apart(const struct error *error, const char *what, const char *mend, const char *advice)
{
    cleanup_free char *got_what = NULL;
    cleanup_free char *got_mend = NULL;
    cleanup_free char *got_advice = NULL;

    trial_take_apart(error, &got_what, &got_mend, &got_advice);
    assert_string_equal(got_what, what);
    assert_true(text_equal(got_mend, mend));
    assert_true(text_equal(got_advice, advice));
}

static void test_explanations(void **state)
{
    cleanup_error struct error *command = NULL;
    cleanup_error struct error *advice = NULL;
    cleanup_error struct error *plain = NULL;
    cleanup_error struct error *without_reason = NULL;

    (void)state;
    error_sys(&command, ERROR_HOST, ENOSPC, "no namespace; allow it with: sysctl a.b=1");
    check_apart(command, "no namespace: No space left on device", "sysctl a.b=1", NULL);
    error_sys(&advice, ERROR_HOST, EPERM, "no namespace; the limits a; b are reached");
    check_apart(advice, "no namespace: Operation not permitted", NULL, "the limits a; b are reached");
    error_sys(&plain, ERROR_HOST, EPERM, "cannot write");
    check_apart(plain, "cannot write: Operation not permitted", NULL, NULL);
    error_set(&without_reason, ERROR_HOST, "one; two");
    check_apart(without_reason, "one; two", NULL, NULL);
}

static void test_device_names(void **state)
{
    static const char *const others[] = {
        "",     "sipp-",        "sipp-abcde",  "sipp-abcdefg", "sipp-abcdeF", "sipp-abcde1",
        "eth0", "xsipp-abcdef", "SIPP-abcdef", "sipp-abcdef:", "sippabcdefg"};

    (void)state;
    assert_true(leftover_device_name("sipp-abcdef"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(leftover_device_name(others[i]));
}

static void test_limits(void **state)
{
    cleanup_findings struct findings findings = {0};

    (void)state;
    limit_finding("x", 16, 16, "a is 1", "mend", &findings);
    limit_finding("x", 15, 16, "a is 1", "mend", &findings);
    limit_finding("x", 1, 16, "a is 1", "mend", &findings);
    limit_finding("x", 0, 16, "a is 1", "mend", &findings);
    assert_int_equal(findings.list[0].level, FINDING_OK);
    assert_null(findings.list[0].mend);
    assert_int_equal(findings.list[1].level, FINDING_WARNING);
    assert_string_equal(findings.list[2].what, "room for about 1 test at once: a is 1");
    assert_int_equal(findings.list[3].level, FINDING_BAD);
    assert_string_equal(findings.list[3].mend, "mend");
    assert_ptr_equal(findings_first_bad(&findings), &findings.list[3]);
}

static void test_file_capabilities(void **state)
{
    struct vfs_ns_cap_data data = {
        .magic_etc = htole32(VFS_CAP_REVISION_2),
        .data = {{.permitted = htole32(1U << CAP_NET_ADMIN)}, {.permitted = htole32(1)}},
    };
    uint64_t set = 0;

    (void)state;
    assert_true(capabilities_of_attribute(&data, XATTR_CAPS_SZ_2, &set));
    assert_true(set == (CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(32)));
    assert_false(capabilities_of_attribute(&data, XATTR_CAPS_SZ_3, &set));
    assert_false(capabilities_of_attribute(&data, XATTR_CAPS_SZ_1, &set));
    data.magic_etc = htole32(VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE);
    assert_true(capabilities_of_attribute(&data, XATTR_CAPS_SZ_3, &set));
    data.magic_etc = htole32(VFS_CAP_REVISION_1);
    assert_true(capabilities_of_attribute(&data, XATTR_CAPS_SZ_1, &set));
    assert_true(set == CAPABILITY(CAP_NET_ADMIN));
    for (size_t length = 0; length < XATTR_CAPS_SZ_1; length++)
        assert_false(capabilities_of_attribute(&data, length, &set));
    assert_false(capabilities_of_attribute(&data, sizeof data + 1, &set));
}

static void test_first_line(void **state)
{
    cleanup_free char *line = ask_first_line("\n\t one\033[0m\ntwo");
    cleanup_free char *none = ask_first_line(" \n");

    (void)state;
    assert_string_equal(line, "one\\x1b[0m");
    assert_string_equal(none, "it printed nothing");
}

#define DROPPING "\t\ttype filter hook forward priority filter; policy drop;\n"

#define RULESET                                                                                              \
    "table %s nat {\n\tchain PREROUTING {\n"                                                                 \
    "\t\ttype nat hook prerouting priority dstnat; policy drop;\n\t}\n}\n"                                   \
    "table %s filter {\n\tchain DOCKER {\n\t}\n\n\tchain FORWARD {\n%s\t}\n\n"                               \
    "\tchain INPUT {\n\t\tiifname \"sipp-*\" drop\n\t}\n}\n"

/* The families of those that were found; "" if none. */
static char *firewall(const char *rules, const char *rules6)
{
    cleanup_free char *text = text_format(RULESET RULESET, "ip", "ip", rules, "ip6", "ip6", rules6);
    char *rest = text, *found = text_format("%s", "");
    struct firewall_chain chain = {0};

    while (firewall_next(&rest, &chain)) {
        cleanup_free char *before = found;

        assert_string_equal(chain.table, "filter");
        assert_string_equal(chain.chain, "FORWARD");
        found = text_format("%s%s ", before, chain.family);
    }
    return found;
}

static void test_firewall(void **state)
{
    static const char accepting[] = "\t\ttype filter hook forward priority filter; policy accept;\n";
    static const char ours[] = DROPPING "\t\tiifname \"sipp-*\" accept\n";
    static const char dropping[] = DROPPING "\t\tcounter jump DOCKER\n";
    static const struct {
        const char *rules, *rules6, *found;
    } known[] = {
        {dropping, accepting, "ip "},  {ours, accepting, ""},           {accepting, accepting, ""},
        {accepting, dropping, "ip6 "}, {dropping, dropping, "ip ip6 "}, {ours, dropping, "ip6 "},
        {dropping, ours, "ip "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cleanup_free char *found = firewall(known[i].rules, known[i].rules6);

        assert_string_equal(found, known[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_firewall),
        cmocka_unit_test(test_sipp_versions),
        cmocka_unit_test(test_sipp_without_version),
        cmocka_unit_test(test_sipp_findings),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_explanations),
        cmocka_unit_test(test_device_names),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_file_capabilities),
        cmocka_unit_test(test_first_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
