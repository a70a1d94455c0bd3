/* What `sippod mock-agent` tells: a line of JSON for each command and each packet. Any thread may call it. */
#pragma once

#include <stdio.h>

#include "include/sippod/hyperstart_mock.h"

/* -1 with errno if the line could not be written. */
int mock_log_listening(FILE *file, const char *ctl, const char *io);
int mock_log_command(FILE *file, const struct hyperstart_mock_message *message);
int mock_log_packet(FILE *file, const struct hyperstart_mock_packet *packet);
