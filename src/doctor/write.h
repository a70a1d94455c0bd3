/* A diagnosis for a person, and for a program (docs/doctor.md has the fields). */
#pragma once

#include <stdio.h>

#include "src/doctor/finding.h"

/* One line on top says whose diagnosis it is (`about`). Both return 0, or -1 if `out` does not take it. */
int write_text(const struct diagnosis *diagnosis, const char *about, bool colours, FILE *out);
int write_json(const struct diagnosis *diagnosis, FILE *out);

/* 0 if tests can run here as root or rootless, else 3. */
int diagnosis_exit_code(const struct diagnosis *diagnosis);
