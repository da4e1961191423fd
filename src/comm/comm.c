/* A communicator's life, and who is where. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "comm/internal.h"
#include "core/memory.h"

#define DEADLINE_S      300.0  /* of a wait, where a rank that is stopped cannot be told from one that is busy */
#define BUSY_DEADLINE_S 3600.0 /* where it can */
#define SILENCE_S       5.0

static cvy_status find_place(struct cvy_comm *comm) {
    CVY_MPI(comm, MPI_Comm_rank(comm->mpi, &comm->rank));
    CVY_MPI(comm, MPI_Comm_size(comm->mpi, &comm->size));
    MPI_Comm host;
    CVY_MPI(comm, MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &host));
    CVY_MPI(comm, MPI_Comm_rank(host, &comm->local_rank));
    CVY_MPI(comm, MPI_Comm_size(host, &comm->local_size));
    CVY_MPI(comm, MPI_Comm_free(&host));
    return CVY_OK;
}

static cvy_status allocate(struct cvy_comm *comm) {
    CVY_TRY(CVY_NEW(&comm->hosts, comm->size, comm));
    CVY_TRY(CVY_NEW(&comm->requests, comm->size, comm));
    CVY_TRY(CVY_NEW(&comm->peers, comm->size, comm));
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

/* Of one process, until it is connected to others. */
static cvy_status make(struct cvy_comm **out) {
    CVY_TRY(CVY_NEW(out, 1, comm));
    **out = (struct cvy_comm){
        .mpi = MPI_COMM_NULL, .size = 1, .local_size = 1, .deadline = DEADLINE_S, .silence = SILENCE_S};
    return CVY_OK;
}

/* Once it is known how many we are. */
static cvy_status finish(struct cvy_comm *comm) {
    CVY_TRY(allocate(comm));
    CVY_TRY(exchange_hosts(comm));
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
    if (!c->broken && c->mpi != MPI_COMM_NULL) MPI_Comm_free(&c->mpi);
    cvy_mpi_end(c);
    cvy_free(c->hosts);
    cvy_free(c->requests);
    cvy_free(c->peers);
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

const char *cvy_comm_host(const struct cvy_comm *comm, int rank) {
    return comm->hosts ? comm->hosts[rank] : "?";
}

void cvy_comm_set_deadline(struct cvy_comm *comm, double seconds) {
    comm->deadline = seconds;
}

bool cvy_comm_broken(const struct cvy_comm *comm) {
    return comm->broken;
}
