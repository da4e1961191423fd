/* data/sampler: the permutation is one, for every count; steps, leaves and ranks cover every sample exactly once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/share.h"
#include "data/sampler.h"
#include "test.h"

static bool is_bijection(uint64_t seed, uint32_t epoch, int64_t count) {
    unsigned char *seen = calloc((size_t)count, 1);
    struct cvy_sampler sampler = cvy_sampler_make(seed, epoch, count);
    bool good = true;
    for (int64_t i = 0; i < count && good; i++) {
        int64_t sample = cvy_sampler_sample(&sampler, i);
        good = sample >= 0 && sample < count && !seen[sample]++;
    }
    free(seen);
    return good;
}

static void bijection(void) {
    for (int64_t count = 1; count <= 300; count++) CU_ASSERT(is_bijection(1, (uint32_t)count, count));
    static const int64_t counts[] = {1023, 1024, 1025, 4096, 4097, 60000, 65536, 65537, 262145};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) CU_ASSERT(is_bijection(42, 7, counts[i]));
}

static int64_t sample_at(uint64_t seed, uint32_t epoch, int64_t count, int64_t position) {
    const struct cvy_sampler sampler = cvy_sampler_make(seed, epoch, count);
    return cvy_sampler_sample(&sampler, position);
}

/* Beyond 2^32: inside the range, distinct, and the inverse image of nothing else (spot checks). */
static void large_counts(void) {
    static const int64_t counts[] = {(int64_t)1 << 33, ((int64_t)1 << 40) + 12345, (int64_t)1 << 62};
    for (int k = 0; k < 3; k++) {
        int64_t last = -1;
        for (int64_t i = 0; i < 1000; i++) {
            int64_t sample = sample_at(5, 0, counts[k], counts[k] / 1000 * i);
            CU_ASSERT(sample >= 0 && sample < counts[k] && sample != last);
            last = sample;
        }
    }
}

static void seek_is_iterate(void) {
    struct cvy_sampler sampler = cvy_sampler_make(9, 3, 1000);
    for (int64_t i = 0; i < 1000; i++) {
        int64_t position = i * 7919 % 1000; /* in another order */
        CU_ASSERT_EQUAL(sample_at(9, 3, 1000, position), cvy_sampler_sample(&sampler, position));
    }
}

/* A file format of sorts: another permutation would break the resuming of old runs. */
static void known_answers(void) {
    static const int64_t expected[] = {47472, 44985, 30333, 29203, 5882, 42522, 39473, 19739};
    for (int i = 0; i < 8; i++) CU_ASSERT_EQUAL(sample_at(1, 0, 60000, i), expected[i]);
}

static int same_places(uint64_t seed_a, uint32_t epoch_a, uint64_t seed_b, uint32_t epoch_b, int64_t count) {
    int same = 0;
    for (int64_t i = 0; i < count; i++)
        same += sample_at(seed_a, epoch_a, count, i) == sample_at(seed_b, epoch_b, count, i);
    return same;
}

/* Two random permutations agree at about one place (Poisson, mean 1): 12 or more happens once in 10^9. */
static void seeds_and_epochs_differ(void) {
    CU_ASSERT(same_places(1, 0, 1, 1, 5000) < 12);
    CU_ASSERT(same_places(1, 0, 2, 0, 5000) < 12);
    CU_ASSERT(same_places(1, 1, 2, 0, 5000) < 12);
}

/* Chi-square of (position, sample) over many epochs: each sample is as often at each place. */
static void uniform(void) {
    enum { N = 11, EPOCHS = 4400 };
    int counts[N][N] = {{0}};
    double chi = 0, expected = (double)EPOCHS / N;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        struct cvy_sampler sampler = cvy_sampler_make(3, epoch, N);
        for (int i = 0; i < N; i++) counts[i][cvy_sampler_sample(&sampler, i)]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) chi += (counts[i][j] - expected) * (counts[i][j] - expected) / expected;
    CU_ASSERT(chi < 172); /* (N−1)² = 100 degrees of freedom: mean 100, five deviations of √200 above */
}

/* ---- Plans ---- */

static void check_plan(const struct cvy_epoch_plan *plan) {
    int64_t steps = cvy_epoch_steps(plan), covered = 0;
    for (int64_t step = 0; step < steps; step++) {
        struct cvy_batch_plan batch = cvy_batch_plan_at(plan, step);
        int most = 0, least = batch.count, next = 0, first, count;
        CU_ASSERT(batch.first == covered && batch.count > 0 && batch.count <= plan->batch);
        CU_ASSERT_EQUAL(batch.leaves, (batch.count + plan->leaf - 1) / plan->leaf);
        for (int leaf = 0; leaf < batch.leaves; leaf++) {
            cvy_leaf_range(&batch, leaf, &first, &count);
            CU_ASSERT(first == next && count > 0 && count <= plan->leaf);
            most = count > most ? count : most;
            least = count < least ? count : least;
            next += count;
        }
        cvy_leaf_range(&batch, batch.leaves, &first, &count);
        CU_ASSERT(next == batch.count && first == batch.count && count == 0 && most - least <= 1);
        if (batch.count == plan->batch) CU_ASSERT(most == plan->leaf && least == plan->leaf);
        covered += batch.count;
    }
    CU_ASSERT_EQUAL(covered, plan->drop_last ? plan->count / plan->batch * plan->batch : plan->count);
}

static void plans_cover(void) {
    static const int leaves[] = {1, 2, 3, 8, 32}, per_batch[] = {1, 2, 3, 8};
    for (int64_t count = 1; count < 300; count += 13)
        for (int l = 0; l < 5; l++)
            for (int b = 0; b < 4; b++)
                for (int drop = 0; drop < 2; drop++)
                    check_plan(&(struct cvy_epoch_plan){count, leaves[l] * per_batch[b], leaves[l], drop, 0});
}

static void ranks_cover(void) {
    for (int leaves = 1; leaves <= 40; leaves++)
        for (int ranks = 1; ranks <= 8; ranks++) {
            int next = 0, first, end;
            for (int rank = 0; rank < ranks; rank++) {
                cvy_share(leaves, rank, ranks, &first, &end);
                CU_ASSERT(first == next && end >= first && end - first <= (leaves + ranks - 1) / ranks);
                next = end;
            }
            CU_ASSERT_EQUAL(next, leaves);
        }
}

static const struct test_case cases[] = {
    {"a bijection for every count", bijection},
    {"counts beyond 2^32", large_counts},
    {"seeking is iterating", seek_is_iterate},
    {"known answers", known_answers},
    {"seeds and epochs differ", seeds_and_epochs_differ},
    {"each sample is as often at each place", uniform},
    {"steps and leaves cover the epoch once", plans_cover},
    {"ranks cover the leaves once", ranks_cover},
    {0},
};
const struct test_suite suite_data_sampler = {"data_sampler", cases, NULL};
