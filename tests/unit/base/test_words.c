/* What is quoted is what a shell, and words_split(), reads again as the same word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/base/memory.h"
#include "src/base/words.h"

static char *quoted(const char *word)
{
    struct buffer text = {0};

    words_quote(&text, word);
    buffer_add(&text, "", 1);
    return (char *)text.data;
}

static void test_quote(void **state)
{
    static const char *const cases[][2] = {
        {"-sf", "-sf"},
        {"/usr/bin/sipp", "/usr/bin/sipp"},
        {"198.18.1.0:5060", "198.18.1.0:5060"},
        {"", "''"},
        {"two words", "'two words'"},
        {"[::1]", "'[::1]'"},
        {"$HOME `x` \"y\" \\", "'$HOME `x` \"y\" \\'"},
        {"it's", "'it'\\''s'"},
        {"caf\xc3\xa9", "'caf\xc3\xa9'"},
        {"#no", "'#no'"},
        {"~", "'~'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *text = quoted(cases[i][0]);
        cleanup_strings struct strings words = {0};

        assert_string_equal(text, cases[i][1]);
        assert_int_equal(words_split(text, &words, NULL), 0);
        assert_int_equal(words.count, 1);
        assert_string_equal(words.list[0], cases[i][0]);
    }
}

/* A terminal sees none of it. */
static void test_quote_control(void **state)
{
    cleanup_free char *escape = quoted("a\033[2Jb'\\c");
    cleanup_free char *lines = quoted("a\nb\t");
    cleanup_free char *bytes = quoted("\xff");

    (void)state;
    assert_string_equal(escape, "$'a\\033[2Jb\\'\\\\c'");
    assert_string_equal(lines, "$'a\\012b\\011'");
    assert_string_equal(bytes, "$'\\377'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_quote_control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
