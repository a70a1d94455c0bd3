/* Sections `expect "title" { … }` of a test.conf, as libconfuse reads them. Inside of src/suite. */
#pragma once

#include "src/suite/confuse.h"
#include "src/suite/suite.h"

/* What may stand in a section. */
cfg_opt_t *expectation_options(void);

/* Where the file that is now parsed belongs; NULL: nowhere. */
void expectation_place(const struct test_config_place *place);

/* Checks of options of those names, and of a section as a whole. */
int expectation_check_text(cfg_t *config, cfg_opt_t *option); /* predicate, filter */
int expectation_check_interface(cfg_t *config, cfg_opt_t *option);
int expectation_check_time(cfg_t *config, cfg_opt_t *option); /* timeout, settle */
int expectation_check_limit(cfg_t *config, cfg_opt_t *option);
int expectation_check_section(cfg_t *config, cfg_opt_t *option);

/* What the sections say. */
void expectations_take(cfg_t *config, struct expectations *ret);
