/* Small collectives. Records go straight to rank 0, so that it knows whose is missing; results come back by MPI's
 * broadcast. With W ranks: W−1 messages into rank 0 and a tree out of it; meant for what happens rarely or is small. */
#include <stdio.h>
#include <string.h>

#include "comm/internal.h"
#include "comm/tree.h"
#include "core/memory.h"

#define TEXT_BYTES   8192
#define CHUNK_BYTES  ((size_t)1 << 30) /* MPI counts are ints */
#define CHUNK_COUNTS ((size_t)1 << 27)

static bool alone(const struct cvy_comm *comm) {
    return comm->mpi == MPI_COMM_NULL;
}

static cvy_status bcast_from(struct cvy_comm *comm, int root, void *bytes, size_t size) {
    CVY_TRY(cvy_comm_usable(comm));
    if (alone(comm)) return CVY_OK;
    for (size_t at = 0; at < size; at += CHUNK_BYTES) {
        size_t part = size - at < CHUNK_BYTES ? size - at : CHUNK_BYTES;
        CVY_MPI(comm, MPI_Ibcast((char *)bytes + at, (int)part, MPI_BYTE, root, comm->mpi, &comm->requests[0]));
        struct cvy_requests one = {.items = comm->requests, .count = 1, .collective = true};
        CVY_TRY(cvy_wait_all(comm, &one, "a broadcast"));
    }
    return CVY_OK;
}

cvy_status cvy_comm_bcast(struct cvy_comm *comm, void *bytes, size_t size) {
    return bcast_from(comm, 0, bytes, size);
}

/* Whole records of all ranks to rank 0: that of rank r at all + start(r), in bytes. */
struct gather {
    const void *mine;
    char *all;    /* rank 0 */
    int leaves;   /* > 0: a record for each leaf of the rank; 0: one a rank */
    size_t bytes; /* of a record */
    int tag;
};

static struct cvy_leaf_range gather_part(const struct cvy_comm *comm, const struct gather *g, int rank) {
    return g->leaves > 0 ? cvy_tree_share(g->leaves, rank, comm->size) : (struct cvy_leaf_range){rank, rank + 1};
}

static cvy_status gather(struct cvy_comm *comm, const struct gather *g) {
    CVY_TRY(cvy_comm_usable(comm));
    struct cvy_requests all = {.items = comm->requests, .peers = comm->peers};
    struct cvy_leaf_range mine = gather_part(comm, g, comm->rank);
    size_t size = (size_t)(mine.end - mine.first) * g->bytes;
    if (comm->rank == 0) memcpy(g->all, g->mine, size);
    if (comm->rank != 0 && size > 0) {
        CVY_MPI(comm, MPI_Isend(g->mine, (int)size, MPI_BYTE, 0, g->tag, comm->mpi, &all.items[0]));
        all.peers[all.count++] = 0;
    }
    for (int r = 1; comm->rank == 0 && r < comm->size; r++) {
        struct cvy_leaf_range part = gather_part(comm, g, r);
        if (part.first == part.end) continue;
        CVY_MPI(comm,
                MPI_Irecv(g->all + (size_t)part.first * g->bytes, (int)((size_t)(part.end - part.first) * g->bytes),
                          MPI_BYTE, r, g->tag, comm->mpi, &all.items[all.count]));
        all.peers[all.count++] = r;
    }
    return cvy_wait_all(comm, &all, "gathering its record");
}

cvy_status cvy_comm_allgather(struct cvy_comm *comm, const void *mine, size_t size, void *all) {
    CVY_TRY(gather(comm, &(struct gather){.mine = mine, .all = all, .bytes = size, .tag = TAG_GATHER}));
    return cvy_comm_bcast(comm, all, size * (size_t)comm->size);
}

/* Every rank's word, in comm->words. */
static cvy_status allgather_word(struct cvy_comm *comm, uint64_t word) {
    return cvy_comm_allgather(comm, &word, sizeof word, comm->words);
}

cvy_status cvy_comm_barrier(struct cvy_comm *comm) {
    return allgather_word(comm, 0);
}

/* The message of `root` becomes that of every rank; *status is the same everywhere already. */
static cvy_status share_message(struct cvy_comm *comm, int root, cvy_status status, bool prefix) {
    if (comm->rank == root && prefix) cvy_fail_prefix(status, "rank %d on %s", root, comm->hosts[root]);
    char text[TEXT_BYTES] = "";
    if (comm->rank == root) snprintf(text, sizeof text, "%s", cvy_error_message());
    CVY_TRY(bcast_from(comm, root, text, sizeof text));
    return comm->rank == root ? status : CVY_FAIL(status, "%s", text);
}

