#define _GNU_SOURCE
#include "comm/places.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "comm/internal.h"

int cvy_places_node(const struct cvy_places *places, int rank) {
    int low = 0, high = places->nodes;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (places->firsts[middle] <= rank)
            low = middle;
        else
            high = middle;
    }
    return low;
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

cvy_status cvy_places_find_own(struct cvy_comm *comm) {
    CVY_MPI(comm, MPI_Comm_rank(comm->mpi, &comm->rank));
    CVY_MPI(comm, MPI_Comm_size(comm->mpi, &comm->size));
    CVY_MPI(comm, MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &comm->node));
    CVY_MPI(comm, MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_RETURN));
    CVY_MPI(comm, MPI_Comm_size(comm->node, &comm->local_size));
    return count_processors(comm);
}

static cvy_status exchange_names(struct cvy_comm *comm) {
    char mine[HOST_BYTES] = "?";
    gethostname(mine, sizeof mine - 1);
    snprintf(comm->hosts[comm->rank], HOST_BYTES, "%s", mine);
    return cvy_comm_allgather(comm, mine, sizeof mine, comm->hosts);
}

/* Each rank's host, told by the first rank of it. */
static void note(struct cvy_places *places, const uint64_t *firsts) {
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

cvy_status cvy_places_find_all(struct cvy_comm *comm) {
    int first = comm->rank;
    CVY_TRY(exchange_names(comm));
    comm->places.ranks = comm->size;
    comm->places.rank = comm->rank;
    comm->places.network = &comm->network;
    if (comm->node != MPI_COMM_NULL) CVY_MPI(comm, MPI_Bcast(&first, 1, MPI_INT, 0, comm->node));
    const uint64_t mine = (uint64_t)first;
    CVY_TRY(cvy_comm_allgather(comm, &mine, sizeof mine, comm->words));
    note(&comm->places, comm->words);
    return CVY_OK;
}
