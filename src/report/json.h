/* Values of JSON as all that sippod writes has them. */
#pragma once

#include <jansson.h>

/* Text from outside may be any bytes, and JSON holds UTF-8. NULL becomes null. */
json_t *json_text(const char *text);

json_t *json_seconds(double seconds); /* to the microsecond */
