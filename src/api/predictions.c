/* Predictions in a file: what a predictor says of each input, in the form that a data set would have. */
#include <stdio.h>
#include <string.h>

#include "convoy/model.h"
#include "core/floats.h"
#include "core/inside.h"
#include "core/memory.h"
#include "core/sized.h"
#include "io/hdf5/arrays.h"
#include "io/file.h"
#include "io/runs/output.h"
#include "io/path.h"

struct cvy_predictions {
    struct cvy_arrays *file;
    struct cvy_predictor_facts facts;
    int32_t *classes; /* [h][w], of classes */
};

static bool of_classes(const struct cvy_predictor_facts *f) {
    return f->kind == CVY_PREDICTS_CLASSES || f->kind == CVY_PREDICTS_SCORES;
}

static bool whole(const struct cvy_predictor_facts *f) {
    return f->output[0] * f->output[1] == 1;
}

/* [n][…] with the channels last, or without them. */
static struct cvy_array array_of(const struct cvy_predictor_facts *f, const char *name, bool channels) {
    struct cvy_array a = {.name = name, .type = channels ? CVY_F32 : CVY_I32, .rank = 1};
    for (int d = whole(f) ? 2 : 0; d < (channels ? 3 : 2); d++) a.dims[a.rank++ - 1] = f->output[d];
    return a;
}

/* "set.h5:3-7" → "set.h5", in place; another input stays. */
static void drop_samples(char *input) {
    char *colon = strrchr(input, ':');
    if (colon && !cvy_file_exists(input) && !cvy_folder_exists(input)) *colon = '\0';
}

/* The checkpoint and the inputs, as files. One block. */
static cvy_status list_files(const char *checkpoint, const struct cvy_predictions_options *options, char ***out) {
    const size_t count = (size_t)options->input_count + 1;
    size_t bytes = count * sizeof **out + strlen(checkpoint) + 1;
    for (int i = 0; i < options->input_count; i++) bytes += strlen(options->inputs[i]) + 1;
    CVY_TRY(cvy_alloc(bytes, CVY_TAG_text, (void **)out));
    char *text = (char *)(*out + count);
    for (size_t i = 0; i < count; i++) {
        const char *from = i ? options->inputs[i - 1] : checkpoint;
        (*out)[i] = strcpy(text, from);
        text += strlen(from) + 1;
        if (i) drop_samples((*out)[i]);
    }
    return CVY_OK;
}

static cvy_status check_output(const char *checkpoint, const struct cvy_predictions_options *options) {
    char **files;
    CVY_TRY(list_files(checkpoint, options, &files));
    cvy_status status = cvy_output_check(&(struct cvy_output){.path = options->path,
                                                              .what = "file",
                                                              .inputs = (const char *const *)files,
                                                              .input_count = options->input_count + 1,
                                                              .overwrite = options->overwrite});
    cvy_free(files);
    return status;
}

cvy_status cvy_predictions_create(const struct cvy_predictor *predictor, const struct cvy_predictions_options *options,
                                  struct cvy_predictions **out) {
    CVY_INSIDE();
    static const struct cvy_member needs[] = {CVY_MEMBER(cvy_predictions_options, path), {0}};
    struct cvy_predictions_options how;
    *out = NULL;
    CVY_TRY(CVY_READ_NEEDING(cvy_predictions_options, options, &how, needs));
    CVY_TRY(CVY_NEW(out, 1, general));
    struct cvy_predictions *p = *out;
    p->facts = cvy_predictor_facts_default();
    cvy_predictor_describe(predictor, &p->facts);
    const bool classes = of_classes(&p->facts);
    const struct cvy_array arrays[2] = {array_of(&p->facts, "/y", !classes), array_of(&p->facts, "/scores", true)};
    cvy_status status = check_output(p->facts.checkpoint, &how);
    if (status == CVY_OK) status = cvy_arrays_create(how.path, arrays, classes ? 2 : 1, "/inputs", &p->file);
    if (status == CVY_OK)
        status = CVY_NEW(&p->classes, (size_t)p->facts.output[0] * (size_t)p->facts.output[1], general);
    if (status != CVY_OK) cvy_predictions_destroy(out);
    return status;
}

cvy_status cvy_predictions_add(struct cvy_predictions *p, const char *input, const float *outputs) {
    CVY_INSIDE();
    const int *out = p->facts.output;
    const bool classes = of_classes(&p->facts);
    for (int i = 0; classes && i < out[0] * out[1]; i++)
        p->classes[i] = cvy_largest(outputs + (size_t)i * (size_t)out[2], out[2]);
    const void *const rows[2] = {classes ? (const void *)p->classes : outputs, outputs};
    return cvy_arrays_append(p->file, rows, input);
}

cvy_status cvy_predictions_finish(struct cvy_predictions **predictions) {
    CVY_INSIDE();
    cvy_status status = cvy_arrays_finish(&(*predictions)->file);
    cvy_predictions_destroy(predictions);
    return status;
}

void cvy_predictions_destroy(struct cvy_predictions **predictions) {
    if (*predictions == NULL) return;
    cvy_arrays_destroy(&(*predictions)->file);
    cvy_free((*predictions)->classes);
    CVY_DELETE(predictions);
}
