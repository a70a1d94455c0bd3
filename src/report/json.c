#include "src/report/json.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/report/results.h"

#define FILE_NAME  "results.json"
#define MOST_BYTES ((size_t)256 * 1024 * 1024)

json_t *json_text(const char *text)
{
    json_t *json;

    if (!text)
        return json_null();
    json = json_string(text);
    if (!json) {
        cleanup_free char *clean = text_printable(text, strlen(text));

        json = json_string(clean);
    }
    return json;
}

json_t *json_seconds(double value)
{
    return json_real(round(value * 1e6) / 1e6);
}

static json_t *when(int64_t started)
{
    time_t time = (time_t)started;
    struct tm tm;
    char text[40];

    gmtime_r(&time, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static json_t *host_json(void)
{
    struct utsname name = {0};
    json_t *json = json_object();

    (void)uname(&name);
    json_object_set_new(json, "name", json_text(name.nodename));
    json_object_set_new(json, "kernel", json_text(name.release));
    json_object_set_new(json, "machine", json_text(name.machine));
    json_object_set_new(json, "uid", json_integer((json_int_t)getuid()));
    return json;
}

static json_t *ua_json(const struct ua_result *ua)
{
    json_t *json = json_object();

    json_object_set_new(json, "name", json_text(ua->name));
    json_object_set_new(json, "role", json_text(ua->role));
    json_object_set_new(json, "part", json_text(ua->part));
    json_object_set_new(json, "address", json_text(ua->address));
    json_object_set_new(json, "exit_code",
                        ua->started && !ua->signal ? json_integer(ua->exit_code) : json_null());
    json_object_set_new(json, "signal", ua->signal ? json_integer(ua->signal) : json_null());
    return json;
}

static json_t *dns_json(const struct test_result *test)
{
    json_t *json = json_array();

    for (size_t i = 0; i < test->dns_count; i++) {
        const struct dns_result *dns = &test->dns[i];
        json_t *entry = json_object();

        json_object_set_new(entry, "name", json_text(dns->name));
        json_object_set_new(entry, "type", json_text(dns->type));
        json_object_set_new(entry, "rcode", json_text(dns->rcode));
        json_object_set_new(entry, "count", json_integer((json_int_t)dns->count));
        json_array_append_new(json, entry);
    }
    return json;
}

static json_t *expectations_json(const struct test_result *test)
{
    json_t *json = json_array();

    for (size_t i = 0; i < test->expectation_count; i++) {
        const struct expectation_result *expectation = &test->expectations[i];
        json_t *entry = json_object();

        json_object_set_new(entry, "name", json_text(expectation->name));
        json_object_set_new(entry, "verdict", json_string(expectation_outcome_name(expectation->outcome)));
        json_object_set_new(entry, "detail", json_text(expectation->detail));
        json_object_set_new(entry, "seen", json_integer((json_int_t)expectation->seen));
        json_object_set_new(entry, "elapsed_s",
                            expectation->elapsed_s < 0 ? json_null() : json_seconds(expectation->elapsed_s));
        json_array_append_new(json, entry);
    }
    return json;
}

static json_t *strings_json(const struct strings *strings)
{
    json_t *json = json_array();

    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(json, json_text(strings->list[i]));
    return json;
}

static json_t *test_json(const struct test_result *test)
{
    json_t *json = json_object(), *uas = json_array();

    for (size_t i = 0; i < test->ua_count; i++)
        json_array_append_new(uas, ua_json(&test->uas[i]));
    json_object_set_new(json, "name", json_text(test->name));
    json_object_set_new(json, "index", json_integer(test->index));
    json_object_set_new(json, "run_id", json_text(test->run_id));
    json_object_set_new(json, "verdict", json_string(verdict_name(test->verdict)));
    json_object_set_new(json, "result", json_string(outcome_name(test->outcome)));
    json_object_set_new(json, "clean", json_boolean(test->clean));
    json_object_set_new(json, "expected", json_boolean(test->expected));
    json_object_set_new(json, "states", strings_json(&test->states));
    json_object_set_new(json, "reason", json_text(test->reason));
    json_object_set_new(json, "prepare_s", json_seconds(test->prepare_s));
    json_object_set_new(json, "run_s", json_seconds(test->run_s));
    json_object_set_new(json, "clean_s", json_seconds(test->clean_s));
    json_object_set_new(json, "folder", json_text(test->folder));
    json_object_set_new(json, "pcap", json_text(test->pcap));
    json_object_set_new(json, "packets", json_integer((json_int_t)test->packets));
    json_object_set_new(json, "dropped", json_integer((json_int_t)test->dropped));
    json_object_set_new(json, "uas", uas);
    json_object_set_new(json, "expectations", expectations_json(test));
    json_object_set_new(json, "dns", dns_json(test));
    return json;
}

static json_t *totals_json(const struct results *results)
{
    json_t *json = json_object();

    json_object_set_new(json, "total", json_integer((json_int_t)results->count));
    for (enum verdict verdict = VERDICT_PASS; verdict <= VERDICT_SKIP; verdict++)
        json_object_set_new(json, verdict_name(verdict),
                            json_integer((json_int_t)results_count(results, verdict)));
    return json;
}

int results_write_json(const struct results *results, int dir, struct error **ret)
{
    json_t *json = json_object(), *tests = json_array();
    cleanup_free char *text = NULL;

    for (size_t i = 0; i < results->count; i++)
        json_array_append_new(tests, test_json(results->tests[i]));
    json_object_set_new(json, "schema", json_integer(1));
    json_object_set_new(json, "sippod", json_string(SIPPOD_VERSION));
    json_object_set_new(json, "suite", json_text(results->suite));
    json_object_set_new(json, "started", when(results->started));
    json_object_set_new(json, "duration_s", json_seconds(results->duration_s));
    json_object_set_new(json, "exit_code", json_integer(results->exit_code));
    json_object_set_new(json, "partial", json_boolean(results->partial));
    json_object_set_new(json, "dry_run", json_boolean(results->dry_run));
    json_object_set_new(json, "seed",
                        results->random ? json_integer((json_int_t)results->seed) : json_null());
    json_object_set_new(json, "loop", json_integer(results->pass));
    json_object_set_new(json, "earlier", strings_json(&results->earlier));
    json_object_set_new(json, "host", host_json());
    json_object_set_new(json, "totals", totals_json(results));
    json_object_set_new(json, "global", results->global ? test_json(results->global) : json_null());
    json_object_set_new(json, "tests", tests);
    text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(json);
    if (!text)
        return error_set(ret, ERROR_FAILED, "out of memory while writing %s", FILE_NAME);
    return file_write(dir, FILE_NAME, text, strlen(text), 0644, ret);
}

/* "<test>/<six lower-case letters>", nothing that leads elsewhere. */
bool results_is_run_folder(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash && slash != path && *path != '.' && strlen(slash + 1) == 6 &&
           strspn(slash + 1, "abcdefghijklmnopqrstuvwxyz") == 6;
}

static void add_listed(const char *folder, struct strings *folders)
{
    if (folder && results_is_run_folder(folder))
        strings_add(folders, folder);
}

void results_listed_folders(int dir, struct strings *ret_folders)
{
    cleanup_free char *text = NULL;
    json_t *json, *test;
    size_t length, i;

    if (file_read(dir, FILE_NAME, MOST_BYTES, &text, &length, NULL) < 0)
        return;
    json = json_loadb(text, length, 0, NULL);
    json_array_foreach(json_object_get(json, "tests"), i, test)
        add_listed(json_string_value(json_object_get(test, "folder")), ret_folders);
    test = json_object_get(json, "global");
    add_listed(json_string_value(json_object_get(test, "folder")), ret_folders);
    json_array_foreach(json_object_get(json, "earlier"), i, test)
        add_listed(json_string_value(test), ret_folders);
    json_decref(json);
}
