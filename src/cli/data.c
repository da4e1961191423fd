/* data pack, data info, data verify, data split. */
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "form.h"
#include "output.h"
#include "core/text.h"

/* ---- What is in one ---- */

/* Four figures, however small they are. */
static void print_numbers(const char *name, const double *values, int count) {
    printf("%-14s", name);
    for (int c = 0; c < count; c++) printf("%s%.4g", c ? " " : "", values[c] == 0 ? 0.0 : values[c]);
    putchar('\n');
}

static void class_name(const struct cvy_data_info *d, int index, char out[128]) {
    if (d->class_names && d->class_names[index])
        snprintf(out, 128, "%s", d->class_names[index]);
    else
        snprintf(out, 128, "%d", index);
}

static void print_target(const struct cvy_data_info *d) {
    const int *t = d->target;
    const bool map = t[0] * t[1] > 1, classes = d->target_type[0] == 'c';
    if (t[0] * t[1] * t[2] == 0)
        cli_fact("targets", "none");
    else if (!classes)
        cli_fact("targets", "%d×%d×%d values", t[0], t[1], t[2]);
    else if (map)
        cli_fact("targets", "%d×%d classes", t[0], t[1]);
    if (d->target_note) cli_fact("taken from", "%s", d->target_note);
    if (classes) cli_fact("classes", "%d", d->classes);
    if (d->has_ignored) cli_fact("ignored", "class %d", d->ignored);
    if (d->like_note) cli_fact("by number", "%s", d->like_note);
}

static void print_text(const char *path, const struct cvy_data_info *d) {
    struct cli_table table;
    char name[128];
    cli_fact("data set", "%s", path);
    cli_fact("samples", "%s", cli_count(d->samples));
    cli_fact("input", "%d×%d×%d %s", d->height, d->width, d->channels, d->x_type);
    print_target(d);
    if (d->mean) print_numbers("mean", d->mean, d->channels);
    if (d->std) print_numbers("std", d->std, d->channels);
    if (d->range) cli_fact("range", "%g to %g", d->range[0], d->range[1]);
    if (!d->mean) cli_fact("mean, std", "measured when it is trained on or packed");
    if (d->shards)
        cli_fact("shards", "%d, %s", d->shards, cli_bytes(d->bytes));
    else
        cli_fact("size", "%s in a single file", cli_bytes(d->bytes));
    cli_fact("digest", "%016" PRIx64, d->digest);
    if (d->unwritten)
        cli_fact("never written", "%s %s as zeros", cli_count(d->unwritten),
                 cvy_plural((double)d->unwritten, "chunk, which reads", "chunks, which read"));
    if (d->per_class == NULL) return;
    putchar('\n');
    cli_table_start(&table, "<class|samples");
    for (int c = 0; c < d->classes; c++) {
        class_name(d, c, name);
        cli_cell(&table, "%s", name);
        cli_cell(&table, "%s", cli_count(d->per_class[c]));
    }
    cli_table_print(&table);
}

static void add_numbers(struct cvy_buf *json, const char *key, const double *values, int count) {
    cvy_json_open(json, key, '[');
    for (int c = 0; c < count; c++) cvy_json_real(json, NULL, values[c]);
    cvy_json_close(json, ']');
}

static void add_classes(struct cvy_buf *json, const struct cvy_data_info *d) {
    char name[128];
    cvy_json_open(json, "classes", '[');
    for (int c = 0; c < d->classes; c++) {
        class_name(d, c, name);
        cvy_json_open(json, NULL, '{');
        cvy_json_text(json, "name", name);
        if (d->per_class) cvy_json_int(json, "samples", d->per_class[c]);
        cvy_json_close(json, '}');
    }
    cvy_json_close(json, ']');
}

