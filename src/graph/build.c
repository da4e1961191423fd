/* From the description to the graph: every layer in the order of the file, each taking the one above unless it names
 * its inputs. A layer can only name what stands above it, so a cycle cannot be written. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "graph/graph.h"

struct builder {
    struct cvy_graph *graph;
    struct cvy_findings findings;
    cvy_status status; /* out of memory */
};

#define MAX_LAYERS 100000
#define MAX_VALUES 2147483647 /* of a feature map: its shape flattened is an int */
#define MAX_WEIGHT ((int64_t)1 << 40)

/* ---- growing the graph ---- */

static cvy_status grow(void **items, int count, int *room, size_t size) {
    if (count < *room) return CVY_OK;
    int larger = *room ? 2 * *room : 16;
    void *copy;
    CVY_TRY(cvy_alloc((size_t)larger * size, CVY_TAG_general, &copy));
    if (count) memcpy(copy, *items, (size_t)count * size);
    cvy_free(*items);
    *items = copy;
    *room = larger;
    return CVY_OK;
}

static cvy_status add_value(struct cvy_graph *graph, struct cvy_shape shape, int producer, int *index) {
    CVY_TRY(grow((void **)&graph->values, graph->value_count, &graph->value_room, sizeof *graph->values));
    graph->values[graph->value_count] = (struct cvy_value){.shape = shape, .producer = producer};
    *index = graph->value_count++;
    return CVY_OK;
}

/* ---- reading one layer ---- */

/* What a layer's node says: `conv: {…}`, `tanh`, `maxpool: 2`, each with `name` and `inputs` beside the kind. */
struct layer_text {
    const struct cvy_node *node, *kind, *body, *name, *inputs;
};

static bool read_layer(struct builder *b, const struct cvy_node *node, struct layer_text *out) {
    *out = (struct layer_text){.node = node};
    if (node->kind == CVY_NODE_SCALAR) {
        out->kind = node;
        return true;
    }
    int kinds = 0;
    for (size_t i = 0; node->kind == CVY_NODE_MAP && i < node->count; i++) {
        const struct cvy_node *key = node->keys[i];
        if (strcmp(key->text, "name") == 0)
            out->name = node->items[i];
        else if (strcmp(key->text, "inputs") == 0)
            out->inputs = node->items[i];
        else {
            kinds++;
            out->kind = key;
            out->body = cvy_node_is_null(node->items[i]) ? NULL : node->items[i];
        }
    }
    if (kinds == 1) return true;
    cvy_find(&b->findings, node, "a layer is one kind with its settings, and name and inputs if wanted; found %d kinds",
             kinds);
    return false;
}

/* Among the first `count` layers. */
static int find_node(const struct cvy_graph *graph, const char *name, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0) return i;
    return -1;
}

