/* A communicator's life, and who is where. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "comm/internal.h"
#include "core/memory.h"

#define DEADLINE_S      300.0  /* of a wait, where a rank that is stopped cannot be told from one that is busy */
#define BUSY_DEADLINE_S 3600.0 /* where it can */
#define SILENCE_S       5.0

/* The ranks of this host, or of a part of it. Takes over `node`. */
static cvy_status settle(struct cvy_comm *comm, MPI_Comm node) {
    if (comm->node != MPI_COMM_NULL) CVY_MPI(comm, MPI_Comm_free(&comm->node));
    comm->node = node;
    CVY_MPI(comm, MPI_Comm_set_errhandler(node, MPI_ERRORS_RETURN));
    return CVY_OK;
}

/* Processors that some rank of this host may use, against ranks. */
static cvy_status count_processors(struct cvy_comm *comm) {
    cpu_set_t all;
    CPU_ZERO(&all);
    if (sched_getaffinity(0, sizeof all, &all) != 0) return CVY_OK;
    CVY_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, &all, sizeof all, MPI_BYTE, MPI_BOR, comm->node));
    comm->processors = CPU_COUNT(&all);
    comm->crowded = comm->processors < comm->local_size;
    return CVY_OK;
}

static cvy_status find_place(struct cvy_comm *comm) {
    CVY_MPI(comm, MPI_Comm_rank(comm->mpi, &comm->rank));
    CVY_MPI(comm, MPI_Comm_size(comm->mpi, &comm->size));
    MPI_Comm host;
    CVY_MPI(comm, MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &host));
    CVY_TRY(settle(comm, host));
    CVY_MPI(comm, MPI_Comm_rank(host, &comm->local_rank));
    CVY_MPI(comm, MPI_Comm_size(host, &comm->local_size));
    return count_processors(comm);
}

static cvy_status allocate(struct cvy_comm *comm) {
    CVY_TRY(CVY_NEW(&comm->hosts, comm->size, comm));
    CVY_TRY(CVY_NEW(&comm->requests, comm->size, comm));
    CVY_TRY(CVY_NEW(&comm->peers, comm->size, comm));
    CVY_TRY(CVY_NEW(&comm->places.firsts, comm->size + 1, comm));
    return CVY_NEW(&comm->words, comm->size, comm);
}

static cvy_status connect(struct cvy_comm *comm, const void *mpi_comm) {
    CVY_TRY(cvy_mpi_start(comm));
    MPI_Comm from = mpi_comm ? *(const MPI_Comm *)mpi_comm : MPI_COMM_WORLD;
    int world = 0;
    CVY_MPI(comm, MPI_Comm_size(MPI_COMM_WORLD, &world));
    CVY_TRY(cvy_launcher_check(world));
    CVY_TRY(cvy_mpi_duplicate(comm, from, &comm->mpi));
    return find_place(comm);
}

static cvy_status exchange_hosts(struct cvy_comm *comm) {
    char mine[HOST_BYTES] = "?";
    gethostname(mine, sizeof mine - 1);
    snprintf(comm->hosts[comm->rank], HOST_BYTES, "%s", mine);
    return cvy_comm_allgather(comm, mine, sizeof mine, comm->hosts);
}

/* Each rank's host, told by the first rank of it. */
static void note_places(struct cvy_places *places, const uint64_t *firsts) {
    places->nodes = 0;
    places->in_rows = true;
    for (int r = 0; r < places->ranks; r++) {
        const int first = (int)firsts[r];
        if (first == r) places->firsts[places->nodes++] = r;
        if (first != places->firsts[places->nodes - 1]) places->in_rows = false;
    }
    places->firsts[places->nodes] = places->ranks;
    places->node = cvy_places_node(places, places->rank);
    places->least = places->ranks;
    for (int n = 0; n < places->nodes; n++)
        if (places->firsts[n + 1] - places->firsts[n] < places->least)
            places->least = places->firsts[n + 1] - places->firsts[n];
}

static cvy_status find_places(struct cvy_comm *comm) {
    int first = comm->rank;
    comm->places.ranks = comm->size;
    comm->places.rank = comm->rank;
    comm->places.network = &comm->network;
    if (comm->node != MPI_COMM_NULL) CVY_MPI(comm, MPI_Bcast(&first, 1, MPI_INT, 0, comm->node));
    const uint64_t mine = (uint64_t)first;
    CVY_TRY(cvy_comm_allgather(comm, &mine, sizeof mine, comm->words));
    note_places(&comm->places, comm->words);
    return CVY_OK;
}

