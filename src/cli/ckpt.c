/* ckpt list, ckpt info, ckpt verify, ckpt diff. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "core/text.h"

/* ---- list ---- */

static void print_list(const struct cvy_checkpoint_list *list) {
    struct cli_table table;
    cli_table_start(&table, "step|size|<state|<file");
    for (int i = 0; i < list->count; i++) {
        const struct cvy_checkpoint_entry *e = list->items[i];
        cli_cell(&table, "%s", cli_count(e->step));
        cli_cell(&table, "%s", cli_bytes(e->bytes));
        cli_cell(&table, "%s", e->good ? "good" : e->diverged ? "diverged" : "damaged");
        const size_t path = strlen(e->path);
        const bool named = strncmp(e->problem, e->path, path) == 0; /* it begins with the path */
        cli_cell(&table, "%s%s%s", e->path, e->good || named ? "" : ": ",
                 e->good ? "" : e->problem + (named ? path : 0));
    }
    cli_table_print(&table);
}

static cvy_status print_list_json(struct cli *cli, const struct cvy_checkpoint_list *list) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_open(&json, "checkpoints", '[');
    for (int i = 0; i < list->count; i++) {
        const struct cvy_checkpoint_entry *e = list->items[i];
        cvy_json_open(&json, NULL, '{');
        cvy_json_text(&json, "path", e->path);
        cvy_json_int(&json, "step", e->step);
        cvy_json_int(&json, "bytes", e->bytes);
        cvy_json_bool(&json, "good", e->good);
        if (e->diverged) cvy_json_bool(&json, "diverged", true);
        if (!e->good) cvy_json_text(&json, "problem", e->problem);
        cvy_json_close(&json, '}');
    }
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static void print_runs(const struct cvy_run_list *runs) {
    struct cli_table table;
    cli_table_start(&table, "checkpoints|newest step|size|<state|<run");
    for (int i = 0; i < runs->count; i++) {
        const struct cvy_run_entry *e = runs->items[i];
        cli_cell(&table, "%d", e->checkpoints);
        cli_cell(&table, "%s", e->checkpoints ? cli_count(e->step) : "-");
        cli_cell(&table, "%s", cli_bytes(e->bytes));
        cli_cell(&table, "%s", e->good ? "good" : e->checkpoints ? "damaged" : "empty");
        cli_cell(&table, "%s%s%s", e->path, e->problem[0] ? ": " : "", e->problem);
    }
    cli_table_print(&table);
}

static cvy_status print_runs_json(struct cli *cli, const struct cvy_run_list *runs) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_open(&json, "runs", '[');
    for (int i = 0; i < runs->count; i++) {
        const struct cvy_run_entry *e = runs->items[i];
        cvy_json_open(&json, NULL, '{');
        cvy_json_text(&json, "path", e->path);
        cvy_json_int(&json, "checkpoints", e->checkpoints);
        if (e->checkpoints) cvy_json_int(&json, "step", e->step);
        cvy_json_int(&json, "bytes", e->bytes);
        cvy_json_bool(&json, "good", e->good);
        if (e->problem[0]) cvy_json_text(&json, "problem", e->problem);
        cvy_json_close(&json, '}');
    }
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

/* True where the folder holds runs: then they are listed. */
static bool list_runs(struct cli *cli, cvy_status *status) {
    struct cvy_run_list runs = cvy_run_list_default();
    *status = cvy_run_list_read(cli->arguments[0], &runs);
    const bool any = runs.count > 0;
    if (any && cli->common.json)
        *status = print_runs_json(cli, &runs);
    else if (any)
        print_runs(&runs);
    cvy_run_list_destroy(&runs);
    return any || *status != CVY_OK;
}

static cvy_status run_list(struct cli *cli) {
    struct cvy_checkpoint_list list = cvy_checkpoint_list_default();
    cvy_status status;
    if (list_runs(cli, &status)) return status;
    status = cvy_checkpoint_list_read(cli->arguments[0], &list);
    if (status == CVY_OK && cli->common.json)
        status = print_list_json(cli, &list);
    else if (status == CVY_OK)
        print_list(&list);
    cvy_checkpoint_list_destroy(&list);
    return status;
}

