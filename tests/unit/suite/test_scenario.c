/* File names of scenarios: Sipplauncher's own expressions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "src/suite/suite.h"

static void test_names(void **state)
{
    static const struct {
        const char *file, *part, *ua;
        bool server;
    } cases[] = {
        {"uas_ua0.xml", "", "ua0", true},
        {"uac_ua1.xml", "", "ua1", false},
        {"uac_ua007.xml", "", "ua007", false},
        {"uac_ua99999999999999999999.xml", "", "ua99999999999999999999", false},
        {"02_uas_ua10.xml", "02", "ua10", true},
        {"a_uac_ua1.xml", "a", "ua1", false},
        {"Part2b_uac_ua1.xml", "Part2b", "ua1", false},
        {"uas_uac_ua1.xml", "uas", "ua1", false}, /* a part of that name */
        {"ua1_uas_ua0.xml", "ua1", "ua0", true},
        {"uas_ua0_xml", "", "ua0", true}, /* the dot is any character, there too */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scenario scenario = {0};

        if (!scenario_parse(cases[i].file, &scenario))
            fail_msg("%s is none", cases[i].file);
        assert_string_equal(scenario.file, cases[i].file);
        assert_string_equal(scenario.part, cases[i].part);
        assert_string_equal(scenario.ua, cases[i].ua);
        assert_int_equal(scenario.server, cases[i].server);
        scenario_free(&scenario);
    }
}

static void test_other_names(void **state)
{
    static const char *const names[] = {
        "",
        "uas.xml",
        "uas_ua.xml",
        "ua0.xml",
        "uas_ua0",
        "uas_ua0.xm",
        "uas_ua0.xml.bak",
        "uas_ua0.xml~",
        "uas_ua0.xml\n",
        ".uas_ua0.xml",
        "uas_ua0.XML",
        "UAS_ua0.xml",
        "uab_ua0.xml",
        "uas_UA0.xml",
        "uas_ua-1.xml",
        "uas_ua1a.xml",
        "_uas_ua0.xml",
        "0-1_uas_ua0.xml",
        "0_1_uas_ua0.xml",
        "p\xc3\xa4rt_uas_ua0.xml",
        "uas_ua\xd9\xa3.xml", /* an Arabic digit */
        "xuas_ua0.xml",
        "uas_ua0..xml",
        "before.sh",
        "dns.txt",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct scenario scenario = {.file = (char *)"mark"};

        if (scenario_parse(names[i], &scenario))
            fail_msg("%s is one", names[i]);
        assert_string_equal(scenario.file, "mark");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_other_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
