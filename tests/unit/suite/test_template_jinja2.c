/* What this program's templates give is what Jinja2 gives, byte by byte: ten thousand files that are put
 * together at random, rendered by both. Skipped where python3 has no jinja2, unless it has to run. A failure
 * tells the seed; SIPPOD_SEED=number repeats it. */
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

#include "src/base/loop.h"
#include "src/base/memory.h"
#include "src/base/process.h"
#include "src/base/socket.h"
#include "src/suite/template.h"

#define FILES 10000 /* that need no Jinja2 */

/* Reads "length\nbytes" again and again; answers the same way, with the length -1 where Jinja2 refuses. */
static const char program[] =
    "import json, sys\n"
    "try:\n"
    "    from jinja2 import Environment, StrictUndefined\n"
    "except ImportError:\n"
    "    sys.exit(77)\n"
    "environment = Environment(undefined=StrictUndefined, cache_size=0)\n"
    "values = json.loads(sys.argv[1])\n"
    "inp, out = sys.stdin.buffer, sys.stdout.buffer\n"
    "out.write(b'ok\\n'); out.flush()\n"
    "while True:\n"
    "    line = inp.readline()\n"
    "    if not line:\n"
    "        break\n"
    "    text = inp.read(int(line)).decode('utf-8', 'surrogateescape')\n"
    "    try:\n"
    "        answer = environment.from_string(text).render(values).encode('utf-8', 'surrogateescape')\n"
    "        out.write(b'%d\\n' % len(answer) + answer)\n"
    "    except Exception:\n"
    "        out.write(b'-1\\n')\n"
    "    out.flush()\n";

static const struct {
    const char *name, *value;
} values[] = {
    {"dut.host", "198.18.0.1"},   {"test.name", "caf\xc3\xa9 & <call>"},
    {"test.run_id", "abcdef"},    {"ua10.host", "::1"},
    {"custom_transport", ""},     {"lines", "a\r\nb\n"},
    {"braces", "{{ dut.host }}"}, {"_x.y_1.Z", "deep"},
};
#define VALUES (sizeof values / sizeof *values)

/* There are such keys, but Jinja2 sees more in some of them. */
static const char *const odd[] = {
    "true",     "None",        "not",        "and",         "in",        "self",      "range",    "loop",
    "super",    "caller",      "varargs",    "kwargs",      "namespace", "odd.items", "odd.item", "odd.get",
    "odd.copy", "odd.__len__", "odd._under", "odd.x.pop.y", "block",     "set",       "import",   "_",
    "__",       "context",     "l_0_dut",    "t_1",         "elif",      "is"};
#define ODD (sizeof odd / sizeof *odd)

static FILE *to_python, *from_python;
static int python_pidfd = -1;
static uint32_t first_seed, seed;

static unsigned pick(unsigned count)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % count;
}

static void python(int end, char *json)
{
    char *arguments[] = {(char *)"python3", (char *)"-I", (char *)"-c", (char *)program, json, NULL};

    if (dup2(end, STDIN_FILENO) >= 0 && dup2(end, STDOUT_FILENO) >= 0)
        execvp("python3", arguments);
    _exit(77);
}

/* False if there is no Jinja2. */
static bool start_python(const struct keywords *keywords)
{
    cleanup_free char *json = keywords_json(keywords);
    char line[16];
    int ends[2];

    if (socket_pair(SOCK_STREAM, ends, NULL) < 0)
        return false;
    if (process_fork(0, &python_pidfd, NULL) == 0)
        python(ends[1], json);
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
                                         "\f",
                                         "\v",
                                         "\x1c",
                                         "\xc2\x85",
                                         "-",
                                         "- ",
                                         "+",
                                         "line\n",
                                         "\\",
                                         "$",
                                         "\xe2\x80\xa8",
                                         "\xff",
                                         "\xc3",
                                         "\xed\xa0",
                                         "\xf0\x9f\x98\x80",
                                         "caf\xc3\xa9",
                                         "{{\n",
                                         "{",
                                         "[call_id]",
                                         "{# x",
                                         "{%- ",
                                         "<recv response=\"200\"/>"};
    const char *piece = pieces[pick(sizeof pieces / sizeof *pieces)];
    bool makes_syntax = strncmp(piece, "{{", 2) == 0 || strncmp(piece, "{#", 2) == 0 ||
                        strncmp(piece, "{%", 2) == 0 ||
                        (out->length && out->data[out->length - 1] == '{' && strchr("{%#", *piece));

    /* Seldom: such a file is Jinja2's, and there is nothing to compare. */
    if (!makes_syntax || pick(20) == 0)
        buffer_addf(out, "%s", piece);
}

