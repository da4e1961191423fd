#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "form.h"
#include "output.h"

struct settings {
    struct cli_int top;
    const char *out, *size;
    struct cvy_data_form form;
    bool overwrite, best;
    struct cli_color background;
};
CLI_SETTINGS_FIT(struct settings);

static const struct cli_option options[] = {
    {"top", "K", "how many classes to print an input", CLI_INT, .offset = offsetof(struct settings, top),
     .fallback = "5", .low = 1, .high = 100000},
    {"out", "F.h5", "writes all outputs to a file: /y, /scores, /inputs", CLI_PATH,
     .offset = offsetof(struct settings, out)},
    {"overwrite", NULL, "replaces that file where it is there", CLI_FLAG,
     .offset = offsetof(struct settings, overwrite), .needs = "--out"},
    {"best", NULL, "the best checkpoint of the run (checkpoint.best), not its newest", CLI_FLAG,
     .offset = offsetof(struct settings, best)},
    CLI_FORM_OPTIONS(struct settings, form),
    CLI_SCALE_OPTION(struct settings, form),
    {"size", "HxW", "resizes pictures to this instead of the network's input, where the network takes any size",
     CLI_TEXT, .offset = offsetof(struct settings, size)},
    {"background", "COLOUR", "what is behind a picture's transparent pixels: a grey, 0 to 255, or #rrggbb", CLI_COLOR,
     .offset = offsetof(struct settings, background), .fallback = "0"},
    {0},
};
#define TITLE(name, title) title
static const struct cli_argument arguments[] = {
    {"CHECKPOINT-OR-RUN", .help = "a checkpoint, or a run folder for its newest good one"},
    {"INPUT",
     .help = "a picture (" CVY_PICTURE_FORMATS(
         TITLE, ", ") "), a data set (test.h5), samples of one (test.h5:3, test.h5:0-9), or a folder of such",
     .many = true},
    {0},
};

/* What one call works with. */
struct session {
    struct cli *cli;
    struct cvy_predictor *predictor;
    struct cvy_predictor_facts facts;
    struct cvy_predictions *file; /* of --out, or NULL */
    struct cvy_inputs *inputs;
    int channels, top;
    int block;                   /* inputs that are taken at once */
    float *x, *outputs;          /* [block] inputs, what is said of them */
    int *order;                  /* channels, likeliest first */
    struct cvy_buf json, failed; /* failed: why inputs were not read, a list of JSON */
    int64_t good;                /* inputs that were */
};

static void sort_classes(struct session *s, const float *outputs) {
    for (int i = 0; i < s->channels; i++) s->order[i] = i;
    for (int i = 0; i < s->top; i++) { /* equal ones keep their order */
        int best = i;
        for (int k = i + 1; k < s->channels; k++)
            if (outputs[s->order[k]] > outputs[s->order[best]]) best = k;
        int chosen = s->order[best];
        memmove(s->order + i + 1, s->order + i, (size_t)(best - i) * sizeof *s->order);
        s->order[i] = chosen;
    }
}

/* Values in their own order, all of them; the others by size. */
static int shown(const struct session *s, int i) {
    return s->facts.kind == CVY_PREDICTS_VALUES ? i : s->order[i];
}

static void print_text(const struct session *s, const struct cvy_input *of, const float *outputs) {
    printf("%s", of->name);
    if (of->label >= 0) printf(" (true class %s)", cvy_predictor_class(s->predictor, of->label));
    if (of->ignored) printf(" (true class ignored)");
    putchar('\n');
    const bool values = s->facts.kind == CVY_PREDICTS_VALUES;
    const bool alone = values && s->channels == 1 && strcmp(cvy_predictor_class(s->predictor, 0), "0") == 0;
    for (int i = 0; i < s->top; i++)
        printf("  %.*f%s%s\n", values ? 6 : 4, outputs[shown(s, i)], alone ? "" : "  ",
               alone ? "" : cvy_predictor_class(s->predictor, shown(s, i))); /* one value has no name of its own */
}

