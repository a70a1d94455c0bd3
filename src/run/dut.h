/* A device under test that the suite starts: `sh dut.sh` in the run folder's dut/, in the foreground,
 * supervised. */
#pragma once

#include "src/run/pod.h"
#include "src/run/test.h"

#define DUT_READY_SECONDS 10 /* until it has to answer on its port */

struct dut;

struct dut_config {
    struct pod *pod;
    struct loop *loop;
    int folder_fd;       /* the run folder, where dut.log goes */
    const char *folder;  /* of dut.sh */
    const char *address; /* and port, where it has to answer; stays the caller's */
    unsigned port;
    const struct log_style *log_style; /* of dut.log */
    struct environment_message *envs;  /* stay the caller's */
    size_t env_count;
    const struct strings *capabilities; /* that it gets; NULL: none */
};

struct dut_callbacks {
    /* It is bound to its port, UDP or TCP (error NULL); or it will not be. Called once. */
    void (*ready)(void *user, const struct error *error);
    /* It ended unasked, after it was ready. */
    void (*ended)(void *user, const struct error *error);
};

/* NULL on failure; else it is to be ended with dut_stop(), whatever happens. */
struct dut *dut_start(const struct dut_config *config, const struct dut_callbacks *callbacks, void *user,
                      struct error **ret);

/* SIGTERM, SIGKILL after some seconds; then done(user), and the object is freed. */
void dut_stop(struct dut *dut, void (*done)(void *user), void *user);
