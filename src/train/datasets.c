#include "train/datasets.h"

#include "core/hash.h"
#include "core/memory.h"

cvy_status cvy_datasets_open(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_dataset_spec *spec, int64_t budget, struct cvy_source **out) {
    struct cvy_dataset *ds;
    struct cvy_source *source;
    struct cvy_dataset_spec wish = *spec;
    const struct cvy_op *loss = cvy_graph_loss(graph);
    wish.bare = e->target == CVY_TARGET_INPUT;
    wish.values = loss && loss->wants == CVY_WANTS_VALUES;
    wish.ignores = loss && loss->ignores;
    wish.ignored = loss ? loss->ignored : 0;
    CVY_TRY(cvy_dataset_open(&wish, &ds));
    CVY_TRY(cvy_source_hdf5(&ds, budget, &source));
    if (wish.bare) return cvy_source_inputs(&source, out);
    *out = source;
    return CVY_OK;
}

static struct cvy_dataset_info describe(const struct cvy_data_source *data, const struct cvy_op *loss, bool bare) {
    const int *t = data->target;
    struct cvy_dataset_info info = {.count = data->samples,
                                    .shape = {data->height, data->width, data->channels},
                                    .x_type = data->bytes ? CVY_U8 : CVY_F32,
                                    .target = {data->values ? CVY_F32 : CVY_I32, {t[0], t[1], t[2]}},
                                    .classes = data->values ? 0 : data->classes,
                                    .mean = data->mean,
                                    .std = data->std,
                                    .digest = data->digest};
    if (t[0] == 0) info.target.shape = (struct cvy_shape){1, 1, 1};
    if (loss && info.target.type == CVY_I32) {
        info.ignores = loss->ignores;
        info.ignored = loss->ignored;
    }
    if (bare) { /* never read */
        info.target = (struct cvy_target){CVY_F32, {1, 1, data->channels}};
        info.classes = data->channels;
    }
    return info;
}

cvy_status cvy_datasets_wrap(const struct cvy_experiment *e, const struct cvy_graph *graph,
                             const struct cvy_data_source *data, struct cvy_source **out) {
    const bool bare = e->target == CVY_TARGET_INPUT;
    struct cvy_source *source;
    struct cvy_dataset_info info = describe(data, cvy_graph_loss(graph), bare);
    CVY_CHECK(data->give || (data->x && (data->y || bare)), CVY_ERR_DATA,
              "the program's data source has neither samples in memory nor a function that gives them");
    if (bare && data->x && info.digest == 0)
        info.digest = cvy_hash(data->x, (size_t)info.count * cvy_dataset_sample_bytes(&info), 0);
    if (data->x)
        CVY_TRY(cvy_source_memory(&info, data->x, data->y, &source));
    else
        CVY_TRY(cvy_source_callback(&info, data->give, data->arg, &source));
    if (bare) return cvy_source_inputs(&source, out);
    *out = source;
    return CVY_OK;
}

cvy_status cvy_datasets_check(struct cvy_graph *graph, const struct cvy_source *source, const char *file) {
    const struct cvy_dataset_info *info = &source->info;
    const struct cvy_shape in = graph->input;
    const struct cvy_op *loss = cvy_graph_loss(graph);
    CVY_CHECK(
        cvy_shape_equal(info->shape, in), CVY_ERR_DATA,
        "%s: has samples of %d×%d×%d, the model's input is %d×%d×%d; change the model's input, or pack the data at "
        "that size",
        file, info->shape.h, info->shape.w, info->shape.c, in.h, in.w, in.c);
    CVY_CHECK(loss == NULL || !info->ignores || loss->ignores, CVY_ERR_DATA,
              "%s: its class %d stands for what does not count; set ignore_label: %d in the loss", file, info->ignored,
              info->ignored);
    return cvy_graph_aim(graph, &info->target, info->classes, file);
}

cvy_status cvy_datasets_compare(const struct cvy_source *train, const char *train_file, const struct cvy_source *test,
                                const char *test_file) {
    const struct cvy_dataset_info *a = &train->info, *b = &test->info;
    CVY_CHECK(a->target.type == b->target.type, CVY_ERR_DATA, "%s has %s as targets, %s has %s; pack both alike",
              train_file, a->target.type == CVY_I32 ? "classes" : "values", test_file,
              b->target.type == CVY_I32 ? "classes" : "values");
    CVY_CHECK(a->target.type != CVY_I32 || a->classes == b->classes, CVY_ERR_DATA,
              "%s has %d classes, %s has %d; pack both with the same --classes", train_file, a->classes, test_file,
              b->classes);
    CVY_CHECK(a->x_type == b->x_type, CVY_ERR_DATA, "%s and %s differ in the type of /x; pack both alike", train_file,
              test_file);
    return CVY_OK;
}

/* What a target has for a pixel from outside: NULL where nothing fits. `room`: [channels] */
static const double *outside(const struct cvy_experiment *e, const struct cvy_dataset_info *info, const double *mean,
                             double *room) {
    const double largest = info->x_type == CVY_U8 ? 255 : 1;
    if (e->target == CVY_TARGET_INPUT)
        for (int c = 0; c < info->shape.c; c++) room[c] = mean[c] / largest;
    else if (info->target.type == CVY_I32 && info->ignores)
        room[0] = info->ignored;
    else
        return NULL;
    return room;
}

cvy_status cvy_datasets_augment(const struct cvy_experiment *e, const struct cvy_dataset_info *info,
                                const struct cvy_node *list, const double *mean, const double *std,
                                struct cvy_augment **out) {
    double *room;
    CVY_TRY(CVY_NEW(&room, info->shape.c, data));
    cvy_status status = cvy_augment_create(&(struct cvy_augment_spec){.list = list,
                                                                      .seed = (uint64_t)e->seed,
                                                                      .shape = info->shape,
                                                                      .x_type = info->x_type,
                                                                      .mean = mean,
                                                                      .std = std,
                                                                      .target = info->target,
                                                                      .outside = outside(e, info, mean, room)},
                                           out);
    cvy_free(room);
    return status;
}
