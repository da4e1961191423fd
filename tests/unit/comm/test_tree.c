/* The exact tree: subtrees against its recursive definition, the stack of buffers, and sums in its order. Then the
 * one-process stand-in of comm, and launchers that contradict it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/exchange_internal.h"
#include "comm/tree.h"
#include "core/memory.h"
#include "test.h"

/* ---- the definition: split at the largest power of two below n ---- */

static int split(int count) {
    int half = 1;
    while (half * 2 < count) half *= 2;
    return half;
}

/* The largest nodes of the subtree over [first, end) that lie in `range`, appended to subtrees. */
static void define_subtrees(int first, int end, struct cvy_leaf_range range, struct cvy_leaf_range *subtrees,
                            int *count) {
    if (end <= range.first || range.end <= first) return;
    if (range.first <= first && end <= range.end) {
        subtrees[(*count)++] = (struct cvy_leaf_range){first, end};
        return;
    }
    int middle = first + split(end - first);
    define_subtrees(first, middle, range, subtrees, count);
    define_subtrees(middle, end, range, subtrees, count);
}

static void subtrees_follow_the_definition(void) {
    int wrong = 0;
    for (int n = 1; n <= 40; n++)
        for (int a = 0; a <= n; a++)
            for (int b = a; b <= n; b++) {
                struct cvy_leaf_range range = {a, b}, got[CVY_TREE_DEPTH], want[CVY_TREE_DEPTH];
                int count = 0;
                define_subtrees(0, n, range, want, &count);
                int found = cvy_tree_subtrees(n, range, got);
                wrong += found != count || memcmp(got, want, (size_t)count * sizeof *got) != 0;
            }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void shares_cover_all_leaves(void) {
    for (int ranks = 1; ranks <= 9; ranks++)
        for (int leaves = 1; leaves <= 30; leaves++) {
            int next = 0;
            for (int r = 0; r < ranks; r++) {
                struct cvy_leaf_range share = cvy_tree_share(leaves, r, ranks);
                CU_ASSERT_EQUAL(share.first, next);
                CU_ASSERT(share.end - share.first == leaves / ranks || share.end - share.first == leaves / ranks + 1);
                next = share.end;
            }
            CU_ASSERT_EQUAL(next, leaves);
        }
}

/* log2(L/W) + 1 where a rank's leaves are one subtree; never more than 2·log2 + 2. */
static void buffers_are_few(void) {
    static const struct {
        int leaves, first, end, buffers;
    } known[] = {{1, 0, 1, 1}, {8, 0, 8, 4}, {8, 4, 8, 3}, {24, 8, 16, 4}, {3, 1, 1, 1}, {12, 3, 9, 4}, {6, 4, 6, 2}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CU_ASSERT_EQUAL(cvy_tree_buffers(known[i].leaves, (struct cvy_leaf_range){known[i].first, known[i].end}),
                        known[i].buffers);
    int most = 0;
    for (int a = 0; a < 1000; a++) {
        int need = cvy_tree_buffers(2000, (struct cvy_leaf_range){a, a + 1000});
        most = need > most ? need : most;
    }
    CU_ASSERT(most <= 2 * 9 + 2);
}

static double tree_sum(const double *values, int count) {
    if (count == 1) return values[0];
    int half = split(count);
    return tree_sum(values, half) + tree_sum(values + half, count - half);
}

static void rows_are_summed_in_its_order(void) {
    for (int n = 1; n <= 33; n++) {
        double rows[33][2], column[2][33];
        for (int i = 0; i < n; i++)
            for (int e = 0; e < 2; e++)
                rows[i][e] = column[e][i] = (1.0 + i * 0.1) * (i % 3 ? 1e-9 : 1e7) * (e ? -1 : 1);
        cvy_tree_sum_rows(&rows[0][0], n, 2);
        for (int e = 0; e < 2; e++) {
            double want = tree_sum(column[e], n);
            CU_ASSERT(memcmp(&rows[0][e], &want, sizeof want) == 0);
        }
    }
}

/* ---- one process ---- */

static void stand_in_works_alone(void) {
    struct cvy_comm *comm = NULL;
    TEST_OK(cvy_comm_create(NULL, &comm));
    if (comm == NULL) return;
    CU_ASSERT_EQUAL(cvy_comm_rank(comm), 0);
    CU_ASSERT_EQUAL(cvy_comm_size(comm), 1);
    CU_ASSERT_EQUAL(cvy_comm_local_size(comm), 1);
    CU_ASSERT(strlen(cvy_comm_host(comm, 0)) > 0);
    TEST_OK(cvy_comm_barrier(comm));
    CU_ASSERT_EQUAL(cvy_comm_agree(comm, CVY_FAIL(CVY_ERR_DATA, "x.h5: no /y")), CVY_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "x.h5: no /y");
    int value = 7;
    TEST_OK(cvy_comm_min_int(comm, &value));
    CU_ASSERT_EQUAL(value, 7);
    double leaves[3] = {1e16, 1.0, 1.0}, sum = 0.0;
    TEST_OK(cvy_comm_reduce_partial(comm, 3, leaves, 1, &sum));
    CU_ASSERT_EQUAL(sum, (1e16 + 1.0) + 1.0);
    cvy_comm_destroy(&comm);
    CU_ASSERT_PTR_NULL(comm);
}

/* ---- launchers that contradict us ---- */

static void setenv_pair(const char *rank_name, const char *rank, const char *size_name, const char *size) {
    setenv(rank_name, rank, 1);
    setenv(size_name, size, 1);
}

static void srun_without_mpi_is_named_once(void) {
    struct cvy_comm *comm = NULL;
    setenv_pair("SLURM_PROCID", "0", "SLURM_STEP_NUM_TASKS", "4");
    CU_ASSERT_EQUAL(cvy_comm_create(NULL, &comm), CVY_ERR_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "srun started 4 processes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), "--mpi=pmix"));
    setenv("SLURM_PROCID", "2", 1);
    CU_ASSERT_EQUAL(cvy_comm_create(NULL, &comm), CVY_ERR_USAGE);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "");
    CU_ASSERT_EQUAL(cvy_launcher_rank(), 2);
    setenv_pair("SLURM_PROCID", "0", "SLURM_STEP_NUM_TASKS", "1"); /* a job of one task is no launcher of several */
    TEST_OK(cvy_comm_create(NULL, &comm));
    cvy_comm_destroy(&comm);
    unsetenv("SLURM_PROCID");
    unsetenv("SLURM_STEP_NUM_TASKS");
}

/* ---- what reductions cost ---- */

static void messages_grow_as_the_logarithm(void) {
    static const int ranks[] = {2, 3, 64, 100, 1000, 1024}, leaves[] = {1, 100, 1024, 3001, 8192};
    int firsts[1025];
    for (int i = 0; i <= 1024; i++) firsts[i] = i;
    for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++)
        for (size_t l = 0; l < sizeof leaves / sizeof *leaves; l++) {
            const struct cvy_places places = {
                .network = &cvy_network_usual, .ranks = ranks[r], .nodes = ranks[r], .firsts = firsts, .least = 1};
            const struct cvy_team team = cvy_team_all(&places, ranks[r] / 2, leaves[l], false);
            const struct cvy_bill bill = cvy_reduction_bruck.bill(&team, 1 << 20);
            int log = 0;
            while (1 << log < ranks[r]) log++;
            CU_ASSERT_EQUAL(bill.messages, 2 * log);
            CU_ASSERT(cvy_reduction_choose(&team, 1 << 10)->bill(&team, 1 << 10).messages <= 40);
        }
}

/* 4 ranks, 8 MiB in a subtree each: the bytes of the essay at the head of the table. */
static void bills_are_as_told(void) {
    int firsts[] = {0, 1, 2, 3, 4};
    const struct cvy_places places = {
        .network = &cvy_network_usual, .ranks = 4, .nodes = 4, .firsts = firsts, .least = 1};
    const struct cvy_team team = cvy_team_all(&places, 0, 4, false);
    const struct cvy_bill direct = cvy_reduction_direct.bill(&team, 1 << 21);
    const struct cvy_bill halving = cvy_reduction_halving.bill(&team, 1 << 21);
    CU_ASSERT_EQUAL(direct.messages, 6);
    CU_ASSERT_EQUAL(halving.messages, 4);
    CU_ASSERT_EQUAL(direct.sent, 12 << 20);
    CU_ASSERT_EQUAL(halving.sent, 12 << 20);
}

static const struct test_case cases[] = {
    {"subtrees follow the tree's definition", subtrees_follow_the_definition},
    {"shares cover all leaves", shares_cover_all_leaves},
    {"buffers are few", buffers_are_few},
    {"rows are summed in its order", rows_are_summed_in_its_order},
    {"one process needs no MPI", stand_in_works_alone},
    {"srun without MPI is named, once", srun_without_mpi_is_named_once},
    {"messages grow as the logarithm of ranks", messages_grow_as_the_logarithm},
    {"reductions cost what is told", bills_are_as_told},
    {0},
};
const struct test_suite suite_tree = {"tree", cases, NULL};
