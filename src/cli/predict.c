#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output.h"

struct settings {
    struct cli_int top;
    const char *out;
};
CLI_SETTINGS_FIT(struct settings);

static const struct cli_option options[] = {
    {"top", "K", "how many classes to print an input", CLI_INT, .offset = offsetof(struct settings, top),
     .fallback = "5", .low = 1, .high = 100000},
    {"out", "F.h5", "writes all outputs to a file: /y, /scores, /inputs", CLI_TEXT,
     .offset = offsetof(struct settings, out)},
    {0},
};
static const struct cli_argument arguments[] = {
    {"CHECKPOINT-OR-RUN", .help = "a checkpoint, or a run folder for its newest good one"},
    {"INPUT", .help = "an image (PNG, JPEG), or samples of a data set: test.h5:3, test.h5:0-9", .many = true},
    {0},
};

/* What one call works with. */
struct session {
    struct cli *cli;
    struct cvy_predictor *predictor;
    struct cvy_predictor_facts facts;
    struct cvy_predictions *file; /* of --out, or NULL */
    int channels, top;
    float *x, *outputs; /* one input, what is said of it */
    int *order;         /* channels, likeliest first */
    struct cvy_buf json;
};

static void sort_classes(struct session *s) {
    for (int i = 0; i < s->channels; i++) s->order[i] = i;
    for (int i = 0; i < s->top; i++) { /* equal ones keep their order */
        int best = i;
        for (int k = i + 1; k < s->channels; k++)
            if (s->outputs[s->order[k]] > s->outputs[s->order[best]]) best = k;
        int chosen = s->order[best];
        memmove(s->order + i + 1, s->order + i, (size_t)(best - i) * sizeof *s->order);
        s->order[i] = chosen;
    }
}

/* Values in their own order, all of them; the others by size. */
static int shown(const struct session *s, int i) {
    return s->facts.kind == CVY_PREDICTS_VALUES ? i : s->order[i];
}

static void print_text(const struct session *s, const char *input, int label) {
    printf("%s", input);
    if (label >= 0) printf(" (true class %s)", cvy_predictor_class(s->predictor, label));
    putchar('\n');
    for (int i = 0; i < s->top; i++)
        printf("  %.*f  %s\n", s->facts.kind == CVY_PREDICTS_VALUES ? 6 : 4, s->outputs[shown(s, i)],
               cvy_predictor_class(s->predictor, shown(s, i)));
}

static void add_json(struct session *s, const char *input, int label) {
    static const char *const what[] = {[CVY_PREDICTS_CLASSES] = "probability",
                                       [CVY_PREDICTS_SCORES] = "score",
                                       [CVY_PREDICTS_LABELS] = "probability",
                                       [CVY_PREDICTS_VALUES] = "value"};
    const bool values = s->facts.kind == CVY_PREDICTS_VALUES;
    cvy_json_open(&s->json, NULL, '{');
    cvy_json_text(&s->json, "input", input);
    if (label >= 0) cvy_json_text(&s->json, "true", cvy_predictor_class(s->predictor, label));
    cvy_json_open(&s->json, values ? "values" : "top", '[');
    for (int i = 0; i < s->top; i++) {
        cvy_json_open(&s->json, NULL, '{');
        cvy_json_text(&s->json, values ? "name" : "class", cvy_predictor_class(s->predictor, shown(s, i)));
        cvy_json_int(&s->json, "index", shown(s, i));
        cvy_json_real(&s->json, what[s->facts.kind], s->outputs[shown(s, i)]);
        cvy_json_close(&s->json, '}');
    }
    cvy_json_close(&s->json, ']');
    cvy_json_close(&s->json, '}');
}

static bool is_map(const struct session *s) {
    return s->facts.output[0] * s->facts.output[1] > 1;
}

static cvy_status predict_one(struct session *s, const char *input) {
    int label = -1;
    cvy_status status = cvy_predictor_read(s->predictor, input, s->x, &label);
    if (status == CVY_OK) status = cvy_predictor_run(s->predictor, s->x, 1, s->outputs);
    if (status == CVY_OK && s->file) status = cvy_predictions_add(s->file, input, s->outputs);
    if (status != CVY_OK || is_map(s)) return status;
    sort_classes(s);
    if (s->cli->common.json)
        add_json(s, input, label);
    else
        print_text(s, input, label);
    return CVY_OK;
}

