#include "train/record/rise.h"

#include <math.h>

/* Of classes a loss is known that anybody gets who knows nothing, ln(classes), and weights that know worse than that
 * begin no higher than a few times it. Of values nothing is known, and the first batch may be an easy one. */
static double high_of(const struct cvy_metric *metric, double first) {
    if (metric->measure != CVY_MEASURE_CLASSES) return 100 * first;
    return 10 * fmax(first, log(fmax(metric->classes, 2)));
}

void cvy_rise_step(struct cvy_rise *rise, const struct cvy_metric *metric, const struct cvy_metric_totals *totals,
                   int64_t step) {
    const double loss = totals->sums[CVY_VALUE_LOSS] / (double)totals->samples;
    if (rise->high <= 0) {
        rise->first = loss;
        rise->high = high_of(metric, loss);
    }
    rise->sum += totals->sums[CVY_VALUE_LOSS];
    rise->samples += totals->samples;
    rise->above = rise->high > 0 && loss > rise->high;
    if (rise->step == 0 && rise->above) rise->step = step;
}

void cvy_rise_end_epoch(struct cvy_rise *rise) {
    const double mean = rise->samples > 0 ? rise->sum / (double)rise->samples : 0;
    rise->mean = rise->high > 0 && mean > rise->high ? mean : 0;
    if (rise->mean == 0) rise->told = 0;
    if (rise->mean == 0 && !rise->above) rise->step = 0;
    rise->sum = 0;
    rise->samples = 0;
}
