#include "core/rng.h"

#include <math.h>
#include <string.h>

#include "core/hash.h"

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

/* Some blocks at a time, whose multiplications need not wait for one another. */
void cvy_philox_row(const uint32_t counter[4], const uint32_t key[2], int count, uint32_t *out) {
    enum { LANES = 8 };
    for (int first = 0; first < count; first += LANES) {
        uint32_t x[4][LANES];
        for (int l = 0; l < LANES; l++) {
            x[0][l] = counter[0] + (uint32_t)(first + l);
            for (int i = 1; i < 4; i++) x[i][l] = counter[i];
        }
        for (int r = 0; r < ROUNDS; r++) {
            const uint32_t k0 = key_of(key, 0, r), k1 = key_of(key, 1, r);
            for (int l = 0; l < LANES; l++) turn(&x[0][l], &x[1][l], &x[2][l], &x[3][l], k0, k1);
        }
        for (int l = 0; l < LANES && first + l < count; l++, out += 4)
            for (int i = 0; i < 4; i++) out[i] = x[i][l];
    }
}

struct cvy_stream cvy_stream_make(uint64_t seed, const char *name) {
    uint64_t h = cvy_hash(name, strlen(name), seed);
    return (struct cvy_stream){{(uint32_t)h, (uint32_t)(h >> 32)}};
}

void cvy_rng_block(struct cvy_stream stream, uint64_t index, uint32_t out[4]) {
    const uint32_t counter[4] = {0, 0, (uint32_t)index, (uint32_t)(index >> 32)};
    cvy_philox(counter, stream.key, out);
}

void cvy_rng_normals(const uint32_t words[4], double out[4]) {
    for (int i = 0; i < 4; i += 2) {
        const double radius = sqrt(-2.0 * log(((double)words[i] + 0.5) * 0x1p-32)); /* never of 0 */
        const double angle = 6.283185307179586 * ((double)words[i + 1] * 0x1p-32);
        out[i] = radius * cos(angle);
        out[i + 1] = radius * sin(angle);
    }
}

struct cvy_rng cvy_rng_at(struct cvy_stream stream, uint32_t epoch, uint64_t sample) {
    return (struct cvy_rng){
        .stream = stream, .counter = {0, epoch, (uint32_t)sample, (uint32_t)(sample >> 32)}, .used = 4};
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
    double u = ((double)cvy_rng_u32(rng) + 0.5) * 0x1p-32; /* never 0 */
    double v = (double)cvy_rng_u32(rng) * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint32_t cvy_rng_below(struct cvy_rng *rng, uint32_t bound) {
    return (uint32_t)(((uint64_t)cvy_rng_u32(rng) * bound) >> 32);
}
