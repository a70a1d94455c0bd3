/* Suites, as Sipplauncher lays them out: a folder of test folders, whose scenarios are called
 * [part_]ua[cs]_uaN.xml. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "src/base/error.h"
#include "src/base/text.h"
#include "src/suite/expectation.h"

struct keywords;              /* keywords.h */
struct keywords_replacements; /* too */

struct scenario {
    char *file;  /* "02_uac_ua1.xml" */
    char *part;  /* "02", "" if it has none */
    char *ua;    /* "ua1" */
    bool server; /* uas */
};

/* Of addresses. */
enum family {
    FAMILY_ANY, /* nobody has said which */
    FAMILY_IPV4,
    FAMILY_IPV6,
};

struct ua {
    char *name;    /* "ua1": the same UA in every part */
    char *address; /* "198.18.1.1" */
};

/* What SIPp is given beside the run's arguments, for one UA. */
struct ua_arguments {
    char *ua;
    struct strings list;
};

/* What a test.conf says. */
struct test_config {
    enum family family;   /* of its addresses, FAMILY_ANY: the run's */
    char *transport;      /* SIPp's -t, NULL: the run's */
    double timeout_s;     /* of the whole test, 0: the run's */
    struct strings tags;  /* what --tag chooses by */
    char *skip;           /* why the test is not run, NULL: it is */
    char *expect_failure; /* why it is known to fail, NULL: it is not */
    struct ua_arguments *sipp_args;
    size_t sipp_args_count;
    struct expectations expectations; /* of its packets */
};

struct test {
    char *name;                 /* the folder's */
    char *folder;               /* absolute */
    struct scenario *scenarios; /* by part; in each the UASs in reverse order of UA, then the UACs in order */
    size_t scenario_count;
    enum family family; /* one of the two */
    struct ua *uas;     /* by name as numbers order it: ua2 before ua10 */
    size_t ua_count;
    struct test_config config;
};

struct suite {
    char *folder;       /* absolute */
    char *name;         /* its last component */
    char *dut;          /* its DUT folder: every test has a DUT of its own; NULL: none */
    char *global;       /* its GLOBAL folder, absolute; NULL: none */
    char *templates;    /* its template folder, absolute; NULL: none */
    char *info_file;    /* SIPp's -inf, absolute: its users.csv; NULL: none */
    struct test *tests; /* by name, in order of bytes */
    size_t test_count;
};

/* Which tests are taken, and where the rest of the suite lies. */
struct suite_filter {
    struct strings only, exclude;   /* regular expressions (PCRE2) that match a name from its first character
                                     * on; each list OR-ed, exclude wins */
    struct strings tags;            /* OR-ed; none: all tests */
    const char *results;            /* results folder: no test, should it lie in the suite; NULL: none */
    const char *templates, *global; /* in the place of TEMPLATES and GLOBAL in the suite; NULL: those */
    const char *info_file;          /* in the place of users.csv */
    const char *dut;                /* the device under test outside; NULL: there is none */
    enum family family;             /* of tests that do not say; FAMILY_ANY: IPv4, or that of `dut` */
    const struct keywords_replacements *replacements; /* of keywords; NULL: none */
};

/* The suite's folder that `paths` belong to, absolute; NULL on failure. */
char *suite_find(const struct strings *paths, struct error **ret);

/* Loads the suite at `paths`: one suite folder, or any number of test folders of one suite. Every fault that
 * is found goes into `problems`, one line each; 0 only if there is none. */
int suite_load(const struct strings *paths, const struct suite_filter *filter, struct suite *ret_suite,
               struct strings *ret_problems);
void suite_free(struct suite *suite);

/* Whether `name` is one of SIPp's -t values: u1, un, ui, t1, tn, l1, ln. */
bool suite_is_transport(const char *name);

/* A deep copy, to be freed with suite_test_free(). */
struct test *suite_test_copy(const struct test *test);
void suite_test_free(struct test *test);
void suite_test_release(struct test *test); /* what it holds, not itself */

/* Takes apart a scenario's file name; false if it is none. */
bool scenario_parse(const char *file, struct scenario *ret_scenario);
void scenario_free(struct scenario *scenario);

/* The UAs of `test` and their addresses in the in-suite plan: uaN is the Nth from 198.18.1.0 or 2001:2::1:0
 * on, names that say the same number (ua1, ua01) or too large a one take what is free. */
void suite_assign_addresses(struct test *test);

/* All addresses of the plan lie in networks that are set aside for tests, 198.18.0.0/15 (RFC 2544) and
 * 2001:2::/48 (RFC 5180). It numbers them: 256 T + N is 198.18.T.N, and on to 198.19.255.255, or 2001:2::T:N,
 * where T and N are hexadecimal. */
#define SUITE_FIRST_UA 0x100U /* the lower ones are for DUTs */
#define SUITE_LAST     0x1fffeU
char *suite_address(enum family family, unsigned number); /* to be freed */
unsigned suite_address_number(const char *address);       /* of one of these */

const char *suite_network(enum family family);
/* The address of a DUT that the suite starts. */
const char *suite_dut_address(enum family family);

enum family family_of(const char *address);
const char *family_name(enum family family); /* "IPv6" */
/* "ipv4", "ipv6"; FAMILY_ANY for anything else. */
enum family family_by_name(const char *name);
/* The address as a URI holds it (RFC 3986 3.2.2): of IPv6 in brackets. To be freed. */
char *family_uri_host(const char *address);

/* Whom UACs call, and {{dut.host}}: the suite's DUT, else test_called(); NULL: nobody. */
const char *suite_dut_host(const struct suite *suite, const struct test *test);

/* The UA that UACs call where there is no DUT: the UAS with the lowest number in the first part; NULL: none.
 */
const struct ua *test_called(const struct test *test);
const struct ua *test_ua(const struct test *test, const char *name);

void test_config_free(struct test_config *config);

/* Where a test.conf belongs. */
struct test_config_place {
    const char *folder; /* the test's; files that expectations name start there */
    const struct keywords
        *keywords;  /* of expectations that are not rendered yet, to check them; NULL: they are */
    bool is_global; /* that has no UAs, whose packets could be expected */
};

/* test.conf in its folder (absent: defaults). Errors say file:line. */
int test_config_load(const struct test_config_place *place, struct test_config *ret_config,
                     struct error **ret);
/* test.conf from memory; `name` is for errors. `place` NULL: files start in the current folder. */
int test_config_parse(const char *name, const char *text, const struct test_config_place *place,
                      struct test_config *ret_config, struct error **ret);

/* What test.conf says of the family, before addresses are known and the rest of it can be checked; what is
 * wrong with the file is not told. */
enum family test_config_family(const char *folder);
