#include "data/augment.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "core/tree/schema.h"

enum { MAX_STEPS = 16 };

/* Output pixel (y, x) comes from input pixel (y + dy, x·sx + dx). */
struct view {
    int dy, dx, sx;
};

struct settings {
    int64_t pad;
};

struct kind {
    const char *name, *purpose;
    const char *scalar; /* the key that `name: 2` sets; NULL: takes none */
    const struct cvy_key *keys;
    bool shifts; /* pixels come in from outside */
    void (*compose)(const struct settings *s, struct cvy_shape shape, struct cvy_rng *rng, struct view *view);
};

struct step {
    const struct kind *kind;
    struct settings settings;
    struct cvy_stream stream;
};

struct cvy_augment {
    struct cvy_shape shape;
    enum cvy_dtype x_type;
    int count;
    struct step steps[MAX_STEPS];
    float *table; /* uint8: [c][256] normalised values */
    float *mean;  /* float32: [c] */
    float *scale; /* float32: [c], 1/std */
    struct cvy_target target;
    uint32_t *outside; /* [target.shape.c], as the target has them */
};

/* ---- The augmentations ---- */

/* The left half becomes the right one, with probability 1/2. */
static void flip(const struct settings *s, struct cvy_shape shape, struct cvy_rng *rng, struct view *view) {
    (void)s;
    if (cvy_rng_u32(rng) >> 31 == 0) return;
    view->dx += view->sx * (shape.w - 1);
    view->sx = -view->sx;
}

