#include "train/diverged.h"

#include <stdio.h>
#include <string.h>

#include "core/floats.h"
#include "train/advice.h"
#include "train/coordinator.h"
#include "train/session_parts.h"

/* ---- What is finite ---- */

bool cvy_session_finite(struct cvy_session *s) {
    const int64_t stored = (int64_t)s->graph->params.stored, statistics = (int64_t)s->graph->buffers.stored;
    bool finite = cvy_all_finite(cvy_net_values(s->net), stored) && cvy_all_finite(cvy_net_buffers(s->net), statistics);
    for (int i = 0; i < s->optimizer.slots && finite; i++) finite = cvy_all_finite(s->optimizer.slot[i], stored);
    return finite && (s->ema == NULL || cvy_all_finite(s->ema, stored));
}

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
static bool find_in_state(struct cvy_session *s, char out[256]) {
    const struct cvy_params *params = &s->graph->params, *buffers = &s->graph->buffers;
    if (name_bad(bad_one(buffers, cvy_net_buffers(s->net), false), " is not finite", out)) return true;
    if (name_bad(bad_one(params, cvy_net_values(s->net), true), " is not finite after its gradient's step", out))
        return true;
    for (int i = 0; i < s->optimizer.slots; i++)
        if (name_bad(bad_one(params, s->optimizer.slot[i], true), "'s slot of the optimizer is not finite", out))
            return true;
    return s->ema && name_bad(bad_one(params, s->ema, true), "'s average is not finite", out);
}

/* node: of this rank, −1 for none. */
static cvy_status name_node(struct cvy_session *s, int node, char out[256]) {
    int first = node < 0 ? s->graph->node_count : node;
    CVY_TRY(cvy_comm_min_int(s->ctx->comm, &first));
    if (first < s->graph->node_count)
        snprintf(out, 256, "it arose in layer %s, the first whose output is not finite", s->graph->nodes[first].name);
    else
        snprintf(out, 256, "it arose in the loss, of outputs that are finite");
    return CVY_OK;
}

/* ---- The three ways to find it ---- */

/* The message of all, and the event; `what` and `where` are whole clauses. */
static cvy_status diverged(struct cvy_session *s, const char *what, const char *where) {
    struct cvy_buf advice = {0};
    cvy_coordinator_diverged(s->coordinator, &advice);
    cvy_status status = CVY_FAIL(CVY_ERR_DIVERGED, "%s: %s; %s", what, where, cvy_buf_text(&advice));
    cvy_buf_destroy(&advice);
    cvy_coordinator_event(s->coordinator, "diverged", cvy_error_message());
    return status;
}

static cvy_status hook_reduce(void *arg, const double *per_leaf, size_t len, double *sum) {
    struct cvy_session *s = arg;
    return cvy_comm_reduce_partial(s->ctx->comm, cvy_exchange_leaves(s->exchange), per_leaf, len, sum);
}

cvy_status cvy_diverged_in_step(struct cvy_session *s, const struct cvy_batch *batch) {
    char what[160], where[256];
    int node;
    if (!find_in_state(s, where)) {
        const struct cvy_net_batch part = cvy_trainer_batch(s, batch);
        CVY_TRY(cvy_net_inspect(s->net, &part, &(struct cvy_net_hooks){.arg = s, .reduce = hook_reduce}, &node));
        CVY_TRY(name_node(s, node, where));
    }
    snprintf(what, sizeof what, "the loss is not finite at step %lld (epoch %lld, learning rate %g)",
             (long long)s->state.step + 1, (long long)batch->epoch + 1, s->lr);
    return diverged(s, what, where);
}

cvy_status cvy_diverged_in_test(struct cvy_session *s) {
    char what[160], where[256];
    struct cvy_score score;
    int node;
    if (!find_in_state(s, where)) {
        cvy_net_watch(s->test_net, true);
        cvy_status status = cvy_evaluate(&s->evaluation, &score, NULL);
        node = cvy_net_fault(s->test_net);
        cvy_net_watch(s->test_net, false);
        CVY_TRY(status);
        CVY_TRY(name_node(s, node, where));
    }
    snprintf(what, sizeof what, "the test loss is not finite after step %lld", (long long)s->state.step);
    return diverged(s, what, where);
}

cvy_status cvy_diverged_weights(struct cvy_session *s) {
    char what[160], where[256] = "";
    find_in_state(s, where);
    snprintf(what, sizeof what, "the weights are not finite after step %lld, and no checkpoint was made of them",
             (long long)s->state.step);
    return diverged(s, what, where);
}
