/* How long a leaf's forward and each layer's backward take: measured now, or read from what bench printed. */
#include <stdio.h>
#include <string.h>

#include "api/plan_parts.h"
#include "core/memory.h"
#include "graph/run/layout.h"
#include "io/yaml.h"

/* Times of a batch of `samples`, and those of each node's backward. */
struct times {
    double samples, forward, backward, update, other; /* ms */
    double *nodes;                                    /* [graph's nodes] ms, as fast as they were seen */
};

static int node_of(const struct cvy_graph *graph, const char *name) {
    int i = graph->node_count - 1;
    while (i >= 0 && strcmp(graph->nodes[i].name, name) != 0) i--;
    return i;
}

static bool is_backward(const char *pass) {
    return strncmp(pass, "backward", 8) == 0 || strcmp(pass, "copies") == 0;
}

/* ---- From bench ---- */

static cvy_status measure(const struct plan *p, struct times *t, struct cvy_plan_facts *out) {
    struct cvy_bench_result r = cvy_bench_result_default();
    const struct cvy_bench_options how = {.size = sizeof how,
                                          .model = p->options->experiment,
                                          .batch = p->leaf,
                                          .leaf = p->leaf,
                                          .precision = p->experiment->precision == CVY_PRECISION_BF16 ? "bf16" : "fp32",
                                          .seconds = 1,
                                          .set = p->options->set,
                                          .set_count = p->options->set_count};
    CVY_TRY(cvy_bench(p->ctx, &how, &r));
    *t = (struct times){p->leaf, r.forward_ms, r.backward_ms, r.update_ms, r.other_ms, t->nodes};
    for (int i = 0; i < r.layer_count; i++) {
        const int node = node_of(p->graph, r.layers[i]->name);
        if (node >= 0 && is_backward(r.layers[i]->pass)) t->nodes[node] += r.layers[i]->ms;
    }
    out->threads = r.threads;
    snprintf(out->compute, sizeof out->compute, "measured now: steps of %d samples with %d thread%s", p->leaf,
             r.threads, r.threads == 1 ? "" : "s");
    cvy_bench_result_destroy(&r);
    return CVY_OK;
}

static cvy_status read_real(const struct cvy_node *map, const char *key, double *out) {
    const struct cvy_node *value = cvy_node_get(map, key);
    if (cvy_node_real(value, out) && *out >= 0) return CVY_OK;
    return CVY_FAIL_AT(value ? value : map, CVY_ERR_USAGE,
                       "\"%s\" is missing or no number from 0; convoy bench EXPERIMENT --json prints such a file", key);
}

static cvy_status read_step(const struct cvy_node *step, struct times *t, struct cvy_plan_facts *out) {
    double threads;
    CVY_TRY(read_real(step, "batch", &t->samples));
    CVY_TRY(read_real(step, "threads", &threads));
    CVY_TRY(read_real(step, "forward_ms", &t->forward));
    CVY_TRY(read_real(step, "backward_ms", &t->backward));
    CVY_TRY(read_real(step, "update_ms", &t->update));
    CVY_TRY(read_real(step, "other_ms", &t->other));
    out->threads = (int)threads;
    return CVY_OK;
}

static cvy_status read_layers(const struct plan *p, const struct cvy_node *layers, struct times *t) {
    int known = 0;
    for (size_t i = 0; layers && i < layers->count; i++) {
        const struct cvy_node *row = layers->items[i], *name = cvy_node_get(row, "name"),
                              *pass = cvy_node_get(row, "pass");
        double ms;
        if (name == NULL || pass == NULL || !is_backward(pass->text)) continue;
        const int node = node_of(p->graph, name->text);
        CVY_TRY(read_real(row, "ms", &ms));
        if (node < 0)
            return CVY_FAIL_AT(name, CVY_ERR_USAGE,
                               "there is no layer \"%s\" in %s: this was measured of another model", name->text,
                               p->options->experiment);
        t->nodes[node] += ms;
        known++;
    }
    CVY_CHECK(known > 0, CVY_ERR_USAGE,
              "%s: no layer's backward is in it; take convoy bench %s --json, without --inference", p->options->bench,
              p->options->experiment);
    return CVY_OK;
}

static cvy_status read_file(const struct plan *p, struct times *t, struct cvy_plan_facts *out) {
    struct cvy_tree *tree;
    struct cvy_node *root;
    CVY_TRY(cvy_tree_create(&tree));
    cvy_status status = cvy_yaml_load(tree, p->options->bench, &root);
    const struct cvy_node *step = status == CVY_OK ? cvy_node_get(root, "step") : NULL;
    if (status == CVY_OK && step == NULL)
        status = CVY_FAIL(CVY_ERR_USAGE, "%s: has no \"step\"; convoy bench %s --json prints such a file",
                          p->options->bench, p->options->experiment);
    if (status == CVY_OK) status = read_step(step, t, out);
    if (status == CVY_OK) status = read_layers(p, cvy_node_get(root, "layers"), t);
    if (status == CVY_OK)
        snprintf(out->compute, sizeof out->compute, "%.180s: steps of %d samples with %d thread%s", p->options->bench,
                 (int)t->samples, out->threads, out->threads == 1 ? "" : "s");
    cvy_tree_destroy(&tree);
    return status;
}

/* ---- As the model takes them ---- */

static size_t gradients(const struct cvy_graph *graph, const struct cvy_graph_node *node, size_t *first) {
    size_t count = 0;
    for (int i = 0; i < node->op.params; i++) {
        const struct cvy_param *param = &graph->params.items[node->param[i]];
        const size_t at = cvy_layout_gradient(graph, param->offset);
        if (count == 0 || at < *first) *first = at;
        count += param->stored;
    }
    return count;
}

/* Layers backward, in proportion to the fastest times that were seen, so that together they take the median's. */
static void lay_out(const struct plan *p, const struct times *t, struct plan_compute *out) {
    const double scale = 1e-3 * p->leaf / t->samples;
    double known = 0;
    for (int i = 0; i < p->graph->node_count; i++) known += t->nodes[i];
    out->forward = scale * (t->forward + t->other);
    out->backward = scale * t->backward;
    out->update = 1e-3 * t->update;
    for (int i = p->graph->node_count - 1; i >= 0; i--) {
        struct cvy_backward_stretch *s = &out->stretches[out->count++];
        s->seconds = known > 0 ? out->backward * t->nodes[i] / known : 0;
        s->count = gradients(p->graph, &p->graph->nodes[i], &s->first);
    }
}

cvy_status plan_find_compute(struct plan *p, struct cvy_plan_facts *out) {
    struct times t = {0};
    CVY_TRY(CVY_NEW(&p->compute.stretches, p->graph->node_count, general));
    CVY_TRY(CVY_NEW(&t.nodes, p->graph->node_count, general));
    cvy_status status = p->options->bench ? read_file(p, &t, out) : measure(p, &t, out);
    if (status == CVY_OK && t.samples < 1)
        status = CVY_FAIL(CVY_ERR_USAGE, "%s: its batch has no samples", p->options->bench);
    if (status == CVY_OK) lay_out(p, &t, &p->compute);
    cvy_free(t.nodes);
    out->forward_ms = 1e3 * p->compute.forward;
    out->backward_ms = 1e3 * p->compute.backward;
    out->update_ms = 1e3 * p->compute.update;
    return status;
}
