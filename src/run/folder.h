/* The results folder of a run and the run folders in it: <results>/<test>/<run_id>/. */
#pragma once

#include "src/base/error.h"
#include "src/suite/suite.h"

struct results_folder {
    char *path;  /* absolute */
    int fd;      /* holds the lock */
    int journal; /* open for appending */
};

/* Makes the folder, locks it (one run at a time: ERROR_INPUT if another has it), and removes the run folders
 * that the results.json of an earlier run lists, nothing else. */
int results_folder_open(const char *path, struct results_folder *ret_folder, struct error **ret);
void results_folder_close(struct results_folder *folder);

/* The run is over and results.json written: the journal has done its work. */
void results_folder_finish(const struct results_folder *folder);

/* Removes what a killed run has left in the folder `path`. *ret_live: another run is using it, nothing was
 * touched. *ret_count: run folders removed. */
int results_folder_clean_up(const char *path, bool *ret_live, size_t *ret_count, struct error **ret);

struct run_folder {
    char run_id[7];  /* six random lower-case letters */
    char number[13]; /* run_id_number: twelve random digits */
    char *name;      /* "<test>/<run_id>" */
    char *path;      /* absolute */
    int fd;
};

/* Makes the run folder for `test`, a copy of the test's folder. */
int run_folder_make(const struct results_folder *results, const struct test *test,
                    struct run_folder *ret_folder, struct error **ret);
/* Makes a folder that all pods of a run share, which is its user's only: <results>/SHARED/<six letters>, and
 * in the journal like run folders. It is removed and closed as they are. */
int shared_folder_make(const struct results_folder *results, struct run_folder *ret_folder,
                       struct error **ret);
/* Removes it, and the test's folder above it if it is empty then. */
int run_folder_remove(const struct results_folder *results, const struct run_folder *folder,
                      struct error **ret);
void run_folder_close(struct run_folder *folder);
