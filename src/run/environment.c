#include "src/run/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"

static bool is_passed_on(const char *variable)
{
    const char *equals = strchr(variable, '=');

    return equals && equals != variable && strncmp(variable, "LD_", 3) != 0 &&
           strncmp(variable, "SSLKEYLOGFILE=", strlen("SSLKEYLOGFILE=")) != 0 && text_is_utf8(variable);
}

void environment_copy(struct environment *environment)
{
    size_t count = 0;

    while (environ[count])
        count++;
    *environment = (struct environment){.list = memory_new((count + 1) * sizeof *environment->list)};
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(environ[i], '=');

        if (!is_passed_on(environ[i]))
            continue;
        environment->list[environment->count++] = (struct environment_message){
            .name = text_slice(environ[i], (size_t)(equals - environ[i])),
            .value = text_copy(equals + 1),
        };
    }
}

void environment_set(struct environment *environment, const char *name, const char *value)
{
    struct environment_message *variable = environment->list;

    while (variable < environment->list + environment->count && !text_equal(variable->name, name))
        variable++;
    if (variable == environment->list + environment->count) {
        environment->list =
            memory_array(environment->list, environment->count + 1, sizeof *environment->list);
        variable = &environment->list[environment->count++];
        *variable = (struct environment_message){.name = text_copy(name)};
    }
    free(variable->value);
    variable->value = text_copy(value);
}

void environment_free(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->list[i].name);
        free(environment->list[i].value);
    }
    free(environment->list);
    *environment = (struct environment){0};
}
