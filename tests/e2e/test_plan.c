/* convoy plan: numbers that follow from given times and a given network, limits, and what cannot be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e.h"

/* A leaf of 4 samples: 2 ms forward, 6 backward; 1 ms for all weights. */
static const char times[] = "{\"step\":{\"batch\":4,\"threads\":3,\"forward_ms\":1.5,\"backward_ms\":6,\"update_ms\":1,"
                            "\"other_ms\":0.5},\"layers\":["
                            "{\"name\":\"conv1\",\"pass\":\"forward\",\"ms\":9},"
                            "{\"name\":\"conv1\",\"pass\":\"backward-weights\",\"ms\":2},"
                            "{\"name\":\"dense1\",\"pass\":\"backward-data\",\"ms\":1}]}";
static const char fast[] = "{\"across\":{\"alpha_us\":0,\"gb_s\":1e9},\"node\":{\"alpha_us\":0,\"gb_s\":1e9}}";

static void prepare(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    e2e_write_experiment("away.yaml", "train: train.h5", "train: away.h5");
    e2e_write("times.json", times, strlen(times));
    e2e_write("fast.json", fast, strlen(fast));
}

/* The row of so many nodes. */
static double row(int nodes, const char *key) {
    char start[32];
    snprintf(start, sizeof start, "{\"nodes\":%d,", nodes);
    const char *found = strstr(e2e_stdout, start);
    return found ? e2e_json_number(found, key) : -1;
}

/* 16 samples in 4 leaves, 90 samples in 6 steps, 3 epochs. A network that costs nothing leaves computing. */
static void numbers_follow(void) {
    prepare();
    E2E_EXIT(0, 0, "plan tiny.yaml --nodes 1,2,4 --bench times.json --network fast.json --json");
    CU_ASSERT_DOUBLE_EQUAL(row(1, "step_ms"), 4 * 8 + 1, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(row(2, "compute_ms"), 2 * 8, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(row(4, "compute_ms"), 8, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(row(4, "update_ms"), 1, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(row(4, "exposed_ms"), 0, 0.1); /* copies */
    CU_ASSERT_DOUBLE_EQUAL(row(4, "efficiency"), 33.0 / 4 / row(4, "step_ms"), 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(row(1, "hours"), 0.033 * 6 * 3 / 3600, 1e-9);
    CU_ASSERT_EQUAL(row(4, "leaves"), 1);
    CU_ASSERT(row(1, "memory_bytes") > 1 << 20);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_stdout, "most_nodes"), 4);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_stdout, "threads"), 3);
    E2E_SAID("\"compute\":\"times.json: steps of 4 samples with 3 threads\"");
}

/* Slower links expose more, and a message of a second is what a step takes. */
static void networks_differ(void) {
    static const char slow[] = "{\"across\":{\"alpha_us\":1e6,\"gb_s\":1}}";
    double ten, hundred;
    prepare();
    e2e_write("slow.json", slow, strlen(slow));
    E2E_EXIT(0, 0, "plan tiny.yaml --nodes 4 --bench times.json --network 10gbit --json");
    ten = row(4, "exposed_ms");
    E2E_EXIT(0, 0, "plan tiny.yaml --nodes 4 --bench times.json --json");
    hundred = row(4, "exposed_ms");
    CU_ASSERT(ten > 2 * hundred && hundred > 0);
    E2E_EXIT(0, 0, "plan tiny.yaml --nodes 4 --bench times.json --network slow.json --json");
    CU_ASSERT(row(4, "step_ms") > 2000 && row(4, "efficiency") < 0.01);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_stdout, "pays_until"), 1);
    E2E_SAID("of a step is waiting for messages");
}

