/* Two sources from one: a share of its samples that is held out of the training, and the rest.
 *
 *   class of a sample ─► quota of the class (largest remainders) ─► selection sampling in the set's order
 *
 * Each class gives its share, give or take one sample, and keeps one at least; without classes all samples are of one.
 * Which samples they are is a function of the seed, the share and the labels alone (Knuth, TAOCP 2, 3.4.2, algorithm S,
 * class by class). */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/rng.h"
#include "data/source.h"

/* ---- Which samples ---- */

/* A class, or what does not count. */
struct stratum {
    int64_t count, wanted; /* samples; of these for the share */
    double rest;           /* of its share, what is no whole sample */
};

struct choice {
    const struct cvy_dataset_info *info;
    struct stratum *strata; /* [classes + 1], or one */
    int64_t wanted;
};

static struct stratum *stratum_of(const struct choice *c, int64_t sample) {
    if (c->info->labels == NULL) return c->strata;
    const int32_t label = c->info->labels[sample];
    return &c->strata[label >= 0 && label < c->info->classes ? label : c->info->classes];
}

/* The one with the largest remainder that may give one more; NULL: there is none. */
static struct stratum *next_to_give(const struct choice *c, int count) {
    struct stratum *most = NULL;
    for (struct stratum *s = c->strata; s < c->strata + count; s++)
        if (s->rest > 0 && s->wanted + 1 < s->count && (most == NULL || s->rest > most->rest)) most = s;
    return most;
}

static void set_quotas(struct choice *c, int count, double share) {
    int64_t missing = c->wanted;
    for (struct stratum *s = c->strata; s < c->strata + count; s++) {
        const double exact = share * (double)s->count;
        s->wanted = (int64_t)exact;
        s->rest = exact - (double)s->wanted;
        missing -= s->wanted;
    }
    for (struct stratum *s; missing > 0 && (s = next_to_give(c, count)); missing--) {
        s->wanted++;
        s->rest = 0;
    }
    c->wanted -= missing;
}

/* The numbers of those that are chosen and of the others, each in order. */
static void choose(const struct choice *c, uint64_t seed, int64_t *held, int64_t *rest) {
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(seed, "validation"), 0, 0);
    for (int64_t i = 0; i < c->info->count; i++) {
        struct stratum *s = stratum_of(c, i);
        const uint64_t high = cvy_rng_u32(&rng), draw = high << 32 | cvy_rng_u32(&rng);
        const bool chosen = s->wanted > 0 && draw % (uint64_t)s->count < (uint64_t)s->wanted;
        s->count--; /* those still to come */
        s->wanted -= chosen;
        *(chosen ? held++ : rest++) = i;
    }
}

/* ---- A part of a source ---- */

/* What both parts read from, one at a time; it goes with the last of them. */
struct whole {
    struct cvy_source *source;
    pthread_mutex_t lock;
    int users;
};

struct part {
    struct cvy_source base;
    struct whole *whole;
    int64_t *members; /* [count] numbers in the whole */
    int32_t *labels;  /* [count], where the whole has them */
};

static cvy_status read_some(struct part *p, const int64_t *indices, int n, unsigned char *x, unsigned char *y) {
    enum { AT_ONCE = 256 };
    int64_t numbers[AT_ONCE];
    struct cvy_source *source = p->whole->source;
    const size_t x_size = cvy_dataset_sample_bytes(&source->info), y_size = cvy_target_bytes(source->info.target);
    for (int i = 0, now; i < n; i += now) {
        now = n - i < AT_ONCE ? n - i : AT_ONCE;
        for (int k = 0; k < now; k++) numbers[k] = p->members[indices[i + k]];
        CVY_TRY(source->kind->read(source, numbers, now, x + (size_t)i * x_size, y ? y + (size_t)i * y_size : NULL));
    }
    return CVY_OK;
}

static cvy_status part_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    struct part *p = (struct part *)source;
    pthread_mutex_lock(&p->whole->lock);
    cvy_status status = read_some(p, indices, n, x, y);
    pthread_mutex_unlock(&p->whole->lock);
    return status;
}

static cvy_status part_read_targets(struct cvy_source *source, int64_t first, int64_t count, void *y) {
    struct part *p = (struct part *)source;
    struct cvy_source *whole = p->whole->source;
    const size_t size = cvy_target_bytes(whole->info.target);
    cvy_status status = CVY_OK;
    pthread_mutex_lock(&p->whole->lock);
    for (int64_t i = 0; i < count && status == CVY_OK; i++)
        status = whole->kind->read_targets(whole, p->members[first + i], 1, (unsigned char *)y + (size_t)i * size);
    pthread_mutex_unlock(&p->whole->lock);
    return status;
}

