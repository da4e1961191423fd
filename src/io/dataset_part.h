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
    hid_t file, x, y;     /* -1 while closed; y: of dense targets */
    bool checked;         /* its labels were compared with the index's */
};

struct cvy_dataset {
    struct cvy_dataset_info info;
    char path[CVY_PATH_MAX], x_name[256], y_name[256];
    enum cvy_layout layout;
    struct cvy_dataset_spec spec; /* without its texts */
    bool own;                     /* ours, with all attributes; else a user's file */
    int rank, y_rank;             /* of /x and /y */
    float y_scale;                /* of values; 1 but for a user's uint8 maps */
    struct cvy_dataset_part *parts;
    int part_count, open_parts, next_to_close;
    int32_t *labels;
    double *stats; /* mean [c], std [c] */
    char **names;
    void *scratch; /* one sample or target, for NCHW */
};

/* Row of /shards. */
struct cvy_dataset_shard {
    char path[64]; /* relative to the index: "train.d/00000.h5" */
    int64_t count, first;
    uint64_t checksum;
    uint64_t sums; /* cvy_sums_digest; 0 in sets of before there were any */
};
/* The compound type of such a row; drop it. */
hid_t cvy_dataset_shard_type(void);

/* Identity of contents: from the digests of all x bytes (NHWC) and of all labels. */
uint64_t cvy_dataset_digest(const struct cvy_dataset_info *info, uint64_t x, uint64_t y);

/* All below under the lock. */

/* Fills ds->info, labels, names and statistics from its file, with digest where it is ours; leaves /x open, and /y
 * where it is dense. */
cvy_status cvy_dataset_describe(struct cvy_dataset *ds, hid_t file, hid_t *x, hid_t *y);
/* The part of it that is about targets: info.target, classes and labels. */
cvy_status cvy_dataset_describe_target(struct cvy_dataset *ds, hid_t file, hid_t *y);
/* Extents of a sample of this rank, [n][…]; false when it is empty or too large. */
bool cvy_dataset_extents(int rank, const hsize_t *dims, bool nchw, struct cvy_shape *out);
/* "32-bit float" */
const char *cvy_dataset_type_name(hid_t type, char out[48]);
/* Opens a data set of a file and gives its rank and dims (at most 8). */
cvy_status cvy_dataset_array_open(const char *path, hid_t file, const char *name, hid_t *array, int *rank,
                                  hsize_t dims[8]);
const char *cvy_dataset_dims_text(int rank, const hsize_t *dims, char out[160]); /* "[6][3]" */
/* Rows first … first+count−1 of an array, as they are stored, converted to `type`; false when HDF5 fails. */
bool cvy_dataset_rows(hid_t array, int rank, hid_t type, int64_t first, int64_t count, void *out);
/* Whether classes are within their range; `first`: the sample that they begin at. */
cvy_status cvy_dataset_check_classes(const struct cvy_dataset *ds, int64_t first, int64_t count, const int32_t *y);
/* Samples that HDF5 reads as one; about 32 KiB where the file leaves it open. */
int cvy_dataset_chunk_of(const struct cvy_dataset *ds, hid_t x, int rank);

/* Opens a part's /x, closing another where too many are open; checks that it is as the set says. */
cvy_status cvy_dataset_part_open(struct cvy_dataset *ds, struct cvy_dataset_part *part);
void cvy_dataset_part_close(struct cvy_dataset *ds, struct cvy_dataset_part *part);

#endif
