/* Private to dataset_*.c: what a handle holds. A data set is one or more parts, each an HDF5 file with some of the
 * samples; a single file is its own only part. */
#ifndef CVY_IO_DATASET_PART_H
#define CVY_IO_DATASET_PART_H

#include "io/dataset.h"
#include "io/h5.h"
#include "io/path.h"

#define CVY_DATASET_FORMAT  "convoy-dataset"
#define CVY_DATASET_VERSION 1

struct cvy_dataset_part {
    char path[CVY_PATH_MAX];
    int64_t first, count; /* samples, counted over the whole set */
    uint64_t checksum;    /* XXH64 of the file, 0 when not known */
    hid_t file, x;        /* -1 while closed */
    bool checked;         /* its labels were compared with the index's */
};

struct cvy_dataset {
    struct cvy_dataset_info info;
    char path[CVY_PATH_MAX], x_name[256], y_name[256];
    enum cvy_layout layout;
    bool own; /* ours, with all attributes; else a user's file */
    int rank; /* of /x */
    struct cvy_dataset_part *parts;
    int part_count, open_parts, next_to_close;
    int32_t *labels;
    double *stats; /* mean [c], std [c] */
    char **names;
    void *scratch; /* one sample, for NCHW */
};

/* Row of /shards. */
struct cvy_dataset_shard {
    char path[64]; /* relative to the index: "train.d/00000.h5" */
    int64_t count, first;
    uint64_t checksum;
};
/* The compound type of such a row; drop it. */
hid_t cvy_dataset_shard_type(void);

/* Identity of contents: from the digests of all x bytes (NHWC) and of all labels. */
uint64_t cvy_dataset_digest(const struct cvy_dataset_info *info, uint64_t x, uint64_t y);

/* All below under the lock. */

/* Fills ds->info, labels, names and statistics from its file, with digest where it is ours; leaves /x open. */
cvy_status cvy_dataset_describe(struct cvy_dataset *ds, hid_t file, hid_t *x);
/* Opens a data set of a file and gives its rank and dims (at most 8). */
cvy_status cvy_dataset_array_open(const char *path, hid_t file, const char *name, hid_t *array, int *rank,
                                  hsize_t dims[8]);
const char *cvy_dataset_dims_text(int rank, const hsize_t *dims, char out[160]); /* "[6][3]" */
/* Samples that HDF5 reads as one; about 32 KiB where the file leaves it open. */
int cvy_dataset_chunk_of(const struct cvy_dataset *ds, hid_t x, int rank);

/* Opens a part's /x, closing another where too many are open; checks that it is as the set says. */
cvy_status cvy_dataset_part_open(struct cvy_dataset *ds, struct cvy_dataset_part *part);
void cvy_dataset_part_close(struct cvy_dataset *ds, struct cvy_dataset_part *part);

#endif
