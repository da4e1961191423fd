#include "train/trained.h"

#include <stdio.h>
#include <string.h>

#include "core/floats.h"
#include "core/memory.h"
#include "train/checkpoints.h"

static cvy_status read_experiment(struct cvy_trained *t) {
    cvy_status status = cvy_checkpoint_experiment(t->ckpt, "the checkpoint's experiment", &t->experiment);
    if (status != CVY_OK) return cvy_fail_prefix(CVY_ERR_CHECKPOINT, "%s", t->path);
    return cvy_experiment_graph(t->experiment, t->experiment->loss, &t->graph);
}

static cvy_status read_reals(struct cvy_trained *t, const char *name, double **out) {
    const struct cvy_ckpt_attribute *value = cvy_ckpt_attribute(t->ckpt, name);
    int channels = t->graph->input.c;
    CVY_CHECK(value && value->reals && value->count == channels, CVY_ERR_CHECKPOINT,
              "%s: /run has no attribute %s of %d channels; it was not written by this program", t->path, name,
              channels);
    CVY_TRY(CVY_NEW(out, channels, general));
    for (int c = 0; c < channels; c++) (*out)[c] = value->reals[c];
    return CVY_OK;
}

/* What the run's targets were; before there were others than a class a sample, nothing was said. */
static cvy_status read_target(struct cvy_trained *t) {
    const struct cvy_ckpt_attribute *shape = cvy_ckpt_attribute(t->ckpt, "target"),
                                    *type = cvy_ckpt_attribute(t->ckpt, "target_type");
    t->target = (struct cvy_target){CVY_I32, {1, 1, 1}};
    if (shape == NULL || type == NULL) return CVY_OK;
    CVY_CHECK(shape->ints && shape->count == 3 && type->texts && type->count == 1, CVY_ERR_CHECKPOINT,
              "%s: /run has no attributes target and target_type that say what a target is", t->path);
    for (int i = 0; i < 3; i++)
        CVY_CHECK(shape->ints[i] >= 1 && shape->ints[i] <= 1 << 24, CVY_ERR_CHECKPOINT,
                  "%s: attribute target of /run: no target is %lld wide", t->path, (long long)shape->ints[i]);
    t->target.shape = (struct cvy_shape){(int)shape->ints[0], (int)shape->ints[1], (int)shape->ints[2]};
    if (strcmp(type->texts[0], "values") == 0) t->target.type = CVY_F32;
    return CVY_OK;
}

/* As many samples as come to so many multiply-adds, at least one. */
static int few_samples(const struct cvy_graph *graph) {
    const int64_t wanted = 1 << 28;
    int64_t macs = 1;
    for (int i = 0; i < graph->node_count; i++) macs += graph->nodes[i].op.macs;
    return (int)(wanted / macs) + 1;
}

/* A training never writes others; but weights come from elsewhere, too. */
static cvy_status check_finite(const struct cvy_trained *t, const struct cvy_params *params, const float *values) {
    for (int i = 0; i < params->count; i++) {
        const struct cvy_param *param = &params->items[i];
        CVY_CHECK(cvy_all_finite(values + param->offset, (int64_t)param->stored), CVY_ERR_CHECKPOINT,
                  "%s: %s has values that are not finite, so that no output is; take another checkpoint", t->path,
                  param->name);
    }
    return CVY_OK;
}

/* The net of t->graph, with the checkpoint's values. */
static cvy_status make_net(struct cvy_context *ctx, struct cvy_trained *t) {
    t->leaf = (int)t->experiment->leaf;
    if (t->one_by_one && few_samples(t->graph) < t->leaf) t->leaf = few_samples(t->graph);
    const struct cvy_net_spec spec = {.graph = t->graph,
                                      .compute = ctx->compute,
                                      .mode = CVY_EVALUATE,
                                      .leaf = t->leaf,
                                      .leaves = 1,
                                      .seed = (uint64_t)t->experiment->seed};
    CVY_TRY(cvy_net_create(&spec, &t->net));
    struct cvy_vectors vectors = {.net = t->net};
    if (t->experiment->ema_decay > 0) vectors.ema = cvy_net_parameters(t->net);
    CVY_TRY(cvy_state_check(t->ckpt, t->graph, NULL, false));
    CVY_TRY(cvy_state_restore(t->ckpt, NULL, &vectors));
    CVY_TRY(check_finite(t, &t->graph->params, cvy_net_parameters(t->net)));
    return check_finite(t, &t->graph->buffers, cvy_net_buffers(t->net));
}

static cvy_status load(struct cvy_context *ctx, const char *from, struct cvy_trained *t) {
    CVY_TRY(cvy_checkpoint_find(from, ctx->log, t->path));
    CVY_TRY(cvy_ckpt_open(t->path, &t->ckpt));
    CVY_TRY(read_experiment(t));
    CVY_TRY(read_reals(t, "mean", &t->mean));
    CVY_TRY(read_reals(t, "std", &t->std));
    CVY_TRY(cvy_contract_load(t->ckpt, &t->experiment->train, &t->contract));
    const struct cvy_ckpt_attribute *names = cvy_ckpt_attribute(t->ckpt, "classes");
    t->classes = cvy_graph_output_shape(t->graph).c;
    CVY_TRY(read_target(t));
    CVY_TRY(cvy_graph_bind_target(t->graph, &t->target, 1, t->path));
    t->class_names = names ? names->texts : NULL;
    t->name_count = names && names->texts ? names->count : 0;
    return make_net(ctx, t);
}

