#define _GNU_SOURCE
#include "data/loader.h"

#include <pthread.h>
#include <string.h>

#include "core/ints.h"
#include "core/clock.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/share.h"

enum { MAX_SLOTS = 17, DEFAULT_DEPTH = 2 };

enum state { EMPTY, FULL, TAKEN };

struct slot {
    struct cvy_batch batch; /* first, so that a batch's address is its slot's */
    enum state state;
};

struct cvy_loader {
    struct cvy_loader_spec spec;
    struct cvy_epoch_plan plan; /* of the thread's epoch */
    int64_t steps;              /* in it */
    int slots;
    struct slot slot[MAX_SLOTS];
    unsigned char *raw;   /* [count][sample], the thread's */
    unsigned char *raw_y; /* [count][target], likewise; NULL: targets are read into their place */
    struct cvy_arena arena;

    /* The thread's own. */
    struct cvy_sampler sampler;
    uint32_t epoch;
    int64_t step;

    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; /* guards all below, and each slot's state */
    pthread_cond_t emptied, filled;
    bool stop, failed, raised;
    struct cvy_failure failure;

    int next;   /* the caller's: slot that comes next */
    bool ended; /* the caller's: it got a batch that was not read */
    double waited;
};

/* ---- What this rank has of a batch ---- */

static void share(const struct cvy_loader_spec *spec, struct cvy_batch *batch) {
    int end, last, unused;
    cvy_share(batch->plan.leaves, spec->rank, spec->ranks, &batch->first_leaf, &end);
    batch->leaf_count = end - batch->first_leaf;
    cvy_leaf_range(&batch->plan, batch->first_leaf, &batch->first, &unused);
    cvy_leaf_range(&batch->plan, end, &last, &unused);
    batch->count = last - batch->first;
}

static int share_at(const struct cvy_loader_spec *spec, const struct cvy_epoch_plan *plan, int64_t step) {
    struct cvy_batch batch = {.plan = cvy_batch_plan_at(plan, step)};
    share(spec, &batch);
    return batch.count;
}

/* In an epoch's largest batch: the first step's or, with other leaves, the last one's. */
static int most_of_epoch(const struct cvy_loader_spec *spec, const struct cvy_epoch_plan *plan) {
    return cvy_max(share_at(spec, plan, 0), share_at(spec, plan, cvy_epoch_steps(plan) - 1));
}

static struct cvy_epoch_plan later_plan(const struct cvy_loader_spec *spec) {
    struct cvy_epoch_plan later = spec->plan;
    later.start = 0;
    return later;
}

/* Samples of this rank in its largest batch. */
static size_t most_samples(const struct cvy_loader_spec *spec) {
    const struct cvy_epoch_plan later = later_plan(spec);
    return (size_t)cvy_max(most_of_epoch(spec, &spec->plan), most_of_epoch(spec, &later));
}

/* ---- The thread ---- */

static bool stop_asked(struct cvy_loader *loader) {
    const struct cvy_loader_spec *spec = &loader->spec;
    pthread_mutex_lock(&loader->mutex);
    const bool destroyed = loader->stop;
    pthread_mutex_unlock(&loader->mutex);
    return destroyed || (spec->stop && spec->stop(spec->stop_arg));
}

/* Samples from the i-th on that follow one another and are read together at no extra cost. */
static int together(const struct cvy_batch *batch, int i, int chunk) {
    int end = i + 1;
    while (end < batch->count && batch->ids[end] == batch->ids[end - 1] + 1 && batch->ids[end] % chunk != 0) end++;
    return end - i;
}

static cvy_status read_samples(struct cvy_loader *loader, struct cvy_batch *batch) {
    struct cvy_source *source = loader->spec.source;
    const size_t x_size = cvy_dataset_sample_bytes(&source->info), y_size = cvy_target_bytes(source->info.target);
    unsigned char *y = loader->raw_y ? loader->raw_y : batch->y;
    for (int i = 0, n; i < batch->count; i += n) {
        n = together(batch, i, source->info.chunk);
        CVY_CHECK(!stop_asked(loader), CVY_STOPPED, "stopped on request while a batch was read");
        CVY_TRY(
            source->kind->read(source, batch->ids + i, n, loader->raw + (size_t)i * x_size, y + (size_t)i * y_size));
    }
    return CVY_OK;
}