static cvy_status print_json(struct cli *cli, const char *path, const struct cvy_data_info *d) {
    struct cvy_buf json = {0};
    char digest[20];
    snprintf(digest, sizeof digest, "%016" PRIx64, d->digest);
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "path", path);
    cvy_json_int(&json, "samples", d->samples);
    cvy_json_int(&json, "height", d->height);
    cvy_json_int(&json, "width", d->width);
    cvy_json_int(&json, "channels", d->channels);
    cvy_json_text(&json, "type", d->x_type);
    cvy_json_open(&json, "target", '{');
    cvy_json_text(&json, "type", d->target_type);
    cvy_json_int(&json, "height", d->target[0]);
    cvy_json_int(&json, "width", d->target[1]);
    cvy_json_int(&json, "channels", d->target[2]);
    if (d->target_note) cvy_json_text(&json, "note", d->target_note);
    if (d->has_ignored) cvy_json_int(&json, "ignore_label", d->ignored);
    cvy_json_close(&json, '}');
    add_classes(&json, d);
    if (d->mean) add_numbers(&json, "mean", d->mean, d->channels);
    if (d->std) add_numbers(&json, "std", d->std, d->channels);
    if (d->range) add_numbers(&json, "range", d->range, 2);
    if (d->like_note) cvy_json_text(&json, "like_note", d->like_note);
    cvy_json_int(&json, "unwritten_chunks", d->unwritten);
    cvy_json_int(&json, "shards", d->shards);
    cvy_json_int(&json, "bytes", d->bytes);
    cvy_json_text(&json, "digest", digest);
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status print_info(struct cli *cli, const char *path, const struct cvy_data_info *info) {
    if (cli->common.json) return print_json(cli, path, info);
    print_text(path, info);
    return CVY_OK;
}

struct read_settings {
    struct cvy_data_form form;
};
CLI_SETTINGS_FIT(struct read_settings);

static const struct cli_option read_options[] = {
    CLI_FORM_OPTIONS(struct read_settings, form),
    CLI_LIKE_OPTION(struct read_settings, form),
    CLI_Y_SCALE_OPTION(struct read_settings, form),
    {0},
};

static cvy_status run_info(struct cli *cli) {
    struct cvy_data_info info = cvy_data_info_default();
    struct read_settings *s = (void *)cli->settings;
    cvy_status status = cvy_data_info_read(cli->arguments[0], cli_form(&s->form), &info);
    if (status == CVY_OK) status = print_info(cli, cli->arguments[0], &info);
    cvy_data_info_destroy(&info);
    return status;
}

static const struct cli_argument file_argument[] = {
    {"FILE.h5", .help = "a data set: a single file, or the index of its shards"},
    {0},
};

static const struct cli_exit read_exits[] = {CLI_EXIT_DONE,
                                             CLI_EXIT_FAULT,
                                             CLI_EXIT_USAGE,
                                             CLI_EXIT_DATA,
                                             {"4", "no usable checkpoint in the run of --like"},
                                             {0}};
const struct cli_command cli_data_info = {
    .name = "data info",
    .purpose = "Says what is in a data set.",
    .arguments = file_argument,
    .options = read_options,
    .example = "convoy data info data/train.h5",
    .exits = read_exits,
    .run = run_info,
};

/* ---- Checking one ---- */

static cvy_status print_good(struct cli *cli, int64_t samples, const char *note) {
    struct cvy_buf json = {0};
    if (!cli->common.json) {
        printf("%s: good, %s %s\n", cli->arguments[0], cli_count(samples),
               cvy_plural((double)samples, "sample", "samples"));
        if (note) printf("%s\n", note);
        return CVY_OK;
    }
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "path", cli->arguments[0]);
    cvy_json_bool(&json, "good", true);
    cvy_json_int(&json, "samples", samples);
    if (note) cvy_json_text(&json, "like_note", note);
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run_verify(struct cli *cli) {
    struct read_settings *s = (void *)cli->settings;
    const struct cvy_data_form *form = cli_form(&s->form);
    struct cvy_data_info info = cvy_data_info_default();
    int64_t samples = 0;
    cvy_status status = cvy_data_verify_in(cli->ctx, cli->arguments[0], form, &samples);
    cli_voice_erase();
    if (status == CVY_OK && form->like) status = cvy_data_info_read(cli->arguments[0], form, &info);
    if (status == CVY_OK) status = print_good(cli, samples, info.like_note);
    cvy_data_info_destroy(&info);
    return status;
}

