/* Inputs for a predictor: pictures and samples of data sets, as words name them.
 *
 *   words ─► items (a picture, or samples that follow one another in a file), checked: they exist, shape, scale
 *         ─► blocks of samples in the units of the training data
 *
 * One data set is open at a time. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/formats.h"
#include "core/buf.h"
#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "data/probe.h"
#include "io/file.h"
#include "io/foreign.h"
#include "io/image/image.h"
#include "train/datasets.h"
#include "api/predictor.h"

struct item {
    char *path;
    bool picture;
    int64_t first, count;        /* of a data set; count 0: to its end */
    double factor;               /* to the training's scale */
    struct cvy_failure *failure; /* why it cannot be read, found when it was looked at; or NULL */
};

struct cvy_inputs {
    struct cvy_predictor *predictor;
    struct cvy_data_form form;
    struct item *items;
    int count, room;
    int64_t total;
    bool scale_told; /* of the pictures */
    int next;        /* item that is read next, */
    int64_t within;  /* and how many of its samples were */

    struct cvy_dataset *open; /* of the item that was read last, */
    char *open_path;          /* one of the items', */
    struct cvy_failure bare;  /* and why its targets are left out, CVY_OK: they are not, or it was told */
    unsigned char *bytes;     /* [block][h][w][c] of uint8 */
    int block;
    char *names;          /* [block][NAME] */
    struct cvy_input *of; /* [block] */
};

enum { NAME = CVY_PATH_MAX + 24 };

/* ---- What a word means ---- */

static cvy_status add_item(struct cvy_inputs *in, const char *path, size_t length, struct item item) {
    CVY_TRY(CVY_GROW(&in->items, in->count, &in->room, general));
    CVY_TRY(CVY_NEW(&item.path, length + 1, text));
    memcpy(item.path, path, length);
    in->items[in->count++] = item;
    return CVY_OK;
}

/* What cannot be read fails alone: the others are still of use. */
static cvy_status keep_failure(struct item *item, cvy_status status) {
    if (status != CVY_ERR_DATA) return status;
    struct cvy_failure now;
    cvy_failure_take(&now, status);
    CVY_TRY(CVY_NEW(&item->failure, 1, general));
    *item->failure = now;
    item->count = 0;
    return CVY_OK;
}

static bool has_set_name(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".h5") == 0 || strcasecmp(dot, ".hdf5") == 0);
}

/* What is no data set is read as a picture, whose error says what it begins with. */
static cvy_status add_file(struct cvy_inputs *in, const char *path) {
    return add_item(in, path, strlen(path), (struct item){.picture = !cvy_file_is_hdf5(path) && !has_set_name(path)});
}

