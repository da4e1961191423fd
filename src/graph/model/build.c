/* From the description to the graph: every layer that the file amounts to, in its order. A layer can only name what
 * stands above it, so a graph has no cycle. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "graph/model/expand.h"
#include "graph/model/graph.h"
#include "graph/model/model.h"

struct builder {
    struct cvy_graph *graph;
    struct cvy_findings findings;
    cvy_status status; /* out of memory */
    int losses;
    int output;  /* layer */
    bool sized;  /* the input's size is known, and with it that of each layer */
    bool misfit; /* a layer does not fit its size */
};

#define MAX_WEIGHT ((int64_t)1 << 40)

/* ---- growing the graph ---- */

static cvy_status add_value(struct cvy_graph *graph, struct cvy_shape shape, int producer, int *index) {
    CVY_TRY(CVY_GROW(&graph->values, graph->value_count, &graph->value_room, general));
    graph->values[graph->value_count] = (struct cvy_value){.shape = shape, .producer = producer};
    *index = graph->value_count++;
    return CVY_OK;
}

/* ---- one layer ---- */

/* Counted by the layers of the file; the network's input is layer −1. */
static int value_of(const struct cvy_graph *graph, int layer) {
    return layer < 0 ? 0 : graph->nodes[layer].output;
}

static void connect(struct builder *b, const struct cvy_layer *layer, struct cvy_graph_node *node) {
    const struct cvy_op_kind *kind = layer->kind;
    int count = layer->count;
    if (cvy_node_get(layer->body, "inputs")) { /* told with the settings */
        count = 1;
    } else if (count < kind->min_inputs || count > kind->max_inputs) {
        char wanted[32] = "1 input";
        if (kind->max_inputs > 1)
            snprintf(wanted, sizeof wanted, "%d to %d inputs", kind->min_inputs, kind->max_inputs);
        cvy_find(&b->findings, layer->place, "%s: takes %s, %d %s named", node->name, wanted, count,
                 cvy_plural(count, "is", "are"));
        count = 1;
    }
    b->status = CVY_NEW(&node->inputs, count, general);
    if (b->status == CVY_OK) b->status = CVY_NEW(&node->in, count, general);
    if (b->status != CVY_OK) return;
    for (int i = 0; i < count; i++) {
        node->inputs[i] = value_of(b->graph, layer->inputs[i]);
        node->in[i] = b->graph->values[node->inputs[i]].shape;
        b->graph->values[node->inputs[i]].consumers++;
    }
    node->op.inputs = count;
    node->op.in = node->in;
    if (count > b->graph->max_inputs) b->graph->max_inputs = count;
}

/* `conv: {…, activation: relu}`, as other programs have it: a finding that says what to write. */
static bool has_activation(struct builder *b, const struct cvy_node *body, const char *name) {
    for (size_t i = 0; body && body->kind == CVY_NODE_MAP && i < body->count; i++) {
        if (strcmp(body->keys[i]->text, "activation") != 0) continue;
        cvy_find(&b->findings, body->keys[i], "%s: an activation is a layer of its own; write it below: - %s", name,
                 body->items[i]->kind == CVY_NODE_SCALAR ? body->items[i]->text : "relu");
        return true;
    }
    return false;
}

/* `maxpool: 2` means {kernel: 2}. */
static void read_attributes(struct builder *b, const struct cvy_layer *layer, const struct cvy_key *keys_of,
                            struct cvy_graph_node *node) {
    const char *shorthand = layer->kind->shorthand;
    struct cvy_node key = {.kind = CVY_NODE_SCALAR, .text = shorthand};
    struct cvy_node *keys[1] = {&key}, *items[1] = {(struct cvy_node *)(uintptr_t)layer->body};
    struct cvy_node map = {.kind = CVY_NODE_MAP, .count = 1, .keys = keys, .items = items};
    const struct cvy_node *body = layer->body;
    if (body && body->kind != CVY_NODE_MAP && shorthand) {
        map.file = body->file;
        map.line = body->line;
        map.column = body->column;
        body = &map;
    }
    if (!has_activation(b, body, node->name) &&
        !cvy_layer_misplaced(body, layer->word, keys_of, node->name, &b->findings))
        cvy_schema_read(keys_of, body, layer->word, node->name, node->op.state, &b->findings);
}

static void declare(struct builder *b, const struct cvy_graph_node *node, struct cvy_params *list,
                    const struct cvy_param *like, int *index) {
    struct cvy_param param = *like;
    snprintf(param.name, sizeof param.name, "%.95s/%.31s", node->name, like->name);
    if (b->status == CVY_OK) b->status = cvy_params_add(list, &param, index);
}

