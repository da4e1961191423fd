/* Round trips: the asker sends a block, the answerer sends it back. The block's first byte says whether another one
 * follows, so that the asker's clock alone decides when it is enough. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/internal.h"
#include "comm/network.h"
#include "core/clock.h"
#include "core/memory.h"

enum { MOST_PAIRS = 4, MOST_TRIPS = 1024, FEWEST_TRIPS = 5 };
enum { LAST = 1 };
#define SPIN_S 0.05

struct pair {
    int asker, answerer;
};

struct trips {
    struct cvy_comm *comm;
    char *block;
    double *seconds; /* [MOST_PAIRS * MOST_TRIPS] of one size, one way */
    int count;
};

/* Spins for longer than any other wait: a processor that is given away comes back milliseconds later on a busy host,
 * and that is no property of the network. */
static cvy_status wait_for(struct cvy_comm *comm, MPI_Request *request, int peer) {
    struct cvy_requests one = {.items = request, .peers = &peer, .count = 1};
    const double end = cvy_clock() + SPIN_S;
    for (bool done = false; !comm->crowded && !done && cvy_clock() < end;)
        CVY_TRY(cvy_requests_test(comm, &one, &done));
    return cvy_wait_all(comm, &one, "a message of a measurement");
}
static cvy_status post(struct trips *t, size_t bytes, int to) {
    MPI_Request request;
    CVY_MPI_WITH(t->comm, to, MPI_Isend(t->block, (int)bytes, MPI_BYTE, to, TAG_TRIP, t->comm->mpi, &request));
    return wait_for(t->comm, &request, to);
}
static cvy_status take(struct trips *t, size_t bytes, int from) {
    MPI_Request request;
    CVY_MPI_WITH(t->comm, from, MPI_Irecv(t->block, (int)bytes, MPI_BYTE, from, TAG_TRIP, t->comm->mpi, &request));
    return wait_for(t->comm, &request, from);
}

static cvy_status answer(struct trips *t, size_t bytes, int asker) {
    for (bool last = false; !last;) {
        CVY_TRY(take(t, bytes, asker));
        last = t->block[0] == LAST;
        CVY_TRY(post(t, bytes, asker));
    }
    return CVY_OK;
}

/* The first trip touches pages and opens connections: it does not count. */
static cvy_status ask(struct trips *t, size_t bytes, int answerer, double seconds) {
    const double end = cvy_clock() + seconds;
    bool last = false;
    for (int i = 0; !last; i++) {
        last = i == MOST_TRIPS || (i >= FEWEST_TRIPS && cvy_clock() > end);
        t->block[0] = last ? LAST : 0;
        const double start = cvy_clock();
        CVY_TRY(post(t, bytes, answerer));
        CVY_TRY(take(t, bytes, answerer));
        if (i > 0) t->seconds[t->count++] = (cvy_clock() - start) / 2;
    }
    return CVY_OK;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The fastest tenth: slower ones were disturbed by what else the hosts do. */
static double quiet(double *seconds, int count) {
    qsort(seconds, (size_t)count, sizeof *seconds, ascending);
    return count ? seconds[count / 10] : 0;
}

/* trip: of each rank that asked, 0 of the others. */
static cvy_status one_size(struct trips *t, const struct pair *pairs, int count, size_t bytes, double seconds,
                           double *trip) {
    struct cvy_comm *comm = t->comm;
    t->count = 0;
    for (int p = 0; p < count; p++) {
        if (comm->rank == pairs[p].asker) CVY_TRY(ask(t, bytes, pairs[p].answerer, seconds));
        if (comm->rank == pairs[p].answerer) CVY_TRY(answer(t, bytes, pairs[p].asker));
        CVY_TRY(cvy_comm_barrier(comm));
    }
    const double mine = quiet(t->seconds, t->count);
    return cvy_comm_allgather(comm, &mine, sizeof mine, trip);
}

/* The median of the pairs. */
static double middle(double *trips, int ranks) {
    int count = 0;
    for (int r = 0; r < ranks; r++)
        if (trips[r] > 0) trips[count++] = trips[r];
    qsort(trips, (size_t)count, sizeof *trips, ascending);
    return trips[(count - 1) / 2];
}

static cvy_status measure_link(struct trips *t, const struct pair *pairs, int count, double seconds,
                               struct cvy_link_points *out) {
    double *each;
    out->pairs = count;
    if (count == 0) return CVY_OK;
    CVY_TRY(CVY_NEW(&each, t->comm->size, comm));
    cvy_status status = CVY_OK;
    size_t bytes = 4;
    for (int i = 0; i < CVY_NETWORK_SIZES && status == CVY_OK; i++, bytes *= 4) {
        status = one_size(t, pairs, count, bytes, seconds / count / CVY_NETWORK_SIZES, each);
        if (status != CVY_OK) break;
        out->bytes[i] = bytes;
        out->seconds[i] = middle(each, t->comm->size);
    }
    cvy_free(each);
    if (status != CVY_OK) return status;
    /* What took longer than a larger message was disturbed. */
    for (int i = CVY_NETWORK_SIZES - 1; i > 0; i--) out->seconds[i - 1] = fmin(out->seconds[i - 1], out->seconds[i]);
    cvy_link_fit(out);
    return CVY_OK;
}

/* The first two ranks of each host; the first ranks of each host and the next one. */
static int pairs_of(const struct cvy_comm *comm, bool inside, struct pair pairs[MOST_PAIRS]) {
    int count = 0;
    for (int a = 0; a < comm->size && count < MOST_PAIRS; a++) {
        int b = a + 1;
        bool first = true;
        for (int r = 0; r < a; r++) first = first && strcmp(comm->hosts[r], comm->hosts[a]) != 0;
        while (b < comm->size && (strcmp(comm->hosts[a], comm->hosts[b]) == 0) != inside) b++;
        if (first && b < comm->size) pairs[count++] = (struct pair){a, b};
    }
    return count;
}

static cvy_status measure(struct trips *t, double seconds, struct cvy_network_points *out) {
    struct pair inside[MOST_PAIRS], outside[MOST_PAIRS];
    const int near = pairs_of(t->comm, true, inside), far = pairs_of(t->comm, false, outside);
    const double each = near && far ? seconds / 2 : seconds;
    CVY_TRY(measure_link(t, inside, near, each, &out->inside));
    return measure_link(t, outside, far, each, &out->outside);
}

cvy_status cvy_network_measure(struct cvy_comm *comm, double seconds, struct cvy_network_points *out) {
    struct trips t = {.comm = comm};
    *out = (struct cvy_network_points){0};
    CVY_CHECK(
        comm->size > 1, CVY_ERR_USAGE,
        "one rank sends no messages; put mpirun -n 2 (or as many ranks as there are hosts, one on each) in front");
    cvy_status status = CVY_NEW(&t.block, (size_t)4 << 2 * (CVY_NETWORK_SIZES - 1), comm);
    if (status == CVY_OK) status = CVY_NEW(&t.seconds, MOST_PAIRS * MOST_TRIPS, comm);
    status = cvy_comm_agree(comm, status);
    if (status == CVY_OK) status = measure(&t, seconds, out);
    cvy_free(t.block);
    cvy_free(t.seconds);
    return status;
}