const struct cli_command cli_data_verify = {
    .name = "data verify",
    .purpose = "Reads every byte of a data set: checksums, counts, range of the labels.",
    .arguments = file_argument,
    .options = read_options,
    .example = "convoy data verify data/train.h5",
    .exits = read_exits,
    .run = run_verify,
};

/* ---- Packing one ---- */

struct pack_settings {
    int format;
    const char *classes;
    struct cvy_data_form form;
    struct cli_int shard_mib, deflate, ignored;
    bool overwrite, values;
};
CLI_SETTINGS_FIT(struct pack_settings);

#define NAME(name, inputs, first, rest)   #name
#define INPUTS(name, inputs, first, rest) #name " (" inputs ")"
#define FIRST(name, inputs, first, rest)  #name ": " first
#define REST(name, inputs, first, rest)   #name ": " rest
#define WORD(name, inputs, first, rest)   #name,
static const char *const formats[] = {CVY_PACK_FORMATS(WORD, )};

#define MEMBER(name) offsetof(struct pack_settings, name)
static const struct cli_option pack_options[] = {
    {"format", "FORMAT", "of the inputs: " CVY_PACK_FORMATS(INPUTS, ", or "), CLI_CHOICE, .offset = MEMBER(format),
     .fallback = "idx", .choices = CVY_PACK_FORMATS(NAME, "|")},
    {"classes", "a,b,c", "names of the classes, or of the channels of values, in their order", CLI_TEXT,
     .offset = MEMBER(classes)},
    CLI_FORM_OPTIONS(struct pack_settings, form),
    CLI_LIKE_OPTION(struct pack_settings, form),
    CLI_Y_SCALE_OPTION(struct pack_settings, form),
    {"values", NULL, "hdf5: targets are values, though they are floats that are whole, or maps of whole numbers",
     CLI_FLAG, .offset = MEMBER(values)},
    {"ignore-label", "N", "a class that stands for what does not count", CLI_INT, .offset = MEMBER(ignored),
     .low = INT32_MIN, .high = INT32_MAX},
    {"shard-mib", "N", "size of a shard in MiB", CLI_INT, .offset = MEMBER(shard_mib), .fallback = "256", .low = 1,
     .high = 1 << 20},
    {"deflate", "N", "compression, 0 (none) to 9", CLI_INT, .offset = MEMBER(deflate), .fallback = "0", .low = 0,
     .high = 9},
    {"overwrite", NULL, "replaces an output that exists", CLI_FLAG, .offset = MEMBER(overwrite)},
    {0},
};
static const struct cli_argument pack_arguments[] = {
    {"INPUT", .help = CVY_PACK_FORMATS(FIRST, "; ")},
    {"OUT.h5", .help = CVY_PACK_FORMATS(REST, "; "), .many = true},
    {0},
};

static cvy_status run_pack(struct cli *cli) {
    struct pack_settings *s = (void *)cli->settings;
    struct cvy_data_info info = cvy_data_info_default();
    const struct cvy_data_pack_options how = {.size = sizeof how,
                                              .format = formats[s->format],
                                              .inputs = (const char *const *)cli->arguments,
                                              .input_count = cli->argument_count - 1,
                                              .output = cli->arguments[cli->argument_count - 1],
                                              .class_names = s->classes,
                                              .form = cli_form(&s->form),
                                              .values = s->values,
                                              .has_ignored = s->ignored.given,
                                              .ignored = (int)s->ignored.value,
                                              .shard_mib = s->shard_mib.value,
                                              .deflate = (int)s->deflate.value,
                                              .overwrite = s->overwrite};
    cvy_status status = cvy_data_pack(cli->ctx, &how, &info);
    cli_voice_erase();
    if (status == CVY_OK && cvy_context_rank(cli->ctx) == 0) status = print_info(cli, how.output, &info);
    cvy_data_info_destroy(&info);
    return status;
}

