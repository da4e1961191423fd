/* From the description to the graph: every layer that the file amounts to, in its order. A layer can only name what
 * stands above it, so a graph has no cycle. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "graph/model/expand.h"
#include "graph/model/graph.h"

struct builder {
    struct cvy_graph *graph;
    struct cvy_findings findings;
    cvy_status status; /* out of memory */
    int losses;
    int output; /* layer */
};

#define MAX_VALUES 2147483647 /* of a feature map: its shape flattened is an int */
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
    if (!has_activation(b, body, node->name) && !cvy_layer_misplaced(body, layer->word, node->name, &b->findings))
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
    if (cvy_shape_values(out) > MAX_VALUES) {
        cvy_find(&b->findings, place, "%s: an output of %s is too large; at most %d values", node->name,
                 CVY_SHAPE_TEXT(out), MAX_VALUES);
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
    node->op.kind->infer(&node->op, &b->findings);
    if (b->findings.count > before) { /* go on with a shape that fits something, to find more */
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

#define MODEL_KEY(name, fallback, help)                                                                                \
    { name, CVY_KEY_NODE, 0, fallback, CVY_KEY_ANY, NULL, help }
static const struct cvy_key model_keys[] = {
    MODEL_KEY("name", "", "what it is called; default: the experiment's name"),
    MODEL_KEY("input", NULL, "[height, width, channels]"),
    MODEL_KEY("layers", NULL, "a list; see convoy help layers, groups and layer"),
    MODEL_KEY("parameters", "", "names and defaults; $name is their value, $(…) arithmetic with them"),
    MODEL_KEY("blocks", "", "layers of your own: a map of {parameters: …, layers: …}"),
    CVY_KEY_END};
static const struct cvy_key model_use_keys[] = {
    MODEL_KEY("file", NULL, "a model file; beside it, values of its parameters. model: FILE is short for it"),
    CVY_KEY_END};

bool cvy_model_list(int index, struct cvy_listing *out) {
    const struct cvy_listing all[] = {
        {"model", "the network, in the experiment or in a file of its own", NULL, model_keys},
        {"model.file", "the network from a file", NULL, model_use_keys},
        {"layer", "beside the kind of a layer, group or block", NULL, cvy_layer_keys()}};
    if (index < 0 || index >= (int)(sizeof all / sizeof *all)) return false;
    *out = all[index];
    return true;
}

/* `input` with the model's parameters put in, or NULL. */
static const struct cvy_node *find_input(struct builder *b, const struct cvy_node *model) {
    const struct cvy_node *input = cvy_node_get(model, "input");
    const struct cvy_names names = {cvy_node_get(model, "parameters"), NULL};
    struct cvy_node *written = NULL;
    int64_t room = 64; /* more than three numbers, to be told apart */
    const struct cvy_substitution s = {b->graph->tree, &names, &b->findings, &room};
    if (input) b->status = cvy_substitute(&s, input, &written);
    return written;
}

static void read_input(struct builder *b, const struct cvy_node *model) {
    int before = b->findings.count;
    const struct cvy_node *input = find_input(b, model);
    int64_t d[3] = {1, 1, 1};
    b->graph->input = (struct cvy_shape){1, 1, 1};
    if (input == NULL || b->findings.count > before || b->status != CVY_OK) return;
    bool good = input->kind == CVY_NODE_LIST && input->count == 3;
    for (int i = 0; good && i < 3; i++) good = cvy_node_int(input->items[i], &d[i]) && d[i] >= 1 && d[i] <= 1 << 20;
    if (!good) {
        cvy_find(&b->findings, input, "input: expected [height, width, channels], whole numbers from 1");
        d[0] = d[1] = d[2] = 1;
    }
    if ((double)d[0] * (double)d[1] * (double)d[2] > MAX_VALUES) {
        cvy_find(&b->findings, input, "input: %d×%d×%d is too large; at most %d values", (int)d[0], (int)d[1],
                 (int)d[2], MAX_VALUES);
        d[0] = d[1] = d[2] = 1;
    }
    b->graph->input = (struct cvy_shape){(int)d[0], (int)d[1], (int)d[2]};
}

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
    for (int i = 0; i < graph->node_count; i++) {
        struct cvy_graph_node *node = &graph->nodes[i];
        node->op.name = node->name;
        if (cvy_loss_of(&node->op)) cvy_loss_of(&node->op)->name = node->name;
    }
}

static void build(struct builder *b, struct cvy_node *model, const struct cvy_node *loss) {
    const struct cvy_node *part; /* each is read in its turn */
    int input;
    if (model->kind != CVY_NODE_MAP) {
        cvy_find(&b->findings, model, "model: expected a map with input and layers");
        return;
    }
    cvy_schema_read(model_keys, model, model, "model", &part, &b->findings);
    read_input(b, model);
    if (b->status == CVY_OK) b->status = add_value(b->graph, b->graph->input, -1, &input);
    if (b->status == CVY_OK) read_layers(b, model);
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

void cvy_graph_destroy(struct cvy_graph **out) {
    struct cvy_graph *graph = *out;
    if (graph == NULL) return;
    for (int i = 0; i < graph->node_count; i++) {
        cvy_free(graph->nodes[i].op.state);
        cvy_free(graph->nodes[i].inputs);
        cvy_free(graph->nodes[i].in);
    }
    cvy_free(graph->nodes);
    cvy_free(graph->groups);
    cvy_free(graph->values);
    cvy_params_destroy(&graph->params);
    cvy_params_destroy(&graph->buffers);
    cvy_tree_destroy(&graph->tree);
    CVY_DELETE(out);
}

size_t cvy_graph_gradient_floats(const struct cvy_graph *graph) {
    return graph->buffers.stored + graph->params.stored;
}

bool cvy_graph_has_partials(const struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op.partial_forward || graph->nodes[i].op.partial_backward) return true;
    return false;
}

struct cvy_shape cvy_graph_output_shape(const struct cvy_graph *graph) {
    return graph->values[graph->output].shape;
}

const char *cvy_graph_kind_name(const struct cvy_graph_node *node) {
    const struct cvy_loss *loss = cvy_loss_of(&node->op);
    return loss ? loss->kind->name : node->op.kind->name;
}

const struct cvy_loss *cvy_graph_loss(const struct cvy_graph *graph) {
    for (int i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].main && cvy_loss_of(&graph->nodes[i].op)) return cvy_loss_of(&graph->nodes[i].op);
    return NULL;
}

int cvy_graph_classes(const struct cvy_graph *graph) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    return loss ? loss->classes : cvy_graph_output_shape(graph).c;
}

cvy_status cvy_graph_aim(struct cvy_graph *graph, const struct cvy_target *target, int classes, const char *data) {
    struct cvy_findings findings = {0};
    for (int i = 0; i < graph->node_count; i++) {
        struct cvy_loss *loss = cvy_loss_of(&graph->nodes[i].op);
        if (loss) cvy_loss_aim(loss, target, classes, data, &findings);
    }
    return cvy_findings_raise(&findings, CVY_ERR_DATA);
}

struct cvy_target cvy_graph_target(const struct cvy_graph *graph) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    struct cvy_shape out = cvy_graph_output_shape(graph);
    if (loss && loss->kind->wants == CVY_WANTS_VALUES) return (struct cvy_target){CVY_F32, out};
    out.c = 1;
    return (struct cvy_target){CVY_I32, out};
}
