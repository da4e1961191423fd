/* The loader: a thread that stays `depth` batches ahead of the training.
 *
 *   thread:  wait for an empty slot ─► positions ─► samples ─► read ─► augment ─► full
 *   caller:  cvy_loader_next (waits for the full one) … cvy_loader_release (empty again)
 *
 * It makes exactly what the pure functions of sampler.h say for this rank, goes on over epochs without end, and
 * allocates at creation only. Not collective. */
#ifndef CVY_DATA_LOADER_H
#define CVY_DATA_LOADER_H

#include "data/augment.h"
#include "data/sampler.h"
#include "data/source.h"

struct cvy_loader_spec {
    struct cvy_source *source;         /* not owned; used by this loader alone meanwhile */
    const struct cvy_augment *augment; /* not owned */
    struct cvy_epoch_plan plan;        /* plan.count = source->info.count; plan.start: of the first epoch alone */
    uint64_t seed;
    bool training; /* permuted and augmented; else in the data set's order, normalised only */
    int rank, ranks;
    uint32_t epoch;          /* where to start */
    int64_t step;            /* … within that epoch */
    bool ranged;             /* batches say the range of what was read */
    int depth;               /* batches ahead of the one in use; 0: 2 */
    bool (*stop)(void *arg); /* NULL, or asked between the reads of samples: true ends all reading */
    void *stop_arg;
    /* NULL, or whether the targets that were read are good: CVY_ERR_DATA where not. */
    cvy_status (*check)(const void *arg, const int64_t *ids, int count, const void *y);
    const void *check_arg;
    bool
        saves; /* bad data end the reading as a request does, so that what was trained can be saved before it is told */
};

/* The part of one global batch that is this rank's: leaves first_leaf … first_leaf+leaf_count−1, samples in order. */
struct cvy_batch {
    float *x;     /* [count][h][w][c] */
    void *y;      /* [count] of the source's info.target */
    int64_t *ids; /* [count] sample numbers */
    int count;    /* samples here; 0 for a rank without leaves */
    int first;    /* of them, counted from the batch's start */
    int first_leaf, leaf_count;
    struct cvy_batch_plan plan; /* of the whole batch */
    uint32_t epoch;
    int64_t step;           /* within the epoch, from plan.start */
    bool last;              /* of its epoch */
    struct cvy_range range; /* of these inputs as they were read, where spec.ranged; else of none */
    bool stopped; /* it was not read to its end, on request (or spec.saves): x and y are zeros. It is the last */
};

struct cvy_loader;
cvy_status cvy_loader_create(const struct cvy_loader_spec *spec, struct cvy_loader **out);
/* Waits for the thread (for no longer than the read of a sample, or of what comes with it) and frees everything,
 * batches not released too. */
void cvy_loader_destroy(struct cvy_loader **loader);

/* The next batch, owned by the loader until it is released. A failure in the thread comes out here, after the batches
 * that were good; later calls fail too. At most
 * depth + 1 batches may be out. */
cvy_status cvy_loader_next(struct cvy_loader *loader, struct cvy_batch **out);
/* The failure for which the last batch came as stopped, where that was no request. */
cvy_status cvy_loader_trouble(struct cvy_loader *loader);
void cvy_loader_release(struct cvy_loader *loader, struct cvy_batch *batch);
/* Seconds that cvy_loader_next has waited so far. */
double cvy_loader_waited(const struct cvy_loader *loader);
/* Bytes held by the loader. */
size_t cvy_loader_bytes(const struct cvy_loader_spec *spec);

#endif
