#include "train/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/inside.h"

void cvy_metric_values(const struct cvy_loss_result *leaf, double values[CVY_VALUES]) {
    values[CVY_VALUE_LOSS] = leaf->loss;
    values[CVY_VALUE_COUNTED] = (double)leaf->counted;
    values[CVY_VALUE_TOP1] = (double)leaf->top1;
    values[CVY_VALUE_TOP5] = (double)leaf->top5;
    values[CVY_VALUE_ABSOLUTE] = leaf->absolute;
    values[CVY_VALUE_SQUARED] = leaf->squared;
}

void cvy_metric_add(struct cvy_metric_totals *totals, int64_t samples, const double sums[CVY_VALUES]) {
    totals->samples += samples;
    for (int i = 0; i < CVY_VALUES; i++) totals->sums[i] += sums[i];
}

struct cvy_metric cvy_metric_of(const struct cvy_graph *graph, double peak) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    return (struct cvy_metric){.measure = loss ? loss->measure : CVY_MEASURE_CLASSES,
                               .out = cvy_graph_output_shape(graph),
                               .classes = cvy_graph_classes(graph),
                               .peak = peak};
}

/* ---- Figures ---- */

typedef double figure_fn(const struct cvy_metric_totals *s, const struct cvy_metric *metric);

static double loss(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    (void)metric;
    return s->sums[CVY_VALUE_LOSS] / (double)s->samples;
}
static double share(const struct cvy_metric_totals *s, int value) {
    const double counted = s->sums[CVY_VALUE_COUNTED];
    return counted > 0 ? s->sums[value] / counted : 0;
}
static double top1(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    (void)metric;
    return share(s, CVY_VALUE_TOP1);
}
static double top5(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    (void)metric;
    return share(s, CVY_VALUE_TOP5);
}
static double outputs(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    return (double)s->samples * (double)cvy_shape_count(metric->out);
}
static double mae(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    return s->sums[CVY_VALUE_ABSOLUTE] / outputs(s, metric);
}
static double rmse(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    return sqrt(s->sums[CVY_VALUE_SQUARED] / outputs(s, metric));
}
static double psnr(const struct cvy_metric_totals *s, const struct cvy_metric *metric) {
    return 20 * log10(metric->peak / rmse(s, metric));
}

#define BIT(measure) (1U << (measure))
static const struct {
    const char *name, *title, *unit;
    unsigned measures;
    bool more;   /* is better */
    bool maps;   /* alone */
    int classes; /* at least; with fewer it says nothing */
    figure_fn *fn;
} figures[] = {
    {"loss", "loss", "", BIT(CVY_MEASURE_CLASSES) | BIT(CVY_MEASURE_LABELS) | BIT(CVY_MEASURE_VALUES), false, false, 0,
     loss},
    {"top1", "top-1", "%", BIT(CVY_MEASURE_CLASSES), true, false, 0, top1},
    {"top5", "top-5", "%", BIT(CVY_MEASURE_CLASSES), true, false, 6, top5},
    {"exact", "exact", "%", BIT(CVY_MEASURE_LABELS), true, false, 0, top1},
    {"mae", "MAE", "", BIT(CVY_MEASURE_VALUES), false, false, 0, mae},
    {"rmse", "RMSE", "", BIT(CVY_MEASURE_VALUES), false, false, 0, rmse},
    {"psnr", "PSNR", "dB", BIT(CVY_MEASURE_VALUES), true, true, 0, psnr},
};

enum { KINDS = sizeof figures / sizeof *figures };

static bool measured(const struct cvy_metric *metric, size_t i) {
    const bool map = cvy_shape_pixels(metric->out) > 1;
    return (figures[i].measures & BIT(metric->measure)) && (map || !figures[i].maps) &&
           metric->classes >= figures[i].classes;
}

bool cvy_metric_known(const struct cvy_metric *metric, const char *name, bool *more) {
    for (size_t i = 0; i < KINDS; i++) {
        if (!measured(metric, i) || strcmp(figures[i].name, name) != 0) continue;
        *more = figures[i].more;
        return true;
    }
    return false;
}

const char *cvy_metric_names(const struct cvy_metric *metric, char out[64]) {
    size_t used = 0, left = 0;
    for (size_t i = 0; i < KINDS; i++) left += measured(metric, i);
    for (size_t i = 0; i < KINDS; i++) {
        if (!measured(metric, i)) continue;
        left--;
        used += (size_t)snprintf(out + used, 64 - used, "%s%s", figures[i].name,
                                 left > 1    ? ", "
                                 : left == 1 ? " and "
                                             : "");
    }
    return out;
}

void cvy_metric_figures(const struct cvy_metric_totals *totals, const struct cvy_metric *metric,
                        struct cvy_figures *out) {
    out->count = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (measured(metric, i) && out->count < CVY_FIGURES)
            out->items[out->count++] =
                (struct cvy_figure){figures[i].name, figures[i].title, figures[i].unit, figures[i].fn(totals, metric)};
}

double cvy_figures_get(const struct cvy_figures *f, const char *name) {
    for (int i = 0; i < f->count; i++)
        if (strcmp(f->items[i].name, name) == 0) return f->items[i].value;
    return NAN;
}

const char *cvy_figures_text(const struct cvy_figures *f, char out[CVY_FIGURES_TEXT]) {
    CVY_INSIDE();
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < f->count && used < CVY_FIGURES_TEXT; i++) {
        const struct cvy_figure *item = &f->items[i];
        const bool share = item->unit[0] == '%';
        used += (size_t)snprintf(out + used, CVY_FIGURES_TEXT - used, "%s%s %.*f%s%s", i ? "  " : "", item->title,
                                 item->unit[0] ? 2 : 4, share ? 100 * item->value : item->value,
                                 item->unit[0] ? " " : "", item->unit);
    }
    return out;
}

const char *cvy_metric_headline(const struct cvy_metric_totals *totals, const struct cvy_metric *metric, char out[48]) {
    if (metric->measure == CVY_MEASURE_VALUES)
        snprintf(out, 48, "RMSE %.4f", rmse(totals, metric));
    else
        snprintf(out, 48, "%s %.2f %%", metric->measure == CVY_MEASURE_LABELS ? "exact" : "accuracy",
                 100 * top1(totals, metric));
    return out;
}