cvy_status cvy_comm_agree(struct cvy_comm *comm, cvy_status mine) {
    if (comm->broken && mine != CVY_OK) return mine;
    struct cvy_failure kept; /* what gathering has to say must not hide what happened before */
    cvy_failure_take(&kept, mine);
    cvy_status status = allgather_word(comm, (uint64_t)mine);
    if (status != CVY_OK) return mine != CVY_OK ? cvy_failure_raise(&kept) : status;
    int root = -1, failed = 0;
    for (int r = comm->size - 1; r >= 0; r--)
        if (comm->words[r] != CVY_OK) root = r, failed++;
    if (root < 0) return CVY_OK;
    return share_message(comm, root, (cvy_status)comm->words[root], failed < comm->size);
}

cvy_status cvy_comm_follow(struct cvy_comm *comm, cvy_status mine) {
    if (comm->broken && mine != CVY_OK) return mine;
    int32_t status = (int32_t)mine;
    CVY_TRY(cvy_comm_bcast(comm, &status, sizeof status));
    return status == CVY_OK ? CVY_OK : share_message(comm, 0, (cvy_status)status, false);
}

cvy_status cvy_comm_bcast_blob(struct cvy_comm *comm, void **bytes, size_t *size) {
    uint64_t told = *size;
    CVY_TRY(cvy_comm_bcast(comm, &told, sizeof told));
    cvy_status status = CVY_OK;
    if (comm->rank != 0) status = cvy_alloc((size_t)told + 1, CVY_TAG_text, bytes);
    CVY_TRY(cvy_comm_agree(comm, status));
    *size = (size_t)told;
    return cvy_comm_bcast(comm, *bytes, *size);
}

cvy_status cvy_comm_min_int(struct cvy_comm *comm, int *value) {
    CVY_TRY(allgather_word(comm, (uint64_t)(int64_t)*value));
    for (int r = 0; r < comm->size; r++)
        if ((int64_t)comm->words[r] < *value) *value = (int)(int64_t)comm->words[r];
    return CVY_OK;
}

cvy_status cvy_comm_sum_counts(struct cvy_comm *comm, int64_t *counts, size_t size) {
    CVY_TRY(cvy_comm_usable(comm));
    for (size_t at = 0; !alone(comm) && at < size; at += CHUNK_COUNTS) {
        int part = (int)(size - at < CHUNK_COUNTS ? size - at : CHUNK_COUNTS);
        CVY_MPI(comm,
                MPI_Iallreduce(MPI_IN_PLACE, counts + at, part, MPI_INT64_T, MPI_SUM, comm->mpi, &comm->requests[0]));
        struct cvy_requests one = {.items = comm->requests, .count = 1, .collective = true};
        CVY_TRY(cvy_wait_all(comm, &one, "a sum of counts"));
    }
    return CVY_OK;
}

cvy_status cvy_comm_same_u64(struct cvy_comm *comm, uint64_t value, const char *what) {
    CVY_TRY(allgather_word(comm, value));
    for (int r = 1; r < comm->size; r++)
        CVY_CHECK(
            comm->words[r] == comm->words[0], CVY_ERR_INTERNAL,
            "rank %d on %s: %s %016llx where rank 0 on %s has %016llx; the ranks must run the same program on the "
            "same files",
            r, comm->hosts[r], what, (unsigned long long)comm->words[r], comm->hosts[0],
            (unsigned long long)comm->words[0]);
    return CVY_OK;
}

cvy_status cvy_comm_reserve(struct cvy_comm *comm, int leaves, size_t len) {
    size_t room = (size_t)leaves * len;
    if (comm->rank != 0 || room <= comm->rows_room) return CVY_OK;
    CVY_DELETE(&comm->rows);
    comm->rows_room = 0;
    CVY_TRY(CVY_NEW(&comm->rows, room, comm));
    comm->rows_room = room;
    return CVY_OK;
}

cvy_status cvy_comm_reduce_partial(struct cvy_comm *comm, int leaves, const double *per_leaf, size_t len, double *sum) {
    CVY_TRY(cvy_comm_reserve(comm, leaves, len));
    CVY_TRY(gather(comm, &(struct gather){.mine = per_leaf,
                                          .all = (char *)comm->rows,
                                          .leaves = leaves,
                                          .bytes = len * sizeof *sum,
                                          .tag = TAG_PARTIAL}));
    if (comm->rank == 0) {
        cvy_tree_sum_rows(comm->rows, leaves, len);
        memcpy(sum, comm->rows, len * sizeof *sum);
    }
    return cvy_comm_bcast(comm, sum, len * sizeof *sum);
}
