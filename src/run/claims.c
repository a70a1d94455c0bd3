#include "src/run/claims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "src/base/memory.h"

#define MOST_TRIES 4096U /* for one pod: a network as full as that is not worth more of everybody's time */
#define MOST_ROUND 64U   /* asked at once */
#define MOST_KNOWN 65536U

/* A walk through the network meets each of its hosts once: the n-th is `start` + n * `step`, where the step
 * has no divisor in common with their number. */
struct claims {
    struct network network;
    uint8_t base[16];      /* all of an address but its last four bytes, which count hosts */
    uint32_t first, hosts; /* without the network's own address and the broadcast address */
    uint32_t start, step;
    uint32_t next;     /* where the next pod begins, so that addresses are used anew as late as possible */
    bool *in_use;      /* by others on the network, as far as known; NULL: it is too large to remember */
    struct claim *all; /* under way */
};

struct claim {
    struct claims *claims;
    struct claim *next;
    struct router_client *router;
    char run_id[7];
    size_t wanted;
    struct strings addresses;
    uint32_t position, tried;
    unsigned round;
    struct attempt *attempts;  /* that are not answered */
    size_t due;                /* answers */
    size_t by_others, by_pods; /* why addresses were refused; the rest can be nobody's */
    bool cancelled;
    struct error *error; /* that was no refusal of a single address */
    void (*done)(void *user, const struct strings *addresses, const struct error *error);
    void *user;
};

/* A question to the router. */
struct attempt {
    struct attempt *next;
    struct claim *claim;
    uint32_t host;
    char address[INET6_ADDRSTRLEN];
};

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

static size_t length_of(const struct claims *claims)
{
    return claims->network.family == AF_INET6 ? 16 : 4;
}

/* A network of IPv6 mostly has more hosts than can be counted here: those with one beginning, drawn at
 * random, are more than enough. */
static void choose_base(struct claims *claims, const uint8_t random[16])
{
    const struct network *network = &claims->network;
    unsigned counted = (unsigned)(length_of(claims) - 4) * 8;
    uint32_t end;

    memcpy(claims->base, network->bytes, sizeof claims->base);
    for (unsigned bit = network->prefix; bit < counted; bit++)
        claims->base[bit / 8] |= random[bit / 8] & (uint8_t)(0x80U >> bit % 8);
    memcpy(&end, claims->base + counted / 8, sizeof end);
    claims->first = ntohl(end) + 1;
    counted = network->prefix < counted ? 32 : counted + 32 - network->prefix;
    claims->hosts = (uint32_t)((1ULL << counted) - 2);
}

struct claims *claims_new(const struct network *network, struct error **ret)
{
    struct claims *claims;
    uint8_t middle[16];
    uint32_t random[2];

    if (getrandom(random, sizeof random, 0) != sizeof random ||
        getrandom(middle, sizeof middle, 0) != sizeof middle) {
        error_sys(ret, ERROR_FAILED, errno, "cannot get random numbers");
        return NULL;
    }
    claims = memory_new(sizeof *claims);
    claims->network = *network;
    choose_base(claims, middle);
    claims->start = random[0] % claims->hosts;
    claims->step = random[1] % claims->hosts + 1;
    while (common_divisor(claims->step, claims->hosts) != 1)
        claims->step++;
    if (claims->hosts <= MOST_KNOWN)
        claims->in_use = memory_array(NULL, claims->hosts, sizeof *claims->in_use);
    if (claims->in_use)
        memset(claims->in_use, 0, claims->hosts * sizeof *claims->in_use);
    return claims;
}

static void claim_free(struct claim *claim)
{
    struct claim **place = &claim->claims->all;

    while (*place != claim)
        place = &(*place)->next;
    *place = claim->next;
    for (struct attempt *attempt = claim->attempts, *next; attempt;
         attempt = next) { /* the router has gone */
        next = attempt->next;
        free(attempt);
    }
    strings_free(&claim->addresses);
    error_free(claim->error);
    free(claim);
}

void claims_free(struct claims *claims)
{
    if (!claims)
        return;
    while (claims->all)
        claim_free(claims->all);
    free(claims->in_use);
    free(claims);
}

/* ---- asking ---- */

static uint32_t nth_host(const struct claims *claims, uint32_t n)
{
    return (uint32_t)((claims->start + (uint64_t)n * claims->step) % claims->hosts);
}

static void on_tried(void *user, const struct error *error);

static void try_host(struct claim *claim, uint32_t host)
{
    struct attempt *attempt = memory_new(sizeof *attempt);
    const struct claims *claims = claim->claims;
    uint32_t end = htonl(claims->first + host);
    uint8_t address[16];

    *attempt = (struct attempt){.next = claim->attempts, .claim = claim, .host = host};
    claim->attempts = attempt;
    memcpy(address, claims->base, sizeof address);
    memcpy(address + length_of(claims) - sizeof end, &end, sizeof end);
    (void)inet_ntop(claims->network.family, address, attempt->address, sizeof attempt->address);
    claim->due++;
    router_client_address_add(claim->router, claim->run_id, attempt->address, false, on_tried, attempt);
}

