/* A data source: anything that can hand out samples by index. A small const vtable, so that a program can bring its own
 * (a simulation's fields, a message queue) beside the HDF5 and memory sources here. */
#ifndef CVY_DATA_SOURCE_H
#define CVY_DATA_SOURCE_H

#include <stdint.h>

#include "io/dataset/dataset.h"

struct cvy_source;

struct cvy_source_kind {
    const char *name;
    /* Samples indices[0 … n−1]: x [n][h][w][c] of info.x_type, y [n] of info.target. Called from the loader's thread,
     * one call at a time a source; must not allocate once it is warm. */
    cvy_status (*read)(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y);
    void (*destroy)(struct cvy_source *source);
    /* Dense targets alone, of samples that follow one another; NULL where they do not come without the inputs. */
    cvy_status (*read_targets)(struct cvy_source *source, int64_t first, int64_t count, void *y);
    /* What dense values in a file are multiplied by from now on; NULL where they are in no file. */
    void (*scale_targets)(struct cvy_source *source, double scale);
};

/* The head of every source. */
struct cvy_source {
    const struct cvy_source_kind *kind;
    struct cvy_dataset_info info;
    const int64_t *members; /* [info.count] what its samples are numbered in the set that it is a part of; NULL: none */
};

/* Reads an HDF5 data set. When it is no larger than `budget` bytes it is held in memory, each chunk read at its first
 * touch, so that the first step does not wait for the whole file. Takes `ds` over, also on failure. */
cvy_status cvy_source_hdf5(struct cvy_dataset **ds, int64_t budget, struct cvy_source **out);

/* The same of a data set that stays the caller's; nothing is held in memory. */
cvy_status cvy_source_borrow(struct cvy_dataset *ds, struct cvy_source **out);

/* Samples in the caller's memory, which must outlive the source: x [count][h][w][c], y [count] of info.target. `info`
 * needs count, shape, x_type, target (zeros: a class) and classes; mean (0) and std (1), class_names, classes of values
 * (their channels) and digest (of x and y) are filled in where NULL or 0. CVY_ERR_DATA for a class out of range. */
cvy_status cvy_source_memory(const struct cvy_dataset_info *info, const void *x, const void *y,
                             struct cvy_source **out);

/* Samples from a function: fill x, and y unless it is NULL, for `index`; a non-zero return fails the read. `info` as
 * above (the digest stays 0 where it is not given). */
typedef int cvy_source_fn(void *arg, int64_t index, void *x, void *y);
cvy_status cvy_source_callback(const struct cvy_dataset_info *info, cvy_source_fn *fn, void *arg,
                               struct cvy_source **out);

/* Another source whose targets are its inputs: uint8 as values from 0 to 1, float32 as they are. `inner`'s own targets
 * are not read. Takes `inner` over, also on failure. */
cvy_status cvy_source_inputs(struct cvy_source **inner, struct cvy_source **out);

/* Of such a source whose inputs times `factor` are like others, in which `full` is 1: its targets become what theirs
 * are. Nothing to do for other sources. */
void cvy_source_inputs_rescale(struct cvy_source *source, double factor, double full);

/* Two sources from one: `held` has `share` (above 0, below 1) of its samples, `rest` the others, each in order. Where
 * samples have one class each, every class gives its share, give or take one, and keeps one at least. Which they are is
 * a function of seed, share and labels. Each may be read from a thread of its own; the one that is held out counts no
 * bytes, and the digest of both is the whole's. Takes `source` over, also on failure: CVY_ERR_USAGE, naming `file`,
 * where one of the two would have no sample. */
cvy_status cvy_source_hold_out(struct cvy_source **source, double share, uint64_t seed, const char *file,
                               struct cvy_source **rest, struct cvy_source **held);

void cvy_source_destroy(struct cvy_source **source); /* any kind; NULL is fine */

#endif
