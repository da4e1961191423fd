/* Packing HDF5: a data set that somebody else made, or one of ours. */
#include "core/memory.h"
#include "data/pack.h"
#include "io/path.h"

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

static cvy_status copy_samples(struct cvy_dataset *ds, struct cvy_dataset_writer *writer, const struct cvy_work *work) {
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
        cvy_work_tell(work, first + now, info->count);
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
    how.listed = options->class_names != NULL;
    how.work = options->work;
    CVY_GO(cvy_dataset_open(&how, &ds));
    if (options->unwritten) *options->unwritten = cvy_dataset_info(ds)->unwritten;
    if (options->note) *options->note = cvy_dataset_info(ds)->target_note;
    plan = plan_of(cvy_dataset_info(ds), cvy_path_name(from->file), options);
    plan.inputs = &from->file;
    plan.input_count = 1;
    CVY_GO(cvy_dataset_writer_create(out, &plan, &writer));
    CVY_GO(copy_samples(ds, writer, &options->work));
    CVY_GO(cvy_dataset_writer_finish(&writer));
done:
    cvy_dataset_writer_destroy(&writer);
    cvy_dataset_close(&ds);
    return status;
}

static cvy_status pack(const struct cvy_pack_inputs *from, const char *out, const struct cvy_pack_options *options) {
    return cvy_pack_hdf5(&from->first, out, options);
}

const struct cvy_pack_format cvy_pack_format_hdf5 = {
    .inputs = 1,
    .takes = "one input, and OUT.h5 behind it",
    .hint = "",
    .data_sets = true,
    .pack = pack,
};