static uint32_t most_tries(const struct claims *claims)
{
    return claims->hosts < MOST_TRIES ? claims->hosts : MOST_TRIES;
}

/* As many as are missing; from round to round more than those, as the network seems to be full. */
static void ask(struct claim *claim)
{
    struct claims *claims = claim->claims;
    size_t missing = claim->wanted - claim->addresses.count;
    size_t many = missing << (claim->round < 6 ? claim->round : 6);

    if (claim->round++ == 0 || many <= missing)
        many = missing;
    else if (many > MOST_ROUND)
        many = missing > MOST_ROUND ? missing : MOST_ROUND;
    while (claim->due < many && claim->tried < most_tries(claims)) {
        uint32_t host = nth_host(claims, claim->position);

        claim->position++;
        claim->tried++;
        if (claims->in_use && claims->in_use[host])
            claim->by_others++;
        else
            try_host(claim, host);
    }
}

static void full(struct claim *claim)
{
    char text[NETWORK_TEXT];
    size_t had = claim->addresses.count;

    error_set(&claim->error, ERROR_FAILED,
              "%s has not enough free addresses for %zu UA%s: of %u%s, %zu are other machines', %zu other "
              "tests', %zu "
              "cannot be used",
              network_text(&claim->claims->network, text), claim->wanted, claim->wanted == 1 ? "" : "s",
              claim->tried, claim->tried < claim->claims->hosts ? " that were tried" : "", claim->by_others,
              claim->by_pods, claim->tried - claim->by_others - claim->by_pods - had);
    claim->error->sys = claim->by_pods ? EAGAIN : 0;
}

static void finish(struct claim *claim)
{
    if (claim->position > claim->claims->next)
        claim->claims->next = claim->position;
    if (!claim->cancelled)
        claim->done(claim->user, &claim->addresses, claim->error);
    claim_free(claim);
}

static void on_all_answered(struct claim *claim)
{
    if (!claim->cancelled && !claim->error && claim->addresses.count < claim->wanted) {
        ask(claim);
        if (claim->due)
            return;
        full(claim);
    }
    finish(claim);
}

static void on_removed(void *user, const struct error *error)
{
    (void)user;
    (void)error; /* it goes with the pod */
}

static void take(struct claim *claim, const struct attempt *attempt)
{
    if (claim->cancelled)
        return; /* the pod goes, and all with it */
    if (claim->addresses.count < claim->wanted)
        strings_add(&claim->addresses, attempt->address);
    else
        router_client_address_remove(claim->router, claim->run_id, attempt->address, on_removed, NULL);
}

static void refuse(struct claim *claim, const struct attempt *attempt, const struct error *error)
{
    switch (error->sys) {
    case EADDRINUSE:
        claim->by_others++;
        if (claim->claims->in_use)
            claim->claims->in_use[attempt->host] = true;
        break;
    case EEXIST:
        claim->by_pods++;
        break;
    case EADDRNOTAVAIL:
        break;
    default:
        if (claim->error)
            break;
        error_set(&claim->error, error->code, "%s", error_text(error));
        claim->error->sys = error->sys;
    }
}

static void forget(struct attempt *attempt)
{
    struct attempt **place = &attempt->claim->attempts;

    while (*place != attempt)
        place = &(*place)->next;
    *place = attempt->next;
    free(attempt);
}

static void on_tried(void *user, const struct error *error)
{
    struct attempt *attempt = user;
    struct claim *claim = attempt->claim;

    if (error)
        refuse(claim, attempt, error);
    else
        take(claim, attempt);
    forget(attempt);
    if (--claim->due == 0)
        on_all_answered(claim);
}

struct claim *
claim_start(struct claims *claims, struct router_client *router, const char *run_id, size_t count,
            void (*done)(void *user, const struct strings *addresses, const struct error *error), void *user)
{
    struct claim *claim = memory_new(sizeof *claim);

    *claim = (struct claim){
        .claims = claims,
        .next = claims->all,
        .router = router,
        .wanted = count,
        .position = claims->next,
        .done = done,
        .user = user,
    };
    memcpy(claim->run_id, run_id, sizeof claim->run_id);
    claims->all = claim;
    claims->next += (uint32_t)count;
    ask(claim);
    if (!claim->due) { /* all are known to be others': let the callback come from the loop all the same */
        claim->by_others--; /* of these one is asked anew */
        try_host(claim, nth_host(claims, claim->position));
    }
    return claim;
}

void claim_cancel(struct claim *claim)
{
    claim->cancelled = true;
}
