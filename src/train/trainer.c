/* The front door: one step, in the order of the road of the data (src/README.md), and the loop around it. */
#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "kernels/update.h"
#include "train/diverged.h"

/* ---- Updating ---- */

/* What a new value has in the average: 1 − decay in the long run. The first ones have more, so that it is no average of
 * the initial values: the decay is at most (1 + t)/(10 + t) after t steps. */
static float average_share(const struct cvy_session *s) {
    const double t = (double)s->state.step, early = (1 + t) / (10 + t), decay = s->experiment->ema_decay;
    return (float)(1 - (early < decay ? early : decay));
}

/* Floats [first, end) of the parameters, whose gradient, summed, is `sum`: clipping and noise, the optimiser, the
 * average. */
static void update_range(struct cvy_session *s, float *sum, size_t first, size_t end) {
    const struct cvy_compute *compute = s->ctx->compute;
    const struct cvy_experiment *e = s->experiment;
    float *values = cvy_net_values(s->net);
    const struct cvy_gradient gradient = {.sum = sum,
                                          .first = first,
                                          .end = end,
                                          .scale = 1.0 / s->samples,
                                          .seed = (uint64_t)e->seed,
                                          .step = s->state.step + 1};
    double scale = cvy_gradient_apply(&e->gradient, compute, &s->graph->params, &gradient);
    cvy_optimizer_update(&s->optimizer, compute, values, sum, first, end, s->lr, scale,
                         gradient.step - s->state.slots_from);
    if (s->ema) cvy_vec_average(compute, s->ema + first, values + first, average_share(s), (int64_t)(end - first));
}

/* One leaf is the whole batch: as soon as its gradient is there, unless its loss went wrong. */
static cvy_status update_released(struct cvy_session *s, size_t first, size_t count) {
    float *gradient = cvy_release_take(&s->release, first);
    first -= s->graph->buffers.stored;
    if (isfinite(s->losses[0].loss)) update_range(s, gradient, first, first + count);
    return CVY_OK;
}

/* ---- The net's hooks go to the exchange ---- */

/* Statistics always go to the exchange; gradients do not where they are released. */
static bool released(const struct cvy_session *s, size_t first) {
    return s->releases && first >= s->graph->buffers.stored;
}
static float *hook_place(void *arg, size_t first, size_t count) {
    struct cvy_session *s = arg;
    return released(s, first) ? cvy_release_place(&s->release, first, count) : cvy_exchange_leaf(s->exchange) + first;
}
static cvy_status hook_ready(void *arg, size_t first, size_t count) {
    struct cvy_session *s = arg;
    return released(s, first) ? update_released(s, first, count) : cvy_exchange_ready(s->exchange, first, count);
}
static cvy_status hook_leaf_done(void *arg) {
    return cvy_exchange_leaf_done(((struct cvy_session *)arg)->exchange);
}
static cvy_status hook_rewind(void *arg) {
    return cvy_exchange_rewind(((struct cvy_session *)arg)->exchange);
}
static cvy_status hook_reduce(void *arg, const double *per_leaf, size_t len, double *sum) {
    struct cvy_session *s = arg;
    return cvy_comm_reduce_partial(s->ctx->comm, cvy_exchange_leaves(s->exchange), per_leaf, len, sum);
}

static cvy_status hook_go_on(void *arg) {
    return cvy_comm_usable(((struct cvy_session *)arg)->ctx->comm);
}

/* ---- The parts of a step ---- */

/* The learning rate in the middle of a batch. */
static double rate_at(const struct cvy_session *s, const struct cvy_batch *batch) {
    double samples = (double)batch->plan.first + 0.5 * batch->plan.count;
    struct cvy_progress progress = {.epoch = (double)batch->epoch + samples / (double)s->plan.count,
                                    .epochs = (double)s->experiment->epochs,
                                    .memory = &s->state.schedule};
    return s->lr_factor * cvy_schedule_at(&s->schedule, progress);
}

struct cvy_net_batch cvy_trainer_batch(const struct cvy_session *s, const struct cvy_batch *batch) {
    for (int i = 0; i < batch->leaf_count; i++) {
        int first;
        cvy_leaf_range(&batch->plan, batch->first_leaf + i, &first, &s->sizes[i]);
    }
    return (struct cvy_net_batch){.x = batch->x,
                                  .y = batch->y,
                                  .target = s->train->info.target,
                                  .ids = batch->ids,
                                  .first_leaf = batch->first_leaf,
                                  .leaves = batch->leaf_count,
                                  .sizes = s->sizes,
                                  .samples = batch->plan.count,
                                  .epoch = batch->epoch,
                                  .step = s->state.step};
}

