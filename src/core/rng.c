#include "core/rng.h"

#include <math.h>
#include <string.h>

#include "core/hash.h"

static uint32_t mul_hi_lo(uint32_t a, uint32_t b, uint32_t *lo) {
    uint64_t product = (uint64_t)a * b;
    *lo = (uint32_t)product;
    return (uint32_t)(product >> 32);
}

void cvy_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint32_t lo0, lo1;
        uint32_t hi0 = mul_hi_lo(0xD2511F53u, x[0], &lo0);
        uint32_t hi1 = mul_hi_lo(0xCD9E8D57u, x[2], &lo1);
        uint32_t y[4] = {hi1 ^ x[1] ^ k0, lo1, hi0 ^ x[3] ^ k1, lo0};
        memcpy(x, y, sizeof x);
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) − 1 */
    }
    memcpy(out, x, sizeof x);
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
