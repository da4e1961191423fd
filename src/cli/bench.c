#include <stdio.h>

#include "commands.h"
#include "output.h"

struct settings {
    struct cli_int batch, leaf, plan;
    int precision;
    double seconds;
    bool inference, network;
};
CLI_SETTINGS_FIT(struct settings);

static const char *const precisions[] = {"fp32", "bf16"};

#define MEMBER(name) offsetof(struct settings, name)
static const struct cli_option options[] = {
    {"batch", "B", "samples a step", CLI_INT, .offset = MEMBER(batch), .fallback = "64", .low = 1, .high = 1000000,
     .needs = "MODEL"},
    {"leaf", "N", "samples a leaf; else the batch", CLI_INT, .offset = MEMBER(leaf), .low = 1, .high = 1000000,
     .needs = "MODEL"},
    {"precision", "P", "fp32 or bf16", CLI_CHOICE, .offset = MEMBER(precision), .fallback = "fp32",
     .choices = "fp32|bf16", .needs = "MODEL"},
    {"time", "TIME", "how long to measure", CLI_TIME, .offset = MEMBER(seconds), .fallback = "3s"},
    {"plan", "T", "which loops have too few tasks for T threads, and what that costs", CLI_INT, .offset = MEMBER(plan),
     .low = 1, .high = 4096, .needs = "MODEL"},
    {"inference", NULL, "forward alone, in evaluation mode", CLI_FLAG, .offset = MEMBER(inference), .needs = "MODEL"},
    {"network", NULL,
     "messages between ranks, under mpirun, without MODEL: latency and bandwidth, on a host and across", CLI_FLAG,
     .offset = MEMBER(network)},
    {0},
};
static const struct cli_argument arguments[] = {
    {"MODEL", .help = "a model file or an experiment file; without it, the machine's peaks alone", .optional = true},
    {0},
};

static void print_machine(const struct cvy_bench_result *b) {
    const struct cvy_bench_machine *m = &b->machine;
    cli_fact("machine", "%.1f GFLOP/s fp32 with one thread, %.1f with %d", m->fma_one_gflops, m->fma_gflops,
             b->threads);
    if (m->tile_gflops > 0) cli_fact("", "%.1f GFLOP/s bf16", m->tile_gflops);
    cli_fact("memory", "%.1f GB/s read, %.1f GB/s triad", m->read_gbs, m->triad_gbs);
}

static void print_layers(const struct cvy_bench_result *b) {
    struct cli_table table;
    cli_table_start(&table, "<layer|<pass|<algorithm|<isa|ms|GFLOP/s|of peak|MB|GB/s|of memory's");
    for (int i = 0; i < b->layer_count; i++) {
        const struct cvy_bench_layer *l = b->layers[i];
        cli_cell(&table, "%s", l->name);
        cli_cell(&table, "%s", l->pass);
        cli_cell(&table, "%s", l->algorithm);
        cli_cell(&table, "%s", l->isa);
        cli_cell(&table, "%.4f", l->ms);
        cli_cell(&table, l->gflops > 0 ? "%.1f" : "-", l->gflops);
        cli_cell(&table, l->gflops > 0 ? "%.0f %%" : "-", 100 * l->peak_share);
        cli_cell(&table, "%.2f", 1e-6 * l->bytes);
        cli_cell(&table, "%.1f", l->gbs);
        cli_cell(&table, "%.0f %%", 100 * l->bandwidth_share);
    }
    cli_table_print(&table);
}

/* What `plan` threads would take if each had an equal part of the layer. */
static double ideal_ms(const struct cvy_bench_result *b, const struct cvy_bench_layer *l, int plan) {
    return l->ms * b->threads / plan;
}

/* Loops that leave threads idle, and how long they take beyond their part. */
static void print_plan(const struct cvy_bench_result *b, int plan) {
    struct cli_table table;
    double ideal = 0;
    int few = 0;
    cli_table_start(&table, "<layer|<pass|<algorithm|tasks|ms|ms planned|of its threads");
    for (int i = 0; i < b->layer_count; i++) {
        const struct cvy_bench_layer *l = b->layers[i];
        ideal += ideal_ms(b, l, plan);
        if (l->tasks >= plan) continue;
        few++;
        cli_cell(&table, "%s", l->name);
        cli_cell(&table, "%s", l->pass);
        cli_cell(&table, "%s", l->algorithm);
        cli_cell(&table, "%d", l->tasks);
        cli_cell(&table, "%.4f", l->ms);
        cli_cell(&table, "%.4f", l->planned_ms);
        cli_cell(&table, "%.0f %%", 100 * ideal_ms(b, l, plan) / l->planned_ms);
    }
    if (few) cli_table_print(&table);
    if (few) putchar('\n');
    cli_fact("plan", "%d thread%s: %.3f ms as far as there are tasks, %.0f %% of what they could", plan,
             plan == 1 ? "" : "s", b->planned_ms, 100 * ideal / b->planned_ms);
    cli_fact("", "%d of %d loops have fewer than %d tasks%s", few, b->layer_count, plan,
             few ? "; more samples (--batch) or more ranks with fewer threads give each more" : "");
    cli_fact("", "memory's bandwidth, clocks and caches of such a machine are not in it");
}

