/* Where buckets are cut, against all cuts that there are. */
#include <string.h>

#include "comm/cuts.h"
#include "comm/exchange_internal.h"
#include "core/rng.h"
#include "test.h"

enum { STRETCHES = 9, LINE = 16 };

/* α and β of a bucket, in whole numbers, so that sums are exact in any order. */
struct price {
    double bucket, line;
};
static double price_of(const void *arg, size_t floats) {
    const struct price *p = arg;
    return p->bucket + p->line * (double)(floats / LINE);
}

/* Stretch i ends a bucket where bit i of `set` is up; gives when all has arrived, < 0: a bucket is too large. */
static double arrival_of(unsigned set, const struct price *price, size_t most, size_t floats,
                         const struct cvy_stretch_end *ends, int count, int *buckets) {
    double arrived = 0;
    size_t end = floats;
    int first = 0;
    *buckets = 0;
    for (int i = 0; i < count; i++) {
        if (!(set >> i & 1)) continue;
        const size_t size = end - ends[i].first;
        if (size > most && i > first) return -1;
        arrived = (arrived > ends[i].seconds ? arrived : ends[i].seconds) + price_of(price, size);
        end = ends[i].first;
        first = i + 1;
        ++*buckets;
    }
    return arrived;
}

static void expect_best(const struct price *price, size_t most, size_t floats, const struct cvy_stretch_end *ends) {
    size_t firsts[STRETCHES];
    double least = 1e300;
    int fewest = 0, buckets;
    for (unsigned set = 1u << (STRETCHES - 1); set < 1u << STRETCHES; set++) {
        const double here = arrival_of(set, price, most, floats, ends, STRETCHES, &buckets);
        if (here < 0 || here > least || (here == least && buckets >= fewest)) continue;
        least = here;
        fewest = buckets;
    }
    const int count = cvy_cuts_by(price_of, price, most, floats, ends, STRETCHES, firsts);
    unsigned set = 0;
    for (int b = 0; b < count; b++)
        for (int i = 0; i < STRETCHES; i++) set |= (unsigned)(ends[i].first == firsts[b]) << i;
    CU_ASSERT_EQUAL(arrival_of(set, price, most, floats, ends, STRETCHES, &buckets), least);
    CU_ASSERT_EQUAL(buckets, fewest);
    CU_ASSERT_EQUAL(count, fewest);
    CU_ASSERT_EQUAL(firsts[count - 1], 0);
}

static void no_cuts_are_better(void) {
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(1, "cuts"), 0, 0);
    for (int round = 0; round < 300; round++) {
        struct cvy_stretch_end ends[STRETCHES];
        const struct price price = {cvy_rng_below(&rng, 20), cvy_rng_below(&rng, 4)};
        size_t floats = 0;
        double seconds = 0;
        for (int i = STRETCHES - 1; i >= 0; i--) {
            ends[i].first = floats;
            floats += LINE * (1 + cvy_rng_below(&rng, 9));
        }
        for (int i = 0; i < STRETCHES; i++) ends[i].seconds = seconds += cvy_rng_below(&rng, 30);
        expect_best(&price, round % 3 ? SIZE_MAX : LINE * 12, floats, ends);
    }
}

static void few_messages_are_one_bucket(void) {
    const struct cvy_stretch_end ends[] = {{64, 1}, {32, 2}, {0, 3}};
    size_t firsts[3];
    CU_ASSERT_EQUAL(cvy_cuts_by(price_of, &(struct price){100, 0}, SIZE_MAX, 96, ends, 3, firsts), 1);
    CU_ASSERT_EQUAL(firsts[0], 0);
}

/* What is final last is small, since nothing hides it. */
static void the_last_bucket_is_small(void) {
    int hosts[] = {0, 1, 2};
    struct cvy_comm comm = {.rank = 1,
                            .size = 2,
                            .places = {.network = &cvy_network_usual,
                                       .ranks = 2,
                                       .rank = 1,
                                       .nodes = 2,
                                       .node = 1,
                                       .firsts = hosts,
                                       .least = 1,
                                       .in_rows = true}};
    const size_t layer = 1 << 18;
    struct cvy_stretch_end ends[8];
    size_t firsts[8], again[8];
    for (int i = 0; i < 8; i++) ends[i] = (struct cvy_stretch_end){(size_t)(7 - i) * layer, 1e-3 * (i + 1)};
    const int count = cvy_cuts_choose(&comm, 8 * layer, ends, 8, firsts);
    CU_ASSERT(count > 1);
    CU_ASSERT_EQUAL(firsts[count - 1], 0);
    CU_ASSERT_EQUAL(firsts[count - 2], layer);
    comm.rank = comm.places.rank = comm.places.node = 0;
    CU_ASSERT_EQUAL(cvy_cuts_choose(&comm, 8 * layer, ends, 8, again), count);
    CU_ASSERT_EQUAL(memcmp(firsts, again, (size_t)count * sizeof *firsts), 0);
}

static const struct test_case cases[] = {
    {"no cuts are better", no_cuts_are_better},
    {"what a few messages take is one bucket", few_messages_are_one_bucket},
    {"what is final last is small", the_last_bucket_is_small},
    {0},
};
const struct test_suite suite_cuts = {"cuts", cases, NULL};
