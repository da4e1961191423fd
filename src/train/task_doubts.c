/* What is said before the first step of an experiment that will run, and perhaps not as it was meant. */
#include "experiment/leaf.h"
#include "train/task.h"

/* Of a choice that the user may not expect. */
static void say_leaf(const struct cvy_task *t) {
    const struct cvy_experiment *e = t->experiment;
    const long long batch = e->batch, leaf = e->leaf;
    if (!e->leaf_chosen || leaf == (batch < CVY_LEAF_USUAL ? batch : CVY_LEAF_USUAL)) return;
    if (leaf > CVY_LEAF_USUAL)
        cvy_info(t->ctx->log,
                 "train.leaf is not given: %lld is taken, as no number from %d to %d divides train.batch %lld", leaf,
                 CVY_LEAF_SMALL, CVY_LEAF_USUAL, batch);
    else if (leaf < CVY_LEAF_SMALL)
        cvy_warn(t->ctx->log,
                 "train.leaf is not given: %lld is taken, the largest divisor of train.batch %lld up to %d, and so "
                 "small leaves are slow; a batch of %lld trains faster",
                 leaf, batch, CVY_LEAF_LARGE, batch - batch % CVY_LEAF_USUAL);
    else
        cvy_info(t->ctx->log,
                 "train.leaf is not given: %lld is taken, the largest divisor of train.batch %lld up to %d", leaf,
                 batch, CVY_LEAF_USUAL);
}

static void say_traps(const struct cvy_task *t) {
    struct cvy_findings warnings = {0}, notes = {0};
    cvy_graph_find_traps(t->graph, &warnings, &notes);
    cvy_schedule_doubt(&t->schedule, (double)t->experiment->epochs, t->experiment->learning_rate, &warnings);
    cvy_findings_log(&warnings, t->ctx->log, CVY_LOG_WARN);
    cvy_findings_log(&notes, t->ctx->log, CVY_LOG_INFO);
}

static void say_idle(const struct cvy_task *t) {
    if (!cvy_params_learn(&t->graph->params))
        cvy_warn(t->ctx->log, "%s: the network has no weights that could learn; it is trained to the end as it is",
                 t->options->experiment);
}

void cvy_task_say_doubts(const struct cvy_task *t) {
    say_leaf(t);
    say_idle(t);
    say_traps(t);
}
