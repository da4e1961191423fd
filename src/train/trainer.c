/* The front door: one step, in the order of the road of the data (src/README.md). Batches come from the loop around it
 * (loop.c). */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "kernels/update.h"

/* ---- Updating ---- */

/* What a new value has in the average: 1 − decay in the long run. The first ones have more, so that it is no average of
 * the initial values: the decay is at most (1 + t)/(10 + t) after t steps. */
static float average_share(const struct cvy_engine *e) {
    const double t = (double)e->state.step, early = (1 + t) / (10 + t), decay = e->spec.ema_decay;
    return (float)(1 - (early < decay ? early : decay));
}

/* Clipping and noise, the optimiser, the average. `sum`: of the gradients of parameters [first, end). */
static void apply(struct cvy_engine *e, float *sum, size_t first, size_t end) {
    const struct cvy_compute *compute = e->spec.compute;
    float *values = cvy_net_parameters(e->net);
    const struct cvy_gradient gradient = {.sum = sum,
                                          .first = first,
                                          .end = end,
                                          .scale = 1.0 / e->samples,
                                          .seed = e->spec.seed,
                                          .step = e->state.step + 1};
    double scale = cvy_gradient_apply(&e->spec.gradient, compute, &e->spec.graph->params, &gradient);
    const struct cvy_optimizer_step how = {.values = values,
                                           .gradient = sum,
                                           .first = first,
                                           .end = end,
                                           .lr = e->lr,
                                           .grad_scale = scale,
                                           .step = gradient.step - e->state.slots_from};
    cvy_optimizer_update(&e->optimizer, compute, &how);
    if (e->ema) cvy_vec_average(compute, e->ema + first, values + first, average_share(e), (int64_t)(end - first));
}

static void watch(const struct cvy_engine *e, enum cvy_step_part part, bool ends) {
    if (e->watch) e->watch(e->watch_arg, part, ends);
}

static void update_range(struct cvy_engine *e, float *sum, size_t first, size_t end) {
    const double start = cvy_clock();
    watch(e, CVY_STEP_UPDATE, false);
    apply(e, sum, first, end);
    watch(e, CVY_STEP_UPDATE, true);
    e->updating += cvy_clock() - start;
}

/* One leaf is the whole batch: as soon as its gradient is there, unless its loss went wrong. */
static cvy_status update_released(struct cvy_engine *e, size_t place, size_t count) {
    float *gradient = cvy_release_take(&e->release, place);
    const size_t first = cvy_layout_param(e->spec.graph, place);
    if (isfinite(e->losses[0].loss)) update_range(e, gradient, first, first + count);
    return CVY_OK;
}

/* ---- The net's hooks go to the exchange ---- */

/* Statistics always go to the exchange; gradients do not where they are released. */
static bool released(const struct cvy_engine *e, size_t first) {
    return e->releases && cvy_layout_is_gradient(e->spec.graph, first);
}
static float *hook_place(void *arg, size_t first, size_t count) {
    struct cvy_engine *e = arg;
    return released(e, first) ? cvy_release_place(&e->release, first, count) : cvy_exchange_leaf(e->exchange) + first;
}
static cvy_status hook_ready(void *arg, size_t first, size_t count) {
    struct cvy_engine *e = arg;
    if (released(e, first)) return update_released(e, first, count);
    watch(e, CVY_STEP_SUM, false);
    CVY_TRY(cvy_exchange_ready(e->exchange, first, count));
    watch(e, CVY_STEP_SUM, true);
    return CVY_OK;
}
static cvy_status hook_leaf_done(void *arg) {
    return cvy_exchange_leaf_done(((struct cvy_engine *)arg)->exchange);
}
static cvy_status hook_rewind(void *arg) {
    return cvy_exchange_rewind(((struct cvy_engine *)arg)->exchange);
}
static cvy_status hook_go_on(void *arg) {
    return cvy_comm_usable(((struct cvy_engine *)arg)->spec.comm);
}

/* ---- The parts of a step ---- */

struct cvy_net_batch cvy_trainer_batch(const struct cvy_engine *e, const struct cvy_batch *batch) {
    for (int i = 0; i < batch->leaf_count; i++) {
        int first;
        cvy_leaf_range(&batch->plan, batch->first_leaf + i, &first, &e->sizes[i]);
    }
    return (struct cvy_net_batch){.x = batch->x,
                                  .y = batch->y,
                                  .target = e->spec.target,
                                  .ids = batch->ids,
                                  .first_leaf = batch->first_leaf,
                                  .leaves = batch->leaf_count,
                                  .sizes = e->sizes,
                                  .samples = batch->plan.count,
                                  .epoch = batch->epoch,
                                  .step = e->state.step};
}