static void print_model(const struct cvy_bench_result *b, int plan) {
    if (plan)
        print_plan(b, plan);
    else
        print_layers(b);
    putchar('\n');
    cli_fact("step", "%.3f ms, %s samples/s", b->ms, cli_rate(b->samples_per_s));
    cli_fact("phases", "forward %.3f ms, backward %.3f, update %.3f, other %.3f", b->forward_ms, b->backward_ms,
             b->update_ms, b->other_ms);
    cli_fact("first step", "%.3f s after the process started", b->first_step_s);
    cli_fact("peak memory", "%.1f MiB", b->peak_rss_mib);
}

static void add_layer(struct cvy_buf *json, const struct cvy_bench_layer *l) {
    cvy_json_open(json, NULL, '{');
    cvy_json_text(json, "name", l->name);
    cvy_json_text(json, "pass", l->pass);
    cvy_json_text(json, "algorithm", l->algorithm);
    cvy_json_text(json, "isa", l->isa);
    cvy_json_real(json, "ms", l->ms);
    cvy_json_real(json, "gflops", l->gflops);
    cvy_json_real(json, "peak_share", l->peak_share);
    cvy_json_text(json, "op", l->op);
    cvy_json_real(json, "bytes", l->bytes);
    cvy_json_real(json, "gbs", l->gbs);
    cvy_json_real(json, "bandwidth_share", l->bandwidth_share);
    cvy_json_int(json, "tasks", l->tasks);
    cvy_json_real(json, "planned_ms", l->planned_ms);
    cvy_json_close(json, '}');
}

static void add_machine(struct cvy_buf *json, const struct cvy_bench_machine *m) {
    cvy_json_open(json, "machine", '{');
    cvy_json_real(json, "fma_gflops", m->fma_gflops);
    cvy_json_real(json, "fma_one_gflops", m->fma_one_gflops);
    cvy_json_real(json, "tile_gflops", m->tile_gflops);
    cvy_json_real(json, "read_gbs", m->read_gbs);
    cvy_json_real(json, "triad_gbs", m->triad_gbs);
    cvy_json_close(json, '}');
}

static void add_model(struct cvy_buf *json, const struct cvy_bench_result *b) {
    cvy_json_open(json, "step", '{');
    cvy_json_int(json, "batch", b->batch);
    cvy_json_int(json, "leaf", b->leaf);
    cvy_json_int(json, "threads", b->threads);
    cvy_json_real(json, "samples_per_s", b->samples_per_s);
    cvy_json_real(json, "ms", b->ms);
    cvy_json_real(json, "forward_ms", b->forward_ms);
    cvy_json_real(json, "backward_ms", b->backward_ms);
    cvy_json_real(json, "update_ms", b->update_ms);
    cvy_json_real(json, "other_ms", b->other_ms);
    cvy_json_real(json, "first_step_s", b->first_step_s);
    cvy_json_real(json, "peak_rss_mib", b->peak_rss_mib);
    cvy_json_real(json, "planned_ms", b->planned_ms);
    cvy_json_close(json, '}');
    cvy_json_open(json, "layers", '[');
    for (int i = 0; i < b->layer_count; i++) add_layer(json, b->layers[i]);
    cvy_json_close(json, ']');
}

static cvy_status print_json(struct cli *cli, const struct cvy_bench_result *b) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    add_machine(&json, &b->machine);
    if (b->layer_count > 0) add_model(&json, b);
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

/* ---- Messages between ranks ---- */

