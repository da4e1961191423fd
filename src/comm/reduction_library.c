/* The MPI library's allreduce: bits depend on ranks and library. */
#include <string.h>

#include "comm/exchange_internal.h"

#include "kernels/elementwise.h"

static bool applicable(const struct cvy_team *team) {
    return team->lead < 0;
}

static struct cvy_bill bill(const struct cvy_team *team, size_t floats) {
    (void)team, (void)floats;
    return (struct cvy_bill){.requests = 1};
}

/* Own pieces in one, the rest is the library's. A rank without leaves adds zeros. */
static cvy_status run(struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done) {
    const struct cvy_part *part = &bucket->part;
    if (phase > 0) {
        *done = true;
        return CVY_OK;
    }
    if (part->piece_count == 0) memset(part->sum, 0, part->count * sizeof *part->sum);
    for (int p = 1; p < part->piece_count; p++)
        cvy_vec_add(x->adds, part->sum, part->pieces[p].data, (int64_t)part->count);
    if (x->mpi == MPI_COMM_NULL) return CVY_OK;
    MPI_Request *request = cvy_requests_add(&bucket->requests, x->comm->rank);
    bucket->requests.collective = true;
    CVY_MPI(x->comm, MPI_Iallreduce(MPI_IN_PLACE, part->sum, (int)part->count, MPI_FLOAT, MPI_SUM, x->mpi, request));
    return CVY_OK;
}

const struct cvy_reduction cvy_reduction_library = {"library", NULL, applicable, bill, run};
