#include "experiment/leaf.h"

#include <stdio.h>

int64_t cvy_leaf_divisor(int64_t batch, int64_t most) {
    int64_t leaf = most < batch ? most : batch;
    while (batch % leaf) leaf--;
    return leaf;
}

int64_t cvy_leaf_default(int64_t batch) {
    const int64_t usual = cvy_leaf_divisor(batch, CVY_LEAF_USUAL);
    if (usual >= CVY_LEAF_SMALL || usual == batch) return usual;
    for (int64_t leaf = CVY_LEAF_USUAL + 1; leaf <= CVY_LEAF_LARGE; leaf++)
        if (batch % leaf == 0) return leaf;
    return usual;
}

const char *cvy_leaf_advice(int64_t batch, int64_t leaf, char out[CVY_LEAF_TEXT]) {
    const long long below = batch - batch % leaf, first = cvy_leaf_divisor(batch, leaf);
    const long long second = first > 1 ? cvy_leaf_divisor(batch, first - 1) : 1;
    char leaves[64] = "";
    if (second > 1)
        snprintf(leaves, sizeof leaves, "leaf of %lld or %lld, or a ", first, second);
    else if (first > 1)
        snprintf(leaves, sizeof leaves, "leaf of %lld, or a ", first);
    snprintf(out, CVY_LEAF_TEXT, "take a %sbatch of %lld or %lld", leaves, below, below + leaf);
    return out;
}
