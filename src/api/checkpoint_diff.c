/* Whether two checkpoints hold the same: /param, /buffer, /optim, /ema and the attributes that decide how training goes
 * on are equal bit by bit. Distances are in ulps: how many float32 lie between, which is the difference of the bit
 * patterns read as ordered integers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "convoy/run.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "io/path.h"
#include "train/checkpoints.h"

struct comparison {
    struct cvy_ckpt *a, *b;
    struct cvy_checkpoint_diff *out; /* room for every tensor and attribute of both */
};

static struct cvy_checkpoint_difference *add(struct comparison *c, const char *name) {
    struct cvy_checkpoint_difference *difference = c->out->items[c->out->count++];
    CVY_COPY_TEXT(difference->name, name);
    return difference;
}

enum { MOST_OF_PATH = 140 }; /* its end is what is shown */

/* Two runs have files of the same name. */
static void add_one_sided(struct comparison *c, const char *name, const struct cvy_ckpt *owner) {
    struct cvy_checkpoint_difference *d = add(c, name);
    const char *a = cvy_ckpt_path(c->a), *b = cvy_ckpt_path(c->b), *whose = cvy_ckpt_path(owner);
    if (strcmp(cvy_path_name(a), cvy_path_name(b)) != 0) whose = cvy_path_name(whose);
    const size_t length = strlen(whose);
    snprintf(d->what, sizeof d->what, "only in %s", whose + (length > MOST_OF_PATH ? length - MOST_OF_PATH : 0));
}

static void shape_text(const struct cvy_ckpt_tensor *t, char out[64]) {
    int used = 0;
    for (int d = 0; d < t->rank; d++)
        used += snprintf(out + used, 64 - (size_t)used, "%s%" PRId64, d ? "x" : "", t->dims[d]);
}

static bool same_shape(const struct cvy_ckpt_tensor *a, const struct cvy_ckpt_tensor *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

/* −0 and +0 are one apart: they are different bits. */
static int64_t ordered(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? (int64_t)INT32_MIN - bits - 1 : bits;
}

static void add_elements(struct comparison *c, const char *name, int64_t count, const float *a, const float *b) {
    struct cvy_checkpoint_difference *d = add(c, name);
    int64_t worst = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t ulps = ordered(a[i]) - ordered(b[i]);
        if (ulps == 0) continue;
        double distance = fabs((double)a[i] - (double)b[i]);
        d->elements++;
        if (!(distance <= d->max_abs)) d->max_abs = distance; /* NaN shows */
        if (ulps < 0) ulps = -ulps;
        if (ulps > d->max_ulps) {
            d->max_ulps = ulps;
            worst = i;
        }
    }
    snprintf(d->what, sizeof d->what, "of %" PRId64 "; element %" PRId64 ": %.9g and %.9g", count, worst,
             (double)a[worst], (double)b[worst]);
}

static cvy_status compare_values_of(struct comparison *c, const char *name, int64_t count, float *both) {
    float *a = both, *b = both + count;
    CVY_TRY(cvy_ckpt_read(c->a, name, count, a));
    CVY_TRY(cvy_ckpt_read(c->b, name, count, b));
    if (memcmp(a, b, (size_t)count * sizeof *a) != 0) add_elements(c, name, count, a, b);
    return CVY_OK;
}

static cvy_status compare_tensor(struct comparison *c, const struct cvy_ckpt_tensor *a,
                                 const struct cvy_ckpt_tensor *b) {
    if (!same_shape(a, b)) {
        char left[64], right[64];
        struct cvy_checkpoint_difference *d = add(c, a->path);
        shape_text(a, left);
        shape_text(b, right);
        snprintf(d->what, sizeof d->what, "shape %s and %s", left, right);
        return CVY_OK;
    }
    float *both;
    int64_t count = cvy_ckpt_elements(a);
    CVY_TRY(CVY_NEW(&both, 2 * count, checkpoint));
    cvy_status status = compare_values_of(c, a->path, count, both);
    cvy_free(both);
    return status;
}

static bool is_state(const struct cvy_ckpt_tensor *t) {
    return cvy_ckpt_under(t, "/param/") || cvy_ckpt_under(t, "/buffer/") || cvy_ckpt_under(t, "/optim/") ||
           cvy_ckpt_under(t, "/ema/");
}