static void add_json(struct session *s, const struct cvy_input *of, const float *outputs) {
    static const char *const what[] = {[CVY_PREDICTS_CLASSES] = "probability",
                                       [CVY_PREDICTS_SCORES] = "score",
                                       [CVY_PREDICTS_LABELS] = "probability",
                                       [CVY_PREDICTS_VALUES] = "value"};
    const bool values = s->facts.kind == CVY_PREDICTS_VALUES;
    cvy_json_open(&s->json, NULL, '{');
    cvy_json_text(&s->json, "input", of->name);
    if (of->label >= 0) cvy_json_text(&s->json, "true", cvy_predictor_class(s->predictor, of->label));
    if (of->ignored) cvy_json_bool(&s->json, "ignored", true);
    cvy_json_open(&s->json, values ? "values" : "top", '[');
    for (int i = 0; i < s->top; i++) {
        cvy_json_open(&s->json, NULL, '{');
        cvy_json_text(&s->json, values ? "name" : "class", cvy_predictor_class(s->predictor, shown(s, i)));
        cvy_json_int(&s->json, "index", shown(s, i));
        cvy_json_real(&s->json, what[s->facts.kind], outputs[shown(s, i)]);
        cvy_json_close(&s->json, '}');
    }
    cvy_json_close(&s->json, ']');
    cvy_json_close(&s->json, '}');
}

static bool is_map(const struct session *s) {
    return s->facts.output[0] * s->facts.output[1] > 1;
}

/* Of one input. */
static cvy_status tell(struct session *s, const struct cvy_input *of, const float *outputs) {
    cvy_status status = s->file ? cvy_predictions_add(s->file, of->name, outputs) : CVY_OK;
    if (status != CVY_OK || is_map(s)) return status;
    sort_classes(s, outputs);
    if (s->cli->common.json)
        add_json(s, of, outputs);
    else
        print_text(s, of, outputs);
    return CVY_OK;
}

/* The others are still of use. */
static void pass_over(struct session *s) {
    cli_print_error(cvy_error_message());
    if (s->failed.size == 0) cvy_json_open(&s->failed, NULL, '[');
    cvy_json_text(&s->failed, NULL, cvy_error_message());
    s->cli->exit_code = CVY_ERR_DATA;
}

static cvy_status next_block(struct session *s, int *n) {
    cvy_status status;
    while ((status = cvy_inputs_next(s->inputs, s->block, s->x, n)) == CVY_ERR_DATA) pass_over(s);
    return status;
}

static cvy_status predict_block(struct session *s, int *n) {
    const int64_t each = (int64_t)s->facts.output[0] * s->facts.output[1] * s->channels;
    cvy_status status = next_block(s, n);
    if (status == CVY_OK && *n > 0) status = cvy_predictor_run(s->predictor, s->x, *n, s->outputs);
    s->good += *n;
    for (int i = 0; i < *n && status == CVY_OK; i++)
        status = tell(s, cvy_inputs_at(s->inputs, i), s->outputs + i * each);
    return status;
}

static cvy_status open_file(struct session *s) {
    const struct settings *settings = (const void *)s->cli->settings;
    const int *out = s->facts.output;
    const struct cvy_predictions_options how = {.size = sizeof how,
                                                .path = settings->out,
                                                .overwrite = settings->overwrite,
                                                .inputs = (const char *const *)s->cli->arguments + 1,
                                                .input_count = s->cli->argument_count - 1};
    if (settings->out) return cvy_predictions_create(s->predictor, &how, &s->file);
    if (!is_map(s)) return CVY_OK;
    return cli_fail(s->cli, "predict: the outputs are maps of %d×%d×%d; write them to a file with --out F.h5", out[0],
                    out[1], out[2]);
}

/* "64" or "48x64"; both 0 where nothing is asked. */
static cvy_status read_size(struct cli *cli, const char *text, struct cvy_data_form *form) {
    int used = 0;
    if (text == NULL) return CVY_OK;
    if (sscanf(text, "%d%n", &form->height, &used) == 1 && text[used] == '\0')
        form->width = form->height;
    else if (sscanf(text, "%dx%d%n", &form->height, &form->width, &used) != 2 || text[used])
        used = -1;
    if (used > 0 && form->height > 0 && form->width > 0) return CVY_OK;
    return cli_fail(cli, "predict: --size %s: expected height and width such as 48x64, or one number for both", text);
}