/* Padding by `pad` on all sides and cutting out the shape again is a shift by −pad … pad in each direction. */
static void pad_crop(const struct settings *s, struct cvy_shape shape, struct cvy_rng *rng, struct view *view) {
    (void)shape;
    uint32_t range = 2 * (uint32_t)s->pad + 1;
    int dy = (int)cvy_rng_below(rng, range) - (int)s->pad, dx = (int)cvy_rng_below(rng, range) - (int)s->pad;
    view->dy += shape.h > 1 ? dy : 0;
    view->dx += view->sx * dx;
}

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key pad_crop_keys[] = {
    {"pad", CVY_KEY_INT, offsetof(struct settings, pad), NULL, 1, 1024, NULL, "pixels on each side"},
    CVY_KEY_END,
};
static const struct kind kinds[] = {
    {"flip", "left and right change places, with probability 1/2", NULL, no_keys, false, flip},
    {"pad_crop", "a shift by up to pad pixels each way", "pad", pad_crop_keys, true, pad_crop},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

bool cvy_augmentations_list(int index, struct cvy_listing *out) {
    if (index >= KINDS) return false;
    *out = (struct cvy_listing){kinds[index].name, kinds[index].purpose, kinds[index].scalar, kinds[index].keys};
    return true;
}

/* ---- Reading the list ---- */

static void report_known(const struct cvy_node *name, const char *const names[KINDS], struct cvy_findings *findings) {
    char known[256];
    size_t used = 0;
    for (int i = 0; i < KINDS && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", names[i]);
    cvy_find(findings, name, "augment: unknown \"%s\"; known are %s", name->text, known);
}

static const struct kind *find_kind(const struct cvy_node *name, struct cvy_findings *findings) {
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++) {
        names[i] = kinds[i].name;
        if (strcmp(name->text, names[i]) == 0) return &kinds[i];
    }
    const char *near = cvy_nearest(name->text, names, KINDS);
    if (near)
        cvy_find(findings, name, "augment: unknown \"%s\"; did you mean \"%s\"?", name->text, near);
    else
        report_known(name, names, findings);
    return NULL;
}

/* `pad_crop: 2` is short for `pad_crop: {pad: 2}`. */
static void read_settings(const struct kind *kind, const struct cvy_node *name, const struct cvy_node *body,
                          struct settings *out, struct cvy_findings *findings) {
    struct cvy_node key = *name, map = *name, *keys[1] = {&key}, *items[1] = {(struct cvy_node *)body};
    if (body && body->kind == CVY_NODE_SCALAR && kind->scalar) {
        key.text = kind->scalar;
        map = (struct cvy_node){CVY_NODE_MAP, false, name->file, name->line, name->column, "", 1, items, keys};
        body = &map;
    }
    cvy_schema_read(kind->keys, body, name, kind->name, out, findings);
}

static void read_step(const struct cvy_node *node, struct step *out, struct cvy_findings *findings) {
    const struct cvy_node *name, *body;
    if (!cvy_schema_variant(node, "augment", &name, &body, findings)) return;
    out->kind = find_kind(name, findings);
    if (out->kind) read_settings(out->kind, name, body, &out->settings, findings);
}

static int read_list(const struct cvy_node *list, struct step steps[MAX_STEPS], struct cvy_findings *findings) {
    if (cvy_node_is_null(list)) return 0;
    if (list->kind != CVY_NODE_LIST || list->count > MAX_STEPS) {
        cvy_find(findings, list, "augment: expected a list of at most %d, such as [{pad_crop: 2}, flip]", MAX_STEPS);
        return 0;
    }
    for (size_t i = 0; i < list->count; i++) read_step(list->items[i], &steps[i], findings);
    return (int)list->count;
}

void cvy_augment_check(const struct cvy_node *list, struct cvy_findings *findings) {
    struct step steps[MAX_STEPS] = {0};
    read_list(list, steps, findings);
}

/* ---- Creating ---- */

static void fill_tables(struct cvy_augment *a, const struct cvy_augment_spec *spec) {
    for (int c = 0; c < spec->shape.c; c++) {
        double mean = spec->mean ? spec->mean[c] : 0, std = spec->std ? spec->std[c] : 1;
        a->mean[c] = (float)mean;
        a->scale[c] = (float)(1 / std);
        for (int v = 0; a->table && v < 256; v++) a->table[c * 256 + v] = (float)((v - mean) / std);
    }
}

static bool is_map(const struct cvy_augment_spec *spec) {
    return cvy_shape_pixels(spec->target.shape) > 1;
}

/* A map of another size can be mirrored, but not shifted; and what comes in from outside needs a value. */
static void check_targets(const struct cvy_augment_spec *spec, const struct step *steps, int count,
                          struct cvy_findings *findings) {
    const struct cvy_shape x = spec->shape, y = spec->target.shape;
    for (int i = 0; i < count && is_map(spec); i++) {
        const struct cvy_node *place = spec->list->items[i];
        if (!steps[i].kind || !steps[i].kind->shifts) continue;
        if (!cvy_shape_same_space(x, y))
            cvy_find(findings, place, "augment: %s cannot shift targets of %s with inputs of %s; drop it",
                     steps[i].kind->name, CVY_SPACE_TEXT(y), CVY_SPACE_TEXT(x));
        else if (spec->outside == NULL)
            cvy_find(findings, place, "augment: %s brings in pixels that have no target; %s", steps[i].kind->name,
                     spec->target.type == CVY_I32 ? "give the loss an ignore_label for them, or drop it"
                                                  : "drop it (flip needs none)");
    }
}

static void fill_outside(struct cvy_augment *a, const struct cvy_augment_spec *spec) {
    for (int c = 0; spec->outside && c < spec->target.shape.c; c++) {
        const float value = (float)spec->outside[c];
        const int32_t class = (int32_t)spec->outside[c];
        memcpy(&a->outside[c], spec->target.type == CVY_F32 ? (const void *)&value : &class, sizeof *a->outside);
    }
}

static cvy_status create(const struct cvy_augment_spec *spec, struct cvy_augment *a) {
    struct cvy_findings findings = {0};
    a->shape = spec->shape;
    a->x_type = spec->x_type;
    a->target = spec->target;
    a->count = read_list(spec->list, a->steps, &findings);
    check_targets(spec, a->steps, a->count, &findings);
    CVY_TRY(cvy_findings_raise(&findings, CVY_ERR_USAGE));
    for (int i = 0; i < a->count; i++) {
        char name[64];
        snprintf(name, sizeof name, "augment/%d/%s", i, a->steps[i].kind->name);
        a->steps[i].stream = cvy_stream_make(spec->seed, name);
    }
    CVY_TRY(CVY_NEW(&a->mean, spec->shape.c, data));
    CVY_TRY(CVY_NEW(&a->scale, spec->shape.c, data));
    if (spec->x_type == CVY_U8) CVY_TRY(CVY_NEW(&a->table, spec->shape.c * 256, data));
    CVY_TRY(CVY_NEW(&a->outside, spec->target.shape.c, data));
    fill_tables(a, spec);
    fill_outside(a, spec);
    return CVY_OK;
}

cvy_status cvy_augment_create(const struct cvy_augment_spec *spec, struct cvy_augment **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    cvy_status status = create(spec, *out);
    if (status != CVY_OK) cvy_augment_destroy(out);
    return status;
}

void cvy_augment_destroy(struct cvy_augment **augment) {
    if (*augment == NULL) return;
    cvy_free((*augment)->table);
    cvy_free((*augment)->mean);
    cvy_free((*augment)->scale);
    cvy_free((*augment)->outside);
    CVY_DELETE(augment);
}

/* ---- Applying ---- */

/* Normalises `pixels` pixels of c channels. */
static void normalize(const struct cvy_augment *a, int64_t pixels, const void *x, float *restrict out) {
    int channels = a->shape.c;
    const unsigned char *bytes = x;
    const float *reals = x;
    for (int64_t p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++) {
            int64_t i = p * channels + c;
            out[i] = a->table ? a->table[c * 256 + bytes[i]] : (reals[i] - a->mean[c]) * a->scale[c];
        }
}

void cvy_augment_normalize(const struct cvy_augment *augment, const void *x, float *out) {
    normalize(augment, cvy_shape_pixels(augment->shape), x, out);
}

/* One output row from the input row `x` (NULL: outside). */
static void map_row(const struct cvy_augment *a, const struct view *view, const unsigned char *x, float *out) {
    int w = a->shape.w, c = a->shape.c;
    size_t pixel = (size_t)c * cvy_dtype_bytes(a->x_type);
    if (x && view->sx == 1 && view->dx == 0) {
        normalize(a, w, x, out);
        return;
    }
    for (int ox = 0; ox < w; ox++) {
        int ix = ox * view->sx + view->dx;
        if (x && ix >= 0 && ix < w)
            normalize(a, 1, x + (size_t)ix * pixel, out + (size_t)ox * c);
        else
            memset(out + (size_t)ox * c, 0, (size_t)c * sizeof *out);
    }
}

/* What is drawn for a sample, over an image of this size. */
static struct view draw_view(const struct cvy_augment *augment, struct cvy_shape shape, uint32_t epoch, int64_t id) {
    struct view view = {0, 0, 1};
    for (int i = 0; i < augment->count; i++) {
        const struct step *step = &augment->steps[i];
        struct cvy_rng rng = cvy_rng_at(step->stream, epoch, (uint64_t)id);
        step->kind->compose(&step->settings, shape, &rng, &view);
    }
    return view;
}

void cvy_augment_apply(const struct cvy_augment *augment, uint32_t epoch, int64_t id, const void *x, float *out) {
    struct cvy_shape shape = augment->shape;
    const struct view view = draw_view(augment, shape, epoch, id);
    size_t row = (size_t)shape.w * shape.c;
    for (int y = 0; y < shape.h; y++) {
        int from = y + view.dy;
        const unsigned char *source = (const unsigned char *)x + (size_t)from * row * cvy_dtype_bytes(augment->x_type);
        map_row(augment, &view, from >= 0 && from < shape.h ? source : NULL, out + (size_t)y * row);
    }
}

/* ---- Targets ---- */

bool cvy_augment_moves_targets(const struct cvy_augment *augment) {
    return augment->count > 0 && cvy_shape_pixels(augment->target.shape) > 1;
}

void cvy_augment_target(const struct cvy_augment *augment, uint32_t epoch, int64_t id, const void *y, void *out) {
    const struct cvy_shape shape = augment->target.shape;
    const struct view view = draw_view(augment, shape, epoch, id);
    const size_t pixel = (size_t)shape.c;
    const uint32_t *from = y;
    uint32_t *to = out;
    if (!cvy_augment_moves_targets(augment)) {
        memcpy(out, y, cvy_target_bytes(augment->target));
        return;
    }
    for (int row = 0; row < shape.h; row++)
        for (int col = 0; col < shape.w; col++, to += pixel) {
            const int r = row + view.dy, c = col * view.sx + view.dx;
            const bool inside = r >= 0 && r < shape.h && c >= 0 && c < shape.w;
            const uint32_t *value = inside ? from + ((size_t)r * shape.w + c) * pixel : augment->outside;
            memcpy(to, value, pixel * sizeof *to);
        }
}
