/* What killed runs have left on this host. */
#pragma once

#include "src/doctor/finding.h"

/* `results`: a results folder; that there is none is fine. */
void check_leftovers(const char *results, struct findings *findings);

/* Whether a network device's name is one that sippod (or Sipplauncher) gives: "sipp-abcdef". */
bool leftover_device_name(const char *name);