static void declare_all(struct builder *b, struct cvy_graph_node *node) {
    for (int p = 0; p < node->op.params; p++) declare(b, node, &b->graph->params, &node->op.param[p], &node->param[p]);
    for (int p = 0; p < node->op.buffers; p++)
        declare(b, node, &b->graph->buffers, &node->op.buffer[p], &node->buffer[p]);
}

/* Receptive field (Araujo et al., Distill 2019): r += (extent − 1)·jump, jump *= stride. */
static void receptive_field(const struct cvy_graph *graph, struct cvy_graph_node *node) {
    for (int a = 0; a < CVY_SPATIAL_AXES; a++) {
        int field = 1, jump = 1;
        for (int i = 0; i < node->op.inputs; i++) {
            int p = graph->values[node->inputs[i]].producer;
            if (p >= 0 && graph->nodes[p].field[a] > field) field = graph->nodes[p].field[a];
            if (p >= 0 && graph->nodes[p].jump[a] > jump) jump = graph->nodes[p].jump[a];
        }
        int extent = node->op.field[a] ? node->op.field[a] : 1;
        node->field[a] = field + (extent - 1) * jump;
        node->jump[a] = jump * (node->op.jump[a] ? node->op.jump[a] : 1);
    }
}

/* Sizes are products of up to four numbers from a file: here is where they are known to fit. On a finding the output
 * gets a shape that fits. */
static void check_size(struct builder *b, struct cvy_graph_node *node, const struct cvy_node *place) {
    struct cvy_shape out = node->op.out;
    if (cvy_shape_values(out) > CVY_MAX_VALUES) {
        cvy_find(&b->findings, place, "%s: an output of %s is too large; at most %d values", node->name,
                 CVY_SHAPE_TEXT(out), CVY_MAX_VALUES);
        node->op.out = node->in[0];
    }
    for (int p = 0; p < node->op.params; p++) {
        const struct cvy_param *param = &node->op.param[p];
        double count = 1;
        for (int d = 0; d < param->rank; d++) count *= (double)param->dims[d];
        if (count > (double)MAX_WEIGHT)
            cvy_find(&b->findings, place, "%s: a %s of %.0f values is too large", node->name, param->name, count);
    }
}

/* A frozen layer's values and statistics stay as they are. */
static void set_rates(struct cvy_graph_node *node, double lr_factor) {
    for (int p = 0; p < node->op.params; p++) node->op.param[p].lr_factor *= lr_factor;
    for (int p = 0; p < node->op.buffers && lr_factor == 0; p++) node->op.buffer[p].momentum = 0;
}

static bool learns(const struct cvy_op *op) {
    for (int p = 0; p < op->params; p++)
        if (op->param[p].lr_factor != 0) return true;
    for (int p = 0; p < op->buffers; p++)
        if (op->buffer[p].momentum != 0) return true;
    return false;
}

static void infer_layer(struct builder *b, struct cvy_graph_node *node, const struct cvy_layer *layer) {
    int before = b->findings.count;
    node->op.name = node->name;
    node->op.node = layer->word;
    node->op.frozen = layer->lr_factor == 0;
    if (b->sized) node->op.kind->infer(&node->op, &b->findings);
    b->misfit |= b->findings.count > before;
    if (!b->sized || b->findings.count > before) { /* go on with a shape that fits something, to find more */
        node->op.out = node->in[0];
        return;
    }
    set_rates(node, layer->lr_factor);
    check_size(b, node, layer->word);
    if (b->findings.count > before) return;
    receptive_field(b->graph, node);
    declare_all(b, node);
}

static bool any_wants_grad(const struct cvy_graph *graph, const struct cvy_graph_node *node) {
    for (int i = 0; i < node->op.inputs; i++)
        if (graph->values[node->inputs[i]].wants_grad) return true;
    return false;
}

static cvy_status new_state(const struct cvy_layer *layer, const struct cvy_loss_kind *loss, void **out) {
    CVY_TRY(cvy_alloc(loss ? loss->state_size : layer->kind->state_size, CVY_TAG_general, out));
    if (loss) ((struct cvy_loss *)*out)->kind = loss;
    return CVY_OK;
}

