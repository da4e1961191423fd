/* Hits are counts; losses are summed in double in the tree's order within a batch, and batch after batch. */
#include "train/evaluate.h"

#include <string.h>

#include "comm/comm.h"
#include "core/clock.h"
#include "core/ints.h"
#include "core/memory.h"

/* What a leaf gives: the values of a training step, what its samples count together in the loss, and whether they were
 * not read, on request. */
enum { WEIGHT = CVY_VALUES, STOPPED, VALUES };

/* ---- Its life ---- */

static struct cvy_loader_spec loader_spec(const struct cvy_evaluation *e) {
    return (struct cvy_loader_spec){.source = e->source,
                                    .augment = e->normalize,
                                    .plan = e->plan,
                                    .rank = cvy_comm_rank(e->ctx->comm),
                                    .ranks = cvy_comm_size(e->ctx->comm),
                                    .stop = e->stop,
                                    .stop_arg = e->stop_arg,
                                    .check = cvy_suitable_batch,
                                    .check_arg = &e->suiting,
                                    .saves = e->stop != NULL};
}

static int most_leaves(const struct cvy_evaluation *e) {
    return cvy_ceil_div(e->plan.batch, e->plan.leaf);
}

size_t cvy_evaluation_bytes(const struct cvy_evaluation *e) {
    const struct cvy_loader_spec spec = loader_spec(e);
    return cvy_loader_bytes(&spec) + (size_t)most_leaves(e) * VALUES * sizeof(double);
}

cvy_status cvy_evaluation_create(struct cvy_evaluation *e) {
    const struct cvy_loader_spec spec = loader_spec(e);
    e->suiting = (struct cvy_suiting){cvy_graph_loss(cvy_net_graph(e->net)), e->source->info.target, e->name,
                                      e->source->members};
    CVY_TRY(CVY_NEW(&e->per_leaf, most_leaves(e) * VALUES, data));
    CVY_TRY(cvy_comm_reserve(e->ctx->comm, most_leaves(e), VALUES));
    return cvy_loader_create(&spec, &e->loader);
}

void cvy_evaluation_destroy(struct cvy_evaluation *e) {
    cvy_loader_destroy(&e->loader);
    CVY_DELETE(&e->per_leaf);
}

/* ---- One evaluation ---- */

struct evaluation {
    const struct cvy_evaluation *e;
    double weight; /* so far */
    struct cvy_log_samples told;
};

static cvy_status run_leaf(const struct evaluation *v, const struct cvy_batch *batch, int leaf, double *values) {
    int first, size;
    struct cvy_loss_result sum;
    memset(values, 0, VALUES * sizeof *values);
    values[STOPPED] = batch->stopped;
    if (batch->stopped) return CVY_OK;
    cvy_leaf_range(&batch->plan, batch->first_leaf + leaf, &first, &size);
    int sample = first - batch->first;
    int64_t floats = cvy_shape_count(cvy_net_graph(v->e->net)->input);
    const struct cvy_target target = v->e->source->info.target;
    const unsigned char *y = batch->y;
    const struct cvy_net_batch one = {.x = batch->x + sample * floats,
                                      .y = y + (size_t)sample * cvy_target_bytes(target),
                                      .target = target,
                                      .ids = batch->ids + sample,
                                      .first_leaf = batch->first_leaf + leaf,
                                      .leaves = 1,
                                      .sizes = &size};
    CVY_TRY(cvy_net_run(v->e->net, &one, NULL, &sum));
    cvy_metric_values(&sum, values);
    values[WEIGHT] = sum.weight;
    if (v->e->each) v->e->each(v->e->arg, one.ids, cvy_net_output(v->e->net), one.y, size);
    return CVY_OK;
}

static cvy_status run_batch(struct evaluation *v, struct cvy_metric_totals *totals, bool *unread) {
    struct cvy_batch *batch;
    double sums[VALUES];
    CVY_TRY(cvy_loader_next(v->e->loader, &batch));
    for (int leaf = 0; leaf < batch->leaf_count; leaf++)
        CVY_TRY(run_leaf(v, batch, leaf, v->e->per_leaf + leaf * VALUES));
    CVY_TRY(cvy_comm_reduce_partial(v->e->ctx->comm, batch->plan.leaves, v->e->per_leaf, VALUES, sums));
    cvy_metric_add(totals, batch->plan.count, sums);
    v->weight += sums[WEIGHT];
    *unread = sums[STOPPED] > 0;
    cvy_loader_release(v->e->loader, batch);
    return CVY_OK;
}

/* All ranks stop at the same batch. */
static cvy_status poll_stop(const struct evaluation *v, bool *stopped) {
    int go_on = !v->e->stop(v->e->stop_arg);
    CVY_TRY(cvy_comm_min_int(v->e->ctx->comm, &go_on));
    *stopped = !go_on;
    return CVY_OK;
}

static cvy_status run_batches(struct evaluation *v, struct cvy_metric_totals *totals, bool *stopped) {
    int64_t steps = cvy_epoch_steps(&v->e->plan);
    bool unread;
    *totals = (struct cvy_metric_totals){0};
    for (int64_t step = 0; step < steps; step++) {
        if (stopped && step % 8 == 0) {
            CVY_TRY(poll_stop(v, stopped));
            if (*stopped) return CVY_OK;
        }
        CVY_TRY(run_batch(v, totals, &unread));
        if (unread) {
            *stopped = true;
            return CVY_OK;
        }
        cvy_log_samples(&v->told, totals->samples, v->e->plan.count);
    }
    double *loss = &totals->sums[CVY_VALUE_LOSS];
    if (v->weight != (double)totals->samples) *loss *= v->weight > 0 ? (double)totals->samples / v->weight : 0;
    return CVY_OK;
}

cvy_status cvy_evaluate(const struct cvy_evaluation *e, struct cvy_metric_totals *totals, bool *stopped) {
    struct evaluation v = {.e = e, .told = {e->ctx->log, "evaluating", cvy_clock()}};
    if (e->like)
        cvy_net_follow(e->net, e->parameters ? e->parameters : cvy_net_parameters(e->like),
                       e->statistics ? e->statistics : cvy_net_buffers(e->like));
    return run_batches(&v, totals, stopped);
}
