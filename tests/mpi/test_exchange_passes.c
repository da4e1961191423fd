/* The exchange when leaves come several times a step (networks with partials): its sums against the plain tree, and a
 * real net with a synchronised op through it against the same net alone in one process. All by bits. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "comm/tree.h"
#include "core/memory.h"
#include "mpi/exchange_help.h"
#include "unit/graph/graph_help.h"
#include "unit/ops/ops_help.h"

/* ---- the exchange alone ---- */

enum { FLOATS = 1008, PASSES = 3 };

/* Stretches of the vector and the pass in which each becomes final: from the end to the start, as backward goes, or
 * mixed so that buckets lie across passes. */
struct stretch {
    size_t first, end;
    int pass;
};
static const struct stretch layouts[2][6] = {
    {{800, FLOATS, 0}, {496, 800, 0}, {304, 496, 1}, {288, 304, 1}, {16, 288, 2}, {0, 16, 2}},
    {{800, FLOATS, 2}, {496, 800, 0}, {304, 496, 1}, {288, 304, 0}, {16, 288, 2}, {0, 16, 1}},
};

/* Writes the floats of this pass and no other. */
static void compute_leaf(struct cvy_exchange *x, const struct stretch *layout, int pass, int step, int leaf) {
    float *g = cvy_exchange_leaf(x);
    for (int s = 0; s < 6; s++)
        for (size_t i = layout[s].first; i < layout[s].end && layout[s].pass == pass; i++)
            g[i] = exchange_gradient(step, leaf, i);
    for (int s = 0; s < 6; s++)
        if (layout[s].pass == pass)
            mpi_expect(cvy_exchange_ready(x, layout[s].first, layout[s].end - layout[s].first) == CVY_OK);
    mpi_expect(cvy_exchange_leaf_done(x) == CVY_OK);
}

static void run_steps(struct cvy_comm *comm, const struct cvy_compute *compute, const struct cvy_exchange_plan *plan,
                      const struct stretch *layout) {
    struct cvy_exchange *x = NULL;
    mpi_expect(cvy_exchange_create(comm, compute, plan, &x) == CVY_OK);
    for (int step = 0; step < 3; step++) {
        int leaves = plan->leaves[step % 2];
        struct cvy_leaf_range share = cvy_tree_share(leaves, cvy_comm_rank(comm), cvy_comm_size(comm));
        mpi_expect(cvy_exchange_begin(x, leaves) == CVY_OK);
        for (int pass = 0; pass < PASSES; pass++) {
            if (pass > 0) mpi_expect(cvy_exchange_rewind(x) == CVY_OK);
            for (int leaf = share.first; leaf < share.end; leaf++) compute_leaf(x, layout, pass, step, leaf);
        }
        exchange_expect_sums(x, step, leaves);
    }
    cvy_exchange_destroy(&x);
}

static void same_bits(void) {
    static const int leaves[][2] = {{1, 1}, {2, 1}, {3, 2}, {5, 3}, {6, 5}, {8, 7}, {12, 4}};
    static const size_t buckets[] = {0, 336, 160, 16};
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    for (size_t n = 0; n < sizeof leaves / sizeof *leaves; n++)
        for (size_t b = 0; b < sizeof buckets / sizeof *buckets; b++)
            for (int l = 0; l < 2; l++)
                run_steps(comm, compute,
                          &(struct cvy_exchange_plan){.floats = FLOATS,
                                                      .bucket_floats = buckets[b],
                                                      .leaves = {leaves[n][0], leaves[n][1]},
                                                      .passes = true},
                          layouts[l]);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static void rewinding_must_be_planned(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    struct cvy_exchange *x = NULL;
    const struct cvy_exchange_plan plan = {.floats = 16, .leaves = {1}};
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &x) == CVY_OK);
    mpi_expect(cvy_exchange_begin(x, 1) == CVY_OK);
    mpi_expect(cvy_exchange_rewind(x) == CVY_ERR_INTERNAL);
    if (cvy_comm_rank(comm) == cvy_comm_size(comm) - 1) { /* who holds the only leaf */
        memset(cvy_exchange_leaf(x), 0, 16 * sizeof(float));
        mpi_expect(cvy_exchange_leaf_done(x) == CVY_OK);
    }
    mpi_expect(cvy_exchange_wait(x, 0) == CVY_OK);
    cvy_exchange_destroy(&x);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

/* ---- a net with a synchronised op ---- */

enum { SAMPLES = 20 };
static const int sizes[] = {4, 4, 4, 4, 3, 1};
enum { LEAVES = sizeof sizes / sizeof *sizes };

struct parallel_net {
    struct cvy_comm *comm;
    struct cvy_exchange *x;
};

