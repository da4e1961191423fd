/* Private to dataset_write.c and dataset_index.c: what a writer holds. */
#ifndef CVY_IO_DATASET_DATASET_WRITER_H
#define CVY_IO_DATASET_DATASET_WRITER_H

#include "core/tree/node.h"
#include "io/dataset/dataset_part.h"
#include "io/dataset/dataset_sums.h"
#include "io/dataset/dataset_tally.h"

struct cvy_dataset_writer {
    struct cvy_dataset_plan plan; /* texts owned by `texts` */
    struct cvy_tree *texts;
    const char **names;
    char path[CVY_PATH_MAX], folder[CVY_PATH_MAX], temporary[CVY_PATH_MAX];
    size_t sample, target; /* bytes */
    int64_t part_samples;  /* a multiple of the chunk */

    unsigned char *stage, *y_stage; /* y_stage: of dense targets */
    int64_t stage_room, staged;     /* samples */
    struct cvy_h5_image image;      /* the part being written */
    hid_t x, y;                     /* y: of dense targets */
    bool part_open;
    int64_t part_written; /* samples of it that are in /x */

    struct cvy_sums x_sums, y_sums; /* of the part's blocks */

    struct cvy_tally *part, *whole;
    int32_t *labels; /* of all samples, where targets are single classes */
    int64_t label_room;
    struct cvy_dataset_shard *shards;
    int shard_count, shard_room;
};

/* An array of the file with a row a sample: /x, or /y; or a shard. */
struct cvy_dataset_column {
    const char *name;
    hid_t file_type, memory_type;
    int rank;
    hsize_t dims[4]; /* dims[0]: rows; 0 where they come later */
    size_t size;     /* bytes of a row in memory */
};
struct cvy_dataset_column cvy_dataset_column_x(const struct cvy_dataset_plan *plan);
struct cvy_dataset_column cvy_dataset_column_y(const struct cvy_dataset_plan *plan);
static inline bool cvy_dataset_plan_dense(const struct cvy_dataset_plan *plan) {
    return !plan->bare && !cvy_target_is_class(plan->target);
}

/* Under the lock. A chunked data set with checksums; rows may be added when `growing`. */
hid_t cvy_dataset_array_make(hid_t file, const struct cvy_dataset_column *column, hsize_t chunk, bool growing,
                             int deflate);
/* Under the lock: /y, and the root attributes, of a part or of the index. */
cvy_status cvy_dataset_put_labels(hid_t file, const int32_t *labels, int64_t count);
cvy_status cvy_dataset_put_attributes(const struct cvy_dataset_writer *w, hid_t file, const struct cvy_tally *tally);
/* Under the lock: the index of all shards, into w->image. */
cvy_status cvy_dataset_index_build(struct cvy_dataset_writer *w);

/* An index never stands beside another set's shards: the old index goes first, the new one comes last. */
cvy_status cvy_dataset_shards_place(struct cvy_dataset_writer *w);
/* CVY_ERR_USAGE where the folder holds anything but shards of ours: it would be lost when they are replaced. No folder
 * is fine, and so is a link to one, which alone is replaced. */
cvy_status cvy_dataset_shards_check(const char *folder);
/* Removes a folder of shards, or a link to one; false when something of another kind is in it. */
bool cvy_dataset_shards_remove(const char *folder);

#endif
