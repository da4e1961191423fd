/* The permutation is a balanced Feistel network (Luby and Rackoff 1988) on the smallest 2·bits-bit domain that covers
 * the data set, with Philox as its round function; positions that land outside are sent through again ("cycle walking",
 * Black and Rogaway 2002), which keeps it a bijection. The domain is under 4 times the data set: a few rounds a sample.
 */
#include "data/sampler.h"

#include "core/ints.h"

#define ROUNDS 6

struct cvy_sampler cvy_sampler_make(uint64_t seed, uint32_t epoch, int64_t count) {
    int bits = 1;
    while (bits < 31 && (int64_t)1 << (2 * bits) < count) bits++;
    return (struct cvy_sampler){cvy_stream_make(seed, "shuffle"), epoch, count, bits};
}

static uint32_t round_function(const struct cvy_sampler *s, uint32_t round, uint32_t half) {
    uint32_t out[4];
    cvy_philox((uint32_t[4]){half, s->epoch, round, 0}, s->stream.key, out);
    return out[0];
}

static int64_t feistel(const struct cvy_sampler *s, int64_t value) {
    uint32_t mask = (uint32_t)(((uint64_t)1 << s->bits) - 1);
    uint32_t left = (uint32_t)(value >> s->bits), right = (uint32_t)value & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t next = (left ^ round_function(s, round, right)) & mask;
        left = right;
        right = next;
    }
    return (int64_t)left << s->bits | right;
}

int64_t cvy_sampler_sample(const struct cvy_sampler *sampler, int64_t position) {
    int64_t value = position;
    do value = feistel(sampler, value);
    while (value >= sampler->count);
    return value;
}

/* ---- Steps, leaves, ranks ---- */

int64_t cvy_epoch_steps(const struct cvy_epoch_plan *plan) {
    const int64_t samples = plan->count - plan->start, whole = samples / plan->batch;
    return whole + (samples % plan->batch != 0 && !plan->drop_last);
}

struct cvy_batch_plan cvy_batch_plan_at(const struct cvy_epoch_plan *plan, int64_t step) {
    int64_t first = plan->start + step * plan->batch, left = plan->count - first;
    int count = left < plan->batch ? (int)left : plan->batch;
    return (struct cvy_batch_plan){first, count, cvy_ceil_div(count, plan->leaf)};
}

void cvy_leaf_range(const struct cvy_batch_plan *plan, int leaf, int *first, int *count) {
    int size = plan->count / plan->leaves, larger = plan->count % plan->leaves; /* the first ones have one more */
    *first = leaf * size + (leaf < larger ? leaf : larger);
    *count = leaf == plan->leaves ? 0 : size + (leaf < larger);
}
