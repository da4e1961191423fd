/* Restoring: an average comes with its statistics; from a checkpoint that averaged weights alone, with those of the
 * weights as they are. */
#include <stdio.h>
#include <string.h>

#include "unit/io/ckpt_help.h"
#include "unit/graph/graph_help.h"
#include "unit/kernels/kernels_help.h"
#include "unit/ops/ops_help.h"
#include "test.h"
#include "train/state.h"

enum { MOST = 16, PARAM = 1, BUFFER, MEAN, STATISTIC };

static float held[5][64]; /* a checkpoint's values: all PARAM, all BUFFER, … */

static void add(struct cvy_ckpt_tensor *t, char path[192], const char *group, const struct cvy_param *p, int value) {
    snprintf(path, 192, "/%s/%s", group, p->name);
    *t = (struct cvy_ckpt_tensor){.path = path, .rank = p->rank, .data = held[value], .layout = "n"};
    memcpy(t->dims, p->dims, sizeof p->dims);
}

static const char *write_averaged(const struct cvy_graph *graph, bool statistics) {
    static char path[600], paths[MOST][192];
    struct cvy_ckpt_tensor tensors[MOST];
    int count = 0;
    for (int v = PARAM; v <= STATISTIC; v++)
        for (int i = 0; i < 64; i++) held[v][i] = (float)v;
    for (int i = 0; i < graph->params.count; i++, count += 2) {
        add(&tensors[count], paths[count], "param", &graph->params.items[i], PARAM);
        add(&tensors[count + 1], paths[count + 1], "ema", &graph->params.items[i], MEAN);
    }
    for (int i = 0; i < graph->buffers.count; i++) {
        add(&tensors[count], paths[count], "buffer", &graph->buffers.items[i], BUFFER);
        count++;
        if (statistics) add(&tensors[count], paths[count], "ema", &graph->buffers.items[i], STATISTIC);
        count += statistics;
    }
    snprintf(path, sizeof path, "%s/step-00000001.h5", test_folder());
    TEST_OK(ckpt_write(path, &(struct cvy_ckpt_contents){.tensors = tensors, .tensor_count = count}, NULL));
    return path;
}

/* The first value of each of a list; they are all the same. */
static bool all(const struct cvy_params *list, const float *vector, float value) {
    for (int i = 0; i < list->count; i++)
        if (vector[list->items[i].offset] != value) return false;
    return list->count > 0;
}

static void averages(void) {
    struct cvy_tree *tree;
    struct cvy_graph *graph;
    struct cvy_compute *compute;
    TEST_OK(graph_from_text("input: [1, 1, 3]\nlayers: [{dense: 4}, batchnorm, {dense: 2}]\n", "softmax_cross_entropy",
                            &tree, &graph));
    TEST_OK(cvy_compute_create(1, cvy_isa_detect(), &compute));
    for (int statistics = 0; statistics < 2; statistics++) {
        const float belongs = statistics ? STATISTIC : BUFFER;
        const struct cvy_net_spec spec = {
            .graph = graph, .compute = compute, .mode = CVY_EVALUATE, .leaf = 2, .leaves = 1};
        struct cvy_ckpt *ckpt;
        struct cvy_net *net;
        float *ema = floats_new(graph->params.stored), *buffers = floats_new(graph->buffers.stored);
        TEST_OK(cvy_ckpt_open(write_averaged(graph, statistics), &ckpt));
        TEST_OK(cvy_net_create(&spec, &net));
        TEST_OK(cvy_state_restore(ckpt, NULL, &(struct cvy_vectors){.net = net, .ema = ema, .ema_buffers = buffers}));
        CU_ASSERT(all(&graph->params, cvy_net_parameters(net), PARAM) &&
                  all(&graph->buffers, cvy_net_buffers(net), BUFFER));
        CU_ASSERT(all(&graph->params, ema, MEAN) && all(&graph->buffers, buffers, belongs));
        TEST_OK(cvy_state_restore(ckpt, NULL, &(struct cvy_vectors){.net = net, .ema = cvy_net_parameters(net)}));
        CU_ASSERT(all(&graph->params, cvy_net_parameters(net), MEAN));
        CU_ASSERT(all(&graph->buffers, cvy_net_buffers(net), belongs));
        TEST_OK(cvy_state_restore(ckpt, NULL, &(struct cvy_vectors){.net = net}));
        CU_ASSERT(all(&graph->params, cvy_net_parameters(net), PARAM) &&
                  all(&graph->buffers, cvy_net_buffers(net), BUFFER));
        cvy_ckpt_close(&ckpt);
        cvy_net_destroy(&net);
        floats_free(ema);
        floats_free(buffers);
    }
    cvy_compute_destroy(&compute);
    cvy_graph_destroy(&graph);
    cvy_tree_destroy(&tree);
}

static const struct test_case cases[] = {
    {"averages and their statistics", averages},
    {0},
};
const struct test_suite suite_state = {"state", cases, NULL};