static void look_at(const struct cvy_loader *loader, struct cvy_batch *batch) {
    const struct cvy_dataset_info *info = &loader->spec.source->info;
    batch->range = cvy_range_of(info->x_type);
    if (loader->spec.ranged)
        cvy_range_widen(&batch->range, info->x_type, loader->raw, batch->count * cvy_shape_count(info->shape));
}

/* What was read, to what the network takes. */
static void prepare_samples(struct cvy_loader *loader, struct cvy_batch *batch) {
    const struct cvy_loader_spec *spec = &loader->spec;
    const struct cvy_dataset_info *info = &spec->source->info;
    const size_t raw_size = cvy_dataset_sample_bytes(info), size = (size_t)cvy_shape_count(info->shape);
    const size_t target = cvy_target_bytes(info->target);
    unsigned char *y = batch->y;
    for (int i = 0; i < batch->count; i++) {
        const unsigned char *raw = loader->raw + (size_t)i * raw_size;
        if (spec->training)
            cvy_augment_apply(spec->augment, batch->epoch, batch->ids[i], raw, batch->x + (size_t)i * size);
        else
            cvy_augment_normalize(spec->augment, raw, batch->x + (size_t)i * size);
        if (loader->raw_y)
            cvy_augment_target(spec->augment, batch->epoch, batch->ids[i], loader->raw_y + (size_t)i * target,
                               y + (size_t)i * target);
    }
}

/* It keeps its place in the step, in which other ranks may be ahead. */
static void empty(const struct cvy_loader *loader, struct cvy_batch *batch) {
    const struct cvy_dataset_info *info = &loader->spec.source->info;
    batch->stopped = true;
    memset(batch->x, 0, (size_t)batch->count * (size_t)cvy_shape_count(info->shape) * sizeof *batch->x);
    memset(batch->y, 0, (size_t)batch->count * cvy_target_bytes(info->target));
}

static cvy_status fill(struct cvy_loader *loader, struct cvy_batch *batch) {
    const struct cvy_loader_spec *spec = &loader->spec;
    batch->epoch = loader->epoch;
    batch->step = loader->step;
    batch->last = loader->step + 1 == loader->steps;
    batch->plan = cvy_batch_plan_at(&loader->plan, loader->step);
    share(spec, batch);
    for (int i = 0; i < batch->count; i++) {
        int64_t position = batch->plan.first + batch->first + i;
        batch->ids[i] = spec->training ? cvy_sampler_sample(&loader->sampler, position) : position;
    }
    cvy_status status = read_samples(loader, batch);
    if (status == CVY_OK && spec->check)
        status = spec->check(spec->check_arg, batch->ids, batch->count, loader->raw_y ? loader->raw_y : batch->y);
    if (status == CVY_OK) look_at(loader, batch);
    if (status == CVY_OK) prepare_samples(loader, batch);
    if (status == CVY_STOPPED || (status == CVY_ERR_DATA && spec->saves)) empty(loader, batch);
    return status;
}

static void advance(struct cvy_loader *loader) {
    if (++loader->step < loader->steps) return;
    loader->step = 0;
    loader->epoch++;
    loader->plan = later_plan(&loader->spec);
    loader->steps = cvy_epoch_steps(&loader->plan);
    loader->sampler = cvy_sampler_make(loader->spec.seed, loader->epoch, loader->spec.plan.count);
}

/* False when the loader is to stop. */
static bool wait_for_empty(struct cvy_loader *loader, const struct slot *slot) {
    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop && slot->state != EMPTY) pthread_cond_wait(&loader->emptied, &loader->mutex);
    bool go_on = !loader->stop;
    pthread_mutex_unlock(&loader->mutex);
    return go_on;
}

static void publish(struct cvy_loader *loader, struct slot *slot, cvy_status status) {
    pthread_mutex_lock(&loader->mutex);
    loader->failed = status != CVY_OK;
    if (loader->failed) cvy_failure_take(&loader->failure, status);
    if (status == CVY_OK || slot->batch.stopped) slot->state = FULL;
    pthread_cond_signal(&loader->filled);
    pthread_mutex_unlock(&loader->mutex);
}

