/* Private to dataset_*.c: what a handle holds. A data set is one or more parts, each an HDF5 file with some of the
 * samples; a single file is its own only part. */
#ifndef CVY_IO_DATASET_DATASET_PART_H
#define CVY_IO_DATASET_DATASET_PART_H

#include "io/dataset/dataset.h"
#include "io/dataset/dataset_rows.h"
#include "io/hdf5/h5_sources.h"
#include "io/path.h"
#include "io/watch.h"

#define CVY_DATASET_FORMAT  "convoy-dataset"
#define CVY_DATASET_VERSION 1

struct cvy_dataset_part {
    char path[CVY_PATH_MAX];
    int64_t first, count;           /* samples, counted over the whole set */
    uint64_t checksum;              /* XXH64 of the file, 0 when not known */
    hid_t file;                     /* −1 while closed */
    struct cvy_rows x, y;           /* y: of dense targets */
    struct cvy_sums x_sums, y_sums; /* of its rows; their room stays when it is closed */
    uint64_t sums;                  /* cvy_sums_digest, 0 when not known */
    bool checked;                   /* its labels were compared with the index's */
    struct cvy_watch watch;         /* where there are no checksums to go by */
};

/* How targets that come along with the samples are stored. */
enum cvy_y_form {
    CVY_Y_AS_IT_IS,     /* classes as integers, values as numbers */
    CVY_Y_WHOLE_FLOATS, /* classes */
    CVY_Y_ONE_HOT       /* classes; y_channels of them */
};

struct cvy_dataset {
    struct cvy_dataset_info info;
    char path[CVY_PATH_MAX], x_name[256], y_name[256];
    struct cvy_dataset_spec spec; /* without its texts */
    bool formatted;               /* our attribute `format` is there */
    bool own;                     /* ours, with all attributes; else a user's file */
    bool nchw, y_nchw;
    bool texts; /* /y holds names */
    int y_rank; /* of /y */
    enum cvy_y_form y_form;
    int y_channels; /* as stored */
    float y_scale;  /* of values; 1 but for a user's uint8 maps, or as the spec says */
    double misfit;  /* the first number that is no class, where that is no error */
    struct cvy_dataset_part *parts;
    int part_count, open_parts, next_to_close;
    int32_t *labels;
    double *stats; /* mean [c], std [c] */
    char **names;
    int32_t *number; /* [numbered] what the reader calls each class of the file, −1: nothing; NULL: the same */
    int numbered;
    char **own_names; /* [numbered], where number is set */
    struct cvy_held x_held, y_held;
    struct cvy_h5_sources sources;
    float *scratch; /* a one-hot target */
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
/* The parts of a set in shards, and that they are there; ds->info.count is known. */
cvy_status cvy_dataset_read_shards(struct cvy_dataset *ds, hid_t file);
/* The part of it that is about targets, of an open /y: info.target, classes, labels, names of texts. Closes it unless
 * it is dense. */
cvy_status cvy_dataset_describe_target(struct cvy_dataset *ds, int rank, const hsize_t *dims, hid_t *y);
/* Extents of a sample of this rank, [n][…]; false when it is empty or too large. */
bool cvy_dataset_extents(int rank, const hsize_t *dims, bool nchw, struct cvy_shape *out);
/* "32-bit float" */
const char *cvy_dataset_type_name(hid_t type, char out[48]);
/* Opens a data set of a file and gives its rank and dims (at most 8); CVY_ERR_DATA also where its chunks cannot be
 * inflated. */
cvy_status cvy_dataset_array_open(const char *path, hid_t file, const char *name, hid_t *array, int *rank,
                                  hsize_t dims[8]);
const char *cvy_dataset_dims_text(int rank, const hsize_t *dims, char out[160]); /* "[6][3]" */
/* Whether an open part is still what it was; nothing to do where its rows have checksums. */
cvy_status cvy_dataset_part_watch(struct cvy_dataset_part *part);
/* cvy_dataset_read without a look at what the values are; not under the lock. */
cvy_status cvy_dataset_read_raw(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, void *y);

/* ---- Classes, however they are stored (dataset_labels.c, dataset_names.c) ---- */

/* Reads them all: into ds->labels where they are one a sample, for the largest of maps. Sets ds->info.classes of a
 * user's. CVY_ERR_DATA naming the first sample that has none; where `quietly`, *fit becomes false instead. */
cvy_status cvy_dataset_read_numbers(struct cvy_dataset *ds, hid_t y, bool quietly, bool *fit);
/* The same of one-hot rows. */
cvy_status cvy_dataset_read_one_hot(struct cvy_dataset *ds, hid_t y, bool *fit);
/* ds->labels, where targets are one a sample. */
cvy_status cvy_dataset_make_labels(struct cvy_dataset *ds);
/* Texts, one a sample: ds->labels, ds->names and their number. */
cvy_status cvy_dataset_read_texts(struct cvy_dataset *ds, hid_t y);
/* Makes these the names of the classes. */
cvy_status cvy_dataset_keep_names(struct cvy_dataset *ds, const char *const *names, int count);
/* From now on the classes are numbered as by these names (NULL: as they are), where the file has names and some are the
 * same. CVY_ERR_DATA naming the first single label that is none of them. */
cvy_status cvy_dataset_match_names(struct cvy_dataset *ds, const char *const *names, int count);
/* So numbered: `count` targets of samples `first` …, classes as the file has them. CVY_ERR_DATA as above. */
cvy_status cvy_dataset_renumber(const struct cvy_dataset *ds, int64_t first, int64_t count, int32_t *y);
/* How maps of bytes were taken that somebody says the scale of. */
const char *cvy_dataset_note_of_scale(double scale);
/* What bytes of a user's maps of values are multiplied by: 1/255, unless they are all 0 and 1 (and the ignored class).
 */
cvy_status cvy_dataset_byte_scale(const struct cvy_dataset *ds, hid_t y, float *out);
/* Whether classes are within their range; `first`: the sample that they begin at. */
cvy_status cvy_dataset_check_classes(const struct cvy_dataset *ds, int64_t first, int64_t count, const int32_t *y);
/* What helps where a sample is of no class that has a name. */
const char *cvy_dataset_unnamed_advice(const struct cvy_dataset_spec *spec);

/* ---- Parts ---- */

/* Opens a part's /x, closing another where too many are open; checks that it is as the set says. */
cvy_status cvy_dataset_part_open(struct cvy_dataset *ds, struct cvy_dataset_part *part);
void cvy_dataset_part_close(struct cvy_dataset *ds, struct cvy_dataset_part *part); /* fine where it is not open */
/* A set in one file, which stays open as the only part; the handles become the part's. */
cvy_status cvy_dataset_single_part(struct cvy_dataset *ds, hid_t *file, hid_t *x, hid_t *y);

#endif