static cvy_status compute_gradients(struct cvy_session *s, const struct cvy_batch *batch) {
    const struct cvy_net_hooks hooks = {s,           hook_place,  hook_ready, hook_leaf_done,
                                        hook_rewind, hook_reduce, hook_go_on};
    const struct cvy_net_batch part = cvy_trainer_batch(s, batch);
    return cvy_net_run(s->net, &part, &hooks, s->losses);
}

/* Loss and hits, whether to stop, and proof that all ranks do the same step travel together. */
static cvy_status exchange_control(struct cvy_session *s, const struct cvy_batch *batch, struct cvy_control *joint,
                                   double sums[CVY_VALUES]) {
    const uint64_t place[4] = {s->graph->hash, (uint64_t)s->state.step, batch->epoch, (uint64_t)batch->step};
    struct cvy_control mine = {.hash = cvy_hash(place, sizeof place, 0), .stop = cvy_stop_wanted(s)};
    for (int i = 0; i < batch->leaf_count; i++) {
        cvy_score_values(&s->losses[i], s->values + i * CVY_VALUES);
        mine.nonfinite |= !isfinite(s->losses[i].loss);
    }
    CVY_TRY(cvy_exchange_send_control(s->exchange, &mine, s->values));
    return cvy_exchange_wait_control(s->exchange, joint, sums);
}

static void update_statistics(struct cvy_session *s) {
    cvy_net_update_buffers(s->net, cvy_exchange_sum(s->exchange), s->samples);
    if (s->ema)
        cvy_vec_average(s->ctx->compute, s->ema_buffers, cvy_net_buffers(s->net), average_share(s),
                        (int64_t)s->graph->buffers.stored);
}

/* Bucket by bucket as sums arrive, or all at the end where norms are asked for: first parameters, from the last layer's
 * to the first's; statistics at the very end. */
static cvy_status update_weights(struct cvy_session *s) {
    size_t statistics = s->graph->buffers.stored;
    float *sum = cvy_exchange_sum(s->exchange) + statistics;
    bool whole = s->optimizer.kind->per_param || cvy_gradient_needs_all(&s->experiment->gradient);
    for (int b = 0; b < cvy_exchange_buckets(s->exchange); b++) {
        size_t first, end;
        cvy_exchange_bucket(s->exchange, b, &first, &end);
        CVY_TRY(cvy_exchange_wait(s->exchange, b));
        first = first > statistics ? first - statistics : 0;
        end = end > statistics ? end - statistics : 0;
        if (!whole && end > first) update_range(s, sum + first, first, end);
    }
    if (whole && !s->releases) update_range(s, sum, 0, s->graph->params.stored);
    update_statistics(s);
    return CVY_OK;
}

static void advance(struct cvy_session *s, const struct cvy_batch *batch) {
    s->state.step++;
    s->state.epoch = batch->epoch;
    s->state.position = batch->plan.first + batch->plan.count;
    if (batch->last) {
        s->state.epoch++;
        s->state.position = 0;
        s->state.evaluation_due = s->test != NULL;
    }
}

cvy_status cvy_trainer_step(struct cvy_session *s, struct cvy_step_report *report) {
    struct cvy_batch *batch;
    struct cvy_control joint;
    double sums[CVY_VALUES], start = cvy_clock();

    CVY_TRY(cvy_loader_next(s->loader, &batch));
    double loaded = cvy_clock();

    s->lr = rate_at(s, batch);
    s->samples = batch->plan.count;
    CVY_TRY(cvy_exchange_begin(s->exchange, batch->plan.leaves));
    CVY_TRY(compute_gradients(s, batch));
    double computed = cvy_clock();

    CVY_TRY(exchange_control(s, batch, &joint, sums));
    if (joint.nonfinite) return cvy_diverged_in_step(s, batch);
    CVY_TRY(update_weights(s));

    advance(s, batch);
    *report = (struct cvy_step_report){.lr = s->lr,
                                       .wait_s = loaded - start,
                                       .compute_s = computed - loaded,
                                       .comm_s = cvy_clock() - computed,
                                       .stop = joint.stop};
    cvy_score_add(&report->score, batch->plan.count, sums);
    cvy_loader_release(s->loader, batch);
    return CVY_OK;
}