static cvy_status compute_gradients(struct cvy_engine *e, const struct cvy_batch *batch) {
    const struct cvy_net_hooks hooks = {.arg = e,
                                        .place = hook_place,
                                        .ready = hook_ready,
                                        .leaf_done = hook_leaf_done,
                                        .rewind = hook_rewind,
                                        .reduce = cvy_engine_reduce,
                                        .go_on = hook_go_on};
    const struct cvy_net_batch part = cvy_trainer_batch(e, batch);
    return cvy_net_run(e->net, &part, &hooks, e->losses);
}

/* Loss and hits, whether to stop, and proof that all ranks do the same step travel together. */
static cvy_status exchange_control(struct cvy_engine *e, const struct cvy_batch *batch, struct cvy_control *joint,
                                   double sums[CVY_VALUES]) {
    const uint64_t place[4] = {e->spec.graph->hash, (uint64_t)e->state.step, batch->epoch, (uint64_t)batch->step};
    struct cvy_control mine = {.hash = cvy_hash(place, sizeof place, 0),
                               .stop = batch->stopped || (e->spec.stop && e->spec.stop(e->spec.stop_arg)),
                               .save = e->spec.save && e->spec.save(e->spec.save_arg),
                               .unread = batch->stopped};
    memcpy(mine.spent, e->spent, sizeof mine.spent);
    for (int i = 0; i < batch->leaf_count; i++) {
        cvy_metric_values(&e->losses[i], e->values + i * CVY_VALUES);
        mine.nonfinite |= !isfinite(e->losses[i].loss);
    }
    CVY_TRY(cvy_exchange_send_control(e->exchange, &mine, e->values));
    return cvy_exchange_wait_control(e->exchange, joint, sums);
}

static void update_statistics(struct cvy_engine *e) {
    cvy_net_update_buffers(e->net, cvy_exchange_sum(e->exchange), e->samples);
    if (e->ema)
        cvy_vec_average(e->spec.compute, e->ema_buffers, cvy_net_buffers(e->net), average_share(e),
                        (int64_t)cvy_layout_statistics(e->spec.graph));
}

/* Bucket by bucket as sums arrive, or all at the end where norms are asked for: first parameters, from the last layer's
 * to the first's; statistics at the very end. */
static cvy_status update_weights(struct cvy_engine *e) {
    const struct cvy_graph *graph = e->spec.graph;
    float *sum = cvy_exchange_sum(e->exchange) + cvy_layout_gradient(graph, 0);
    bool whole = e->optimizer.kind->per_param || cvy_gradient_needs_all(&e->spec.gradient);
    for (int b = 0; b < cvy_exchange_buckets(e->exchange); b++) {
        size_t first, end;
        cvy_exchange_bucket(e->exchange, b, &first, &end);
        CVY_TRY(cvy_exchange_wait(e->exchange, b));
        const struct cvy_span params = cvy_layout_params_in(graph, first, end);
        if (!whole && params.count > 0) update_range(e, sum + params.first, params.first, params.first + params.count);
    }
    if (whole && !e->releases) update_range(e, sum, 0, cvy_layout_params(graph));
    update_statistics(e);
    return CVY_OK;
}

static void advance(struct cvy_engine *e, const struct cvy_batch *batch) {
    e->state.step++;
    e->state.epoch = (int64_t)batch->epoch + batch->last;
    e->state.position = batch->last ? 0 : batch->plan.first + batch->plan.count;
}

/* Nothing was changed yet. */
static cvy_status give_up(struct cvy_engine *e, struct cvy_step_report *report) {
    for (int b = 0; e->spec.ranks > 1 && b < cvy_exchange_buckets(e->exchange); b++)
        CVY_TRY(cvy_exchange_wait(e->exchange, b)); /* what is under way */
    *report = (struct cvy_step_report){.stop = true, .unread = true};
    return CVY_OK;
}

cvy_status cvy_trainer_step(struct cvy_engine *e, const struct cvy_batch *batch, double lr,
                            struct cvy_step_report *report) {
    struct cvy_control joint;
    double sums[CVY_VALUES], start = cvy_clock();

    if (batch->stopped && e->spec.ranks == 1) return give_up(e, report); /* several must meet in the exchange */
    *report = (struct cvy_step_report){.lr = lr};
    e->lr = lr;
    e->updating = 0;
    e->samples = batch->plan.count;
    CVY_TRY(cvy_exchange_begin(e->exchange, batch->plan.leaves));
    CVY_TRY(compute_gradients(e, batch));
    const double computed = cvy_clock(), released = e->updating; /* within backward, where one rank has one leaf */

    CVY_TRY(exchange_control(e, batch, &joint, sums));
    if (joint.unread) return give_up(e, report);
    report->stop = joint.stop;
    report->save = joint.save;
    report->nonfinite = joint.nonfinite;
    if (joint.nonfinite) return CVY_OK;
    CVY_TRY(update_weights(e));

    advance(e, batch);
    report->compute_s = computed - start - released;
    report->comm_s = cvy_clock() - computed - (e->updating - released);
    report->update_s = e->updating;
    cvy_metric_add(&report->totals, batch->plan.count, sums);
    return CVY_OK;
}
