#include "mpi/exchange_help.h"

#include <mpi.h>
#include <string.h>

struct cvy_comm *exchange_comm(void) {
    MPI_Comm world = MPI_COMM_WORLD;
    struct cvy_comm *comm = NULL;
    mpi_expect(cvy_comm_create(&world, &comm) == CVY_OK);
    return comm;
}

struct cvy_compute *exchange_compute(void) {
    struct cvy_compute *compute = NULL;
    mpi_expect(cvy_compute_create(1, cvy_isa_detect(), &compute) == CVY_OK);
    return compute;
}

float exchange_gradient(int step, int leaf, size_t i) {
    uint32_t h = (uint32_t)(step * 7919 + leaf * 104729 + (int)i * 31 + 17);
    h = (h ^ h >> 15) * 2246822519u;
    h = (h ^ h >> 13) * 3266489917u;
    static const float scales[4] = {1e-4f, -1.0f, 3e2f, -1e4f};
    return ((float)(h >> 8) / 16777216.0f + 0.5f) * scales[h & 3];
}

static float tree_sum(int step, int first, int end, size_t i) {
    if (end - first == 1) return exchange_gradient(step, first, i);
    int half = 1;
    while (half * 2 < end - first) half *= 2;
    float left = tree_sum(step, first, first + half, i), right = tree_sum(step, first + half, end, i);
    return left + right;
}

void exchange_expect_sums(struct cvy_exchange *x, int step, int leaves) {
    int wrong = 0;
    for (int b = 0; b < cvy_exchange_buckets(x); b++) {
        size_t first, end;
        cvy_exchange_bucket(x, b, &first, &end);
        mpi_expect(cvy_exchange_wait(x, b) == CVY_OK);
        for (size_t i = first; i < end; i++) {
            float want = tree_sum(step, 0, leaves, i);
            wrong += memcmp(&cvy_exchange_sum(x)[i], &want, sizeof want) != 0;
        }
    }
    mpi_expect(wrong == 0);
}
