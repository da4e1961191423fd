#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "output.h"

struct settings {
    const char *data;
};
CLI_SETTINGS_FIT(struct settings);

static const struct cli_option options[] = {
    {"data", "F", "the data set; else the experiment's data.test", CLI_TEXT, .offset = offsetof(struct settings, data)},
    {0},
};
static const struct cli_argument arguments[] = {
    {"CHECKPOINT-OR-RUN", .help = "a checkpoint, or a run folder for its newest good one"},
    {0},
};

static int64_t cell(const struct cvy_eval_result *r, int truth, int said) {
    return r->confusion[(int64_t)truth * r->classes + said];
}

static void print_share(struct cli_table *table, int64_t part, int64_t whole) {
    if (whole > 0)
        cli_cell(table, "%.4f", (double)part / (double)whole);
    else
        cli_cell(table, "-");
}

static void print_classes(const struct cvy_eval_result *r) {
    struct cli_table table;
    cli_table_start(&table, "<class|precision|recall|samples");
    for (int c = 0; c < r->classes; c++) {
        int64_t said = 0, samples = 0;
        for (int k = 0; k < r->classes; k++) {
            said += cell(r, k, c);
            samples += cell(r, c, k);
        }
        cli_cell(&table, "%s", r->class_names[c]);
        print_share(&table, cell(r, c, c), said);
        print_share(&table, cell(r, c, c), samples);
        cli_cell(&table, "%s", cli_count(samples));
    }
    cli_table_print(&table);
}

#define WIDEST_MATRIX 25

static void print_matrix(const struct cvy_eval_result *r) {
    struct cvy_buf titles = {0};
    struct cli_table table;
    cvy_buf_printf(&titles, "<true \\ predicted");
    for (int c = 0; c < r->classes; c++) cvy_buf_printf(&titles, "|%d", c);
    cli_table_start(&table, cvy_buf_text(&titles));
    cvy_buf_destroy(&titles);
    for (int t = 0; t < r->classes; t++) {
        cli_cell(&table, "%d %s", t, r->class_names[t]);
        for (int p = 0; p < r->classes; p++) cli_cell(&table, "%" PRId64, cell(r, t, p));
    }
    cli_table_print(&table);
}

static void print_text(const struct cvy_eval_result *r) {
    cli_fact("checkpoint", "%s", r->checkpoint);
    cli_fact("samples", "%s", cli_count(r->samples));
    cli_fact("loss", "%.6f", r->loss);
    cli_fact("top-1", "%.2f %%", 100 * r->top1);
    cli_fact("top-5", "%.2f %%", 100 * r->top5);
    putchar('\n');
    print_classes(r);
    putchar('\n');
    if (r->classes <= WIDEST_MATRIX)
        print_matrix(r);
    else
        printf("The confusion matrix of %d classes is in the --json form.\n", r->classes);
}

static cvy_status print_json(struct cli *cli, const struct cvy_eval_result *r) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "checkpoint", r->checkpoint);
    cvy_json_int(&json, "samples", r->samples);
    cvy_json_real(&json, "loss", r->loss);
    cvy_json_real(&json, "top1", r->top1);
    cvy_json_real(&json, "top5", r->top5);
    cvy_json_open(&json, "classes", '[');
    for (int c = 0; c < r->classes; c++) cvy_json_text(&json, NULL, r->class_names[c]);
    cvy_json_close(&json, ']');
    cvy_json_open(&json, "confusion", '[');
    for (int t = 0; t < r->classes; t++) {
        cvy_json_open(&json, NULL, '[');
        for (int p = 0; p < r->classes; p++) cvy_json_int(&json, NULL, cell(r, t, p));
        cvy_json_close(&json, ']');
    }
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run(struct cli *cli) {
    const struct settings *s = (const void *)cli->settings;
    struct cvy_eval_result result = {0};
    const struct cvy_eval_options how = {.from = cli->arguments[0], .data = s->data};
    cvy_status status = cvy_eval(cli->ctx, &how, &result);
    if (status == CVY_OK && cvy_context_rank(cli->ctx) == 0) {
        if (cli->common.json)
            status = print_json(cli, &result);
        else
            print_text(&result);
    }
    cvy_eval_result_destroy(&result);
    return status;
}

const struct cli_command cli_eval = {
    .name = "eval",
    .purpose = "Gives loss, accuracies and the confusion matrix of a checkpoint on a data set.",
    .arguments = arguments,
    .options = options,
    .example = "convoy eval runs/lenet5-fashion --data data/test.h5",
    .all_ranks = true,
    .run = run,
};
