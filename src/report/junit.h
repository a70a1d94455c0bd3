/* JUnit XML, as Jenkins (its xunit/junit plugins) and GitLab read it: one testsuite, a testcase for each
 * test; FAIL is a failure; NOT READY, INTERRUPTED and what is not clean are errors. */
#pragma once

#include "src/report/results.h"

/* The document; the caller frees it. `folder` is the results folder, for the attachments' paths. */
char *junit_text(const struct results *results, const char *folder);