static const struct cli_argument run_argument[] = {
    {"RUN", .help = "a run folder, or a folder of runs"},
    {0},
};
static const struct cli_exit exits[] = {CLI_EXIT_DONE, CLI_EXIT_FAULT, {"2", "bad usage"}, CLI_EXIT_CHECKPOINT, {0}};
const struct cli_command cli_ckpt_list = {
    .name = "ckpt list",
    .purpose = "Lists the checkpoints of a run, oldest first, and says which are good; or the runs of a folder.",
    .arguments = run_argument,
    .example = "convoy ckpt list runs/lenet5-fashion",
    .exits = exits,
    .run = run_list,
};

/* ---- info ---- */

static void print_info(const struct cvy_checkpoint_info *c) {
    cli_fact("checkpoint", "%s, %s", c->path, cli_bytes(c->bytes));
    cli_fact("experiment", "%s", c->name);
    cli_fact("written", "%s, ranks %d × threads %d, %s", c->written, c->ranks, c->threads, c->isa);
    cli_fact("progress", "step %s; %s %s and %s samples of the next", cli_count(c->step), cli_count(c->epoch),
             cvy_plural((double)c->epoch, "epoch", "epochs"), cli_count(c->position));
    cli_fact("parameters", "%s", cli_count(c->params));
    cli_fact("arrays", "%s: parameters, and what the run has of statistics, optimizer state and averages",
             cli_count(c->tensors));
    cli_fact("seed", "%" PRIu64, c->seed);
    cli_fact("digest", "%016" PRIx64, c->digest);
    printf("\n%s", c->experiment ? c->experiment : "");
}

static cvy_status print_info_json(struct cli *cli, const struct cvy_checkpoint_info *c) {
    struct cvy_buf json = {0};
    char digest[20];
    snprintf(digest, sizeof digest, "%016" PRIx64, c->digest);
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "path", c->path);
    cvy_json_int(&json, "bytes", c->bytes);
    cvy_json_text(&json, "name", c->name);
    cvy_json_text(&json, "written", c->written);
    cvy_json_int(&json, "ranks", c->ranks);
    cvy_json_int(&json, "threads", c->threads);
    cvy_json_text(&json, "isa", c->isa);
    cvy_json_int(&json, "step", c->step);
    cvy_json_int(&json, "epoch", c->epoch);
    cvy_json_int(&json, "position", c->position);
    cvy_json_int(&json, "seed", (int64_t)c->seed);
    cvy_json_int(&json, "params", c->params);
    cvy_json_int(&json, "tensors", c->tensors);
    cvy_json_text(&json, "digest", digest);
    cvy_json_text(&json, "experiment", c->experiment ? c->experiment : "");
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run_info(struct cli *cli) {
    struct cvy_checkpoint_info info = cvy_checkpoint_info_default();
    cvy_status status = cvy_checkpoint_info_read(cli->arguments[0], &info);
    if (status == CVY_OK && cli->common.json)
        status = print_info_json(cli, &info);
    else if (status == CVY_OK)
        print_info(&info);
    cvy_checkpoint_info_destroy(&info);
    return status;
}

static const struct cli_argument from_argument[] = {
    {"CHECKPOINT-OR-RUN", .help = "a checkpoint, or a run folder for its newest good one"},
    {0},
};
const struct cli_command cli_ckpt_info = {
    .name = "ckpt info",
    .purpose = "Says what a checkpoint holds, and prints its experiment.",
    .arguments = from_argument,
    .example = "convoy ckpt info runs/lenet5-fashion",
    .exits = exits,
    .run = run_info,
};

/* ---- verify ---- */