/* By what is in it, or by its name where that is damaged. */
static bool is_input(const char *path) {
    return cvy_file_exists(path) &&
           (cvy_image_is(path) || cvy_file_is_hdf5(path) || cvy_image_is_named(path) || has_set_name(path));
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

#define TITLE(name, title) title

/* Pictures of formats that are not read: how they become others. */
struct unread {
    int count;
    char first[CVY_PATH_MAX];
    struct cvy_buf kinds, files; /* ", GIF"; " 'folder'/'*.gif'" */
};

static void add_unread(struct unread *u, const char *folder, const char *path, const struct cvy_foreign *kind) {
    char title[32];
    const char *dot = strrchr(cvy_path_name(path), '.');
    snprintf(title, sizeof title, ", %s", kind->picture);
    if (u->count++ == 0) snprintf(u->first, sizeof u->first, "%s", path);
    if (strstr(cvy_buf_text(&u->kinds), title)) return;
    cvy_buf_printf(&u->kinds, "%s", title);
    cvy_buf_shell_word(&u->files, dot ? folder : path);
    if (dot) cvy_buf_printf(&u->files, "/*%s", dot);
}

/* "3 pictures of other formats (GIF, the first is F/a.gif); python3 … makes PNG of it" */
static void say_unread(struct unread *u, struct cvy_buf *out) {
    cvy_buf_printf(out, "%d %s of formats that are not read (%s; the first is %s); ", u->count,
                   cvy_plural(u->count, "picture", "pictures"), cvy_buf_text(&u->kinds) + 2, u->first);
    cvy_foreign_say_convert(cvy_buf_text(&u->files), out);
}

/* The folder's entries that were passed over are told. */
static cvy_status say_others(const struct cvy_inputs *in, const char *folder, bool none, int others,
                             struct unread *unread) {
    struct cvy_log *log = in->predictor->ctx->log;
    struct cvy_buf said = {0};
    if (unread->count) say_unread(unread, &said);
    cvy_status status = CVY_OK;
    if (none)
        status = CVY_FAIL(CVY_ERR_DATA,
                          "%s: there is no " CVY_PICTURE_FORMATS(TITLE, ", ") " or HDF5 file in this folder%s%s",
                          folder, said.size ? ", but " : "", cvy_buf_text(&said));
    else if (unread->count)
        cvy_warn(log, "%s: passed over are %s", folder, cvy_buf_text(&said));
    if (!none && others > unread->count)
        cvy_info(log, "%s: %d %s passed over", folder, others - unread->count,
                 cvy_plural(others - unread->count, "entry that is no input is", "entries that are no inputs are"));
    cvy_buf_destroy(&said);
    return status;
}

/* Its pictures and data sets, by name; what else is in it is passed over. */
static cvy_status add_entries(struct cvy_inputs *in, const char *folder, struct dirent **entries, int count) {
    char path[CVY_PATH_MAX];
    struct unread unread = {0};
    int others = 0;
    cvy_status status = CVY_OK;
    for (int i = 0; status == CVY_OK && i < count; i++) {
        status = cvy_path_join(folder, entries[i]->d_name, path);
        const bool wanted = status == CVY_OK && is_input(path);
        const struct cvy_foreign *kind = wanted ? NULL : cvy_foreign_of(path);
        if (wanted) status = add_file(in, path);
        if (cvy_foreign_is_unread(kind)) add_unread(&unread, folder, path, kind);
        others += !wanted;
    }
    if (status == CVY_OK) status = say_others(in, folder, others == count, others, &unread);
    cvy_buf_destroy(&unread.kinds);
    cvy_buf_destroy(&unread.files);
    return status;
}

static cvy_status add_folder(struct cvy_inputs *in, const char *folder) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, visible, alphasort);
    CVY_CHECK(count >= 0, CVY_ERR_DATA, "%s: the folder cannot be read: %s", folder, strerror(errno));
    const cvy_status status = add_entries(in, folder, entries, count);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    return status;
}

