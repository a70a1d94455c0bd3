/* --dns-listen: one resolver helper for a run, in the host's network, that answers for the names of all
 * running tests. A name belongs to one test at a time. */
#pragma once

#include "netns/resolver/zones.h"
#include "src/run/host.h"
#include "src/run/questions.h"

struct dns_server;
struct dns_names; /* those of a test */

/* What becomes of a test that has a name which another one has. */
enum dns_second {
    DNS_SECOND_FAILS,
    DNS_SECOND_WAITS,      /* for the end of the other one */
    DNS_SECOND_STEPS_BACK, /* fails with EAGAIN: it may have another turn */
};

struct dns_server_config {
    struct host *host;
    const char *address;         /* as on the command line */
    const int *sockets;          /* of dns_address_bind(), which stay the caller's */
    const char *dut;             /* that may ask, beside the address itself, which is this host's … */
    const struct strings *allow; /* … and these networks */
    enum dns_second second;
    struct log *log;                                   /* of the run, NULL: none */
    void (*lost)(void *user, const struct error *why); /* it has ended by itself */
    void *user;
};

/* NULL on failure, with nothing left behind. */
struct dns_server *dns_server_start(const struct dns_server_config *config, struct error **ret);

/* When all names have been withdrawn; waits for the helper, so the loop must not be running. NULL is fine. */
void dns_server_stop(struct dns_server *server);

struct dns_names_config {
    const char *title;           /* of the test, for the reasons of others */
    const char *text;            /* its dns.txt, … */
    struct zone *zone;           /* … as it was read; both stay the caller's, up to dns_names_withdraw() */
    bool lasting;                /* they are served to the end of the run: nobody can wait for them */
    struct questions *questions; /* that are asked for them; stay the caller's */
};

/* Has the names served; served(user, error) is called once they are, never from in here. If another test has
 * one of them this waits for its end, with one sentence in *ret_waits (to be freed), or fails: NULL. */
struct dns_names *dns_names_serve(struct dns_server *server, const struct dns_names_config *config,
                                  void (*served)(void *user, const struct error *error), void *user,
                                  char **ret_waits, struct error **ret);

/* Takes them back, also before they are served; withdrawn(user) is called when nobody is answered with them
 * any more, perhaps from in here. They are freed. */
void dns_names_withdraw(struct dns_names *names, void (*withdrawn)(void *user), void *user);
