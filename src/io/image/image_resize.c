/* Resizing by a triangle filter along each axis. */
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "io/image/image.h"

/* Weights of input positions for one output position along an axis: a triangle around its centre, as wide as an output
 * pixel when shrinking (so that every input counts), as an input pixel when growing (plain bilinear). */
struct taps {
    int first, count;
    float weight[];
};

static int most_taps(int from, int to) {
    return 2 * (from > to ? cvy_ceil_div(from, to) : 1) + 2;
}

static void set_taps(struct taps *t, int from, int to, int at) {
    double scale = (double)from / to, radius = scale > 1 ? scale : 1, center = (at + 0.5) * scale, sum = 0;
    int first = (int)(center - radius), last = (int)(center + radius);
    t->first = first < 0 ? 0 : first;
    t->count = (last >= from ? from - 1 : last) - t->first + 1;
    for (int i = 0; i < t->count; i++) {
        double distance = (t->first + i + 0.5 - center) / radius;
        double weight = 1 - (distance < 0 ? -distance : distance);
        t->weight[i] = weight > 0 ? (float)weight : 0;
        sum += t->weight[i];
    }
    for (int i = 0; i < t->count; i++) t->weight[i] = (float)(t->weight[i] / sum);
}

/* Along the width: [h][from][c] bytes → [h][to][c] floats. */
static void resize_rows(struct cvy_shape from, int to, const unsigned char *in, struct taps *t, float *out) {
    size_t c = (size_t)from.c;
    for (int x = 0; x < to; x++) {
        set_taps(t, from.w, to, x);
        for (int y = 0; y < from.h; y++)
            for (size_t k = 0; k < c; k++) {
                const unsigned char *row = in + ((size_t)y * (size_t)from.w + (size_t)t->first) * c + k;
                float sum = 0;
                for (int i = 0; i < t->count; i++) sum += t->weight[i] * row[(size_t)i * c];
                out[((size_t)y * (size_t)to + (size_t)x) * c + k] = sum;
            }
    }
}

/* Along the height: [h][row] floats → [to][row] bytes. */
static void resize_columns(int h, int to, size_t row, const float *in, struct taps *t, unsigned char *out) {
    for (int y = 0; y < to; y++) {
        set_taps(t, h, to, y);
        for (size_t j = 0; j < row; j++) {
            float sum = 0;
            for (int i = 0; i < t->count; i++) sum += t->weight[i] * in[(size_t)(t->first + i) * row + j];
            out[(size_t)y * row + j] = (unsigned char)(sum > 255 ? 255 : sum + 0.5f);
        }
    }
}

cvy_status cvy_image_resize(const unsigned char *in, struct cvy_shape from, struct cvy_shape to, unsigned char *out) {
    CVY_CHECK(from.c == to.c, CVY_ERR_INTERNAL, "resizing %d channels to %d", from.c, to.c);
    if (cvy_shape_equal(from, to)) {
        memcpy(out, in, (size_t)cvy_shape_count(to));
        return CVY_OK;
    }
    int wide = most_taps(from.w, to.w), high = most_taps(from.h, to.h);
    size_t row = (size_t)to.w * (size_t)to.c;
    struct taps *taps = NULL;
    float *rows = NULL;
    cvy_status status =
        cvy_alloc(sizeof *taps + (size_t)(wide > high ? wide : high) * sizeof(float), CVY_TAG_data, (void **)&taps);
    if (status == CVY_OK) status = CVY_NEW(&rows, (size_t)from.h * row, data);
    if (status == CVY_OK) {
        resize_rows(from, to.w, in, taps, rows);
        resize_columns(from.h, to.h, row, rows, taps, out);
    }
    cvy_free(rows);
    cvy_free(taps);
    return status;
}