static void print_link(struct cli_table *table, const char *between, const struct cvy_link_facts *l) {
    for (int i = 0; i < l->point_count; i++) {
        const double us = l->points[i].us, bytes = (double)l->points[i].bytes;
        cli_cell(table, "%s", between);
        cli_cell(table, "%s", cli_bytes(l->points[i].bytes));
        cli_cell(table, "%.2f", us);
        cli_cell(table, "%.3f", 1e-3 * bytes / us);
        cli_cell(table, "%.2f", l->alpha_us + (l->gb_s > 0 ? 1e-3 * bytes / l->gb_s : 0));
    }
}

static void print_fit(const char *between, const struct cvy_link_facts *l) {
    if (l->pairs == 0)
        cli_fact(between, "not measured: there are no two such ranks");
    else
        cli_fact(between, "%.2f µs a message and %.3f GB/s (%d pair%s; the line is off by up to %.0f %%)", l->alpha_us,
                 l->gb_s, l->pairs, l->pairs == 1 ? "" : "s", 100 * l->error);
}

static void print_network(const struct cvy_network_facts *n) {
    struct cli_table table;
    cli_table_start(&table, "<between|bytes|µs|GB/s|µs by the line");
    print_link(&table, "ranks of a host", &n->node);
    print_link(&table, "hosts", &n->across);
    cli_table_print(&table);
    putchar('\n');
    cli_fact("ranks", "%d on %d host%s", n->ranks, n->hosts, n->hosts == 1 ? "" : "s");
    print_fit("on a host", &n->node);
    print_fit("across", &n->across);
}

static void add_link(struct cvy_buf *json, const char *key, const struct cvy_link_facts *l) {
    if (l->pairs == 0) return;
    cvy_json_open(json, key, '{');
    cvy_json_int(json, "pairs", l->pairs);
    cvy_json_real(json, "alpha_us", l->alpha_us);
    cvy_json_real(json, "gb_s", l->gb_s);
    cvy_json_real(json, "error", l->error);
    cvy_json_open(json, "points", '[');
    for (int i = 0; i < l->point_count; i++) {
        cvy_json_open(json, NULL, '{');
        cvy_json_int(json, "bytes", l->points[i].bytes);
        cvy_json_real(json, "us", l->points[i].us);
        cvy_json_close(json, '}');
    }
    cvy_json_close(json, ']');
    cvy_json_close(json, '}');
}

static cvy_status print_network_json(struct cli *cli, const struct cvy_network_facts *n) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_int(&json, "ranks", n->ranks);
    cvy_json_int(&json, "hosts", n->hosts);
    add_link(&json, "node", &n->node);
    add_link(&json, "across", &n->across);
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run_network(struct cli *cli, double seconds) {
    struct cvy_network_facts facts = cvy_network_facts_default();
    if (cli->arguments[0]) return cli_fail(cli, "bench --network takes no MODEL: it times messages alone");
    const struct cvy_bench_network_options how = {.size = sizeof how, .seconds = seconds};
    cvy_status status = cvy_bench_network(cli->ctx, &how, &facts);
    if (status != CVY_OK || cvy_context_rank(cli->ctx) != 0) return status;
    if (cli->common.json) return print_network_json(cli, &facts);
    print_network(&facts);
    return CVY_OK;
}

static cvy_status run(struct cli *cli) {
    const struct settings *s = (const void *)cli->settings;
    if (s->network) return run_network(cli, s->seconds);
    if (cvy_context_rank(cli->ctx) != 0) return CVY_OK;
    struct cvy_bench_result result = cvy_bench_result_default();
    const struct cvy_bench_options how = {.size = sizeof how,
                                          .model = cli->arguments[0],
                                          .batch = (int)s->batch.value,
                                          .leaf = (int)s->leaf.value,
                                          .precision = precisions[s->precision],
                                          .seconds = s->seconds,
                                          .inference = s->inference,
                                          .plan = (int)s->plan.value};
    cvy_status status = cvy_bench(cli->ctx, &how, &result);
    if (status != CVY_OK) return status;
    if (cli->common.json) {
        status = print_json(cli, &result);
    } else {
        if (how.model) print_model(&result, how.plan);
        print_machine(&result);
    }
    cvy_bench_result_destroy(&result);
    return status;
}

static const struct cli_exit exits[] = {CLI_EXIT_DONE, CLI_EXIT_FAULT, CLI_EXIT_USAGE, {0}};
const struct cli_command cli_bench = {
    .name = "bench",
    .purpose = "Times steps on random inputs, layer by layer, against this machine's peaks; or messages between ranks.",
    .arguments = arguments,
    .options = options,
    .example = "convoy bench configs/models/lenet5_relu.yaml --batch 64 --threads 2",
    .exits = exits,
    .all_ranks = true,
    .run = run,
};
