/* What `sippod new` writes: files of the source tree, which CMake makes into strings. */
#pragma once

extern const char new_readme[], new_settings[], new_uas[], new_uac[], new_before[], new_after[];
extern const char new_test_config[];