/* The node lives in the graph from the start, so that a failure leaves nothing behind. loss: NULL for a layer. */
static cvy_status add_node(struct builder *b, const struct cvy_layer *layer, const struct cvy_loss_kind *loss) {
    struct cvy_graph *graph = b->graph;
    CVY_TRY(CVY_GROW(&graph->nodes, graph->node_count, &graph->node_room, general));
    struct cvy_graph_node *node = &graph->nodes[graph->node_count++];
    *node = (struct cvy_graph_node){.output = -1, .op.kind = layer->kind};
    snprintf(node->name, sizeof node->name, "%s", layer->name);
    CVY_TRY(new_state(layer, loss, &node->op.state));
    connect(b, layer, node);
    CVY_TRY(b->status);
    const int before = b->findings.count;
    read_attributes(b, layer, loss ? loss->keys : layer->kind->keys, node);
    if (b->findings.count > before)
        node->op.out = node->in[0];
    else
        infer_layer(b, node, layer);
    return b->status;
}

static cvy_status add_layer(void *arg, const struct cvy_layer *layer) {
    struct builder *b = arg;
    struct cvy_graph *graph = b->graph;
    const int index = graph->node_count;
    CVY_TRY(add_node(b, layer, NULL));
    struct cvy_graph_node *node = &graph->nodes[index];
    CVY_TRY(add_value(graph, node->op.out, index, &node->output));
    graph->values[node->output].wants_grad = learns(&node->op) || any_wants_grad(graph, node);
    return CVY_OK;
}

static void also_loss(void *arg, int layer, double weight) {
    ((struct builder *)arg)->graph->nodes[layer].loss_weight = weight;
}

static cvy_status add_group(void *arg, const char *name, int first, int end) {
    struct cvy_graph *graph = ((struct builder *)arg)->graph;
    CVY_TRY(CVY_GROW(&graph->groups, graph->group_count, &graph->group_room, general));
    graph->groups[graph->group_count++] = (struct cvy_graph_group){name, first, end};
    return CVY_OK;
}

/* ---- losses ---- */

static void add_loss(struct builder *b, const struct cvy_node *loss, int layer, double weight) {
    const struct cvy_node *word, *body;
    const char *near;
    char name[96];
    if (!cvy_schema_variant(loss, "loss", &word, &body, &b->findings)) return;
    const struct cvy_loss_kind *kind = cvy_losses_find(word->text, &near);
    if (kind == NULL) {
        cvy_find(&b->findings, word, "unknown loss \"%s\"; %s%s%s", word->text, near ? "did you mean \"" : "",
                 near ? near : "convoy help losses lists them", near ? "\"?" : "");
        return;
    }
    snprintf(name, sizeof name, "%.48s%d", kind->name, ++b->losses);
    const struct cvy_layer as_layer = {&cvy_op_loss, name, loss, word, cvy_node_is_null(body) ? NULL : body,
                                       &layer,       1,    1};
    b->status = add_node(b, &as_layer, kind);
    if (b->status == CVY_OK) b->graph->nodes[b->graph->node_count - 1].loss_weight = weight;
}

/* Of every head, then of the network's output. */
static void add_losses(struct builder *b, const struct cvy_node *loss) {
    const struct cvy_graph *graph = b->graph;
    int layers = graph->node_count;
    for (int i = 0; i < layers && b->status == CVY_OK && b->findings.count == 0; i++)
        if (graph->nodes[i].loss_weight > 0) add_loss(b, loss, i, graph->nodes[i].loss_weight);
    if (b->status == CVY_OK && b->findings.count == 0) add_loss(b, loss, graph->values[graph->output].producer, 1);
}

/* ---- the whole ---- */

static void read_layers(struct builder *b, struct cvy_node *model) {
    const struct cvy_node *layers = cvy_node_get(model, "layers");
    const struct cvy_layer_sink sink = {add_layer, also_loss, add_group, b};
    if (layers == NULL) return; /* told with the keys */
    if (layers->kind != CVY_NODE_LIST || layers->count == 0)
        cvy_find(&b->findings, layers, "model: \"layers\" must be a list of at least one layer");
    else
        b->status = cvy_expand(model, b->graph->tree, &sink, &b->findings, &b->output);
}

static void report_unused(struct builder *b) {
    for (int v = 1; v < b->graph->value_count; v++) {
        const struct cvy_value *value = &b->graph->values[v];
        const struct cvy_graph_node *node = &b->graph->nodes[value->producer];
        if (value->consumers == 0 && v != b->graph->output && node->loss_weight <= 0)
            cvy_find(&b->findings, node->op.node, "%s: no layer uses its output; name it under inputs or drop it",
                     node->name);
    }
}

/* The last layer's, unless that is a head. */
static void find_output(struct builder *b) {
    const struct cvy_graph_node *last = &b->graph->nodes[b->output < 0 ? 0 : b->output];
    b->graph->output = value_of(b->graph, b->output);
    if (b->findings.count == 0 && (b->output < 0 || last->loss_weight > 0))
        cvy_find(&b->findings, last->op.node, "%s: the network ends in a head; its own scores must come last",
                 last->name);
}

