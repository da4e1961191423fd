/* What samples look like before the first is used: a fixed selection of them, by which copies of a data set are
 * compared and their scale is told; and statistics for sets that bring none. */
#ifndef CVY_DATA_PROBE_H
#define CVY_DATA_PROBE_H

#include "io/work.h"
#include "data/scale.h"
#include "data/source.h"

/* Two sources whose probes are equal hold the same, as far as was looked: all single classes, and of inputs and dense
 * targets the samples of the selection. */
struct cvy_probe {
    uint64_t inputs, targets; /* XXH64 */
    struct cvy_range range;   /* of the selection's inputs */
    struct cvy_range values;  /* of its targets that are values and count; else of none */
};
/* Reads eight places spread over the set, a few neighbours at each: the same ones for sets of as many samples. */
cvy_status cvy_source_probe(struct cvy_source *source, struct cvy_probe *out);

/* Goes on with out->targets over all of a user's dense targets, which the selection leaves out, or a GiB of them in
 * blocks spread evenly. Nothing to do where they are none, or are the inputs; sets of ours carry a digest. */
cvy_status cvy_source_probe_targets(struct cvy_source *source, struct cvy_probe *out);

/* What was found of inputs: of all, unless the set is larger than a GiB: then of blocks spread evenly. */
struct cvy_measured {
    int64_t part; /* samples that were looked at */
    struct cvy_range range;
    uint64_t digest; /* of these, and of the shapes */
};
/* And mean and standard deviation of each channel ([shape.c], in units of x, as packing computes them: the same bits).
 * `work` is told how far it is through the set; the source itself asks whether to go on. */
cvy_status cvy_source_measure(struct cvy_source *source, const struct cvy_work *work, double *mean, double *std,
                              struct cvy_measured *out);

#endif
