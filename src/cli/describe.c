#include <stdio.h>

#include "commands.h"
#include "output.h"

struct settings {
    struct cli_list set;
    struct cli_int leaf;
};
CLI_SETTINGS_FIT(struct settings);

static const struct cli_option options[] = {
    {"set", "a.b=v", "replaces a value, in a model's file model.a.b; v is YAML; may be repeated", CLI_LIST,
     .offset = offsetof(struct settings, set)},
    {"leaf", "N", "samples a leaf, for the memory of a step; else the experiment's, or as train chooses", CLI_INT,
     .offset = offsetof(struct settings, leaf), .low = 1, .high = 1000000},
    {0},
};
static const struct cli_argument arguments[] = {
    {"MODEL-OR-EXPERIMENT", .help = "a model file or an experiment file"},
    {0},
};

static void print_text(const struct cvy_model_facts *m) {
    struct cli_table table;
    cli_table_start(&table, "<layer|<op|output|parameters|multiply-adds|activation|receptive field");
    for (int i = 0; i < m->layer_count; i++) {
        const struct cvy_layer_facts *l = m->layers[i];
        cli_cell(&table, "%s", l->name);
        cli_cell(&table, "%s", l->op);
        cli_cell(&table, "%d×%d×%d", l->output[0], l->output[1], l->output[2]);
        cli_cell(&table, "%s", cli_count(l->params));
        cli_cell(&table, "%s", cli_count(l->macs));
        cli_cell(&table, "%s", cli_bytes(l->activation_bytes));
        cli_cell(&table, "%d×%d", l->receptive_field[0], l->receptive_field[1]);
    }
    cli_table_print(&table);
    putchar('\n');
    cli_fact("model", "%s", m->name);
    cli_fact("input", "%d×%d×%d", m->input[0], m->input[1], m->input[2]);
    cli_fact("parameters", "%s (%s)", cli_count(m->params), cli_bytes(4 * m->params));
    if (m->frozen) cli_fact("frozen", "%s of them", cli_count(m->frozen));
    cli_fact("multiply-adds", "%s a sample, forward", cli_count(m->macs));
    cli_fact("activations", "%s a sample", cli_bytes(m->activation_bytes));
    cli_fact("memory", "%s a rank, %s with leaves of %d", cli_bytes(m->memory_bytes),
             m->whole ? "training on one, data and checkpoints included," : "training", m->leaf);
}

static void add_pair(struct cvy_buf *json, const char *key, const int *values, int count) {
    cvy_json_open(json, key, '[');
    for (int i = 0; i < count; i++) cvy_json_int(json, NULL, values[i]);
    cvy_json_close(json, ']');
}

static void add_layer(struct cvy_buf *json, const struct cvy_model_facts *m, const struct cvy_layer_facts *l) {
    cvy_json_open(json, NULL, '{');
    cvy_json_text(json, "name", l->name);
    cvy_json_text(json, "op", l->op);
    cvy_json_open(json, "inputs", '[');
    for (int i = 0; i < l->input_count; i++)
        cvy_json_text(json, NULL, l->inputs[i] < 0 ? "input" : m->layers[l->inputs[i]]->name);
    cvy_json_close(json, ']');
    add_pair(json, "output", l->output, 3);
    cvy_json_int(json, "params", l->params);
    cvy_json_int(json, "frozen_params", l->frozen);
    cvy_json_int(json, "macs", l->macs);
    cvy_json_int(json, "activation_bytes", l->activation_bytes);
    add_pair(json, "receptive_field", l->receptive_field, 2);
    cvy_json_close(json, '}');
}

static cvy_status print_json(struct cli *cli, const struct cvy_model_facts *m) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "name", m->name);
    add_pair(&json, "input", m->input, 3);
    cvy_json_int(&json, "params", m->params);
    cvy_json_int(&json, "frozen_params", m->frozen);
    cvy_json_int(&json, "macs", m->macs);
    cvy_json_int(&json, "activation_bytes", m->activation_bytes);
    cvy_json_int(&json, "memory_bytes", m->memory_bytes);
    cvy_json_bool(&json, "memory_whole", m->whole);
    cvy_json_int(&json, "leaf", m->leaf);
    cvy_json_open(&json, "layers", '[');
    for (int i = 0; i < m->layer_count; i++) add_layer(&json, m, m->layers[i]);
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run(struct cli *cli) {
    const struct settings *s = (const void *)cli->settings;
    struct cvy_model_facts facts = cvy_model_facts_default();
    const struct cvy_describe_options how = {.size = sizeof how,
                                             .path = cli->arguments[0],
                                             .set = s->set.items,
                                             .set_count = s->set.count,
                                             .leaf = (int)s->leaf.value};
    cvy_status status = cvy_describe(cli->ctx, &how, &facts);
    if (status == CVY_OK && cli->common.json)
        status = print_json(cli, &facts);
    else if (status == CVY_OK)
        print_text(&facts);
    cvy_model_facts_destroy(&facts);
    return status;
}

static const struct cli_exit exits[] = {CLI_EXIT_DONE, CLI_EXIT_FAULT, CLI_EXIT_USAGE, CLI_EXIT_DATA, {0}};
const struct cli_command cli_describe = {
    .name = "describe",
    .purpose = "Lists a network's layers, their shapes and costs, and the memory a rank needs.",
    .arguments = arguments,
    .options = options,
    .example = "convoy describe configs/models/lenet5.yaml",
    .exits = exits,
    .run = run,
};
