/* One bucket's way, phase by phase of its reduction. */
#include "comm/exchange_internal.h"

#include "core/ints.h"

#define LINE 16 /* floats of a cache line */

static const struct cvy_reduction *const reductions[] = {
#define LIST(name, purpose) &cvy_reduction_##name,
    CVY_REDUCTIONS(LIST, )};

const struct cvy_reduction *cvy_reduction_at(int index) {
    return reductions[index];
}

void cvy_bucket_slice(const struct cvy_exchange *x, const struct bucket *bucket, int rank, size_t *first,
                      size_t *count) {
    size_t ranks = (size_t)x->comm->size, lines = cvy_ceil_div(bucket->count, LINE);
    size_t length = cvy_ceil_div(lines, ranks) * LINE, begin = (size_t)rank * length;
    if (begin > bucket->count) begin = bucket->count;
    *first = bucket->first + begin;
    *count = bucket->count - begin < length ? bucket->count - begin : length;
}

static cvy_status begin_phase(struct cvy_exchange *x, struct bucket *bucket) {
    cvy_requests_clear(&bucket->requests);
    return x->plan.reduction->phases[bucket->phase](x, bucket);
}

cvy_status cvy_bucket_start(struct cvy_exchange *x, struct bucket *bucket) {
    bucket->state = BUCKET_UNDERWAY;
    bucket->phase = 0;
    CVY_TRY(begin_phase(x, bucket));
    return cvy_bucket_advance(x, bucket);
}

cvy_status cvy_bucket_advance(struct cvy_exchange *x, struct bucket *bucket) {
    while (bucket->state == BUCKET_UNDERWAY) {
        bool here = false;
        CVY_TRY(cvy_requests_test(x->comm, &bucket->requests, &here));
        if (!here) return CVY_OK;
        bucket->phase++;
        if (bucket->phase == CVY_REDUCTION_PHASES || x->plan.reduction->phases[bucket->phase] == NULL)
            bucket->state = BUCKET_DONE;
        else
            CVY_TRY(begin_phase(x, bucket));
    }
    return CVY_OK;
}
