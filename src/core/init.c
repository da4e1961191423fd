#include "core/init.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "core/normals.h"
#include "core/rng.h"
#include "core/tree/schema.h"

/* ---- What each kind is told ---- */

#define HOW(member) offsetof(struct cvy_init_how, member)
#define GAIN                                                                                                           \
    { "gain", CVY_KEY_REAL, HOW(gain), "1", 0, 1e9, NULL, "times the standard deviation" }
#define MODE                                                                                                           \
    { "mode", CVY_KEY_CHOICE, HOW(mode), "fan_in", CVY_KEY_ANY, "fan_in|fan_out", "which connections the fan counts" }

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key constant_keys[] = {
    {"value", CVY_KEY_REAL, HOW(value), NULL, CVY_KEY_ANY, NULL, "what all start with"}, CVY_KEY_END};
static const struct cvy_key uniform_keys[] = {
    {"low", CVY_KEY_REAL, HOW(low), NULL, CVY_KEY_ANY, NULL, "the lower end"},
    {"high", CVY_KEY_REAL, HOW(high), NULL, CVY_KEY_ANY, NULL, "the upper end"},
    CVY_KEY_END};
static const struct cvy_key normal_keys[] = {{"mean", CVY_KEY_REAL, HOW(mean), "0", CVY_KEY_ANY, NULL, "of the values"},
                                             {"std", CVY_KEY_REAL, HOW(std), NULL, 0, 1e9, NULL, "standard deviation"},
                                             CVY_KEY_END};
static const struct cvy_key lecun_keys[] = {GAIN, MODE, CVY_KEY_END};
static const struct cvy_key gain_keys[] = {GAIN, CVY_KEY_END};
static const struct cvy_key he_keys[] = {
    {"slope", CVY_KEY_REAL, HOW(slope), "0", 0, 1e9, NULL, "of a leaky ReLU"}, MODE, CVY_KEY_END};

