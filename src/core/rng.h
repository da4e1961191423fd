/* Counter-based random numbers: Philox-4×32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011). A number is a pure function of (seed, stream, epoch, sample, counter): it cannot depend on rank, thread
 * or resume. */
#ifndef CVY_CORE_RNG_H
#define CVY_CORE_RNG_H

#include <stdint.h>

/* The bijection itself: out = philox(counter, key). */
void cvy_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* Of `count` counters of which each has a first word one above that of the one before: out [count][4]. */
void cvy_philox_row(const uint32_t counter[4], const uint32_t key[2], int count, uint32_t *out);

/* The key of a stream: seed and the name of a layer or purpose ("conv1/weight", "shuffle"). */
struct cvy_stream {
    uint32_t key[2];
};
struct cvy_stream cvy_stream_make(uint64_t seed, const char *name);

/* A sequence within a stream, for one (epoch, sample): draws follow one another. */
struct cvy_rng {
    struct cvy_stream stream;
    uint32_t counter[4]; /* draw block, epoch, sample low, sample high */
    uint32_t block[4];
    int used;
};
struct cvy_rng cvy_rng_at(struct cvy_stream stream, uint32_t epoch, uint64_t sample);
/* The first four words of the sequences of (epoch, sample … sample + count − 1): out [count][4]. */
void cvy_rng_blocks(struct cvy_stream stream, uint32_t epoch, uint64_t sample, int count, uint32_t *out);
uint32_t cvy_rng_u32(struct cvy_rng *rng);
float cvy_rng_uniform(struct cvy_rng *rng);                  /* [0, 1), multiples of 2^-24 */
double cvy_rng_normal(struct cvy_rng *rng);                  /* mean 0, variance 1 (core/normals.h) */
uint32_t cvy_rng_below(struct cvy_rng *rng, uint32_t bound); /* 0 … bound−1, multiply-shift */

#endif