static cvy_status run_verify(struct cli *cli) {
    struct cvy_buf json = {0};
    struct cvy_checkpoint_info info = {0};
    cvy_status status = cvy_checkpoint_verify(cli->arguments[0]);
    if (status == CVY_OK) status = cvy_checkpoint_info_read(cli->arguments[0], &info); /* says which file it was */
    if (status == CVY_OK && cli->common.json) {
        cvy_json_open(&json, NULL, '{');
        cvy_json_text(&json, "path", info.path);
        cvy_json_bool(&json, "good", true);
        cvy_json_close(&json, '}');
        status = cli_print_json(cli, &json);
    } else if (status == CVY_OK) {
        printf("%s: good\n", info.path);
    }
    cvy_checkpoint_info_destroy(&info);
    return status;
}

static const struct cli_argument verify_argument[] = {
    {"CHECKPOINT-OR-RUN", .help = "a checkpoint, or a run folder for its newest"},
    {0},
};

const struct cli_command cli_ckpt_verify = {
    .name = "ckpt verify",
    .purpose = "Reads every byte of a checkpoint and compares the checksum.",
    .arguments = verify_argument,
    .example = "convoy ckpt verify runs/lenet5-fashion/checkpoints/step-00000469.h5",
    .exits = exits,
    .run = run_verify,
};

/* ---- diff ---- */

static void print_diff(const struct cvy_checkpoint_diff *diff) {
    struct cli_table table;
    if (diff->identical) {
        printf("bit-identical\n");
        return;
    }
    cli_table_start(&table, "<name|elements|max abs|max ulps|<what");
    for (int i = 0; i < diff->count; i++) {
        const struct cvy_checkpoint_difference *d = diff->items[i];
        cli_cell(&table, "%s", d->name);
        cli_cell(&table, "%s", d->elements ? cli_count(d->elements) : "");
        cli_cell(&table, d->elements ? "%.3g" : " ", d->max_abs);
        cli_cell(&table, "%s", d->elements ? cli_count(d->max_ulps) : "");
        cli_cell(&table, "%s", d->what);
    }
    cli_table_print(&table);
}

static cvy_status print_diff_json(struct cli *cli, const struct cvy_checkpoint_diff *diff) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_bool(&json, "identical", diff->identical);
    cvy_json_open(&json, "differences", '[');
    for (int i = 0; i < diff->count; i++) {
        const struct cvy_checkpoint_difference *d = diff->items[i];
        cvy_json_open(&json, NULL, '{');
        cvy_json_text(&json, "name", d->name);
        cvy_json_text(&json, "what", d->what);
        cvy_json_int(&json, "elements", d->elements);
        cvy_json_real(&json, "max_abs", d->max_abs);
        cvy_json_int(&json, "max_ulps", d->max_ulps);
        cvy_json_close(&json, '}');
    }
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

/* As diff(1): 0 when identical, 1 when not, otherwise the error's code. */
static cvy_status run_diff(struct cli *cli) {
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    cvy_status status = cvy_checkpoint_diff_read(cli->arguments[0], cli->arguments[1], &diff);
    if (status == CVY_OK) cli->exit_code = diff.identical ? 0 : 1;
    if (status == CVY_OK && cli->common.json)
        status = print_diff_json(cli, &diff);
    else if (status == CVY_OK)
        print_diff(&diff);
    cvy_checkpoint_diff_destroy(&diff);
    return status;
}

static const struct cli_argument two_arguments[] = {
    {"A", .help = "a checkpoint or a run folder"},
    {"B", .help = "another"},
    {0},
};
static const struct cli_exit diff_exits[] = {{"0", "they are the same"},
                                             {"1", "they differ; or internal fault, with a message on stderr"},
                                             {"2", "bad usage"},
                                             CLI_EXIT_CHECKPOINT,
                                             {0}};
const struct cli_command cli_ckpt_diff = {
    .name = "ckpt diff",
    .purpose = "Compares two checkpoints' weights and state bit by bit; exits 1 when they differ.",
    .arguments = two_arguments,
    .example = "convoy ckpt diff runs/one runs/two",
    .exits = diff_exits,
    .run = run_diff,
};
