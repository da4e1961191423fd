#include "graph/run/net_parts.h"

static cvy_status carve(struct cvy_net *net) {
    const struct cvy_plan *plan = &net->plan;
    size_t leaves = (size_t)(net->spec.leaves > 0 ? net->spec.leaves : 1);
    size_t leaf_bytes = plan->leaf_bytes * (size_t)plan->slots;
    CVY_TRY(cvy_arena_create(&net->activations, leaf_bytes, CVY_TAG_activations));
    CVY_TRY(cvy_arena_take(&net->activations, leaf_bytes, (void **)&net->leaf_base));
    CVY_TRY(cvy_arena_create(&net->scratch,
                             cvy_align_up(plan->workspace_bytes) + cvy_align_up(plan->copy_floats * sizeof(float)),
                             CVY_TAG_workspace));
    CVY_TRY(cvy_arena_take(&net->scratch, plan->workspace_bytes, (void **)&net->workspace));
    CVY_TRY(cvy_arena_take(&net->scratch, plan->copy_floats * sizeof(float), (void **)&net->copies));
    CVY_TRY(CVY_NEW(&net->per_leaf, leaves * plan->max_partial, workspace));
    CVY_TRY(CVY_NEW(&net->partial, plan->max_partial, workspace));
    CVY_TRY(CVY_NEW(&net->x, net->graph->max_inputs + 1, general));
    CVY_TRY(CVY_NEW(&net->dx, net->graph->max_inputs + 1, general));
    CVY_TRY(CVY_NEW(&net->wide, 2 * (net->graph->max_inputs + 1), general));
    CVY_TRY(CVY_NEW(&net->accumulate, net->graph->max_inputs + 1, general));
    return CVY_NEW(&net->grad_written, (size_t)net->graph->value_count * (size_t)plan->slots, general);
}

static cvy_status make_vector(const struct cvy_net *net, const struct cvy_params *list, float **vector) {
    CVY_TRY(CVY_NEW(vector, list->stored, weights));
    for (int i = 0; i < list->count; i++)
        CVY_TRY(
            cvy_param_init(&list->items[i], net->spec.seed, net->spec.compute->pool, *vector + list->items[i].offset));
    return CVY_OK;
}

static cvy_status make_weights(struct cvy_net *net) {
    CVY_TRY(make_vector(net, &net->graph->params, &net->own_parameters));
    CVY_TRY(make_vector(net, &net->graph->buffers, &net->own_statistics));
    net->parameters = net->own_parameters;
    net->statistics = net->own_statistics;
    return CVY_OK;
}

static cvy_status plan_of(const struct cvy_net_spec *spec, struct cvy_plan *out) {
    return cvy_plan_create(spec->graph, spec->mode, spec->leaf, spec->leaves, spec->compute, spec->recompute, out);
}

size_t cvy_net_bytes(const struct cvy_net_spec *spec) {
    struct cvy_plan plan;
    if (plan_of(spec, &plan) != CVY_OK) return 0;
    const size_t bytes = cvy_plan_bytes(&plan);
    cvy_plan_destroy(&plan);
    return bytes;
}

cvy_status cvy_net_create_follower(const struct cvy_net_spec *spec, struct cvy_net **out) {
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_net *net = *out;
    net->spec = *spec;
    net->graph = spec->graph;
    cvy_status status = plan_of(spec, &net->plan);
    if (status == CVY_OK) status = carve(net);
    if (status != CVY_OK) cvy_net_destroy(out);
    return status;
}

cvy_status cvy_net_create(const struct cvy_net_spec *spec, struct cvy_net **out) {
    CVY_TRY(cvy_net_create_follower(spec, out));
    cvy_status status = make_weights(*out);
    if (status != CVY_OK) cvy_net_destroy(out);
    return status;
}

void cvy_net_destroy(struct cvy_net **out) {
    struct cvy_net *net = *out;
    if (net == NULL) return;
    cvy_plan_destroy(&net->plan);
    cvy_arena_destroy(&net->activations);
    cvy_arena_destroy(&net->scratch);
    cvy_free(net->own_parameters);
    cvy_free(net->own_statistics);
    cvy_free(net->per_leaf);
    cvy_free(net->partial);
    cvy_free(net->x);
    cvy_free(net->dx);
    cvy_free(net->wide);
    cvy_free(net->accumulate);
    cvy_free(net->grad_written);
    CVY_DELETE(out);
}

const struct cvy_graph *cvy_net_graph(const struct cvy_net *net) {
    return net->graph;
}
const struct cvy_plan *cvy_net_plan(const struct cvy_net *net) {
    return &net->plan;
}
float *cvy_net_parameters(struct cvy_net *net) {
    net->prepared = false;
    return net->own_parameters;
}
float *cvy_net_buffers(struct cvy_net *net) {
    net->prepared = false;
    return net->own_statistics;
}

void cvy_net_follow(struct cvy_net *net, const float *parameters, const float *buffers) {
    net->parameters = parameters;
    net->statistics = buffers;
    net->prepared = false;
}

void cvy_net_update_buffers(struct cvy_net *net, const float *stats, int64_t samples) {
    for (int i = 0; i < net->graph->buffers.count; i++) {
        const struct cvy_param *buffer = &net->graph->buffers.items[i];
        float *value = net->own_statistics + buffer->offset;
        for (size_t k = 0; k < buffer->stored; k++) {
            double now = (double)stats[buffer->offset + k] / (double)samples;
            value[k] = (float)((1 - buffer->momentum) * (double)value[k] + buffer->momentum * now);
        }
    }
}

void cvy_net_set_timer(struct cvy_net *net, cvy_net_timer *timer, void *arg) {
    net->timer = timer;
    net->timer_arg = arg;
}

void cvy_net_watch(struct cvy_net *net, bool on) {
    net->watching = on;
    if (on) net->fault = -1;
}

int cvy_net_fault(const struct cvy_net *net) {
    return net->fault;
}
