#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output.h"

struct settings {
    struct cli_list set;
    const char *nodes, *network, *bench;
    struct cli_int ranks, samples;
    double memory;
};
CLI_SETTINGS_FIT(struct settings);

#define MEMBER(name) offsetof(struct settings, name)
static const struct cli_option options[] = {
    {"nodes", "1,8,64", "for how many nodes; else 1, 2, 4, … as far as there are leaves", CLI_TEXT,
     .offset = MEMBER(nodes)},
    {"ranks-per-node", "N", "ranks of each, with as many threads as this process has", CLI_INT, .offset = MEMBER(ranks),
     .fallback = "1", .low = 1, .high = 4096},
    {"network", "NET", "100gbit, 10gbit, measured (under mpirun), or a file of bench --network --json", CLI_PATH,
     .offset = MEMBER(network), .fallback = "100gbit"},
    {"bench", "FILE", "computing as bench EXPERIMENT --json printed it; else it is measured now, for a second or two",
     CLI_PATH, .offset = MEMBER(bench)},
    {"memory", "GIB", "of a node; else what is free here", CLI_REAL, .offset = MEMBER(memory)},
    {"samples", "N", "of the training data, where they are not there: for the hours", CLI_INT,
     .offset = MEMBER(samples), .low = 1, .high = INT64_MAX},
    {"set", "a.b=v", "replaces a value of the file; v is YAML; may be repeated", CLI_LIST, .offset = MEMBER(set)},
    {0},
};
static const struct cli_argument arguments[] = {
    {"EXPERIMENT", .help = "an experiment file, whose data need not be there"},
    {0},
};

enum { MOST_NODES = 64 };

/* "1,8,64" */
static cvy_status read_nodes(struct cli *cli, const char *text, int nodes[MOST_NODES], int *count) {
    *count = 0;
    for (const char *p = text; p;) {
        char *end;
        const long value = strtol(p, &end, 10);
        if (end == p || value < 1 || value > 1 << 20 || (*end != '\0' && *end != ',') || *count == MOST_NODES)
            return cli_fail(cli, "--nodes %s: wants up to %d whole numbers from 1, with commas between: --nodes 1,8,64",
                            text, MOST_NODES);
        nodes[(*count)++] = (int)value;
        p = *end ? end + 1 : NULL;
    }
    return CVY_OK;
}

static const char *hours_text(const struct cvy_plan_row *r) {
    return r->hours > 0 ? cli_seconds(3600 * r->hours) : "-";
}

static void print_rows(const struct cvy_plan_facts *f) {
    struct cli_table table;
    cli_table_start(&table,
                    "nodes|ranks|leaves a rank|step ms|computing|exposed|update|efficiency|samples/s|all epochs|"
                    "memory a rank|<  summed by|buckets|messages|sent a rank");
    for (int i = 0; i < f->row_count; i++) {
        const struct cvy_plan_row *r = f->rows[i];
        if (!r->possible) continue;
        cli_cell(&table, "%d", r->nodes);
        cli_cell(&table, "%d", r->ranks);
        cli_cell(&table, "%d", r->leaves);
        cli_cell(&table, "%.3f", r->step_ms);
        cli_cell(&table, "%.3f", r->compute_ms);
        cli_cell(&table, "%.3f", r->exposed_ms);
        cli_cell(&table, "%.3f", r->update_ms);
        cli_cell(&table, "%.1f %%", 100 * r->efficiency);
        cli_cell(&table, "%s", cli_rate(r->samples_per_s));
        cli_cell(&table, "%s", hours_text(r));
        cli_cell(&table, "%s", cli_bytes(r->memory_bytes));
        cli_cell(&table, "  %s", r->reduction[0] ? r->reduction : "-");
        cli_cell(&table, "%d", r->buckets);
        cli_cell(&table, "%d", r->messages);
        cli_cell(&table, "%s", cli_bytes(r->sent_bytes));
    }
    cli_table_print(&table);
}

/* The advice is a sentence a line. */
static void print_lines(const char *name, const char *text) {
    for (const char *p = text; *p; name = "") {
        const int length = (int)strcspn(p, "\n");
        cli_fact(name, "%.*s", length, p);
        p += length + (p[length] == '\n');
    }
}

static void print_text(const struct cvy_plan_facts *f) {
    print_rows(f);
    putchar('\n');
    cli_fact("model", "%s, %s parameters", f->name, cli_count(f->params));
    cli_fact("batch", "%d in %d %s of %d: at most %d node%s of %d rank%s", f->batch, f->leaves,
             f->leaves == 1 ? "leaf" : "leaves", f->leaf, f->most_nodes, f->most_nodes == 1 ? "" : "s",
             f->ranks_per_node, f->ranks_per_node == 1 ? "" : "s");
    if (f->samples)
        cli_fact("epochs", "%s of %s samples, %s steps each", cli_count(f->epochs), cli_count(f->samples),
                 cli_count(f->steps));
    else
        cli_fact("epochs", "the data are not there; --samples N gives the time of all epochs");
    cli_fact("computing", "%s; a leaf %.3f ms forward, %.3f backward, %.3f update", f->compute, f->forward_ms,
             f->backward_ms, f->update_ms);
    cli_fact("network", "%s: %.2f µs a message, %.3f GB/s", f->network, f->alpha_us, f->gb_s);
    cli_fact("pays", "up to %d node%s: twice as many are less than 1.5 times as fast%s", f->pays_until,
             f->pays_until == 1 ? "" : "s", 2 * f->pays_until > f->most_nodes ? ", or have no leaves" : "");
    for (int i = 0; i < f->row_count; i++)
        if (!f->rows[i]->possible) cli_fact("cannot be", "%d nodes: %s", f->rows[i]->nodes, f->rows[i]->problem);
    print_lines("to change", f->advice);
    cli_fact("", "ranks are taken to be alike and undisturbed; evaluations and checkpoints are not in it");
}

