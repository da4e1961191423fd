/* Rows of the benchmark's table: what a pass computes and moves, against what the machine gives. */
#include <math.h>
#include <stdio.h>

#include "core/sized.h"
#include "api/bench.h"

void bench_fill_machine(const struct bench *b, struct cvy_bench_result *out) {
    out->machine = (struct cvy_bench_machine){.fma_gflops = b->peaks.fma_all,
                                              .fma_one_gflops = b->peaks.fma_one,
                                              .tile_gflops = b->peaks.bf16_all,
                                              .read_gbs = b->peaks.read_gbs,
                                              .triad_gbs = b->peaks.triad_gbs};
}

/* Floats of all inputs (or of those whose gradient is wanted), of the output and of the parameters. */
struct sizes {
    double x, dx, y, w;
    bool learns; /* some dx is wanted */
};

static struct sizes sizes_of(const struct bench *b, const struct cvy_graph_node *node) {
    struct sizes s = {.y = node->output < 0 ? 0 : (double)cvy_op_count(node->op.out, b->batch.count)};
    for (int i = 0; i < node->op.inputs; i++) {
        const struct cvy_value *value = &b->graph->values[node->inputs[i]];
        const double floats = (double)cvy_op_count(value->shape, b->batch.count);
        s.x += floats;
        if (value->wants_grad) s.dx += floats;
        s.learns |= value->wants_grad;
    }
    for (int i = 0; i < node->op.params; i++) s.w += (double)b->graph->params.items[node->param[i]].stored;
    return s;
}

/* What a pass has to read and write at the least. */
static double numbers_of(const struct cvy_graph_node *node, const struct sizes *s, int pass) {
    switch (pass) {
    case CVY_PASS_FORWARD:
        return s->x + s->w + s->y;
    case CVY_PASS_DATA:
        return s->y + s->w + s->dx;
    case CVY_PASS_WEIGHTS:
        return s->x + s->y + s->w;
    case CVY_PASS_COPIES:
        return 2 * s->w;
    default:
        return s->y + s->dx + s->w + (node->op.reads & CVY_READS_INPUT ? s->x : 0) +
               (node->op.reads & CVY_READS_OUTPUT ? s->y : 0);
    }
}

static double macs_of(const struct bench *b, const struct cvy_graph_node *node, const struct sizes *s, int pass) {
    const double macs = (double)node->op.macs * b->batch.count;
    return pass == CVY_PASS_COPIES ? 0 : pass == BENCH_BACKWARD && s->learns ? 2 * macs : macs;
}

/* What was timed: a pass of a layer. */
struct timed {
    const char *name, *op, *pass;
    enum cvy_dtype type;
    const struct bench_time *time;
    double macs, bytes; /* that it has to compute and move at the least */
};

static void add_row(const struct bench *b, const struct timed *t, struct cvy_bench_result *out) {
    static const double least = 1e-8; /* seconds: nothing was done */
    const struct bench_time *time = t->time;
    if (time->least < least) return;
    const struct cvy_peaks *peaks = &b->peaks;
    struct cvy_bench_layer *row = out->layers[out->layer_count++];
    snprintf(row->name, sizeof row->name, "%.127s", t->name);
    snprintf(row->op, sizeof row->op, "%.31s", t->op);
    snprintf(row->pass, sizeof row->pass, "%.23s", t->pass);
    snprintf(row->algorithm, sizeof row->algorithm, "%.31s", time->algorithm ? time->algorithm : "loop");
    snprintf(row->isa, sizeof row->isa, "%.15s",
             cvy_isa_name(t->type == CVY_F32 ? b->ctx->compute->isa : b->ctx->compute->level));
    row->ms = 1e3 * time->least;
    row->gflops = 2e-9 * t->macs / time->least;
    row->peak_share = row->gflops / (t->type == CVY_BF16 && peaks->bf16_all > 0 ? peaks->bf16_all : peaks->fma_all);
    row->bytes = t->bytes;
    row->gbs = 1e-9 * row->bytes / time->least;
    row->tasks = time->rounds.tasks;
    row->planned_ms = 1e3 * (time->least - time->rounds.seconds + time->rounds.planned);
    row->bandwidth_share = row->gbs / fmax(peaks->read_gbs, peaks->triad_gbs);
}

static void add_node(const struct bench *b, const struct cvy_graph_node *node, struct bench_time *times,
                     struct cvy_bench_result *out) {
    static const char *const passes[BENCH_PASSES] = {[CVY_PASS_FORWARD] = "forward",
                                                     [CVY_PASS_DATA] = "backward-data",
                                                     [CVY_PASS_WEIGHTS] = "backward-weights",
                                                     [CVY_PASS_COPIES] = "copies",
                                                     [BENCH_BACKWARD] = "backward"};
    static const int order[] = {CVY_PASS_FORWARD, CVY_PASS_WEIGHTS, CVY_PASS_DATA, CVY_PASS_COPIES, BENCH_BACKWARD};
    const struct sizes sizes = sizes_of(b, node);
    for (int i = 0; i < BENCH_PASSES; i++) {
        const int pass = order[i];
        if (node->op.view) continue;
        const struct timed t = {node->name,
                                cvy_graph_kind_name(node),
                                passes[pass],
                                node->op.type,
                                &times[pass],
                                macs_of(b, node, &sizes, pass),
                                (double)cvy_dtype_bytes(b->graph->precision) * numbers_of(node, &sizes, pass)};
        add_row(b, &t, out);
    }
}

static void add_update(const struct bench *b, struct cvy_bench_result *out) {
    enum { MOMENTUM_FLOATS = 5 /* a weight: read itself, gradient and momentum, write itself and momentum */ };
    const double bytes = MOMENTUM_FLOATS * sizeof(float) * (double)cvy_layout_params(b->graph);
    const struct timed update = {"weights", b->engine.optimizer.kind->name, "update", CVY_F32, &b->update, 0, bytes};
    add_row(b, &update, out);
}

cvy_status bench_fill_rows(const struct bench *b, struct cvy_bench_result *out) {
    CVY_TRY(CVY_ARRAY(&out->layers, BENCH_PASSES * b->graph->node_count + 1));
    for (int i = 0; i < b->graph->node_count; i++) add_node(b, &b->graph->nodes[i], b->times[i], out);
    if (!b->inference) add_update(b, out); /* there is no engine in inference */
    for (int i = 0; i < out->layer_count && b->planned; i++) out->planned_ms += out->layers[i]->planned_ms;
    return CVY_OK;
}