static void *run(void *arg) {
    struct cvy_loader *loader = arg;
    cvy_status status = CVY_OK;
    cvy_thread_settle();
    for (int i = 0; status == CVY_OK && wait_for_empty(loader, &loader->slot[i]); i = (i + 1) % loader->slots) {
        status = fill(loader, &loader->slot[i].batch);
        publish(loader, &loader->slot[i], status);
        advance(loader);
    }
    return NULL;
}

/* ---- Creating ---- */

static cvy_status check(const struct cvy_loader_spec *spec) {
    const struct cvy_epoch_plan *plan = &spec->plan;
    CVY_CHECK(plan->count == spec->source->info.count && plan->batch > 0 && plan->leaf > 0, CVY_ERR_INTERNAL,
              "loader: a plan of %lld samples in batches of %d for a source of %lld", (long long)plan->count,
              plan->batch, (long long)spec->source->info.count);
    CVY_CHECK(spec->rank >= 0 && spec->rank < spec->ranks && spec->depth >= 0 && spec->depth < MAX_SLOTS,
              CVY_ERR_INTERNAL, "loader: rank %d of %d, depth %d", spec->rank, spec->ranks, spec->depth);
    CVY_CHECK(cvy_epoch_steps(plan) > 0, CVY_ERR_USAGE,
              "a batch of %d with last_batch: drop leaves no step: the data set has %lld %s; use a smaller batch",
              plan->batch, (long long)plan->count, cvy_plural((double)plan->count, "sample", "samples"));
    return CVY_OK;
}

static size_t slot_bytes(const struct cvy_loader_spec *spec, size_t samples) {
    size_t x = samples * (size_t)cvy_shape_count(spec->source->info.shape) * sizeof(float);
    size_t y = samples * cvy_target_bytes(spec->source->info.target);
    return cvy_align_up(x) + cvy_align_up(y) + cvy_align_up(samples * sizeof(int64_t));
}

/* Targets that are to be moved are read aside. */
static size_t raw_target_bytes(const struct cvy_loader_spec *spec, size_t samples) {
    bool aside = spec->training && cvy_augment_moves_targets(spec->augment);
    return aside ? samples * cvy_target_bytes(spec->source->info.target) : 0;
}

size_t cvy_loader_bytes(const struct cvy_loader_spec *spec) {
    size_t samples = most_samples(spec), slots = (size_t)(spec->depth ? spec->depth : DEFAULT_DEPTH) + 1;
    return slots * slot_bytes(spec, samples) + cvy_align_up(samples * cvy_dataset_sample_bytes(&spec->source->info)) +
           cvy_align_up(raw_target_bytes(spec, samples));
}

static cvy_status carve(struct cvy_loader *loader) {
    const struct cvy_dataset_info *info = &loader->spec.source->info;
    size_t samples = most_samples(&loader->spec);
    CVY_TRY(cvy_arena_create(&loader->arena, cvy_loader_bytes(&loader->spec), CVY_TAG_data));
    CVY_TRY(cvy_arena_take(&loader->arena, samples * cvy_dataset_sample_bytes(info), (void **)&loader->raw));
    size_t aside = raw_target_bytes(&loader->spec, samples);
    if (aside) CVY_TRY(cvy_arena_take(&loader->arena, aside, (void **)&loader->raw_y));
    for (int i = 0; i < loader->slots; i++) {
        struct cvy_batch *batch = &loader->slot[i].batch;
        size_t floats = samples * (size_t)cvy_shape_count(info->shape);
        CVY_TRY(cvy_arena_take(&loader->arena, floats * sizeof *batch->x, (void **)&batch->x));
        CVY_TRY(cvy_arena_take(&loader->arena, samples * cvy_target_bytes(info->target), &batch->y));
        CVY_TRY(cvy_arena_take(&loader->arena, samples * sizeof *batch->ids, (void **)&batch->ids));
    }
    return CVY_OK;
}

