#include "core/rng.h"

#include <string.h>

#include "core/hash.h"
#include "core/normals.h"

/* One round of one block. */
static inline void turn(uint32_t *x0, uint32_t *x1, uint32_t *x2, uint32_t *x3, uint32_t k0, uint32_t k1) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * *x0, p1 = (uint64_t)0xCD9E8D57u * *x2;
    *x0 = (uint32_t)(p1 >> 32) ^ *x1 ^ k0;
    *x1 = (uint32_t)p1;
    *x2 = (uint32_t)(p0 >> 32) ^ *x3 ^ k1;
    *x3 = (uint32_t)p0;
}

enum { ROUNDS = 10 };
static const uint32_t key_steps[2] = {0x9E3779B9u,
                                      0xBB67AE85u}; /* from round to round: the golden ratio, sqrt(3) − 1 */

static uint32_t key_of(const uint32_t key[2], int i, int round) {
    return key[i] + (uint32_t)round * key_steps[i];
}

void cvy_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    for (int r = 0; r < ROUNDS; r++) turn(&x0, &x1, &x2, &x3, key_of(key, 0, r), key_of(key, 1, r));
    out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3;
}

/* Blocks at a time, whose multiplications need not wait for one another. */
enum { LANES = 8 };

static void turn_all(uint32_t x[4][LANES], const uint32_t key[2]) {
    for (int r = 0; r < ROUNDS; r++) {
        const uint32_t k0 = key_of(key, 0, r), k1 = key_of(key, 1, r);
        for (int l = 0; l < LANES; l++) turn(&x[0][l], &x[1][l], &x[2][l], &x[3][l], k0, k1);
    }
}

static void put_blocks(uint32_t x[4][LANES], int count, uint32_t *out) {
    for (int l = 0; l < LANES && l < count; l++, out += 4)
        for (int i = 0; i < 4; i++) out[i] = x[i][l];
}

void cvy_philox_row(const uint32_t counter[4], const uint32_t key[2], int count, uint32_t *out) {
    for (int first = 0; first < count; first += LANES, out += 4 * LANES) {
        uint32_t x[4][LANES];
        for (int l = 0; l < LANES; l++) {
            x[0][l] = counter[0] + (uint32_t)(first + l);
            for (int i = 1; i < 4; i++) x[i][l] = counter[i];
        }
        turn_all(x, key);
        put_blocks(x, count - first, out);
    }
}

struct cvy_stream cvy_stream_make(uint64_t seed, const char *name) {
    uint64_t h = cvy_hash(name, strlen(name), seed);
    return (struct cvy_stream){{(uint32_t)h, (uint32_t)(h >> 32)}};
}

struct cvy_rng cvy_rng_at(struct cvy_stream stream, uint32_t epoch, uint64_t sample) {
    return (struct cvy_rng){
        .stream = stream, .counter = {0, epoch, (uint32_t)sample, (uint32_t)(sample >> 32)}, .used = 4};
}

void cvy_rng_blocks(struct cvy_stream stream, uint32_t epoch, uint64_t sample, int count, uint32_t *out) {
    for (int first = 0; first < count; first += LANES, out += 4 * LANES) {
        uint32_t x[4][LANES];
        for (int l = 0; l < LANES; l++) {
            const uint64_t at = sample + (uint64_t)(first + l);
            x[0][l] = 0, x[1][l] = epoch, x[2][l] = (uint32_t)at, x[3][l] = (uint32_t)(at >> 32);
        }
        turn_all(x, stream.key);
        put_blocks(x, count - first, out);
    }
}

uint32_t cvy_rng_u32(struct cvy_rng *rng) {
    if (rng->used == 4) {
        cvy_philox(rng->counter, rng->stream.key, rng->block);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

float cvy_rng_uniform(struct cvy_rng *rng) {
    return (float)(cvy_rng_u32(rng) >> 8) * 0x1p-24f;
}

double cvy_rng_normal(struct cvy_rng *rng) {
    uint32_t words[2] = {cvy_rng_u32(rng), 0};
    double pair[2];
    words[1] = cvy_rng_u32(rng);
    cvy_normals(words, 2, pair);
    return pair[0];
}

uint32_t cvy_rng_below(struct cvy_rng *rng, uint32_t bound) {
    return (uint32_t)(((uint64_t)cvy_rng_u32(rng) * bound) >> 32);
}