static const struct {
    const char *name;
    const struct cvy_key *keys;
    bool free_of_shape;
    const char *purpose;
} kinds[] = {
    [CVY_INIT_ZERO] = {"zero", no_keys, true, "0"},
    [CVY_INIT_ONE] = {"one", no_keys, true, "1"},
    [CVY_INIT_CONSTANT] = {"constant", constant_keys, true, "one value"},
    [CVY_INIT_UNIFORM] = {"uniform", uniform_keys, true, "between low and high"},
    [CVY_INIT_NORMAL] = {"normal", normal_keys, true, "mean and standard deviation"},
    [CVY_INIT_TRUNCATED_NORMAL] = {"truncated_normal", normal_keys, true,
                                   "normal, drawn anew beyond two standard deviations"},
    [CVY_INIT_LECUN_NORMAL] = {"lecun_normal", lecun_keys, false, "normal of variance 1 / fan (LeCun et al. 1998)"},
    [CVY_INIT_LECUN_UNIFORM] = {"lecun_uniform", lecun_keys, false, "uniform of variance 1 / fan"},
    [CVY_INIT_XAVIER_NORMAL] = {"xavier_normal", gain_keys, false,
                                "normal of variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010)"},
    [CVY_INIT_XAVIER_UNIFORM] = {"xavier_uniform", gain_keys, false, "uniform of variance 2 / (fan_in + fan_out)"},
    [CVY_INIT_HE_NORMAL] = {"he_normal", he_keys, false, "normal of variance 2 / fan (He et al. 2015)"},
    [CVY_INIT_HE_UNIFORM] = {"he_uniform", he_keys, false, "uniform of variance 2 / fan"},
    [CVY_INIT_ORTHOGONAL] = {"orthogonal", gain_keys, false,
                             "orthonormal rows or columns, whichever are fewer (Saxe et al. 2014)"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

bool cvy_inits_list(int index, struct cvy_listing *out) {
    if (index >= KINDS) return false;
    *out = (struct cvy_listing){.name = kinds[index].name, .purpose = kinds[index].purpose, .keys = kinds[index].keys};
    return true;
}

static void read_kind(const struct cvy_node *name, const char *what, bool free_of_shape, int *kind,
                      struct cvy_findings *findings) {
    const char *names[KINDS];
    size_t count = 0;
    for (int i = 0; i < KINDS; i++) {
        if (free_of_shape && !kinds[i].free_of_shape) continue;
        names[count++] = kinds[i].name;
        if (strcmp(kinds[i].name, name->text) == 0) *kind = i;
    }
    if (*kind >= 0) return;
    const char *near = cvy_nearest(name->text, names, count);
    if (near)
        cvy_find(findings, name, "%s: unknown initialiser \"%s\"; did you mean \"%s\"?", what, name->text, near);
    else
        cvy_find(findings, name, "%s: unknown initialiser \"%s\"; %s", what, name->text,
                 free_of_shape ? "there are zero, one, constant, uniform, normal, truncated_normal"
                               : "for example he_normal, xavier_uniform, {normal: {std: 0.01}}");
}

void cvy_init_read(const struct cvy_node *node, const char *what, bool free_of_shape, struct cvy_init *out,
                   struct cvy_findings *findings) {
    const struct cvy_node *name, *body;
    int kind = -1;
    if (!cvy_schema_variant(node, what, &name, &body, findings)) return;
    read_kind(name, what, free_of_shape, &kind, findings);
    if (kind < 0) return;
    out->kind = (enum cvy_init_kind)kind;
    cvy_schema_read(kinds[kind].keys, body, name, kinds[kind].name, &out->how, findings);
    if (kind == CVY_INIT_UNIFORM && out->how.low > out->how.high)
        cvy_find(findings, name, "uniform: low %g is above high %g", out->how.low, out->how.high);
}

/* ---- Drawing ---- */

enum { BLOCKS = 32 }; /* of four values at a time */

struct drawing {
    enum cvy_init_kind kind;
    double low, width;  /* uniform */
    double mean, sigma; /* normal */
};

static double normal_within(struct cvy_rng *rng, double limit) {
    double x = cvy_rng_normal(rng);
    while (fabs(x) > limit) x = cvy_rng_normal(rng);
    return x;
}

/* Values of `blocks` blocks of four from number `block` on: four share a block of random numbers, but for truncated
 * ones. */
static void draw_blocks(const struct drawing *d, struct cvy_stream stream, uint64_t block, int blocks, double *out) {
    uint32_t words[4 * BLOCKS];
    const int count = 4 * blocks;
    if (d->kind == CVY_INIT_UNIFORM || d->kind == CVY_INIT_NORMAL) cvy_rng_blocks(stream, 0, block, blocks, words);
    if (d->kind == CVY_INIT_NORMAL) cvy_normals(words, count, out);
    for (int i = 0; i < count; i++) {
        if (d->kind == CVY_INIT_UNIFORM) {
            out[i] = d->low + d->width * (double)(words[i] >> 8) * 0x1p-24;
        } else if (d->kind == CVY_INIT_NORMAL) {
            out[i] = d->mean + d->sigma * out[i];
        } else if (d->kind == CVY_INIT_TRUNCATED_NORMAL) {
            struct cvy_rng rng = cvy_rng_at(stream, 0, 4 * block + (uint64_t)i);
            out[i] = d->mean + d->sigma * normal_within(&rng, 2);
        } else {
            out[i] = d->mean;
        }
    }
}

static struct drawing normal(double variance) {
    return (struct drawing){.kind = CVY_INIT_NORMAL, .sigma = sqrt(variance)};
}
static struct drawing uniform(double variance) {
    double limit = sqrt(3 * variance);
    return (struct drawing){.kind = CVY_INIT_UNIFORM, .low = -limit, .width = 2 * limit};
}

static struct drawing drawing_of(const struct cvy_init *init, double fan_in, double fan_out) {
    const struct cvy_init_how *how = &init->how;
    double fan = how->mode ? fan_out : fan_in, gain = how->gain == 0 ? 1 : how->gain;
    double lecun = gain * gain / fan, xavier = 2 * gain * gain / (fan_in + fan_out);
    double he = 2 / (1 + how->slope * how->slope) / fan;
    switch (init->kind) {
    case CVY_INIT_ONE:
        return (struct drawing){.mean = 1};
    case CVY_INIT_CONSTANT:
        return (struct drawing){.mean = how->value};
    case CVY_INIT_UNIFORM:
        return (struct drawing){.kind = CVY_INIT_UNIFORM, .low = how->low, .width = how->high - how->low};
    case CVY_INIT_NORMAL:
    case CVY_INIT_TRUNCATED_NORMAL:
        return (struct drawing){.kind = init->kind, .mean = how->mean, .sigma = how->std};
    case CVY_INIT_LECUN_NORMAL:
        return normal(lecun);
    case CVY_INIT_LECUN_UNIFORM:
        return uniform(lecun);
    case CVY_INIT_XAVIER_NORMAL:
        return normal(xavier);
    case CVY_INIT_XAVIER_UNIFORM:
        return uniform(xavier);
    case CVY_INIT_HE_NORMAL:
        return normal(he);
    case CVY_INIT_HE_UNIFORM:
        return uniform(he);
    default:
        return (struct drawing){.mean = 0};
    }
}

void cvy_init_range(const struct cvy_init *init, struct cvy_stream stream, struct cvy_init_shape shape, int64_t first,
                    int64_t count, float *out) {
    const struct drawing how = drawing_of(init, (double)shape.rows, (double)(shape.cols * shape.area));
    const int64_t end = first + count;
    for (int64_t i = first, n; i < end; i += n, out += n) {
        double values[4 * BLOCKS];
        const int64_t skipped = i % 4, left = skipped + end - i;
        const int blocks = left < 4 * BLOCKS ? (int)cvy_ceil_div(left, 4) : BLOCKS;
        draw_blocks(&how, stream, (uint64_t)i / 4, blocks, values);
        n = left < 4 * BLOCKS ? left - skipped : 4 * BLOCKS - skipped;
        for (int64_t k = 0; k < n; k++) out[k] = (float)values[skipped + k];
    }
}

/* ---- Orthogonal: Gram & Schmidt on normal vectors, each twice ("twice is enough", Giraud et al. 2005) ---- */

static double dot(const double *a, const double *b, int64_t count) {
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += a[i + k] * b[i + k];
    for (; i < count; i++) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* v: [count][length], count ≤ length. */
static void orthonormalise(double *v, int64_t count, int64_t length) {
    for (int64_t j = 0; j < count; j++) {
        double *mine = v + j * length;
        for (int64_t pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < j; i++) {
                const double *other = v + i * length;
                double share = dot(mine, other, length);
                for (int64_t k = 0; k < length; k++) mine[k] -= share * other[k];
            }
        double size = sqrt(dot(mine, mine, length));
        for (int64_t k = 0; k < length; k++) mine[k] /= size;
    }
}

/* Vector j is column j, or row j where there are fewer rows. */
cvy_status cvy_init_orthogonal(const struct cvy_init *init, struct cvy_stream stream, struct cvy_init_shape shape,
                               float *out) {
    const int64_t rows = shape.rows, cols = shape.cols;
    const double gain = init->how.gain == 0 ? 1 : init->how.gain;
    bool columns = cols <= rows;
    int64_t count = columns ? cols : rows, length = columns ? rows : cols;
    double *v;
    CVY_TRY(CVY_NEW(&v, count * length, general));
    for (int64_t j = 0; j < count; j++)
        for (int64_t k = 0; k < length; k++) {
            struct cvy_rng rng = cvy_rng_at(stream, 0, (uint64_t)(columns ? k * cols + j : j * cols + k));
            v[j * length + k] = cvy_rng_normal(&rng);
        }
    orthonormalise(v, count, length);
    for (int64_t j = 0; j < count; j++)
        for (int64_t k = 0; k < length; k++)
            out[columns ? k * cols + j : j * cols + k] = (float)(gain * v[j * length + k]);
    cvy_free(v);
    return CVY_OK;
}