/* "f.h5:2-5" → length of "f.h5", 2, 5; false when the input is no range. */
static bool read_range(const char *input, size_t *stem, long long *first, long long *last) {
    const char *colon = strrchr(input, ':');
    int used = 0;
    if (colon == NULL || !isdigit((unsigned char)colon[1])) return false;
    if (sscanf(colon + 1, "%18lld-%18lld%n", first, last, &used) != 2 || colon[1 + used]) return false;
    *stem = (size_t)(colon - input);
    return true;
}

static cvy_status predict_input(struct session *s, const char *input) {
    size_t stem;
    long long first, last;
    char one[4096];
    if (!read_range(input, &stem, &first, &last)) return predict_one(s, input);
    if (last < first) return cli_fail(s->cli, "predict: %s: the range ends before it starts", input);
    for (long long i = first; i <= last; i++) {
        snprintf(one, sizeof one, "%.*s:%lld", (int)stem, input, i);
        cvy_status status = predict_one(s, one);
        if (status != CVY_OK) return status;
    }
    return CVY_OK;
}

static cvy_status open_file(struct session *s) {
    const struct settings *settings = (const void *)s->cli->settings;
    const int *out = s->facts.output;
    if (settings->out) return cvy_predictions_create(s->predictor, settings->out, &s->file);
    if (!is_map(s)) return CVY_OK;
    return cli_fail(s->cli, "predict: the outputs are maps of %d×%d×%d; write them to a file with --out F.h5", out[0],
                    out[1], out[2]);
}

static cvy_status open_session(struct session *s) {
    const struct settings *settings = (const void *)s->cli->settings;
    const struct cvy_predictor_facts *f = &s->facts;
    cvy_status status = cvy_predictor_create(s->cli->ctx, s->cli->arguments[0], &s->predictor);
    if (status != CVY_OK) return status;
    cvy_predictor_describe(s->predictor, &s->facts);
    status = open_file(s);
    if (status != CVY_OK) return status;
    s->channels = f->output[2];
    s->top =
        settings->top.value < s->channels && f->kind != CVY_PREDICTS_VALUES ? (int)settings->top.value : s->channels;
    s->x = calloc((size_t)f->input[0] * (size_t)f->input[1] * (size_t)f->input[2], sizeof *s->x);
    s->outputs = calloc((size_t)f->output[0] * (size_t)f->output[1] * (size_t)s->channels, sizeof *s->outputs);
    s->order = calloc((size_t)s->channels, sizeof *s->order);
    if (s->x && s->outputs && s->order) return CVY_OK;
    cli_fail(s->cli, "predict: no memory for one input and its outputs");
    return CVY_ERR_INTERNAL;
}

static void close_session(struct session *s) {
    free(s->x);
    free(s->outputs);
    free(s->order);
    cvy_buf_destroy(&s->json);
    cvy_predictions_destroy(&s->file);
    cvy_predictor_destroy(&s->predictor);
}

static cvy_status say_written(struct session *s) {
    const struct settings *settings = (const void *)s->cli->settings;
    if (s->file == NULL) return CVY_OK;
    cvy_status status = cvy_predictions_finish(&s->file);
    if (status != CVY_OK) return status;
    if (s->cli->common.json)
        cvy_json_text(&s->json, "out", settings->out);
    else
        printf("written to %s\n", settings->out);
    return CVY_OK;
}

static cvy_status run(struct cli *cli) {
    struct session s = {.cli = cli};
    cvy_status status = open_session(&s);
    cvy_json_open(&s.json, NULL, '{');
    cvy_json_open(&s.json, "inputs", '[');
    for (int i = 1; status == CVY_OK && i < cli->argument_count; i++) status = predict_input(&s, cli->arguments[i]);
    cvy_json_close(&s.json, ']');
    if (status == CVY_OK) status = say_written(&s);
    cvy_json_close(&s.json, '}');
    if (status == CVY_OK && cli->common.json) status = cli_print_json(cli, &s.json);
    close_session(&s);
    return status;
}

const struct cli_command cli_predict = {
    .name = "predict",
    .purpose = "Says what a network makes of images or of a data set's samples: classes, labels, values or maps.",
    .arguments = arguments,
    .options = options,
    .example = "convoy predict runs/lenet5-fashion shoe.png data/test.h5:0-9 --top 3",
    .run = run,
};