static void add_row(struct cvy_buf *json, const struct cvy_plan_row *r) {
    cvy_json_open(json, NULL, '{');
    cvy_json_int(json, "nodes", r->nodes);
    cvy_json_int(json, "ranks", r->ranks);
    cvy_json_bool(json, "possible", r->possible);
    if (r->possible) {
        cvy_json_int(json, "leaves", r->leaves);
        cvy_json_real(json, "step_ms", r->step_ms);
        cvy_json_real(json, "compute_ms", r->compute_ms);
        cvy_json_real(json, "update_ms", r->update_ms);
        cvy_json_real(json, "exposed_ms", r->exposed_ms);
        cvy_json_real(json, "efficiency", r->efficiency);
        cvy_json_real(json, "samples_per_s", r->samples_per_s);
        if (r->hours > 0) cvy_json_real(json, "hours", r->hours);
        cvy_json_int(json, "memory_bytes", r->memory_bytes);
        cvy_json_text(json, "reduction", r->reduction);
        cvy_json_int(json, "buckets", r->buckets);
        cvy_json_int(json, "messages", r->messages);
        cvy_json_int(json, "sent_bytes", r->sent_bytes);
    } else {
        cvy_json_text(json, "problem", r->problem);
    }
    cvy_json_close(json, '}');
}

static cvy_status print_json(struct cli *cli, const struct cvy_plan_facts *f) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "name", f->name);
    cvy_json_int(&json, "params", f->params);
    cvy_json_int(&json, "batch", f->batch);
    cvy_json_int(&json, "leaf", f->leaf);
    cvy_json_int(&json, "leaves", f->leaves);
    cvy_json_int(&json, "ranks_per_node", f->ranks_per_node);
    cvy_json_int(&json, "threads", f->threads);
    cvy_json_int(&json, "epochs", f->epochs);
    if (f->samples) cvy_json_int(&json, "samples", f->samples);
    if (f->samples) cvy_json_int(&json, "steps", f->steps);
    cvy_json_text(&json, "compute", f->compute);
    cvy_json_real(&json, "forward_ms", f->forward_ms);
    cvy_json_real(&json, "backward_ms", f->backward_ms);
    cvy_json_real(&json, "update_ms", f->update_ms);
    cvy_json_text(&json, "network", f->network);
    cvy_json_real(&json, "alpha_us", f->alpha_us);
    cvy_json_real(&json, "gb_s", f->gb_s);
    cvy_json_int(&json, "most_nodes", f->most_nodes);
    cvy_json_int(&json, "pays_until", f->pays_until);
    cvy_json_text(&json, "advice", f->advice);
    cvy_json_open(&json, "rows", '[');
    for (int i = 0; i < f->row_count; i++) add_row(&json, f->rows[i]);
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run(struct cli *cli) {
    const struct settings *s = (const void *)cli->settings;
    struct cvy_plan_facts facts = cvy_plan_facts_default();
    int nodes[MOST_NODES], count = 0;
    cvy_status status = s->nodes ? read_nodes(cli, s->nodes, nodes, &count) : CVY_OK;
    if (status != CVY_OK) return status;
    const struct cvy_plan_options how = {.size = sizeof how,
                                         .experiment = cli->arguments[0],
                                         .set = s->set.items,
                                         .set_count = s->set.count,
                                         .nodes = nodes,
                                         .node_count = count,
                                         .ranks_per_node = (int)s->ranks.value,
                                         .network = s->network,
                                         .bench = s->bench,
                                         .memory_gib = s->memory,
                                         .samples = s->samples.value};
    status = cvy_plan(cli->ctx, &how, &facts);
    if (status == CVY_OK && cvy_context_rank(cli->ctx) == 0) {
        if (cli->common.json)
            status = print_json(cli, &facts);
        else
            print_text(&facts);
    }
    cvy_plan_facts_destroy(&facts);
    return status;
}

static const struct cli_exit exits[] = {CLI_EXIT_DONE, CLI_EXIT_FAULT, CLI_EXIT_USAGE, CLI_EXIT_DATA, {0}};
const struct cli_command cli_plan = {
    .name = "plan",
    .purpose = "Predicts a training on many nodes: steps, efficiency, memory, hours; its data need not be there.",
    .arguments = arguments,
    .options = options,
    .example = "convoy plan mine.yaml --nodes 1,8,64 --network 100gbit",
    .exits = exits,
    .all_ranks = true,
    .run = run,
};