/* Both lists are sorted by path: one walk through them side by side. */
static cvy_status compare_tensors(struct comparison *c) {
    int i = 0, j = 0, n = cvy_ckpt_tensor_count(c->a), m = cvy_ckpt_tensor_count(c->b);
    while (i < n || j < m) {
        const struct cvy_ckpt_tensor *a = i < n ? cvy_ckpt_tensor(c->a, i) : NULL;
        const struct cvy_ckpt_tensor *b = j < m ? cvy_ckpt_tensor(c->b, j) : NULL;
        int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->path, b->path);
        if (order == 0 && is_state(a)) CVY_TRY(compare_tensor(c, a, b));
        if (order < 0 && is_state(a)) add_one_sided(c, a->path, c->a);
        if (order > 0 && is_state(b)) add_one_sided(c, b->path, c->b);
        i += order <= 0;
        j += order >= 0;
    }
    return CVY_OK;
}

/* The attributes that decide how training goes on; all that start with "schedule" are the schedule's. */
static bool is_deciding(const char *name) {
    static const char *const names[] = {"step", "epoch", "position", "seed", "slots_from"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return strncmp(name, "schedule", strlen("schedule")) == 0;
}

static void attribute_text(const struct cvy_ckpt_attribute *v, char out[72]) {
    int used = 0;
    for (int i = 0; i < v->count && used < 60; i++) {
        size_t room = 72 - (size_t)used;
        const char *comma = i ? ", " : "";
        if (v->ints)
            used += snprintf(out + used, room, "%s%" PRId64, comma, v->ints[i]);
        else if (v->reals)
            used += snprintf(out + used, room, "%s%.17g", comma, v->reals[i]);
        else
            used += snprintf(out + used, room, "%s%s", comma, v->texts[i]);
    }
}

static bool same_attribute(const struct cvy_ckpt_attribute *a, const struct cvy_ckpt_attribute *b) {
    if (a->count != b->count || !a->ints != !b->ints || !a->reals != !b->reals) return false;
    if (a->ints) return memcmp(a->ints, b->ints, (size_t)a->count * sizeof *a->ints) == 0;
    if (a->reals) return memcmp(a->reals, b->reals, (size_t)a->count * sizeof *a->reals) == 0;
    for (int i = 0; i < a->count; i++)
        if (strcmp(a->texts[i], b->texts[i]) != 0) return false;
    return true;
}

static void compare_attribute(struct comparison *c, const struct cvy_ckpt_attribute *a,
                              const struct cvy_ckpt_attribute *b) {
    char left[72] = "", right[72] = "";
    if (same_attribute(a, b)) return;
    struct cvy_checkpoint_difference *d = add(c, a->name);
    attribute_text(a, left);
    attribute_text(b, right);
    snprintf(d->what, sizeof d->what, "%s and %s", left, right);
}

static void compare_run_attributes(struct comparison *c) {
    for (int i = 0; i < cvy_ckpt_attribute_count(c->a); i++) {
        const struct cvy_ckpt_attribute *a = cvy_ckpt_attribute_at(c->a, i), *b = cvy_ckpt_attribute(c->b, a->name);
        if (!is_deciding(a->name)) continue;
        if (b)
            compare_attribute(c, a, b);
        else
            add_one_sided(c, a->name, c->a);
    }
    for (int i = 0; i < cvy_ckpt_attribute_count(c->b); i++) {
        const struct cvy_ckpt_attribute *b = cvy_ckpt_attribute_at(c->b, i);
        if (is_deciding(b->name) && cvy_ckpt_attribute(c->a, b->name) == NULL) add_one_sided(c, b->name, c->b);
    }
}

static cvy_status compare(struct comparison *c) {
    int room = cvy_ckpt_tensor_count(c->a) + cvy_ckpt_tensor_count(c->b) + cvy_ckpt_attribute_count(c->a) +
               cvy_ckpt_attribute_count(c->b);
    CVY_TRY(CVY_ARRAY(&c->out->items, room));
    compare_run_attributes(c);
    CVY_TRY(compare_tensors(c));
    c->out->identical = c->out->count == 0;
    return CVY_OK;
}

cvy_status cvy_checkpoint_diff_read(const char *a, const char *b, struct cvy_checkpoint_diff *out) {
    CVY_INSIDE();
    struct cvy_checkpoint_diff own;
    struct comparison c = {.out = &own};
    CVY_TRY(CVY_BEGIN(cvy_checkpoint_diff, out, &own));
    cvy_status status = cvy_checkpoint_open(a, NULL, &c.a);
    if (status == CVY_OK) status = cvy_checkpoint_open(b, NULL, &c.b);
    if (status == CVY_OK) status = compare(&c);
    cvy_ckpt_close(&c.a);
    cvy_ckpt_close(&c.b);
    if (status != CVY_OK) cvy_checkpoint_diff_destroy(&own);
    return cvy_sized_give(status, &own, out);
}

void cvy_checkpoint_diff_destroy(struct cvy_checkpoint_diff *diff) {
    struct cvy_checkpoint_diff own;
    CVY_TAKE(diff, &own);
    cvy_free(own.items);
}