/* Given, or the kind and its count: "conv2". */
static void name_layer(struct builder *b, const struct layer_text *text, struct cvy_graph_node *node) {
    int same = 1;
    for (int i = 0; i < b->graph->node_count; i++) same += b->graph->nodes[i].op.kind == node->op.kind;
    snprintf(node->name, sizeof node->name, "%s%d", node->op.kind->name, same);
    if (text->name) {
        const char *given = text->name->text;
        if (text->name->kind != CVY_NODE_SCALAR || !given[0] || strlen(given) >= sizeof node->name ||
            strspn(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(given))
            cvy_find(&b->findings, text->name, "name: expected letters, digits, _ and -, at most %zu",
                     sizeof node->name - 1);
        else
            snprintf(node->name, sizeof node->name, "%s", given);
    }
    if (find_node(b->graph, node->name, b->graph->node_count) >= 0 || strcmp(node->name, "input") == 0)
        cvy_find(&b->findings, text->node, "a second layer is called \"%s\"; give one of them another name",
                 node->name);
}

/* The value a name stands for, or −1 with a finding. The last node is the layer that asks. */
static int resolve_input(struct builder *b, const struct cvy_node *item) {
    const char *names[256];
    size_t count = 0;
    int above = b->graph->node_count - 1;
    if (item->kind == CVY_NODE_SCALAR && strcmp(item->text, "input") == 0) return 0;
    int found = item->kind == CVY_NODE_SCALAR ? find_node(b->graph, item->text, above) : -1;
    if (found >= 0) return b->graph->nodes[found].output;
    for (int i = 0; i < above && count < 256; i++) names[count++] = b->graph->nodes[i].name;
    const char *near = cvy_nearest(item->text, names, count);
    cvy_find(&b->findings, item, "inputs: no layer \"%s\" above this one%s%s%s", item->text,
             near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return -1;
}

static void connect(struct builder *b, const struct layer_text *text, struct cvy_graph_node *node, int above) {
    const struct cvy_node *list = text->inputs;
    int count = list == NULL ? 1 : list->kind == CVY_NODE_LIST ? (int)list->count : 1;
    const struct cvy_op_kind *kind = node->op.kind;
    if (count < kind->min_inputs || count > kind->max_inputs) {
        cvy_find(&b->findings, text->node, "%s: takes %d to %d inputs, %d are named", node->name, kind->min_inputs,
                 kind->max_inputs, count);
        count = 1;
        list = NULL;
    }
    b->status = CVY_NEW(&node->inputs, count, general);
    if (b->status == CVY_OK) b->status = CVY_NEW(&node->in, count, general);
    if (b->status != CVY_OK) return;
    for (int i = 0; i < count; i++) {
        int value = list == NULL ? above : resolve_input(b, list->kind == CVY_NODE_LIST ? list->items[i] : list);
        node->inputs[i] = value < 0 ? above : value;
        node->in[i] = b->graph->values[node->inputs[i]].shape;
        b->graph->values[node->inputs[i]].consumers++;
    }
    node->op.inputs = count;
    node->op.in = node->in;
    if (count > b->graph->max_inputs) b->graph->max_inputs = count;
}

/* `maxpool: 2` means {kernel: 2}. */
static void read_attributes(struct builder *b, const struct layer_text *text, struct cvy_graph_node *node) {
    const struct cvy_op_kind *kind = node->op.kind;
    struct cvy_node key = {.kind = CVY_NODE_SCALAR, .text = kind->shorthand};
    struct cvy_node *keys[1] = {&key}, *items[1] = {(struct cvy_node *)(uintptr_t)text->body};
    struct cvy_node map = {.kind = CVY_NODE_MAP, .count = 1, .keys = keys, .items = items};
    const struct cvy_node *body = text->body;
    if (body && body->kind != CVY_NODE_MAP && kind->shorthand) {
        map.file = body->file;
        map.line = body->line;
        map.column = body->column;
        body = &map;
    }
    cvy_schema_read(kind->keys, body, text->kind, node->name, node->op.state, &b->findings);
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
    for (int a = 0; a < 2; a++) {
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
    if ((double)out.h * out.w * out.c > MAX_VALUES) {
        cvy_find(&b->findings, place, "%s: an output of %d×%d×%d is too large; at most %d values", node->name, out.h,
                 out.w, out.c, MAX_VALUES);
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

static void infer_layer(struct builder *b, struct cvy_graph_node *node, const struct cvy_node *place) {
    int before = b->findings.count;
    node->op.name = node->name;
    node->op.node = place;
    node->op.kind->infer(&node->op, &b->findings);
    if (b->findings.count > before) { /* go on with a shape that fits something, to find more */
        node->op.out = node->in[0];
        return;
    }
    check_size(b, node, place);
    if (b->findings.count > before) return;
    receptive_field(b->graph, node);
    declare_all(b, node);
}

static bool any_wants_grad(const struct cvy_graph *graph, const struct cvy_graph_node *node) {
    for (int i = 0; i < node->op.inputs; i++)
        if (graph->values[node->inputs[i]].wants_grad) return true;
    return false;
}

/* The node lives in the graph from the start, so that a failure leaves nothing behind. */
static void add_layer(struct builder *b, const struct layer_text *text, const struct cvy_op_kind *kind, int above) {
    struct cvy_graph *graph = b->graph;
    b->status = grow((void **)&graph->nodes, graph->node_count, &graph->node_room, sizeof *graph->nodes);
    if (b->status != CVY_OK) return;
    struct cvy_graph_node *node = &graph->nodes[graph->node_count];
    *node = (struct cvy_graph_node){.output = -1, .op.kind = kind};
    name_layer(b, text, node);
    int index = graph->node_count++;
    b->status = cvy_alloc(kind->state_size, CVY_TAG_general, &node->op.state);
    if (b->status == CVY_OK) connect(b, text, node, above);
    if (b->status != CVY_OK) return;
    int before = b->findings.count;
    read_attributes(b, text, node);
    if (b->findings.count > before)
        node->op.out = node->in[0];
    else
        infer_layer(b, node, text->kind);
    if (b->status != CVY_OK || kind->loss) return;
    b->status = add_value(graph, node->op.out, index, &node->output);
    if (b->status == CVY_OK)
        graph->values[node->output].wants_grad = node->op.params > 0 || any_wants_grad(graph, node);
}

static void read_and_add(struct builder *b, const struct cvy_node *item, bool loss, int above) {
    struct layer_text text;
    const char *near;
    if (!read_layer(b, item, &text)) return;
    const struct cvy_op_kind *kind = cvy_ops_find(text.kind->text, loss, &near);
    if (kind)
        add_layer(b, &text, kind, above);
    else
        cvy_find(&b->findings, text.kind, "unknown %s \"%s\"%s%s%s", loss ? "loss" : "layer", text.kind->text,
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* ---- the whole ---- */

static void read_input(struct builder *b, const struct cvy_node *model) {
    const struct cvy_node *input = cvy_node_get(model, "input");
    int64_t d[3] = {1, 1, 1};
    if (input == NULL) {
        cvy_find(&b->findings, model, "model: \"input\" is missing: [height, width, channels]");
    } else {
        bool good = input->kind == CVY_NODE_LIST && input->count == 3;
        for (int i = 0; good && i < 3; i++) good = cvy_node_int(input->items[i], &d[i]) && d[i] >= 1 && d[i] <= 1 << 20;
        if (!good) {
            cvy_find(&b->findings, input, "input: expected [height, width, channels], whole numbers from 1");
            d[0] = d[1] = d[2] = 1;
        }
    }
    if ((double)d[0] * (double)d[1] * (double)d[2] > MAX_VALUES) {
        cvy_find(&b->findings, input, "input: %d×%d×%d is too large; at most %d values", (int)d[0], (int)d[1],
                 (int)d[2], MAX_VALUES);
        d[0] = d[1] = d[2] = 1;
    }
    b->graph->input = (struct cvy_shape){(int)d[0], (int)d[1], (int)d[2]};
}

static void check_model_keys(struct builder *b, const struct cvy_node *model) {
    static const char *const known[] = {"name", "input", "layers", "parameters"};
    for (size_t i = 0; i < model->count; i++) {
        const char *key = model->keys[i]->text, *near = cvy_nearest(key, known, 4);
        if (near && strcmp(near, key) == 0) continue;
        cvy_find(&b->findings, model->keys[i], "model: unknown key \"%s\"%s%s%s", key, near ? "; did you mean \"" : "",
                 near ? near : "", near ? "\"?" : "");
    }
}

static void read_layers(struct builder *b, const struct cvy_node *model) {
    const struct cvy_node *layers = cvy_node_get(model, "layers");
    if (layers == NULL || layers->kind != CVY_NODE_LIST || layers->count == 0) {
        cvy_find(&b->findings, layers ? layers : model, "model: \"layers\" must be a list of at least one layer");
        return;
    }
    for (size_t i = 0; i < layers->count && i < MAX_LAYERS && b->status == CVY_OK; i++)
        read_and_add(b, layers->items[i], false, b->graph->value_count - 1);
    b->graph->output = b->graph->value_count - 1;
}

static void report_unused(struct builder *b) {
    for (int v = 1; v < b->graph->value_count; v++) {
        const struct cvy_value *value = &b->graph->values[v];
        const struct cvy_graph_node *node = &b->graph->nodes[value->producer];
        if (value->consumers == 0 && v != b->graph->output)
            cvy_find(&b->findings, node->op.node, "%s: no layer uses its output; name it under inputs or drop it",
                     node->name);
    }
}

static cvy_status hash_graph(struct cvy_graph *graph) {
    struct cvy_buf text = {0};
    for (int i = 0; i < graph->node_count; i++) {
        const struct cvy_graph_node *node = &graph->nodes[i];
        cvy_buf_printf(&text, "%s %s", node->name, node->op.kind->name);
        for (int k = 0; k < node->op.inputs; k++)
            cvy_buf_printf(&text, " %d:%d,%d,%d", node->inputs[k], node->in[k].h, node->in[k].w, node->in[k].c);
        cvy_buf_printf(&text, " > %d,%d,%d ", node->op.out.h, node->op.out.w, node->op.out.c);
        if (node->op.kind->describe) node->op.kind->describe(&node->op, &text);
        for (int p = 0; p < node->op.params; p++) cvy_buf_printf(&text, "%s ", node->op.param[p].name);
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

static void fuse(struct cvy_graph *graph) {
    for (int i = 1; i < graph->node_count; i++) {
        struct cvy_graph_node *node = &graph->nodes[i];
        if (node->op.kind->loss || node->op.inputs != 1) continue;
        const struct cvy_value *x = &graph->values[node->inputs[0]];
        if (x->producer >= 0 && x->consumers == 1)
            node->absorbed = cvy_ops_fuse(&graph->nodes[x->producer].op, &node->op);
    }
}

static void build(struct builder *b, struct cvy_node *model, const struct cvy_node *loss) {
    int input;
    if (model->kind != CVY_NODE_MAP) {
        cvy_find(&b->findings, model, "model: expected a map with input and layers");
        return;
    }
    check_model_keys(b, model);
    read_input(b, model);
    b->status = add_value(b->graph, b->graph->input, -1, &input);
    if (b->status == CVY_OK) read_layers(b, model);
    if (b->status != CVY_OK || b->graph->node_count == 0) return;
    report_unused(b);
    if (loss && b->findings.count == 0) read_and_add(b, loss, true, b->graph->output);
}

cvy_status cvy_graph_create(struct cvy_node *model, const struct cvy_node *loss, struct cvy_graph **out) {
    struct builder b = {.status = CVY_OK};
    CVY_TRY(CVY_NEW(out, 1, general));
    b.graph = *out;
    b.graph->description = model;
    build(&b, model, loss);
    settle(b.graph);
    if (b.status == CVY_OK) b.status = cvy_findings_raise(&b.findings, CVY_ERR_USAGE);
    if (b.status == CVY_OK) b.status = hash_graph(b.graph);
    if (b.status == CVY_OK)
        fuse(b.graph);
    else
        cvy_graph_destroy(out);
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
    cvy_free(graph->values);
    cvy_params_destroy(&graph->params);
    cvy_params_destroy(&graph->buffers);
    CVY_DELETE(out);
}

size_t cvy_graph_gradient_floats(const struct cvy_graph *graph) {
    return graph->buffers.stored + graph->params.stored;
}

struct cvy_shape cvy_graph_output_shape(const struct cvy_graph *graph) {
    return graph->values[graph->output].shape;
}
