/* What this program's templates give is what Jinja2 gives, byte by byte: some thousand files that are put
 * together at random, rendered by both. Skipped where python3 has no jinja2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/suite/template.h"

#define FILES 2000

/* Reads "length\nbytes" again and again; answers the same way, with the length -1 where Jinja2 refuses. */
static const char program[] = "import sys\n"
                              "try:\n"
                              "    from jinja2 import Environment, StrictUndefined\n"
                              "    from jinja2.exceptions import TemplateError\n"
                              "except ImportError:\n"
                              "    sys.exit(77)\n"
                              "class Group(dict):\n"
                              "    pass\n"
                              "environment = Environment(undefined=StrictUndefined)\n"
                              "values = {}\n"
                              "for line in sys.argv[1:]:\n"
                              "    name, value = line.split('=', 1)\n"
                              "    path = name.split('.')\n"
                              "    here = values\n"
                              "    for part in path[:-1]:\n"
                              "        here = here.setdefault(part, Group())\n"
                              "    here[path[-1]] = value.encode().decode('unicode_escape')\n"
                              "inp, out = sys.stdin.buffer, sys.stdout.buffer\n"
                              "out.write(b'ok\\n'); out.flush()\n"
                              "while True:\n"
                              "    line = inp.readline()\n"
                              "    if not line:\n"
                              "        break\n"
                              "    text = inp.read(int(line)).decode()\n"
                              "    try:\n"
                              "        answer = environment.from_string(text).render(values).encode()\n"
                              "        out.write(b'%d\\n' % len(answer) + answer)\n"
                              "    except TemplateError:\n"
                              "        out.write(b'-1\\n')\n"
                              "    out.flush()\n";

static const struct {
    const char *name, *value, *escaped; /* as it is, and as Python reads it */
} values[] = {
    {"dut.host", "198.18.0.1", "198.18.0.1"},
    {"test.name", "caf\xc3\xa9 & <call>", "caf\\u00e9 & <call>"},
    {"test.run_id", "abcdef", "abcdef"},
    {"ua10.host", "::1", "::1"},
    {"custom_transport", "", ""},
    {"lines", "a\r\nb\n", "a\\r\\nb\\n"},
    {"braces", "{{ dut.host }}", "{{ dut.host }}"},
    {"_x.y_1.Z", "deep", "deep"},
};
#define VALUES (sizeof values / sizeof *values)

static FILE *to_python, *from_python;
static int python_pidfd = -1;
static uint32_t seed = 12345;

static unsigned pick(unsigned count)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % count;
}

static void python(int end)
{
    char *arguments[VALUES + 5] = {(char *)"python3", (char *)"-c", (char *)program};

    for (size_t i = 0; i < VALUES; i++)
        arguments[3 + i] = text_format("%s=%s", values[i].name, values[i].escaped);
    if (dup2(end, STDIN_FILENO) >= 0 && dup2(end, STDOUT_FILENO) >= 0)
        execvp("python3", arguments);
    _exit(77);
}

/* False if there is no Jinja2. */
static bool start_python(void)
{
    char line[16];
    int ends[2];

    if (socket_pair(SOCK_STREAM, ends, NULL) < 0)
        return false;
    if (process_fork(0, &python_pidfd, NULL) == 0)
        python(ends[1]);
    close(ends[1]);
    to_python = fdopen(ends[0], "w");
    from_python = fdopen(dup(ends[0]), "r");
    return fgets(line, sizeof line, from_python) && strcmp(line, "ok\n") == 0;
}

static void stop_python(void)
{
    (void)process_signal(python_pidfd, SIGKILL, NULL);
    fclose(to_python);
    fclose(from_python);
    close_fd(&python_pidfd);
}

/* What Jinja2 makes of it: false if it refuses. */
static bool ask_python(const struct buffer *text, struct buffer *ret_out)
{
    cleanup_free uint8_t *answer = NULL;
    char line[32];
    long length;

    assert_true(fprintf(to_python, "%zu\n", text->length) > 0);
    assert_int_equal(fwrite(text->data, 1, text->length, to_python), text->length);
    assert_int_equal(fflush(to_python), 0);
    assert_non_null(fgets(line, sizeof line, from_python));
    length = strtol(line, NULL, 10);
    if (length < 0)
        return false;
    answer = memory_new((size_t)length);
    assert_int_equal(fread(answer, 1, (size_t)length, from_python), length);
    buffer_add(ret_out, answer, (size_t)length);
    return true;
}