/* What the network's output needs; the rest are heads. Inputs stand before the nodes that read them. */
static void mark_main(struct cvy_graph *graph) {
    for (int i = graph->node_count - 1; i >= 0; i--) {
        struct cvy_graph_node *node = &graph->nodes[i];
        if (node->output == graph->output || (cvy_loss_of(&node->op) && node->inputs[0] == graph->output))
            node->main = true;
        for (int k = 0; node->main && k < node->op.inputs; k++) {
            int before = graph->values[node->inputs[k]].producer;
            if (before >= 0) graph->nodes[before].main = true;
        }
    }
}

static cvy_status hash_graph(struct cvy_graph *graph) {
    struct cvy_buf text = {0};
    for (int i = 0; i < graph->node_count; i++) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        cvy_buf_printf(&text, "%s %s", node->name, cvy_graph_kind_name(node));
        for (int k = 0; k < node->op.inputs; k++)
            cvy_buf_printf(&text, " %d:%d,%d,%d", node->inputs[k], node->in[k].h, node->in[k].w, node->in[k].c);
        cvy_buf_printf(&text, " > %d,%d,%d ", node->op.out.h, node->op.out.w, node->op.out.c);
        if (node->op.kind->describe) node->op.kind->describe(&node->op, &text);
        if (node->loss_weight > 0) cvy_buf_printf(&text, "weight%.17g ", node->loss_weight);
        for (int p = 0; p < node->op.params; p++)
            cvy_buf_printf(&text, "%s×%.17g ", node->op.param[p].name, node->op.param[p].lr_factor);
        cvy_buf_write(&text, "\n", 1);
    }
    cvy_status status = text.failed ? CVY_FAIL(CVY_ERR_INTERNAL, "no memory to describe the graph") : CVY_OK;
    graph->hash = cvy_hash(cvy_buf_text(&text), text.size, 0);
    cvy_buf_destroy(&text);
    return status;
}

/* Nodes have stopped moving: names may be pointed to. */
static void settle(struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++) graph->nodes[i].op.name = graph->nodes[i].name;
}

/* The order that others write: it can have been meant where a layer does not fit. */
static void doubt_order(struct builder *b, const struct cvy_node *input) {
    const struct cvy_shape in = b->graph->input;
    const bool picture = in.h <= 4 && in.w >= 4 * in.h && in.c >= 4 * in.h;
    const bool signal = in.h == 1 && in.w != in.c; /* one row is what these have */
    if (b->misfit && picture && !signal)
        cvy_find(&b->findings, input,
                 "input: %d high and %d wide with %d channels, as it is [height, width, channels]; where channels are "
                 "meant to be %d, write [%d, %d, %d]",
                 in.h, in.w, in.c, in.h, in.w, in.c, in.h);
}

static void build(struct builder *b, struct cvy_node *model, const struct cvy_node *loss) {
    const struct cvy_node *size = cvy_node_get(model, "input");
    int input;
    if (model->kind != CVY_NODE_MAP) {
        cvy_find(&b->findings, model, "model: expected a map with input and layers");
        return;
    }
    cvy_model_check_keys(model, &b->findings);
    const int before = b->findings.count;
    b->status = cvy_model_input(model, b->graph->tree, &b->findings, &b->graph->input);
    b->sized = size && b->findings.count == before;
    if (b->status == CVY_OK) b->status = add_value(b->graph, b->graph->input, -1, &input);
    if (b->status == CVY_OK) read_layers(b, model);
    if (b->status == CVY_OK && size) doubt_order(b, size);
    if (b->status != CVY_OK || b->graph->node_count == 0) return;
    find_output(b);
    report_unused(b);
    if (loss && b->findings.count == 0) add_losses(b, loss);
    if (b->status == CVY_OK) mark_main(b->graph);
}

cvy_status cvy_graph_create(struct cvy_node *model, const struct cvy_node *loss, struct cvy_graph **out) {
    struct builder b = {.status = CVY_OK};
    CVY_TRY(CVY_NEW(out, 1, general));
    b.graph = *out;
    b.graph->description = model;
    b.status = cvy_tree_create(&b.graph->tree);
    if (b.status == CVY_OK) build(&b, model, loss);
    settle(b.graph);
    if (b.status == CVY_OK) b.status = cvy_findings_raise(&b.findings, CVY_ERR_USAGE);
    if (b.status == CVY_OK) b.status = hash_graph(b.graph);
    if (b.status != CVY_OK) cvy_graph_destroy(out);
    return b.status;
}