static void leave(struct whole *whole) {
    if (--whole->users > 0) return;
    cvy_source_destroy(&whole->source);
    pthread_mutex_destroy(&whole->lock);
    cvy_free(whole);
}

static void part_destroy(struct cvy_source *source) {
    struct part *p = (struct part *)source;
    leave(p->whole);
    cvy_free(p->members);
    cvy_free(p->labels);
    cvy_free(p);
}

static const struct cvy_source_kind part_kind = {"part", part_read, part_destroy, NULL, NULL};
static const struct cvy_source_kind dense_part_kind = {"part", part_read, part_destroy, part_read_targets, NULL};

static cvy_status create_part(struct whole *whole, int64_t count, struct part **out) {
    const struct cvy_source *source = whole->source;
    CVY_TRY(CVY_NEW(out, 1, data));
    struct part *p = *out;
    p->base =
        (struct cvy_source){.kind = source->kind->read_targets ? &dense_part_kind : &part_kind, .info = source->info};
    p->base.info.count = count;
    p->whole = whole;
    whole->users++;
    CVY_TRY(CVY_NEW(&p->members, count, data));
    if (source->info.labels) CVY_TRY(CVY_NEW(&p->labels, count, data));
    p->base.members = p->members;
    p->base.info.labels = p->labels;
    return CVY_OK;
}

static void label(const struct part *p) {
    const int32_t *labels = p->whole->source->info.labels;
    for (int64_t i = 0; p->labels && i < p->base.info.count; i++) p->labels[i] = labels[p->members[i]];
}

/* ---- Cutting ---- */

/* In per cent, rounded to what is enough. */
static cvy_status check(const struct choice *c, double share, const char *file) {
    const int64_t count = c->info->count;
    CVY_CHECK(count > 1, CVY_ERR_USAGE, "data.validation: %s has one sample, of which no share can be held out", file);
    CVY_CHECK(c->wanted > 0, CVY_ERR_USAGE,
              "data.validation: %g%% of the %" PRId64 " samples of %s is none; %g%% or more is one at least",
              100 * share, count, file, ceil(1e4 / (double)count) / 100);
    CVY_CHECK(c->wanted < count, CVY_ERR_USAGE,
              "data.validation: %g%% of the %" PRId64 " samples of %s leaves none to train on; take %g%% or less",
              100 * share, count, file, floor(1e4 * (double)(count - 1) / (double)count) / 100);
    return CVY_OK;
}

static cvy_status cut(struct choice *c, struct whole *whole, uint64_t seed, struct part *parts[2]) {
    CVY_TRY(create_part(whole, c->info->count - c->wanted, &parts[0]));
    CVY_TRY(create_part(whole, c->wanted, &parts[1]));
    choose(c, seed, parts[1]->members, parts[0]->members);
    label(parts[0]);
    label(parts[1]);
    parts[1]->base.info.bytes = 0; /* they are the whole's */
    return CVY_OK;
}

static cvy_status hold_out(struct whole *whole, double share, uint64_t seed, const char *file, struct part *parts[2]) {
    const struct cvy_dataset_info *info = &whole->source->info;
    const int strata = info->labels ? info->classes + 1 : 1;
    struct choice c = {.info = info, .wanted = llround(share * (double)info->count)};
    CVY_TRY(check(&c, share, file));
    CVY_TRY(CVY_NEW(&c.strata, strata, data));
    for (int64_t i = 0; i < info->count; i++) stratum_of(&c, i)->count++;
    set_quotas(&c, strata, share);
    cvy_status status = c.wanted > 0 ? cut(&c, whole, seed, parts)
                                     : CVY_FAIL(CVY_ERR_USAGE,
                                                "data.validation: %s has as many classes as samples: none can be held "
                                                "out; name a file",
                                                file);
    cvy_free(c.strata);
    return status;
}

cvy_status cvy_source_hold_out(struct cvy_source **source, double share, uint64_t seed, const char *file,
                               struct cvy_source **rest, struct cvy_source **held) {
    struct whole *whole;
    struct part *parts[2] = {NULL};
    cvy_status status = CVY_NEW(&whole, 1, data);
    if (status != CVY_OK) {
        cvy_source_destroy(source);
        return status;
    }
    *whole = (struct whole){.source = *source, .lock = PTHREAD_MUTEX_INITIALIZER, .users = 1};
    *source = NULL;
    status = hold_out(whole, share, seed, file, parts);
    for (int i = 0; i < 2 && status != CVY_OK; i++)
        if (parts[i]) part_destroy(&parts[i]->base);
    leave(whole);
    if (status != CVY_OK) return status;
    *rest = &parts[0]->base;
    *held = &parts[1]->base;
    return CVY_OK;
}
