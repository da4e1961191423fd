/* A communicator's life. */
#include <unistd.h>

#include "comm/internal.h"
#include "core/memory.h"

#define DEADLINE_S      300.0  /* of a wait, where a rank that is stopped cannot be told from one that is busy */
#define BUSY_DEADLINE_S 3600.0 /* where it can */
#define SILENCE_S       5.0

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
    return cvy_places_find_own(comm);
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
    CVY_TRY(cvy_places_find_all(comm));
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

int cvy_comm_local_size(const struct cvy_comm *comm) {
    return comm->local_size;
}

int cvy_comm_hosts(const struct cvy_comm *comm) {
    return comm->places.nodes;
}

const char *cvy_comm_host(const struct cvy_comm *comm, int rank) {
    return comm->hosts ? comm->hosts[rank] : "?";
}

bool cvy_comm_broken(const struct cvy_comm *comm) {
    return comm->broken;
}