static void data_need_not_be_there(void) {
    prepare();
    E2E_EXIT(0, 0, "plan away.yaml --bench times.json");
    E2E_SAID("the data are not there; --samples N");
    E2E_EXIT(0, 0, "plan away.yaml --bench times.json --samples 160 --nodes 1 --json");
    CU_ASSERT_DOUBLE_EQUAL(row(1, "hours"), 0.033 * 10 * 3 / 3600, 1e-9);
    E2E_EXIT(0, 0, "plan away.yaml --bench times.json --set train.batch=32 --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_stdout, "most_nodes"), 8);
    E2E_EXIT(0, 0, "plan away.yaml --nodes 2"); /* measures */
    E2E_SAID("measured now: steps of 4 samples");
}

static void what_cannot_be(void) {
    prepare();
    E2E_EXIT(0, 0, "plan tiny.yaml --nodes 4,8 --bench times.json");
    E2E_SAID(
        "cannot be     8 nodes: 8 ranks, but a batch of 16 has only 4 leaves of 4 samples: take at most 4 nodes of "
        "1 rank, or lower train.leaf to 2, or a train.batch of 32\n");
    E2E_EXIT(2, 0, "plan tiny.yaml --nodes 8 --bench times.json");
    E2E_SAID("tiny.yaml: 8 ranks, but a batch of 16 has only 4 leaves");
    E2E_EXIT(2, 0, "plan tiny.yaml --nodes 2 --memory 0.001");
    E2E_SAID("GiB more than the 0.00 GiB that it has: lower train.leaf (4 now)");
    E2E_EXIT(2, 0, "plan tiny.yaml --nodes 1,two");
    E2E_SAID("--nodes 1,two: wants up to 64 whole numbers from 1");
    E2E_EXIT(2, 0, "plan tiny.yaml --network wifi");
    E2E_SAID("no network \"wifi\"; use 100gbit, 10gbit, measured, or a file");
    E2E_EXIT(2, 0, "plan tiny.yaml --network times.json");
    E2E_SAID("times.json: has neither \"across\" nor \"node\"");
    E2E_EXIT(2, 0, "plan tiny.yaml --bench fast.json");
    E2E_SAID("fast.json: has no \"step\"; convoy bench tiny.yaml --json prints such a file");
    E2E_EXIT(2, 0, "plan tiny.yaml --network measured");
    E2E_SAID("one rank sends no messages; put mpirun -n 2");
    E2E_EXIT(2, 0, "plan tiny.yaml --set train.leaf=5");
    E2E_SAID("train.batch 16 is not a multiple of train.leaf 5");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* What bench and bench --network print is what a plan reads. */
static void files_of_bench_are_read(void) {
    prepare();
    E2E_EXIT(0, 0, "bench tiny.yaml --batch 4 --time 0.1s --threads 1 --json");
    e2e_write("own.json", e2e_stdout, strlen(e2e_stdout));
    const double forward = e2e_json_number(e2e_stdout, "forward_ms") + e2e_json_number(e2e_stdout, "other_ms");
    const double backward = e2e_json_number(e2e_stdout, "backward_ms");
    E2E_EXIT(0, 2, "bench --network --time 0.1s --json");
    e2e_write("net.json", e2e_stdout, strlen(e2e_stdout));
    E2E_EXIT(0, 0, "plan tiny.yaml --nodes 2 --bench own.json --network net.json --json");
    CU_ASSERT_DOUBLE_EQUAL(row(2, "compute_ms"), 2 * (forward + backward), 1e-4);
    E2E_SAID("net.json, where only ranks of one host were measured");
    E2E_EXIT(0, 2, "plan tiny.yaml --nodes 2 --bench own.json --network measured");
    E2E_SAID("measured now between ranks of this host; there is no other");
    CU_ASSERT_EQUAL(e2e_count("network  "), 1); /* rank 0 alone speaks */
}

static const struct test_case cases[] = {
    {"numbers follow from times and network", numbers_follow},
    {"networks differ", networks_differ},
    {"data need not be there", data_need_not_be_there},
    {"what cannot be is told, with what can", what_cannot_be},
    {"what bench prints is read", files_of_bench_are_read},
    {0},
};
const struct test_suite suite_e2e_plan = {"e2e_plan", cases, NULL};
