/* Metrics: what a loss counts of its outputs, summed over leaves, batches or a whole data set, and the figures that
 * people read from it. Which these are depends on what the loss measures (enum cvy_measure). */
#ifndef CVY_TRAIN_METRIC_H
#define CVY_TRAIN_METRIC_H

#include "convoy/run.h"
#include "graph/model/graph.h"

/* The doubles a leaf that travel with each step's control record. Counts are whole numbers, so their sums are exact. */
enum {
    CVY_VALUE_LOSS,
    CVY_VALUE_COUNTED,
    CVY_VALUE_TOP1,
    CVY_VALUE_TOP5,
    CVY_VALUE_ABSOLUTE,
    CVY_VALUE_SQUARED,
    CVY_VALUES
};

struct cvy_metric_totals {
    int64_t samples;
    double sums[CVY_VALUES];
};

void cvy_metric_values(const struct cvy_loss_result *leaf, double values[CVY_VALUES]);
void cvy_metric_add(struct cvy_metric_totals *totals, int64_t samples, const double sums[CVY_VALUES]);

/* What totals are of. */
struct cvy_metric {
    enum cvy_measure measure;
    struct cvy_shape out; /* of a sample */
    int classes;          /* that are told apart */
    double peak;          /* the largest value of a signal, for PSNR */
};
struct cvy_metric cvy_metric_of(const struct cvy_graph *graph, double peak);

/* classes: loss, top1, and of 6 and more top5, over all that is not ignored; labels: loss, exact (every output is on
 * the right side); values: loss, mae = Σ|d|/N, rmse = √(Σd²/N) over all N outputs, and of maps psnr =
 * 20·log10(peak/rmse). */
void cvy_metric_figures(const struct cvy_metric_totals *totals, const struct cvy_metric *metric,
                        struct cvy_figures *out);
/* Whether evaluations of this kind have a figure of that name, and whether more of it is better. */
bool cvy_metric_known(const struct cvy_metric *metric, const char *name, bool *more);
/* Their names: "loss, top1 and top5". */
const char *cvy_metric_names(const struct cvy_metric *metric, char out[64]);
/* The one to show beside the loss while training: "accuracy 97.10 %", "RMSE 0.0312". */
const char *cvy_metric_headline(const struct cvy_metric_totals *totals, const struct cvy_metric *metric, char out[48]);

#endif
