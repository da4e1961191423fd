/* Steps in the model, whose times are worked out by hand: α = 10 µs, of which 4 are each further message's, and 1 GB/s.
 */
#include "comm/forecast.h"
#include "comm/imagined.h"
#include "test.h"

enum { FLOATS = 1 << 21 /* 8 MiB */ };
static const double ALPHA = 1e-5, HALF = 4194304e-9; /* s: a message; half of the floats on the link */

static struct cvy_forecast forecast(int nodes, const struct cvy_exchange_plan *exchange,
                                    const struct cvy_backward_stretch *stretches, int count, double copied) {
    const struct cvy_network network = {.inside = {1, 1}, .outside = {1e-5, 1e-9}, .copied = copied};
    struct cvy_comm *comm;
    struct cvy_forecast f = {0};
    TEST_OK(cvy_comm_imagine(nodes, 1, &comm));
    const struct cvy_forecast_spec spec = {.comm = comm,
                                           .exchange = exchange,
                                           .network = &network,
                                           .before = 0.002,
                                           .stretches = stretches,
                                           .stretch_count = count,
                                           .update = 0.001};
    TEST_OK(cvy_forecast(&spec, &f));
    cvy_comm_destroy(&comm);
    return f;
}

static void one_node_only_computes(void) {
    const struct cvy_exchange_plan exchange = {.floats = FLOATS, .leaves = {4}};
    const struct cvy_backward_stretch all = {0.003, 0, FLOATS};
    const struct cvy_forecast f = forecast(1, &exchange, &all, 1, 0);
    CU_ASSERT_DOUBLE_EQUAL(f.step, 0.006, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(f.exposed, 0, 1e-12);
    CU_ASSERT_EQUAL(f.messages, 0);
    CU_ASSERT_PTR_NULL(f.reduction);
}

/* All of it is final at the end: two phases, each a message and half of the floats. Copies are the processor's: halving
 * writes what it sends and what it gets, 16 MiB. */
static void nothing_is_hidden_at_the_end(void) {
    const struct cvy_exchange_plan exchange = {.floats = FLOATS, .leaves = {2}, .reduction = &cvy_reduction_halving};
    const struct cvy_backward_stretch all = {0.003, 0, FLOATS};
    struct cvy_forecast f = forecast(2, &exchange, &all, 1, 0);
    CU_ASSERT_DOUBLE_EQUAL(f.exposed, 2 * (ALPHA + HALF), 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(f.step, 0.006 + 2 * (ALPHA + HALF), 1e-9);
    CU_ASSERT_EQUAL(f.messages, 2);
    CU_ASSERT_EQUAL(f.sent, FLOATS * sizeof(float));
    f = forecast(2, &exchange, &all, 1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(f.exposed, 2 * (ALPHA + HALF) + 16777216e-9, 1e-9);
}

/* Final before the last 20 ms: the first phase is hidden, the second starts when backward ends and somebody polls. One
 * more poll in between hides that as well: what is left is the control record, two messages and what rank 0 handles. */
static void polls_move_it_on(void) {
    const struct cvy_exchange_plan exchange = {.floats = FLOATS, .leaves = {2}, .reduction = &cvy_reduction_halving};
    const struct cvy_backward_stretch once[] = {{0.003, 0, FLOATS}, {0.020, 0, 0}};
    const struct cvy_backward_stretch twice[] = {{0.003, 0, FLOATS}, {0.010, 0, 0}, {0.010, 0, 0}};
    CU_ASSERT_DOUBLE_EQUAL(forecast(2, &exchange, once, 2, 0).exposed, ALPHA + HALF, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(forecast(2, &exchange, twice, 3, 0).exposed, 2 * ALPHA * 1.2, 1e-9);
}

/* Two buckets: the link takes their bytes one after the other, and updates wait for their own bucket alone: that of the
 * first, 0.5 ms, while the second travels. */
static void buckets_share_the_link(void) {
    const struct cvy_exchange_plan exchange = {
        .floats = FLOATS, .bucket_floats = FLOATS / 2, .leaves = {2}, .reduction = &cvy_reduction_halving};
    const struct cvy_backward_stretch all = {0.003, 0, FLOATS};
    const struct cvy_forecast f = forecast(2, &exchange, &all, 1, 0);
    CU_ASSERT_EQUAL(f.buckets, 2);
    CU_ASSERT_EQUAL(f.sent, FLOATS * sizeof(float));
    /* Four halves of halves on the link without a pause, α after the last; of the updates one is hidden. */
    CU_ASSERT_DOUBLE_EQUAL(f.step, 0.005 + 2 * HALF + ALPHA + 0.0005, 2 * ALPHA);
    CU_ASSERT_DOUBLE_EQUAL(f.exposed, f.step - 0.006, 1e-12);
}

/* 1,024 nodes: 20 messages a bucket by whatever costs the least. */
static void messages_are_few(void) {
    const struct cvy_exchange_plan exchange = {.floats = 25 << 20, .bucket_floats = FLOATS, .leaves = {1024}};
    const struct cvy_backward_stretch all = {0.003, 0, 25 << 20};
    const struct cvy_forecast f = forecast(1024, &exchange, &all, 1, 0);
    CU_ASSERT(f.messages <= 40);
    CU_ASSERT_EQUAL(f.buckets, 13);
}

static const struct test_case cases[] = {
    {"one node only computes", one_node_only_computes},
    {"what is final at the end is not hidden", nothing_is_hidden_at_the_end},
    {"a phase starts at a poll", polls_move_it_on},
    {"buckets share the link", buckets_share_the_link},
    {"messages are few on 1,024 nodes", messages_are_few},
    {0},
};
const struct test_suite suite_forecast = {"forecast", cases, NULL};
