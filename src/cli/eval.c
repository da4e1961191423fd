#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "form.h"
#include "output.h"

struct settings {
    const char *data;
    struct cvy_data_form form;
    bool best;
};
CLI_SETTINGS_FIT(struct settings);

static const struct cli_option options[] = {
    {"data", "F", "the data set; else the experiment's data.test", CLI_PATH, .offset = offsetof(struct settings, data)},
    CLI_FORM_OPTIONS(struct settings, form),
    CLI_SCALE_OPTION(struct settings, form),
    CLI_Y_SCALE_OPTION(struct settings, form),
    {"best", NULL, "the best checkpoint of the run (checkpoint.best), not its newest", CLI_FLAG,
     .offset = offsetof(struct settings, best)},
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

/* How often a class, or label, was right: of those said, of those that are there. */
struct hits {
    int64_t right, said, there;
};

static struct hits hits_of(const struct cvy_eval_result *r, int c) {
    struct hits h = {0};
    if (r->labels) {
        const int64_t *cells = r->labels + (int64_t)c * 4; /* [truly][said] */
        return (struct hits){cells[3], cells[1] + cells[3], cells[2] + cells[3]};
    }
    h.right = cell(r, c, c);
    for (int k = 0; k < r->classes; k++) {
        h.said += cell(r, k, c);
        h.there += cell(r, c, k);
    }
    return h;
}

static void print_classes(const struct cvy_eval_result *r) {
    struct cli_table table;
    cli_table_start(&table, r->labels ? "<label|precision|recall|samples" : "<class|precision|recall|samples");
    for (int c = 0; c < r->classes; c++) {
        const struct hits h = hits_of(r, c);
        cli_cell(&table, "%s", r->class_names[c]);
        print_share(&table, h.right, h.said);
        print_share(&table, h.right, h.there);
        cli_cell(&table, "%s", cli_count(h.there));
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
    for (int i = 0; i < r->figures.count; i++) {
        const struct cvy_figure *f = &r->figures.items[i];
        const bool share = f->unit[0] == '%';
        cli_fact(f->title, "%.*f%s%s", f->unit[0] ? 2 : 6, share ? 100 * f->value : f->value, f->unit[0] ? " " : "",
                 f->unit);
    }
    if (r->confusion == NULL && r->labels == NULL) return;
    putchar('\n');
    print_classes(r);
    if (r->confusion == NULL) return;
    putchar('\n');
    if (r->classes <= WIDEST_MATRIX)
        print_matrix(r);
    else
        printf("The confusion matrix of %d classes is in the --json form.\n", r->classes);
}

static void add_share(struct cvy_buf *json, const char *key, int64_t part, int64_t whole) {
    cvy_json_real(json, key, whole > 0 ? (double)part / (double)whole : NAN); /* null */
}

static void add_classes(struct cvy_buf *json, const struct cvy_eval_result *r) {
    cvy_json_open(json, "per_class", '[');
    for (int c = 0; c < r->classes; c++) {
        const struct hits h = hits_of(r, c);
        cvy_json_open(json, NULL, '{');
        cvy_json_text(json, "name", r->class_names[c]);
        add_share(json, "precision", h.right, h.said);
        add_share(json, "recall", h.right, h.there);
        cvy_json_int(json, "samples", h.there);
        cvy_json_close(json, '}');
    }
    cvy_json_close(json, ']');
}

static void add_matrix(struct cvy_buf *json, const struct cvy_eval_result *r) {
    cvy_json_open(json, "confusion", '[');
    for (int t = 0; t < r->classes; t++) {
        cvy_json_open(json, NULL, '[');
        for (int p = 0; p < r->classes; p++) cvy_json_int(json, NULL, cell(r, t, p));
        cvy_json_close(json, ']');
    }
    cvy_json_close(json, ']');
}

/* One value alone has none. */
static bool has_names(const struct cvy_eval_result *r) {
    return r->classes > 1 || r->confusion || r->labels || (r->classes == 1 && strcmp(r->class_names[0], "0") != 0);
}

static cvy_status print_json(struct cli *cli, const struct cvy_eval_result *r) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "checkpoint", r->checkpoint);
    cvy_json_int(&json, "samples", r->samples);
    for (int i = 0; i < r->figures.count; i++)
        cvy_json_real(&json, r->figures.items[i].name, r->figures.items[i].value);
    if (has_names(r)) {
        cvy_json_open(&json, "classes", '[');
        for (int c = 0; c < r->classes; c++) cvy_json_text(&json, NULL, r->class_names[c]);
        cvy_json_close(&json, ']');
    }
    if (r->confusion || r->labels) add_classes(&json, r);
    if (r->confusion) add_matrix(&json, r);
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run(struct cli *cli) {
    struct settings *s = (void *)cli->settings;
    struct cvy_eval_result result = cvy_eval_result_default();
    const struct cvy_eval_options how = {
        .size = sizeof how, .from = cli->arguments[0], .data = s->data, .form = cli_form(&s->form), .best = s->best};
    cvy_status status = cvy_eval(cli->ctx, &how, &result);
    cli_voice_rest();
    if (status == CVY_OK && cvy_context_rank(cli->ctx) == 0) {
        if (cli->common.json)
            status = print_json(cli, &result);
        else
            print_text(&result);
    }
    cvy_eval_result_destroy(&result);
    return status;
}

static const struct cli_exit exits[] = {
    CLI_EXIT_DONE, CLI_EXIT_FAULT, CLI_EXIT_USAGE, CLI_EXIT_DATA, CLI_EXIT_CHECKPOINT, CLI_EXIT_LOST, {0}};
const struct cli_command cli_eval = {
    .name = "eval",
    .purpose = "Measures a checkpoint on a data set: loss; accuracies, each class and the confusion matrix; or errors "
               "of values.",
    .arguments = arguments,
    .options = options,
    .example = "convoy eval runs/lenet5-fashion --data data/test.h5",
    .exits = exits,
    .all_ranks = true,
    .run = run,
};