static void add_space(struct buffer *out)
{
    static const char *const spaces[] = {"", "", " ", " ", "  ", "\t", "\n", "\r\n", "\r", " \n\t "};

    buffer_addf(out, "%s", pick(100) ? spaces[pick(10)] : "\f");
}

static void add_keyword(struct buffer *out)
{
    if (pick(50) && out->length && out->data[out->length - 1] == '{')
        buffer_add(out, " ", 1);
    buffer_addf(out, pick(100) ? "{{" : "{{-");
    add_space(out);
    buffer_addf(out, "%s", pick(12) ? values[pick(VALUES)].name : pick(20) ? odd[pick(ODD)] : "unknown");
    add_space(out);
    buffer_addf(out, pick(100) ? "}}" : "}");
}

static void generate(struct buffer *out)
{
    unsigned pieces = 1 + pick(8);

    for (unsigned i = 0; i < pieces; i++)
        if (pick(3))
            add_text(out);
        else
            add_keyword(out);
}

/* A file that is left alone differs from what Jinja2 would make of it by its line ends only, and that is on
 * purpose. */
static void end_lines_as_jinja2(const struct buffer *text, struct buffer *out)
{
    for (size_t i = 0; i < text->length; i++)
        if (text->data[i] != '\r')
            buffer_add(out, &text->data[i], 1);
        else if (i + 1 == text->length || text->data[i + 1] != '\n')
            buffer_add(out, "\n", 1);
    if (out->length && out->data[out->length - 1] == '\n')
        out->length--;
}

/* True if it is a file that needs no Jinja2. */
static bool compare(const struct buffer *text, const struct keywords *keywords, size_t kinds[3])
{
    cleanup_buffer struct buffer expected = {0};
    cleanup_buffer struct buffer out = {0};
    size_t line = 0;
    enum template_kind kind = template_render((const char *)text->data, text->length, keywords, &out, &line);
    bool accepted;

    kinds[kind]++;
    if (kind == TEMPLATE_OTHER)
        return false;
    if (kind == TEMPLATE_NONE)
        end_lines_as_jinja2(text, &out);
    accepted = ask_python(text, &expected);
    if (!accepted || expected.length != out.length ||
        (out.length && memcmp(out.data, expected.data, out.length) != 0)) {
        cleanup_free char *source = text_printable((const char *)text->data, text->length);
        cleanup_free char *ours = text_printable((const char *)out.data, out.length);
        cleanup_free char *theirs = text_printable((const char *)expected.data, expected.length);

        fail_msg("SIPPOD_SEED=%u: \"%s\" gives \"%s\", and by Jinja2 \"%s\"", (unsigned)first_seed, source,
                 ours, accepted ? theirs : "an error");
    }
    return true;
}

static void test_same_as_jinja2(void **state)
{
    const struct keywords *keywords = *state;
    size_t kinds[3] = {0};

    for (int compared = 0; compared < FILES;) {
        cleanup_buffer struct buffer text = {0};

        generate(&text);
        if (!text.length)
            continue; /* an empty file is no question */
        compared += compare(&text, keywords, kinds);
    }
    /* It was no empty exercise. */
    assert_true(kinds[TEMPLATE_PLAIN] > FILES / 3 && kinds[TEMPLATE_NONE] > FILES / 50);
    assert_true(kinds[TEMPLATE_OTHER] > FILES / 50);
}

static void choose_seed(void)
{
    const char *given = getenv("SIPPOD_SEED");

    first_seed = given ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)loop_now_ns();
    seed = first_seed;
}

static int cannot_run(void)
{
    const char *must_run = getenv("SIPPOD_TESTS_MUST_RUN");
    bool must = must_run && strcmp(must_run, "1") == 0;

    fprintf(stderr, "%s, templates are not compared with Jinja2: python3 has no jinja2 (python3-jinja2)\n",
            must ? "FAILED" : "SKIPPED");
    return must ? 1 : 77;
}

int main(void)
{
    static struct keywords keywords;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_same_as_jinja2, &keywords)};
    int failed;

    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < VALUES; i++)
        keywords_set(&keywords, values[i].name, values[i].value);
    for (size_t i = 0; i < ODD; i++)
        keywords_set(&keywords, odd[i], "odd");
    choose_seed();
    failed = start_python(&keywords) ? cmocka_run_group_tests(tests, NULL, NULL) : cannot_run();
    stop_python();
    keywords_free(&keywords);
    return failed;
}
