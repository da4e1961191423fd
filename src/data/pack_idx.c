/* Packing IDX: a file of images and one of their labels. */
#include "data/pack.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/memory.h"
#include "io/dataset/dataset.h"
#include "io/idx.h"
#include "io/path.h"

enum { BLOCK = 1024, BLOCK_BYTES = 16 << 20 }; /* samples that are in flight, at most, and their bytes */

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
                           struct cvy_dataset_writer *writer, const struct cvy_work *work) {
    const int64_t count = images->dims[0], block = block_of(images->item);
    for (int64_t first = 0; first < count; first += block) {
        CVY_TRY(cvy_work_go_on(work, images->path));
        CVY_TRY(copy_block(images, labels, count - first < block ? count - first : block, x, writer));
        cvy_work_tell(work, first + block < count ? first + block : count, count);
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
    CVY_GO(copy_all(images, labels, x, writer, &options->work));
    CVY_GO(cvy_dataset_writer_finish(&writer));
done:
    cvy_dataset_writer_destroy(&writer);
    cvy_idx_close(&images);
    cvy_idx_close(&labels);
    cvy_free(x);
    return status;
}

static cvy_status pack(const struct cvy_pack_inputs *from, const char *out, const struct cvy_pack_options *options) {
    return cvy_pack_idx(from->paths[0], from->paths[1], out, options);
}

const struct cvy_pack_format cvy_pack_format_idx = {
    .inputs = 2,
    .takes = "two inputs, images and labels, and OUT.h5 behind them",
    .hint = " (an HDF5 file is packed with --format hdf5)",
    .pack = pack,
};