cvy_status cvy_comm_split_hosts(struct cvy_comm *comm, int ranks) {
    MPI_Comm node;
    if (comm->node == MPI_COMM_NULL) return CVY_OK;
    CVY_MPI(comm, MPI_Comm_split(comm->node, comm->local_rank / ranks, comm->local_rank, &node));
    CVY_TRY(settle(comm, node));
    return find_places(comm);
}

/* Of one process, until it is connected to others. */
static cvy_status make(struct cvy_comm **out) {
    CVY_TRY(CVY_NEW(out, 1, comm));
    **out = (struct cvy_comm){.mpi = MPI_COMM_NULL,
                              .node = MPI_COMM_NULL,
                              .size = 1,
                              .local_size = 1,
                              .network = cvy_network_usual,
                              .deadline = DEADLINE_S,
                              .silence = SILENCE_S};
    return CVY_OK;
}

static cvy_status find_threads(struct cvy_comm *comm) {
    int level = 0;
    if (comm->size == 1) return CVY_OK;
    CVY_MPI(comm, MPI_Query_thread(&level));
    int able = level >= MPI_THREAD_MULTIPLE;
    CVY_TRY(cvy_comm_min_int(comm, &able));
    comm->threads = able;
    return CVY_OK;
}

/* Once it is known how many we are. */
static cvy_status finish(struct cvy_comm *comm) {
    CVY_TRY(allocate(comm));
    CVY_TRY(exchange_hosts(comm));
    CVY_TRY(find_places(comm));
    CVY_TRY(find_threads(comm));
    CVY_TRY(cvy_heartbeat_start(comm));
    if (comm->heartbeat) comm->deadline = BUSY_DEADLINE_S;
    return CVY_OK;
}

cvy_status cvy_comm_create(const void *mpi_comm, struct cvy_comm **out) {
    const bool alone = mpi_comm == NULL && !cvy_launcher_present();
    CVY_TRY(make(out));
    cvy_status status = alone ? cvy_launcher_check(0) : connect(*out, mpi_comm);
    if (status == CVY_OK) status = finish(*out);
    if (status != CVY_OK) cvy_comm_destroy(out);
    return status;
}

cvy_status cvy_comm_create_alone(struct cvy_comm **out) {
    CVY_TRY(make(out));
    cvy_status status = finish(*out);
    if (status != CVY_OK) cvy_comm_destroy(out);
    return status;
}

void cvy_comm_destroy(struct cvy_comm **comm) {
    struct cvy_comm *c = *comm;
    if (c == NULL) return;
    cvy_heartbeat_stop(c);
    if (!c->broken && c->node != MPI_COMM_NULL) MPI_Comm_free(&c->node);
    if (!c->broken && c->mpi != MPI_COMM_NULL) MPI_Comm_free(&c->mpi);
    cvy_mpi_end(c);
    cvy_free(c->hosts);
    cvy_free(c->requests);
    cvy_free(c->peers);
    cvy_free(c->places.firsts);
    cvy_free(c->words);
    cvy_free(c->rows);
    CVY_DELETE(comm);
}

void cvy_comm_abort(struct cvy_comm *comm, int code) {
    if (comm->mpi != MPI_COMM_NULL) MPI_Abort(comm->mpi, code);
    _exit(code);
}

int cvy_comm_rank(const struct cvy_comm *comm) {
    return comm->rank;
}

int cvy_comm_size(const struct cvy_comm *comm) {
    return comm->size;
}

int cvy_comm_local_rank(const struct cvy_comm *comm) {
    return comm->local_rank;
}

int cvy_comm_local_size(const struct cvy_comm *comm) {
    return comm->local_size;
}

int cvy_comm_hosts(const struct cvy_comm *comm) {
    return comm->places.nodes;
}

const char *cvy_comm_host(const struct cvy_comm *comm, int rank) {
    return comm->hosts ? comm->hosts[rank] : "?";
}

void cvy_comm_set_deadline(struct cvy_comm *comm, double seconds) {
    comm->deadline = seconds;
}

bool cvy_comm_broken(const struct cvy_comm *comm) {
    return comm->broken;
}
