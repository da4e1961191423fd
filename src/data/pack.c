#include "data/pack.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/memory.h"
#include "io/dataset.h"
#include "io/idx.h"
#include "io/path.h"

enum { BLOCK = 1024, BLOCK_BYTES = 16 << 20 }; /* samples that are in flight, at most, and their bytes */

static cvy_status poll(const struct cvy_pack_options *options) {
    CVY_CHECK(options->stop == NULL || !options->stop(options->stop_arg), CVY_STOPPED,
              "packing was stopped on request");
    return CVY_OK;
}

static cvy_status largest_label(const char *path, int64_t count, const struct cvy_pack_options *options, int *classes) {
    struct cvy_idx *idx;
    unsigned char block[BLOCK];
    cvy_status status = cvy_idx_open(path, 1, &idx);
    for (int64_t done = 0; status == CVY_OK && done < count; done += BLOCK) {
        int64_t now = count - done < BLOCK ? count - done : BLOCK;
        status = cvy_idx_read(idx, now, block);
        for (int64_t i = 0; i < now && status == CVY_OK; i++)
            if (block[i] >= *classes && !(options->ignores && block[i] == options->ignored)) *classes = block[i] + 1;
    }
    if (status == CVY_OK) status = cvy_idx_expect_end(idx);
    cvy_idx_close(&idx);
    return status;
}

static int64_t block_of(int64_t item) {
    const int64_t fits = BLOCK_BYTES / item;
    return fits < 1 ? 1 : fits < BLOCK ? fits : BLOCK;
}

static cvy_status copy_block(struct cvy_idx *images, struct cvy_idx *labels, int64_t count, unsigned char *x,
                             struct cvy_dataset_writer *writer) {
    unsigned char bytes[BLOCK];
    int32_t y[BLOCK];
    CVY_TRY(cvy_idx_read(images, count, x));
    CVY_TRY(cvy_idx_read(labels, count, bytes));
    for (int64_t i = 0; i < count; i++) y[i] = bytes[i];
    return cvy_dataset_writer_append(writer, count, x, y);
}

static cvy_status copy_all(struct cvy_idx *images, struct cvy_idx *labels, unsigned char *x,
                           struct cvy_dataset_writer *writer, const struct cvy_pack_options *options) {
    const int64_t block = block_of(images->item);
    for (int64_t left = images->dims[0]; left > 0; left -= block) {
        CVY_TRY(poll(options));
        CVY_TRY(copy_block(images, labels, left < block ? left : block, x, writer));
    }
    CVY_TRY(cvy_idx_expect_end(images));
    return cvy_idx_expect_end(labels);
}

/* inputs: the paths of both. */
static cvy_status make_plan(const struct cvy_idx *images, const struct cvy_idx *labels, const char *source,
                            const char *const *inputs, const struct cvy_pack_options *options,
                            struct cvy_dataset_plan *plan) {
    CVY_CHECK(images->dims[0] == labels->dims[0], CVY_ERR_DATA,
              "%s has %" PRId64 " images, but %s has %" PRId64 " labels", images->path, images->dims[0], labels->path,
              labels->dims[0]);
    *plan = (struct cvy_dataset_plan){.shape = {(int)images->dims[1], (int)images->dims[2], 1},
                                      .x_type = CVY_U8,
                                      .classes = options->classes,
                                      .class_names = options->class_names,
                                      .count = images->dims[0],
                                      .chunk = options->chunk,
                                      .shard_bytes = options->shard_bytes,
                                      .deflate = options->deflate,
                                      .ignores = options->ignores,
                                      .ignored = options->ignored,
                                      .source = source,
                                      .overwrite = options->overwrite,
                                      .inputs = inputs,
                                      .input_count = 2};
    return options->classes ? CVY_OK : largest_label(labels->path, labels->dims[0], options, &plan->classes);
}