static const struct cli_exit write_exits[] = {CLI_EXIT_DONE,
                                              CLI_EXIT_FAULT,
                                              CLI_EXIT_USAGE,
                                              CLI_EXIT_DATA,
                                              {"4", "no usable checkpoint in the run of --like"},
                                              CLI_EXIT_LOST,
                                              {"75", "stopped on request: nothing was written"},
                                              {0}};
const struct cli_command cli_data_pack = {
    .name = "data pack",
    .purpose = "Builds a data set from files of another format.",
    .arguments = pack_arguments,
    .options = pack_options,
    .example = "convoy data pack --format idx train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz data/train.h5",
    .exits = write_exits,
    .all_ranks = true,
    .stoppable = true,
    .run = run_pack,
};

/* ---- Cutting one in two ---- */

struct split_settings {
    struct cli_int samples, seed;
    bool overwrite;
    struct cvy_data_form form;
};
CLI_SETTINGS_FIT(struct split_settings);

#define SPLIT(name) offsetof(struct split_settings, name)
static const struct cli_option split_options[] = {
    {"samples", "N", "of the first part; the rest go to the second", CLI_INT, .offset = SPLIT(samples), .low = 1,
     .high = INT64_MAX},
    {"seed", "S", "takes any samples at random, the same for the same S; else the first ones", CLI_INT,
     .offset = SPLIT(seed), .low = 0, .high = INT64_MAX},
    {"overwrite", NULL, "replaces outputs that exist", CLI_FLAG, .offset = SPLIT(overwrite)},
    CLI_FORM_OPTIONS(struct split_settings, form),
    CLI_LIKE_OPTION(struct split_settings, form),
    CLI_Y_SCALE_OPTION(struct split_settings, form),
    {0},
};
static const struct cli_argument split_arguments[] = {
    {"FILE.h5", .help = "a data set: a single file, or the index of its shards"},
    {"FIRST.h5", .help = "the part of N samples"},
    {"REST.h5", .help = "the others"},
    {0},
};

static cvy_status print_parts(struct cli *cli, const struct cvy_data_info info[2]) {
    struct cvy_buf json = {0};
    for (int part = 0; part < 2 && !cli->common.json; part++)
        printf("%s: %s %s\n", cli->arguments[1 + part], cli_count(info[part].samples),
               cvy_plural((double)info[part].samples, "sample", "samples"));
    if (!cli->common.json) return CVY_OK;
    cvy_json_open(&json, NULL, '{');
    cvy_json_open(&json, "parts", '[');
    for (int part = 0; part < 2; part++) {
        cvy_json_open(&json, NULL, '{');
        cvy_json_text(&json, "path", cli->arguments[1 + part]);
        cvy_json_int(&json, "samples", info[part].samples);
        cvy_json_close(&json, '}');
    }
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status run_split(struct cli *cli) {
    struct split_settings *s = (void *)cli->settings;
    struct cvy_data_info info[2] = {cvy_data_info_default(), cvy_data_info_default()};
    if (!s->samples.given) return cli_fail(cli, "--samples is missing: how many the first part gets");
    cvy_status status =
        cvy_data_split(cli->ctx,
                       &CVY_INIT(cvy_data_split_options, .input = cli->arguments[0], .first = cli->arguments[1],
                                 .rest = cli->arguments[2], .form = cli_form(&s->form), .samples = s->samples.value,
                                 .random = s->seed.given, .seed = (uint64_t)s->seed.value, .overwrite = s->overwrite),
                       &info[0], &info[1]);
    cli_voice_erase();
    if (status == CVY_OK && cvy_context_rank(cli->ctx) == 0) status = print_parts(cli, info);
    for (int part = 0; part < 2; part++) cvy_data_info_destroy(&info[part]);
    return status;
}

const struct cli_command cli_data_split = {
    .name = "data split",
    .purpose = "Cuts a data set in two, for one to validate on or a small one to try things on.",
    .arguments = split_arguments,
    .options = split_options,
    .example = "convoy data split data/train.h5 data/validate.h5 data/learn.h5 --samples 5000 --seed 1",
    .exits = write_exits,
    .all_ranks = true,
    .stoppable = true,
    .run = run_split,
};