static void add_text(struct buffer *out)
{
    static const char *const pieces[] = {"\n",
                                         "\r\n",
                                         "\r",
                                         "\n",
                                         " ",
                                         "\t",
                                         "text",
                                         "}}",
                                         "}",
                                         "%}",
                                         "#}",
                                         "{",
                                         "{ {",
                                         "%",
                                         "#",
                                         "##",
                                         "\xc3\xa9",
                                         "\xe2\x80\xa8",
                                         "\xf0\x9f\x98\x80",
                                         "\f",
                                         "\v",
                                         "\x1c",
                                         "\xc2\x85",
                                         "<recv response=\"200\"/>",
                                         "-",
                                         "- ",
                                         "+",
                                         "line\n",
                                         "\\",
                                         "$[call_id]"};
    const char *piece = pieces[pick(sizeof pieces / sizeof *pieces)];

    /* An opening brace and what comes next must not make syntax of its own; that is the other tests' matter.
     */
    if (out->length && out->data[out->length - 1] == '{' && (*piece == '{' || *piece == '%' || *piece == '#'))
        buffer_add(out, " ", 1);
    buffer_addf(out, "%s", piece);
}

static void add_space(struct buffer *out)
{
    static const char *const spaces[] = {"", " ", " ", "  ", "\t", "\n", "\r\n", "\r"};

    buffer_addf(out, "%s", spaces[pick(8)]);
}

static void add_keyword(struct buffer *out)
{
    if (out->length && out->data[out->length - 1] == '{')
        buffer_add(out, " ", 1);
    buffer_addf(out, "{{");
    add_space(out);
    buffer_addf(out, "%s", pick(200) ? values[pick(VALUES)].name : "unknown");
    add_space(out);
    buffer_addf(out, "}}");
}

static void generate(struct buffer *out)
{
    unsigned pieces = 1 + pick(12);

    for (unsigned i = 0; i < pieces; i++)
        if (pick(3))
            add_text(out);
        else
            add_keyword(out);
}

static void compare(const struct buffer *text, const struct keywords *keywords, size_t kinds[3])
{
    cleanup_buffer struct buffer expected = {0};
    cleanup_buffer struct buffer out = {0};
    cleanup_error struct error *error = NULL;
    bool accepted = ask_python(text, &expected);
    enum template_kind kind =
        template_render("f", (const char *)text->data, text->length, keywords, &out, &error);

    kinds[kind]++;
    if (kind == TEMPLATE_NONE || (kind == TEMPLATE_OTHER && !accepted))
        return; /* the former on purpose: Jinja2 would drop a line end */
    if (kind == TEMPLATE_OTHER || !accepted || expected.length != out.length ||
        (out.length && memcmp(out.data, expected.data, out.length) != 0)) {
        cleanup_free char *source = text_printable((const char *)text->data, text->length);
        cleanup_free char *ours = text_printable((const char *)out.data, out.length);
        cleanup_free char *theirs = text_printable((const char *)expected.data, expected.length);

        fail_msg("\"%s\" gives \"%s\" (%s), and by Jinja2 \"%s\"", source, ours, error_text(error),
                 accepted ? theirs : "an error");
    }
}

static void test_same_as_jinja2(void **state)
{
    struct keywords keywords = {0};
    size_t kinds[3] = {0};

    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        keywords_add(&keywords, values[i].name, values[i].value);
    for (int i = 0; i < FILES; i++) {
        cleanup_buffer struct buffer text = {0};

        generate(&text);
        compare(&text, &keywords, kinds);
    }
    keywords_free(&keywords);
    assert_true(kinds[TEMPLATE_PLAIN] > FILES / 2); /* it was no empty exercise */
    assert_true(kinds[TEMPLATE_OTHER] > 0 && kinds[TEMPLATE_NONE] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_jinja2)};
    int failed = 77;

    (void)signal(SIGPIPE, SIG_IGN);
    if (start_python())
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    else
        fprintf(stderr, "SKIPPED, templates are not compared with Jinja2: python3 has no jinja2\n");
    stop_python();
    return failed;
}