cvy_status cvy_pack_idx(const char *images_path, const char *labels_path, const char *out,
                        const struct cvy_pack_options *options) {
    struct cvy_idx *images = NULL, *labels = NULL;
    struct cvy_dataset_writer *writer = NULL;
    struct cvy_dataset_plan plan;
    unsigned char *x = NULL;
    char source[256];
    cvy_status status;
    const char *const inputs[2] = {images_path, labels_path};
    snprintf(source, sizeof source, "%s, %s", cvy_path_name(images_path), cvy_path_name(labels_path));
    CVY_GO(cvy_idx_open(images_path, 3, &images));
    CVY_GO(cvy_idx_open(labels_path, 1, &labels));
    CVY_GO(make_plan(images, labels, source, inputs, options, &plan));
    CVY_GO(CVY_NEW(&x, block_of(images->item) * images->item, data));
    CVY_GO(cvy_dataset_writer_create(out, &plan, &writer));
    CVY_GO(copy_all(images, labels, x, writer, options));
    CVY_GO(cvy_dataset_writer_finish(&writer));
done:
    cvy_dataset_writer_destroy(&writer);
    cvy_idx_close(&images);
    cvy_idx_close(&labels);
    cvy_free(x);
    return status;
}

/* ---- From HDF5 ---- */

static struct cvy_dataset_plan plan_of(const struct cvy_dataset_info *info, const char *source,
                                       const struct cvy_pack_options *options) {
    const bool named = options->class_names != NULL;
    return (struct cvy_dataset_plan){.shape = info->shape,
                                     .x_type = info->x_type,
                                     .target = info->target,
                                     .bare = cvy_shape_count(info->target.shape) == 0,
                                     .classes = named ? options->classes : info->classes,
                                     .class_names = named ? options->class_names : info->class_names,
                                     .ignores = info->ignores,
                                     .ignored = info->ignored,
                                     .count = info->count,
                                     .chunk = options->chunk,
                                     .shard_bytes = options->shard_bytes,
                                     .deflate = options->deflate,
                                     .source = source,
                                     .overwrite = options->overwrite};
}

static cvy_status copy_samples(struct cvy_dataset *ds, struct cvy_dataset_writer *writer) {
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    const size_t x_size = cvy_dataset_sample_bytes(info), y_size = cvy_target_bytes(info->target);
    const int64_t fits = (int64_t)(((size_t)1 << 20) / (x_size + y_size)), block = fits > 0 ? fits : 1;
    unsigned char *x = NULL, *y = NULL;
    cvy_status status = CVY_NEW(&x, (size_t)block * x_size, data);
    if (status == CVY_OK) status = CVY_NEW(&y, (size_t)block * y_size, data);
    for (int64_t first = 0; status == CVY_OK && first < info->count; first += block) {
        const int64_t left = info->count - first, now = left < block ? left : block;
        status = cvy_dataset_read(ds, first, now, x, y);
        if (status == CVY_OK) status = cvy_dataset_writer_append(writer, now, x, y);
    }
    cvy_free(x);
    cvy_free(y);
    return status;
}

cvy_status cvy_pack_hdf5(const struct cvy_dataset_spec *from, const char *out, const struct cvy_pack_options *options) {
    struct cvy_dataset *ds = NULL;
    struct cvy_dataset_writer *writer = NULL;
    struct cvy_dataset_plan plan;
    struct cvy_dataset_spec how = *from;
    cvy_status status;
    how.names = options->class_names;
    how.name_count = options->classes;
    how.stop = options->stop;
    how.stop_arg = options->stop_arg;
    CVY_GO(cvy_dataset_open(&how, &ds));
    if (options->unwritten) *options->unwritten = cvy_dataset_info(ds)->unwritten;
    if (options->note) *options->note = cvy_dataset_info(ds)->target_note;
    plan = plan_of(cvy_dataset_info(ds), cvy_path_name(from->file), options);
    plan.inputs = &from->file;
    plan.input_count = 1;
    CVY_GO(cvy_dataset_writer_create(out, &plan, &writer));
    CVY_GO(copy_samples(ds, writer));
    CVY_GO(cvy_dataset_writer_finish(&writer));
done:
    cvy_dataset_writer_destroy(&writer);
    cvy_dataset_close(&ds);
    return status;
}
