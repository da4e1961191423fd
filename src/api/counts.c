#include "api/counts.h"

#include "core/floats.h"
#include "core/memory.h"

cvy_status cvy_counts_create(const struct cvy_graph *graph, const struct cvy_target *target, struct cvy_counts *out) {
    const struct cvy_loss *loss = cvy_graph_loss(graph);
    *out = (struct cvy_counts){.measure = loss->measure,
                               .target = *target,
                               .out = cvy_graph_output_shape(graph),
                               .ignores = loss->ignores,
                               .ignored = loss->ignored};
    if (cvy_target_is_class(*target)) out->out = cvy_shape_flat((int)cvy_shape_count(out->out));
    const size_t channels = (size_t)out->out.c, classes = channels == 1 ? 2 : channels;
    if (loss->measure == CVY_MEASURE_VALUES) return CVY_OK;
    const bool labels = loss->measure == CVY_MEASURE_LABELS;
    out->classes = (int)(labels ? channels : classes);
    out->size = labels ? channels * 4 : classes * classes;
    return CVY_NEW(&out->cells, out->size, general);
}

void cvy_counts_destroy(struct cvy_counts *counts) {
    cvy_free(counts->cells);
    *counts = (struct cvy_counts){0};
}

/* The class that a row of outputs says: the largest's (the first of equals); of one output, 1 where it is over 0. */
static int said_by(const float *row, int outputs) {
    return outputs == 1 ? row[0] > 0 : cvy_largest(row, outputs);
}

static void add_class(struct cvy_counts *counts, const float *row, int32_t class) {
    if (counts->ignores && class == counts->ignored) return;
    counts->cells[(int64_t) class * counts->classes + said_by(row, counts->out.c)]++;
}

static void add_labels(struct cvy_counts *counts, const float *row, const float *values) {
    for (int c = 0; c < counts->classes; c++) {
        if (counts->ignores && values[c] == (float)counts->ignored) continue;
        const int truly = values[c] > 0.5F, said = row[c] > 0;
        counts->cells[c * 4 + truly * 2 + said]++;
    }
}

void cvy_counts_add(struct cvy_counts *counts, const float *outputs, const void *targets, int n) {
    const int64_t rows = n * cvy_shape_pixels(counts->out);
    const int32_t *classes = targets;
    const float *values = targets;
    for (int64_t i = 0; counts->cells && i < rows; i++) {
        const float *row = outputs + i * counts->out.c;
        if (counts->measure == CVY_MEASURE_LABELS)
            add_labels(counts, row, values + i * counts->out.c);
        else if (counts->target.type == CVY_F32) /* a distribution stands for its likeliest class */
            add_class(counts, row, cvy_largest(values + i * counts->out.c, counts->out.c));
        else
            add_class(counts, row, classes[i]);
    }
}