static cvy_status start(struct cvy_loader *loader) {
    const struct cvy_loader_spec *spec = &loader->spec;
    loader->slots = (spec->depth ? spec->depth : DEFAULT_DEPTH) + 1;
    loader->plan = spec->plan;
    loader->steps = cvy_epoch_steps(&spec->plan);
    loader->epoch = spec->epoch;
    loader->step = spec->step;
    if (loader->step >= loader->steps) { /* the end of an epoch is the next one's start */
        loader->plan = later_plan(spec);
        loader->step -= loader->steps;
        loader->steps = cvy_epoch_steps(&loader->plan);
        loader->epoch += 1 + (uint32_t)(loader->step / loader->steps);
        loader->step %= loader->steps;
    }
    loader->sampler = cvy_sampler_make(spec->seed, loader->epoch, spec->plan.count);
    CVY_TRY(carve(loader));
    loader->running = cvy_thread_start(&loader->thread, run, loader) == 0;
    CVY_CHECK(loader->running, CVY_ERR_INTERNAL,
              "the loader's thread cannot be started; is the process limit reached?");
    return CVY_OK;
}

cvy_status cvy_loader_create(const struct cvy_loader_spec *spec, struct cvy_loader **out) {
    *out = NULL;
    CVY_TRY(check(spec));
    CVY_TRY(CVY_NEW(out, 1, data));
    struct cvy_loader *loader = *out;
    loader->spec = *spec;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->emptied, NULL);
    pthread_cond_init(&loader->filled, NULL);
    cvy_status status = start(loader);
    if (status != CVY_OK) cvy_loader_destroy(out);
    return status;
}

void cvy_loader_destroy(struct cvy_loader **out) {
    struct cvy_loader *loader = *out;
    if (loader == NULL) return;
    pthread_mutex_lock(&loader->mutex);
    loader->stop = true;
    pthread_cond_signal(&loader->emptied);
    pthread_mutex_unlock(&loader->mutex);
    if (loader->running) pthread_join(loader->thread, NULL);
    pthread_cond_destroy(&loader->filled);
    pthread_cond_destroy(&loader->emptied);
    pthread_mutex_destroy(&loader->mutex);
    cvy_arena_destroy(&loader->arena);
    CVY_DELETE(out);
}

/* ---- The caller's side ---- */

static cvy_status raise_once(struct cvy_loader *loader) {
    CVY_CHECK(!loader->raised, CVY_ERR_INTERNAL, "the loader has stopped after an earlier failure");
    loader->raised = true;
    return cvy_failure_raise(&loader->failure);
}

cvy_status cvy_loader_next(struct cvy_loader *loader, struct cvy_batch **out) {
    struct slot *slot = &loader->slot[loader->next];
    double start = cvy_clock();
    *out = NULL;
    pthread_mutex_lock(&loader->mutex);
    while (slot->state == EMPTY && !loader->failed) pthread_cond_wait(&loader->filled, &loader->mutex);
    bool full = slot->state == FULL, all_out = slot->state == TAKEN;
    if (full) slot->state = TAKEN;
    pthread_mutex_unlock(&loader->mutex);
    loader->waited += cvy_clock() - start;
    CVY_CHECK(!all_out, CVY_ERR_INTERNAL, "all %d batches of the loader are in use; release one first", loader->slots);
    if (!full) return raise_once(loader);
    loader->next = (loader->next + 1) % loader->slots;
    loader->ended = slot->batch.stopped;
    *out = &slot->batch;
    return CVY_OK;
}

cvy_status cvy_loader_trouble(struct cvy_loader *loader) {
    pthread_mutex_lock(&loader->mutex);
    const bool bad = loader->ended && loader->failure.status != CVY_STOPPED;
    pthread_mutex_unlock(&loader->mutex);
    return bad ? raise_once(loader) : CVY_OK;
}

void cvy_loader_release(struct cvy_loader *loader, struct cvy_batch *batch) {
    struct slot *slot = (struct slot *)batch;
    pthread_mutex_lock(&loader->mutex);
    slot->state = EMPTY;
    pthread_cond_signal(&loader->emptied);
    pthread_mutex_unlock(&loader->mutex);
}

double cvy_loader_waited(const struct cvy_loader *loader) {
    return loader->waited;
}