static float *place(void *arg, size_t first, size_t count) {
    (void)count;
    return cvy_exchange_leaf(((struct parallel_net *)arg)->x) + first;
}
static cvy_status ready(void *arg, size_t first, size_t count) {
    return cvy_exchange_ready(((struct parallel_net *)arg)->x, first, count);
}
static cvy_status leaf_done(void *arg) {
    return cvy_exchange_leaf_done(((struct parallel_net *)arg)->x);
}
static cvy_status rewind_leaves(void *arg) {
    return cvy_exchange_rewind(((struct parallel_net *)arg)->x);
}
static cvy_status reduce(void *arg, const double *per_leaf, size_t len, double *sum) {
    return cvy_comm_reduce_partial(((struct parallel_net *)arg)->comm, LEAVES, per_leaf, len, sum);
}

static void make_graph(struct cvy_tree **tree, struct cvy_graph **graph) {
    mpi_expect(graph_from_text("input: [5, 4, 3]\n"
                               "layers: [conv: {filters: 17, kernel: 3}, {sigmoid: , name: a}, tanh, dense: 9, "
                               "{sigmoid: , name: b}, relu, dense: 4]\n",
                               "softmax_cross_entropy", tree, graph) == CVY_OK);
    graph_make_centre(*graph, 1);
    graph_make_centre(*graph, 4);
}

static void make_net(const struct cvy_graph *graph, const struct cvy_compute *compute, int leaves,
                     struct cvy_net **net) {
    mpi_expect(cvy_net_create(&(struct cvy_net_spec){graph, compute, CVY_TRAIN, 4, leaves, 3, CVY_RECOMPUTE_AUTO},
                              net) == CVY_OK);
    graph_draw_values(graph, cvy_net_parameters(*net));
}

/* All leaves in this process: the sum in the tree's order. */
static void run_alone(const struct cvy_graph *graph, const struct cvy_compute *compute, const struct graph_batch *batch,
                      struct leaf_store *store) {
    struct cvy_net *net;
    struct cvy_loss_result losses[LEAVES];
    struct cvy_net_batch part = graph_leaves(graph, batch, sizes, 0, LEAVES);
    make_net(graph, compute, LEAVES, &net);
    leaf_store_create(graph, LEAVES, store);
    mpi_expect(cvy_net_run(net, &part, &store->hooks, losses) == CVY_OK);
    leaf_store_sum(store);
    cvy_net_destroy(&net);
}

static void run_together(struct cvy_comm *comm, const struct cvy_graph *graph, const struct cvy_compute *compute,
                         const struct graph_batch *batch, const float *want) {
    struct cvy_leaf_range share = cvy_tree_share(LEAVES, cvy_comm_rank(comm), cvy_comm_size(comm));
    struct parallel_net p = {.comm = comm};
    struct cvy_net *net;
    struct cvy_loss_result losses[LEAVES];
    const struct cvy_net_hooks hooks = {
        .arg = &p, .place = place, .ready = ready, .leaf_done = leaf_done, .rewind = rewind_leaves, .reduce = reduce};
    const struct cvy_exchange_plan plan = {
        .floats = graph->params.stored, .bucket_floats = 256, .leaves = {LEAVES}, .passes = true};
    make_net(graph, compute, share.end - share.first, &net);
    mpi_expect(cvy_exchange_create(comm, compute, &plan, &p.x) == CVY_OK);
    struct cvy_net_batch part = graph_leaves(graph, batch, sizes, share.first, share.end - share.first);
    for (int step = 0; step < 2; step++) {
        int wrong = 0;
        mpi_expect(cvy_exchange_begin(p.x, LEAVES) == CVY_OK);
        mpi_expect(cvy_net_run(net, &part, &hooks, losses) == CVY_OK);
        for (int b = 0; b < cvy_exchange_buckets(p.x); b++) mpi_expect(cvy_exchange_wait(p.x, b) == CVY_OK);
        for (size_t i = 0; i < plan.floats; i++)
            wrong += memcmp(&cvy_exchange_sum(p.x)[i], &want[i], sizeof *want) != 0;
        mpi_expect(wrong == 0);
    }
    cvy_exchange_destroy(&p.x);
    cvy_net_destroy(&net);
}

static void synchronised_net(void) {
    struct cvy_comm *comm = exchange_comm();
    struct cvy_compute *compute = exchange_compute();
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct graph_batch batch;
    struct leaf_store alone;
    make_graph(&tree, &graph);
    graph_batch_create(graph, SAMPLES, &batch);
    run_alone(graph, compute, &batch, &alone);
    run_together(comm, graph, compute, &batch, alone.gradients);
    leaf_store_destroy(&alone);
    graph_batch_destroy(&batch);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
    cvy_compute_destroy(&compute);
    cvy_comm_destroy(&comm);
}

static const struct mpi_case cases[] = {
    {"leaves in several passes: same bits as the tree", "1 2 3 4", same_bits},
    {"rewinding must be planned", "1 2", rewinding_must_be_planned},
    {"a net with a synchronised op: same bits as alone", "1 2 3 4 8", synchronised_net},
    {0},
};
const struct mpi_suite mpi_exchange_passes = {"exchange_passes", cases};