static cvy_status make_room(struct session *s) {
    const struct cvy_predictor_facts *f = &s->facts;
    const size_t x = (size_t)f->input[0] * (size_t)f->input[1] * (size_t)f->input[2];
    const size_t y = (size_t)f->output[0] * (size_t)f->output[1] * (size_t)s->channels;
    const size_t fits = ((size_t)1 << 22) / (x + y); /* 16 MiB */
    s->block = fits < 1 ? 1 : fits > 256 ? 256 : (int)fits;
    s->x = calloc((size_t)s->block * x, sizeof *s->x);
    s->outputs = calloc((size_t)s->block * y, sizeof *s->outputs);
    s->order = calloc((size_t)s->channels, sizeof *s->order);
    if (s->x && s->outputs && s->order) return CVY_OK;
    cli_fail(s->cli, "predict: no memory for %d inputs and their outputs", s->block);
    return CVY_ERR_INTERNAL;
}

static cvy_status open_session(struct session *s) {
    const struct settings *settings = (const void *)s->cli->settings;
    struct cli *cli = s->cli;
    struct cvy_data_form form = settings->form;
    const char *from = cli->arguments[0];
    char best[1024];
    form.size = sizeof form;
    cvy_status status = read_size(cli, settings->size, &form);
    if (status == CVY_OK && settings->best) status = cvy_checkpoint_best(from, best);
    if (status == CVY_OK) status = cvy_predictor_create(cli->ctx, settings->best ? best : from, &s->predictor);
    if (status == CVY_OK) cvy_predictor_background(s->predictor, settings->background.rgb);
    if (status == CVY_OK)
        status = cvy_inputs_create(s->predictor, (const char *const *)cli->arguments + 1, cli->argument_count - 1,
                                   &form, &s->inputs);
    if (status != CVY_OK) return status;
    status = cvy_predictor_describe(s->predictor, &s->facts);
    if (status == CVY_OK) status = open_file(s);
    if (status != CVY_OK) return status;
    s->channels = s->facts.output[2];
    const bool all = s->facts.kind == CVY_PREDICTS_VALUES || settings->top.value > s->channels;
    s->top = all ? s->channels : (int)settings->top.value;
    return make_room(s);
}

static void close_session(struct session *s) {
    free(s->x);
    free(s->outputs);
    free(s->order);
    cvy_inputs_destroy(&s->inputs);
    cvy_buf_destroy(&s->json);
    cvy_buf_destroy(&s->failed);
    cvy_predictions_destroy(&s->file);
    cvy_predictor_destroy(&s->predictor);
}

static cvy_status say_written(struct session *s) {
    const struct settings *settings = (const void *)s->cli->settings;
    if (s->file == NULL || s->good == 0) return CVY_OK;
    cvy_status status = cvy_predictions_finish(&s->file);
    if (status != CVY_OK) return status;
    if (s->cli->common.json)
        cvy_json_text(&s->json, "out", settings->out);
    else
        printf("written to %s\n", settings->out);
    return CVY_OK;
}

static void add_failed(struct session *s) {
    cvy_json_open(&s->json, "failed", '[');
    cvy_buf_write(&s->json, s->failed.data + 1, s->failed.size - 1); /* without its own bracket */
    cvy_json_close(&s->json, ']');
}

static cvy_status run(struct cli *cli) {
    struct session s = {.cli = cli, .facts = cvy_predictor_facts_default()};
    cvy_status status = open_session(&s);
    cvy_json_open(&s.json, NULL, '{');
    cvy_json_open(&s.json, "inputs", '[');
    for (int n = 1; status == CVY_OK && n > 0;) status = predict_block(&s, &n);
    cvy_json_close(&s.json, ']');
    if (status == CVY_OK) status = say_written(&s);
    if (s.failed.size) add_failed(&s);
    cvy_json_close(&s.json, '}');
    if (status == CVY_OK && cli->common.json) status = cli_print_json(cli, &s.json);
    close_session(&s);
    return status;
}

static const struct cli_exit exits[] = {
    CLI_EXIT_DONE,       CLI_EXIT_FAULT,
    CLI_EXIT_USAGE,      {"3", "some of its inputs are bad or missing: the others are predicted"},
    CLI_EXIT_CHECKPOINT, {0}};
const struct cli_command cli_predict = {
    .name = "predict",
    .purpose = "Says what a network makes of images or of a data set's samples: classes, labels, values or maps.",
    .arguments = arguments,
    .options = options,
    .example = "convoy predict runs/lenet5-fashion shoe.png data/test.h5:0-9 --top 3",
    .exits = exits,
    .run = run,
};
