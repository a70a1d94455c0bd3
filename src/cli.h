/* Subcommands: one table, one file each in src/commands/. */
#pragma once

struct command {
    const char *name;
    const char *summary;               /* one line of --help */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name; returns the exit code */
};

extern const struct command cli_commands[]; /* ends with a NULL name */

int cli_main(int argc, char **argv);

int command_run_main(int argc, char **argv);
int command_sipplauncher_main(int argc, char **argv); /* `run` with the old names and places of files */
int command_doctor_main(int argc, char **argv);
int command_exec_main(int argc, char **argv);
int command_shell_main(int argc, char **argv);
int command_agent_main(int argc, char **argv);
int command_mock_agent_main(int argc, char **argv);
int command_expect_main(int argc, char **argv);
int command_cleanup_main(int argc, char **argv);
int command_new_main(int argc, char **argv);
