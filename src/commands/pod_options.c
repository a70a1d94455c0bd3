#include "src/commands/pod_options.h"

#include <stdio.h>

#include "src/base/file.h"
#include "src/base/memory.h"
#include "src/run/script_capabilities.h"

int pod_option_wrong(const char *option, const char *value, const char *what)
{
    fprintf(stderr, "sippod: --%s %s: %s\n", option, value, what);
    return ERROR_INPUT;
}

static int set_capabilities(const char *list, struct strings *capabilities)
{
    cleanup_error struct error *error = NULL;

    return script_capabilities_parse(list, capabilities, &error) < 0
               ? pod_option_wrong("script-caps", list, error_text(error))
               : 0;
}

static int add_writable(const char *path, struct strings *writable)
{
    cleanup_error struct error *error = NULL;
    cleanup_free char *absolute = file_absolute(path, &error);

    if (!absolute)
        return pod_option_wrong("writable", path, error_text(error));
    strings_add(writable, absolute);
    return 0;
}

int pod_option_take(int option, const char *value, struct pod_choice *choice, const char *command)
{
    int mode;

    switch (option) {
    case POD_OPTION_FS:
        mode = mounts_mode_by_name(value);
        if (mode < 0)
            return pod_option_wrong("fs", value, "it can be throwaway, readonly or host");
        choice->mounts = (enum mounts_mode)mode;
        return 0;
    case POD_OPTION_WRITABLE:
        return add_writable(value, &choice->writable);
    case POD_OPTION_CAPS:
        return set_capabilities(value, &choice->capabilities);
    default:
        fprintf(stderr, "sippod: sippod %s --help lists the options\n", command);
        return ERROR_INPUT;
    }
}

void pod_choice_free(struct pod_choice *choice)
{
    strings_free(&choice->writable);
    strings_free(&choice->capabilities);
}
