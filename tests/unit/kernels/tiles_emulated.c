/* AMX's tiles as Intel's manual defines them (Software Developer's Manual, volume 2: LDTILECFG, TILELOADD, TDPBF16PS):
 * nothing beyond the configured rows and bytes is touched, what is loaded has zeros there; what is wrong is a fault. */
#include "tiles_emulated.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VEC_BITS 128
#define TABLE    tiles_emulated

#define TILE_CONFIGURE(config)    tile_configure((const uint8_t *)(config))
#define TILE_ZERO(t)              tile_zero(t)
#define TILE_LOAD(t, from, bytes) tile_load(t, from, bytes)
#define TILE_STORE(t, to, bytes)  tile_store(t, to, bytes)
#define TILE_DOT(c, a, b)         tile_dot(c, a, b)
#define TILE_RELEASE()            (tiles = (struct tiles){0})

enum { TILES = 8, MOST_ROWS = 16, MOST_BYTES = 64 };

/* A thread's. rows 0: not configured. */
static _Thread_local struct tiles {
    struct {
        int rows, bytes;
    } size[TILES];
    uint8_t data[TILES][MOST_ROWS][MOST_BYTES];
} tiles;

static void fault_if(bool wrong, const char *what) {
    if (!wrong) return;
    fprintf(stderr, "tiles: %s\n", what);
    abort();
}

static void tile_configure(const uint8_t *config) {
    tiles = (struct tiles){0};
    fault_if(config[0] != 1, "an unknown palette");
    for (int i = 1; i < 16; i++) fault_if(config[i] != 0, "a start row, or reserved bytes, that are not zero");
    for (int t = 0; t < 16; t++) {
        const int bytes = config[16 + 2 * t] | config[17 + 2 * t] << 8, rows = config[48 + t];
        fault_if(t >= TILES && (bytes || rows), "more than 8 tiles");
        fault_if(bytes > MOST_BYTES || rows > MOST_ROWS || (bytes == 0) != (rows == 0), "a size that no tile has");
        if (t < TILES) tiles.size[t].rows = rows, tiles.size[t].bytes = bytes;
    }
}

static void check_configured(int t) {
    fault_if(t < 0 || t >= TILES || tiles.size[t].rows == 0, "used without being configured");
}

static void tile_zero(int t) {
    check_configured(t);
    memset(tiles.data[t], 0, sizeof tiles.data[t]);
}

static void tile_load(int t, const void *from, ptrdiff_t bytes) {
    tile_zero(t);
    for (int i = 0; i < tiles.size[t].rows; i++)
        memcpy(tiles.data[t][i], (const char *)from + i * bytes, (size_t)tiles.size[t].bytes);
}

static void tile_store(int t, void *to, ptrdiff_t bytes) {
    check_configured(t);
    for (int i = 0; i < tiles.size[t].rows; i++)
        memcpy((char *)to + i * bytes, tiles.data[t][i], (size_t)tiles.size[t].bytes);
}

/* Numbers below the smallest normal one count as zero, before and after. */
static float flushed(float x) {
    return fabsf(x) < FLT_MIN ? 0 : x;
}
static float half(const uint8_t *row, int i) {
    cvy_bf16 x;
    memcpy(&x, row + 2 * i, sizeof x);
    return flushed(cvy_bf16_float(x));
}

/* Of a row and a column, the firsts of the pairs and the seconds have sums of their own. A product of two bf16 is exact
 * in a float, so that multiplying and adding rounds as a fused operation does. */
static float pairs_sum(const uint8_t *a, const uint8_t (*b)[MOST_BYTES], int pairs, int column) {
    float sum[2] = {0};
    for (int k = 0; k < pairs; k++)
        for (int i = 0; i < 2; i++) sum[i] = flushed(sum[i] + half(a, 2 * k + i) * half(b[k], 2 * column + i));
    return flushed(sum[0] + sum[1]);
}

static void tile_dot(int c, int a, int b) {
    check_configured(c), check_configured(a), check_configured(b);
    fault_if(a == b || a == c || b == c, "a tile that is two operands");
    fault_if(tiles.size[a].bytes % 4 || tiles.size[b].bytes % 4 || tiles.size[c].bytes % 4, "half a pair");
    fault_if(tiles.size[c].rows != tiles.size[a].rows || tiles.size[c].bytes != tiles.size[b].bytes ||
                 tiles.size[a].bytes / 4 != tiles.size[b].rows,
             "operands that do not match");
    for (int i = 0; i < tiles.size[c].rows; i++)
        for (int j = 0; j < tiles.size[c].bytes / 4; j++) {
            uint8_t *at = tiles.data[c][i] + j * sizeof(float);
            float sum;
            memcpy(&sum, at, sizeof sum);
            sum = flushed(flushed(sum) + pairs_sum(tiles.data[a][i], tiles.data[b], tiles.size[a].bytes / 4, j));
            memcpy(at, &sum, sizeof sum);
        }
}

#include "kernels/simd/bf16_tiles_template.h"