cvy_status cvy_trained_load(struct cvy_context *ctx, const char *from, bool one_by_one, struct cvy_trained *out) {
    *out = (struct cvy_trained){.one_by_one = one_by_one};
    cvy_status status = load(ctx, from, out);
    if (status != CVY_OK) cvy_trained_destroy(out);
    return status;
}

/* ---- Other sizes ---- */

static cvy_status set_input(struct cvy_trained *t, struct cvy_shape input) {
    struct cvy_tree *tree = t->experiment->tree;
    struct cvy_node *model = t->experiment->model, *list, *item;
    char text[16];
    CVY_TRY(cvy_tree_node(tree, CVY_NODE_LIST, model, &list));
    for (int i = 0; i < CVY_AXES; i++) {
        snprintf(text, sizeof text, "%d", cvy_shape_axis(input, i));
        CVY_TRY(cvy_tree_scalar(tree, model, text, &item));
        CVY_TRY(cvy_node_append(tree, list, NULL, item));
    }
    return cvy_node_set(tree, model, "input", list);
}

static cvy_status compare_params(const struct cvy_params *before, const struct cvy_params *now) {
    for (int i = 0; i < before->count; i++) {
        const struct cvy_param *a = &before->items[i], *b = &now->items[i];
        const bool same = a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims) == 0;
        CVY_CHECK(same, CVY_ERR_DATA, "%s would be of another size, so the network takes its own size only", a->name);
    }
    return CVY_OK;
}

/* A layer that takes the whole map as one vector knows each place of it: as many values in another order will not do.
 */
static cvy_status compare_vectors(const struct cvy_graph *before, const struct cvy_graph *now) {
    static const char *const kinds[] = {"dense", "flatten", "reshape"};
    for (int i = 0; i < before->node_count && i < now->node_count; i++) {
        const struct cvy_op *a = &before->nodes[i].op, *b = &now->nodes[i].op;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            CVY_CHECK(strcmp(a->kind->name, kinds[k]) != 0 || cvy_shape_equal(a->in[0], b->in[0]), CVY_ERR_DATA,
                      "%s takes maps of %s only", a->name, CVY_SHAPE_TEXT(a->in[0]));
    }
    return CVY_OK;
}

static cvy_status rebuild(struct cvy_trained *t, struct cvy_shape input, struct cvy_graph **out) {
    CVY_TRY(set_input(t, input));
    CVY_TRY(cvy_experiment_graph(t->experiment, t->experiment->loss, out));
    CVY_TRY(compare_params(&t->graph->params, &(*out)->params));
    CVY_TRY(compare_params(&t->graph->buffers, &(*out)->buffers));
    return compare_vectors(t->graph, *out);
}

/* A map of targets is as large as the map of outputs. */
static struct cvy_target target_at(const struct cvy_trained *t, const struct cvy_graph *graph) {
    const struct cvy_shape before = cvy_graph_output_shape(t->graph), now = cvy_graph_output_shape(graph);
    struct cvy_target target = t->target;
    if (cvy_shape_same_space(target.shape, before)) target.shape = cvy_shape_in_space_of(target.shape, now);
    return target;
}

cvy_status cvy_trained_fit(struct cvy_context *ctx, struct cvy_trained *t, struct cvy_shape input, const char *what,
                           const char *advice) {
    const struct cvy_shape own = t->graph->input;
    struct cvy_graph *graph = NULL;
    struct cvy_failure why;
    if (cvy_shape_equal(own, input)) return CVY_OK;
    cvy_status status = input.c == own.c ? rebuild(t, input, &graph)
                                         : CVY_FAIL(CVY_ERR_DATA, "the number of channels cannot be another");
    if (status != CVY_OK) {
        cvy_graph_destroy(&graph);
        cvy_failure_take(&why, status);
        return CVY_FAIL(CVY_ERR_DATA, "%s: inputs of %s, the network takes %s: %.*s; %s", what, CVY_SHAPE_TEXT(input),
                        CVY_SHAPE_TEXT(own), (int)strcspn(why.message, "\n"), why.message, advice);
    }
    const struct cvy_target target = target_at(t, graph);
    status = cvy_graph_bind_target(graph, &target, 1, what);
    if (status != CVY_OK) cvy_graph_destroy(&graph);
    CVY_TRY(status);
    t->target = target;
    cvy_net_destroy(&t->net);
    cvy_graph_destroy(&t->graph);
    t->graph = graph;
    return make_net(ctx, t);
}

void cvy_trained_destroy(struct cvy_trained *t) {
    cvy_net_destroy(&t->net);
    cvy_graph_destroy(&t->graph);
    cvy_experiment_destroy(&t->experiment);
    cvy_free(t->mean);
    cvy_free(t->std);
    cvy_ckpt_close(&t->ckpt);
    memset(t, 0, sizeof *t);
}

const char *cvy_trained_class(const struct cvy_trained *t, int index, char room[16]) {
    if (index < t->name_count) return t->class_names[index];
    snprintf(room, 16, "%d", index);
    return room;
}
