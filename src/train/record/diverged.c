#include "train/record/diverged.h"

#include <stdio.h>
#include <string.h>

#include "core/floats.h"

/* ---- Where it arose, in words ---- */

/* Of a list of parameters or buffers, that which is not finite: the last one (forward) or the first; NULL: none. */
static const struct cvy_param *bad_one(const struct cvy_params *list, const float *vector, bool last) {
    for (int k = 0; k < list->count; k++) {
        const struct cvy_param *param = &list->items[last ? list->count - 1 - k : k];
        if (!cvy_all_finite(vector + param->offset, (int64_t)param->stored)) return param;
    }
    return NULL;
}

/* "layer conv1 (its weight: …)" of "conv1/weight". */
static bool name_bad(const struct cvy_param *param, const char *what, char out[256]) {
    if (param == NULL) return false;
    const char *slash = strrchr(param->name, '/');
    snprintf(out, 256, "it arose in layer %.*s, whose %s%s", slash ? (int)(slash - param->name) : 100, param->name,
             slash ? slash + 1 : "values", what);
    return true;
}

/* A gradient that is not finite spoils all layers before the one that it arose in, and none behind it; statistics go
 * the other way. */
static bool find_in_state(struct cvy_engine *e, char out[256]) {
    const struct cvy_params *params = &e->spec.graph->params, *buffers = &e->spec.graph->buffers;
    if (name_bad(bad_one(buffers, cvy_net_buffers(e->net), false), " is not finite", out)) return true;
    if (name_bad(bad_one(params, cvy_net_parameters(e->net), true), " is not finite after its gradient's step", out))
        return true;
    for (int i = 0; i < e->optimizer.slots; i++)
        if (name_bad(bad_one(params, e->optimizer.slot[i], true), "'s slot of the optimizer is not finite", out))
            return true;
    return e->ema && name_bad(bad_one(params, e->ema, true), "'s average is not finite", out);
}

/* node: of this rank, −1 for none. */
static cvy_status name_node(const struct cvy_engine *e, int node, char out[256]) {
    int first = node < 0 ? e->spec.graph->node_count : node;
    CVY_TRY(cvy_comm_min_int(e->spec.comm, &first));
    if (first < e->spec.graph->node_count)
        snprintf(out, 256, "it arose in layer %s, the first whose output is not finite",
                 e->spec.graph->nodes[first].name);
    else
        snprintf(out, 256, "it arose in the loss, of outputs that are finite");
    return CVY_OK;
}

/* ---- The three ways to find it ---- */

/* The message of all, and the event; `what` and `where` are whole clauses. */
static cvy_status diverged(struct cvy_coordinator *c, const char *what, const char *where) {
    struct cvy_buf advice = {0};
    cvy_coordinator_diverged(c, &advice);
    cvy_status status = CVY_FAIL(CVY_ERR_DIVERGED, "%s: %s; %s", what, where, cvy_buf_text(&advice));
    cvy_buf_destroy(&advice);
    cvy_coordinator_event(c, "diverged", cvy_error_message());
    return status;
}

cvy_status cvy_diverged_in_step(struct cvy_engine *e, struct cvy_coordinator *c, const struct cvy_batch *batch) {
    char what[160], where[256];
    int node;
    if (!find_in_state(e, where)) {
        const struct cvy_net_batch part = cvy_trainer_batch(e, batch);
        CVY_TRY(cvy_net_inspect(e->net, &part, &(struct cvy_net_hooks){.arg = e, .reduce = cvy_engine_reduce}, &node));
        CVY_TRY(name_node(e, node, where));
    }
    snprintf(what, sizeof what, "the loss is not finite at step %lld (epoch %lld, learning rate %g)",
             (long long)e->state.step + 1, (long long)batch->epoch + 1, e->lr);
    return diverged(c, what, where);
}

cvy_status cvy_diverged_in_evaluation(struct cvy_engine *e, struct cvy_coordinator *c, enum cvy_split split,
                                      const struct cvy_evaluation *evaluation) {
    char what[160], where[256];
    struct cvy_metric_totals totals;
    int node;
    if (!find_in_state(e, where)) {
        cvy_net_watch(evaluation->net, true);
        cvy_status status = cvy_evaluate(evaluation, &totals, NULL);
        node = cvy_net_fault(evaluation->net);
        cvy_net_watch(evaluation->net, false);
        CVY_TRY(status);
        CVY_TRY(name_node(e, node, where));
    }
    snprintf(what, sizeof what, "the %s loss is not finite after step %lld", cvy_split_name(split),
             (long long)e->state.step);
    return diverged(c, what, where);
}

cvy_status cvy_diverged_weights(struct cvy_engine *e, struct cvy_coordinator *c) {
    char what[160], where[256] = "";
    find_in_state(e, where);
    snprintf(what, sizeof what, "the weights are not finite after step %lld, and no checkpoint was made of them",
             (long long)e->state.step);
    return diverged(c, what, where);
}
