/* One bucket's way, phase by phase of its reduction. */
#include "comm/exchange_internal.h"

cvy_status cvy_bucket_send(struct cvy_exchange *x, struct bucket *bucket, const float *from, size_t count, int member) {
    if (count == 0) return CVY_OK;
    const int peer = cvy_team_rank(&bucket->part.team, member), tag = TAG_BUCKET + (int)(bucket - x->buckets);
    CVY_MPI(x->comm,
            MPI_Isend(from, (int)count, MPI_FLOAT, peer, tag, x->mpi, cvy_requests_add(&bucket->requests, peer)));
    return CVY_OK;
}

cvy_status cvy_bucket_receive(struct cvy_exchange *x, struct bucket *bucket, float *to, size_t count, int member) {
    if (count == 0) return CVY_OK;
    const int peer = cvy_team_rank(&bucket->part.team, member), tag = TAG_BUCKET + (int)(bucket - x->buckets);
    CVY_MPI(x->comm,
            MPI_Irecv(to, (int)count, MPI_FLOAT, peer, tag, x->mpi, cvy_requests_add(&bucket->requests, peer)));
    return CVY_OK;
}

/* All of the bucket, summed over all ranks. */
static void make_part(struct cvy_exchange *x, struct bucket *bucket) {
    struct cvy_part *part = &bucket->part;
    part->team = x->team;
    part->count = bucket->count;
    part->sum = x->sum + bucket->first;
    part->piece_count = x->own_count;
    for (int p = 0; p < x->own_count; p++)
        part->pieces[p] = (struct cvy_piece){x->own[p].subtree, x->own[p].data + bucket->first};
}

static cvy_status go_on(struct cvy_exchange *x, struct bucket *bucket) {
    bool done = false;
    cvy_requests_clear(&bucket->requests);
    CVY_TRY(bucket->reduction->run(x, bucket, bucket->phase, &done));
    if (done) bucket->state = BUCKET_DONE;
    return CVY_OK;
}

cvy_status cvy_bucket_start(struct cvy_exchange *x, struct bucket *bucket) {
    make_part(x, bucket);
    bucket->state = BUCKET_UNDERWAY;
    bucket->stage = NODE_START;
    bucket->phase = 0;
    CVY_TRY(go_on(x, bucket));
    return cvy_bucket_advance(x, bucket);
}

cvy_status cvy_bucket_advance(struct cvy_exchange *x, struct bucket *bucket) {
    while (bucket->state == BUCKET_UNDERWAY) {
        bool here = false;
        CVY_TRY(cvy_requests_test(x->comm, &bucket->requests, &here));
        if (!here) return CVY_OK;
        bucket->phase++;
        CVY_TRY(go_on(x, bucket));
    }
    return CVY_OK;
}