/* "file.h5:12", "file.h5:3-9"; false when it is not of that form. */
static bool split_range(const char *word, size_t *stem, int64_t *first, int64_t *last) {
    const char *colon = strrchr(word, ':');
    char *end;
    if (colon == NULL || colon[1] < '0' || colon[1] > '9') return false;
    errno = 0;
    *first = *last = strtoll(colon + 1, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9') *last = strtoll(end + 1, &end, 10);
    *stem = (size_t)(colon - word);
    return *end == '\0' && errno == 0;
}

static cvy_status add_word(struct cvy_inputs *in, const char *word) {
    int64_t first, last;
    size_t stem;
    if (cvy_folder_exists(word)) return add_folder(in, word);
    if (cvy_file_exists(word)) return add_file(in, word);
    CVY_CHECK(!cvy_file_special(word), CVY_ERR_DATA, "%s: is a pipe or a device; give a file", word);
    CVY_CHECK(
        split_range(word, &stem, &first, &last), CVY_ERR_DATA,
        "%s: no such file; an input is a picture, a data set (F.h5), samples of one (F.h5:0-9) or a folder of such",
        word);
    CVY_CHECK(last >= first, CVY_ERR_USAGE, "%s: the range ends before it starts", word);
    return add_item(in, word, stem, (struct item){.first = first, .count = last - first + 1});
}

static cvy_status add_input(struct cvy_inputs *in, const char *word) {
    const cvy_status status = add_word(in, word);
    if (status != CVY_ERR_DATA) return status;
    struct item item = {.picture = true};
    CVY_TRY(keep_failure(&item, status));
    return add_item(in, word, strlen(word), item);
}

/* ---- Opening a data set ---- */

static cvy_status open_as(const struct cvy_inputs *in, const char *path, bool bare, struct cvy_dataset **out) {
    const struct cvy_trained *model = &in->predictor->model;
    const struct cvy_loss *loss = cvy_graph_loss(model->graph);
    struct cvy_dataset_spec spec;
    CVY_TRY(cvy_contract_place(model->experiment, path, &in->form, &spec));
    /* Only a class is shown beside the prediction: a file need not have other targets. */
    spec.bare = bare || !cvy_target_is_class(model->target);
    spec.may_lack_y = true;
    spec.want = CVY_WANT_CLASSES;
    spec.names = model->class_names;
    spec.name_count = model->name_count;
    spec.ignores = loss && loss->ignores;
    spec.ignored = loss ? loss->ignored : 0;
    CVY_TRY(cvy_dataset_open(&spec, out));
    cvy_status status = cvy_datasets_names(spec.names, spec.name_count, model->path, cvy_dataset_info(*out), path);
    if (status != CVY_OK) cvy_dataset_close(out);
    return status;
}

/* Targets that are of no use are no reason not to predict. */
static cvy_status open_set(struct cvy_inputs *in, char *path) {
    if (in->open && strcmp(in->open_path, path) == 0) return CVY_OK;
    cvy_dataset_close(&in->open);
    in->open_path = path;
    in->bare.status = CVY_OK;
    cvy_status status = open_as(in, path, false, &in->open);
    if (status != CVY_ERR_DATA) return status;
    cvy_failure_take(&in->bare, status);
    return open_as(in, path, true, &in->open) == CVY_OK ? CVY_OK : cvy_failure_raise(&in->bare);
}

/* Once all else is found to be right. */
static void tell_bare(struct cvy_inputs *in) {
    if (in->bare.status != CVY_OK)
        cvy_warn(in->predictor->ctx->log, "predicted without its targets: %s", in->bare.message);
    in->bare.status = CVY_OK;
}

/* ---- Checking all before the first is read ---- */

static cvy_status probe_range(struct cvy_dataset *ds, struct cvy_range *out) {
    struct cvy_source *source;
    struct cvy_probe probe;
    CVY_TRY(cvy_source_borrow(ds, &source));
    cvy_status status = cvy_source_probe(source, &probe);
    cvy_source_destroy(&source);
    *out = probe.range;
    return status;
}

/* What would not do alone either is told as that; the network stays as it is. */
static cvy_status refuse_other_size(struct cvy_inputs *in, const struct item *item,
                                    const struct cvy_dataset_info *info) {
    struct cvy_trained *model = &in->predictor->model;
    const struct cvy_shape own = model->graph->input;
    if (in->form.height == 0) {
        CVY_TRY(cvy_datasets_fit(in->predictor->ctx, model, info, item->path));
        CVY_TRY(cvy_trained_fit(in->predictor->ctx, model, own, item->path, ""));
    }
    return CVY_FAIL(
        CVY_ERR_DATA, "%s: has samples of %s, %s %s; %s", item->path, CVY_SHAPE_TEXT(info->shape),
        in->form.height ? "--size makes the network's input" : "the inputs before it are", CVY_SHAPE_TEXT(own),
        in->form.height ? "only pictures are resized: leave --size out" : "give inputs of one size at a time");
}

static cvy_status check_set(struct cvy_inputs *in, struct item *item, bool *fitted) {
    CVY_TRY(open_set(in, item->path));
    const struct cvy_dataset_info *info = cvy_dataset_info(in->open);
    const struct cvy_trained *model = &in->predictor->model;
    struct cvy_range range;
    if (item->count == 0) item->count = info->count;
    CVY_CHECK(item->first + item->count <= info->count, CVY_ERR_DATA, "%s: no sample %lld; it has 0 to %lld",
              item->path, (long long)(item->first + item->count - 1), (long long)info->count - 1);
    if (*fitted && !cvy_shape_equal(info->shape, model->graph->input)) return refuse_other_size(in, item, info);
    CVY_TRY(cvy_datasets_fit(in->predictor->ctx, &in->predictor->model, info, item->path));
    *fitted = true;
    CVY_TRY(probe_range(in->open, &range));
    CVY_TRY(cvy_contract_scale_inputs(&model->contract, &range, in->form.scale, item->path, "--scale K",
                                      in->predictor->ctx->log, &item->factor));
    cvy_datasets_tell_numbers(in->predictor->ctx->log, model->class_names, model->name_count, info, item->path);
    tell_bare(in);
    return CVY_OK;
}

static cvy_status scale_picture(const struct cvy_inputs *in, struct item *item, struct cvy_log *log) {
    const struct cvy_range range = cvy_range_of_pictures();
    return cvy_contract_factor(&in->predictor->model.contract, &range, in->form.scale, item->path, "--scale K", log,
                               &item->factor);
}

/* What it is multiplied by is told of the first that can be read. */
static cvy_status check_picture(struct cvy_inputs *in, struct item *item) {
    unsigned char pixel;
    if (!cvy_image_is(item->path)) /* says what it is instead */
        return cvy_image_load(item->path, (struct cvy_shape){1, 1, 1}, &(struct cvy_image_options){.log = NULL},
                              &pixel);
    CVY_TRY(cvy_image_check_channels(item->path, in->predictor->model.graph->input.c)); /* no scale would help */
    item->count = 1;
    return scale_picture(in, item, NULL);
}

/* What says how a data set is read says nothing of pictures. */
static void say_idle_form(const struct cvy_inputs *in) {
    const struct cvy_data_form *f = &in->form;
    bool set = false;
    for (int i = 0; i < in->count; i++) set |= !in->items[i].picture;
    if (!set && (f->x || f->y || f->layout || f->y_layout))
        cvy_warn(in->predictor->ctx->log,
                 "x, y, layout and y_layout (--x, --y, --layout, --y-layout) have no effect, as "
                 "no data set is among the inputs");
}

/* Data sets first: pictures are then resized to what they have made of the network. */
static cvy_status check_items(struct cvy_inputs *in) {
    bool fitted = in->form.height > 0; /* to a size of its own */
    say_idle_form(in);
    const struct cvy_shape own = in->predictor->model.graph->input;
    const struct cvy_shape asked = {in->form.height, in->form.width, own.c};
    if (fitted)
        CVY_TRY(cvy_trained_fit(in->predictor->ctx, &in->predictor->model, asked, "--size",
                                "leave --size out: pictures are resized to the network's input"));
    for (int i = 0; i < in->count; i++)
        if (!in->items[i].picture) CVY_TRY(keep_failure(&in->items[i], check_set(in, &in->items[i], &fitted)));
    for (int i = 0; i < in->count; i++) {
        struct item *item = &in->items[i];
        if (item->picture && item->failure == NULL) CVY_TRY(keep_failure(item, check_picture(in, item)));
        in->total += item->count;
    }
    return cvy_predictor_make_room(in->predictor);
}

/* About a MiB. */
static cvy_status make_block(struct cvy_inputs *in) {
    const int64_t floats = cvy_shape_count(in->predictor->model.graph->input), fits = ((int64_t)1 << 18) / floats;
    in->block = fits < 1 ? 1 : fits > 256 ? 256 : (int)fits;
    CVY_TRY(CVY_NEW(&in->bytes, (size_t)in->block * (size_t)floats, data));
    CVY_TRY(CVY_NEW(&in->of, in->block, text));
    return CVY_NEW(&in->names, (size_t)in->block * NAME, text);
}

cvy_status cvy_inputs_create(struct cvy_predictor *predictor, const char *const *words, int count,
                             const struct cvy_data_form *form, struct cvy_inputs **out) {
    CVY_ENTER(predictor->ctx);
    struct cvy_data_form how;
    *out = NULL;
    CVY_TRY(CVY_READ(cvy_data_form, form, &how));
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_inputs *in = *out;
    in->predictor = predictor;
    in->form = how;
    cvy_status status = CVY_OK;
    for (int i = 0; i < count && status == CVY_OK; i++) status = add_input(in, words[i]);
    if (status == CVY_OK) status = check_items(in);
    if (status == CVY_OK) status = make_block(in);
    if (status != CVY_OK) cvy_inputs_destroy(out);
    return status;
}

int64_t cvy_inputs_count(const struct cvy_inputs *inputs) {
    return inputs->total;
}

void cvy_inputs_destroy(struct cvy_inputs **out) {
    struct cvy_inputs *in = *out;
    if (in == NULL) return;
    cvy_dataset_close(&in->open);
    for (int i = 0; i < in->count; i++) {
        cvy_free(in->items[i].path);
        cvy_free(in->items[i].failure);
    }
    cvy_free(in->items);
    cvy_free(in->bytes);
    cvy_free(in->names);
    cvy_free(in->of);
    CVY_DELETE(out);
}

/* ---- Reading ---- */

static cvy_status read_picture(struct cvy_inputs *in, struct item *item, float *x) {
    const struct cvy_shape shape = in->predictor->model.graph->input;
    struct cvy_image_options how = {.log = in->predictor->ctx->log};
    memcpy(how.background, in->predictor->background, sizeof how.background);
    CVY_TRY(cvy_image_load(item->path, shape, &how, in->bytes));
    if (!in->scale_told) CVY_TRY(scale_picture(in, item, in->predictor->ctx->log));
    in->scale_told = true;
    for (int64_t i = 0; i < cvy_shape_count(shape); i++) x[i] = in->bytes[i];
    snprintf(in->names, NAME, "%s", item->path);
    in->of[0] = (struct cvy_input){.name = in->names, .label = -1};
    return CVY_OK;
}

static cvy_status read_samples(struct cvy_inputs *in, struct item *item, int count, float *x) {
    CVY_TRY(open_set(in, item->path));
    const struct cvy_dataset_info *info = cvy_dataset_info(in->open);
    const bool bytes = info->x_type == CVY_U8;
    const int64_t first = item->first + in->within, floats = count * cvy_shape_count(info->shape);
    const int32_t *labels = info->labels;
    CVY_TRY(cvy_dataset_read(in->open, first, count, bytes ? (void *)in->bytes : x, NULL));
    for (int64_t i = 0; bytes && i < floats; i++) x[i] = in->bytes[i];
    for (int i = 0; i < count; i++) {
        const int32_t label = labels ? labels[first + i] : -1;
        const bool ignored = labels && info->ignores && label == info->ignored;
        char *name = in->names + (size_t)i * NAME;
        snprintf(name, NAME, "%s:%lld", item->path, (long long)(first + i));
        in->of[i] = (struct cvy_input){.name = name, .label = ignored ? -1 : label, .ignored = ignored};
    }
    return CVY_OK;
}

static void leave_item(struct cvy_inputs *in) {
    in->next++;
    in->within = 0;
}

cvy_status cvy_inputs_next(struct cvy_inputs *in, int most, float *x, int *n) {
    CVY_ENTER(in->predictor->ctx);
    *n = 0;
    if (in->next == in->count) return CVY_OK;
    struct item *item = &in->items[in->next];
    const int64_t left = item->count - in->within, room = most < in->block ? most : in->block;
    *n = left < room ? (int)left : (int)room;
    const cvy_status status = item->failure   ? cvy_failure_raise(item->failure)
                              : item->picture ? read_picture(in, item, x)
                                              : read_samples(in, item, *n, x);
    if (status != CVY_OK) {
        *n = 0;
        leave_item(in);
        return status;
    }
    for (int64_t i = 0; item->factor != 1 && i < *n * cvy_shape_count(in->predictor->model.graph->input); i++)
        x[i] = (float)(x[i] * item->factor);
    in->within += *n;
    if (in->within == item->count) leave_item(in);
    return CVY_OK;
}

const struct cvy_input *cvy_inputs_at(const struct cvy_inputs *in, int index) {
    return index >= 0 && index < in->block ? &in->of[index] : NULL;
}
