#include "graph/model/model.h"

#include <string.h>

#include "graph/model/expand.h"
#include "graph/model/graph.h"

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

void cvy_model_check_keys(const struct cvy_node *model, struct cvy_findings *findings) {
    const struct cvy_node *part; /* each is read in its turn */
    cvy_schema_read(model_keys, model, model, "model", &part, findings);
}

/* ---- The input ---- */

/* `input` with the model's parameters put in, or NULL. */
static cvy_status find_input(const struct cvy_node *model, struct cvy_tree *tree, struct cvy_findings *findings,
                             struct cvy_node **out) {
    const struct cvy_node *input = cvy_node_get(model, "input");
    const struct cvy_names names = {cvy_node_get(model, "parameters"), NULL};
    int64_t room = 64; /* more than three numbers, to be told apart */
    const struct cvy_substitution s = {tree, &names, findings, &room};
    *out = NULL;
    return input ? cvy_substitute(&s, input, out) : CVY_OK;
}

/* Three whole numbers, whose product is not too large. */
static bool read_sizes(const struct cvy_node *input, struct cvy_findings *findings, int64_t d[3]) {
    bool good = input->kind == CVY_NODE_LIST && input->count == 3;
    for (int i = 0; good && i < 3; i++) good = cvy_node_int(input->items[i], &d[i]) && d[i] >= 1 && d[i] <= 1 << 20;
    if (!good) {
        cvy_find(findings, input, "input: expected [height, width, channels], whole numbers from 1");
        return false;
    }
    if ((double)d[0] * (double)d[1] * (double)d[2] <= CVY_MAX_VALUES) return true;
    cvy_find(findings, input, "input: %s is too large; at most %d values", CVY_SHAPE_TEXT(cvy_shape_of(d)),
             CVY_MAX_VALUES);
    return false;
}

cvy_status cvy_model_input(const struct cvy_node *model, struct cvy_tree *tree, struct cvy_findings *findings,
                           struct cvy_shape *out) {
    const int before = findings->count;
    struct cvy_node *input;
    int64_t d[3];
    *out = (struct cvy_shape){1, 1, 1};
    CVY_TRY(find_input(model, tree, findings, &input));
    if (findings->count > before) return CVY_OK;
    if (input && read_sizes(input, findings, d)) *out = cvy_shape_of(d);
    return CVY_OK;
}
