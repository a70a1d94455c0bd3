/* sippod's other programs: where they are, and what the router is allowed to. */
#pragma once

#include <stdint.h>

#include "src/doctor/finding.h"

struct programs {
    char *router; /* path, NULL: there is none */
    int router_fd;
    bool has_capabilities;   /* the router's file has some … */
    uint64_t capabilities;   /* … these as permitted */
    bool without_attributes; /* its file system keeps none */
};

/* Finds them beside sippod, or where they are installed, and says so. */
void check_programs(struct programs *programs, struct findings *findings);
void programs_free(struct programs *programs);

/* The permitted set in a security.capability attribute; false if it does not read. */
bool capabilities_of_attribute(const void *bytes, size_t length, uint64_t *ret_set);
