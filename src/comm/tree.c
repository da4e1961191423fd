/* Pure functions of leaf ranges, and the stack on which a rank joins its leaves. */
#include "comm/tree.h"

#include "core/share.h"

#include <limits.h>
#include <string.h>

#include "kernels/elementwise.h"

struct cvy_leaf_range cvy_tree_share(int leaves, int rank, int ranks) {
    struct cvy_leaf_range share;
    cvy_share(leaves, rank, ranks, &share.first, &share.end);
    return share;
}

/* The left child [a, b) of a node is full: a power of two long, at an even multiple of its length. */
bool cvy_tree_siblings(int leaves, struct cvy_leaf_range left, struct cvy_leaf_range right) {
    long long length = left.end - left.first, node_end = left.first + 2 * length;
    if (left.end != right.first || (length & (length - 1)) != 0 || left.first % (2 * length) != 0) return false;
    return right.end == (node_end < leaves ? node_end : leaves);
}

/* Puts a subtree on the stack and joins as long as the topmost two are siblings; returns the new depth. */
static int push(int leaves, struct cvy_leaf_range subtree, struct cvy_leaf_range *stack, int depth) {
    while (depth > 0 && cvy_tree_siblings(leaves, stack[depth - 1], subtree)) subtree.first = stack[--depth].first;
    stack[depth] = subtree;
    return depth + 1;
}

int cvy_tree_subtrees(int leaves, struct cvy_leaf_range range, struct cvy_leaf_range subtrees[CVY_TREE_DEPTH]) {
    int depth = 0;
    for (int leaf = range.first; leaf < range.end; leaf++)
        depth = push(leaves, (struct cvy_leaf_range){leaf, leaf + 1}, subtrees, depth);
    return depth;
}

int cvy_tree_buffers(int leaves, struct cvy_leaf_range range) {
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    int depth = 0, most = 1;
    for (int leaf = range.first; leaf < range.end; leaf++) {
        if (depth + 1 > most) most = depth + 1;
        depth = push(leaves, (struct cvy_leaf_range){leaf, leaf + 1}, subtrees, depth);
    }
    return most;
}

/* Row i gathers the subtree that starts at leaf i; step k joins subtrees of k leaves. */
void cvy_tree_sum_rows(double *rows, int leaves, size_t len) {
    for (long long k = 1; k < leaves; k *= 2)
        for (long long i = 0; i + k < leaves; i += 2 * k) {
            double *left = rows + (size_t)i * len;
            const double *right = rows + (size_t)(i + k) * len;
            for (size_t e = 0; e < len; e++) left[e] += right[e];
        }
}

void cvy_tree_sum_begin(struct cvy_tree_sum *sum, int leaves, struct cvy_leaf_range range, float *const *buffers,
                        int room) {
    *sum = (struct cvy_tree_sum){.leaves = leaves, .end = range.end, .next = range.first, .spares = room};
    memcpy(sum->spare, buffers, (size_t)room * sizeof *buffers);
}

float *cvy_tree_sum_leaf(const struct cvy_tree_sum *sum) {
    CVY_ASSERT(sum->spares > 0);
    return sum->spare[sum->spares - 1];
}

void cvy_tree_sum_join(const struct cvy_tree_sum *sum, const struct cvy_compute *compute, size_t first, size_t count) {
    struct cvy_leaf_range subtree = {sum->next, sum->next + 1};
    const float *right = cvy_tree_sum_leaf(sum);
    for (int d = sum->depth; d > 0 && cvy_tree_siblings(sum->leaves, sum->subtrees[d - 1], subtree); d--) {
        cvy_vec_add(compute, sum->data[d - 1] + first, right + first, (int64_t)count);
        right = sum->data[d - 1];
        subtree.first = sum->subtrees[d - 1].first;
    }
}

void cvy_tree_sum_next(struct cvy_tree_sum *sum) {
    float *leaf = sum->spare[--sum->spares];
    int before = sum->depth;
    sum->depth = push(sum->leaves, (struct cvy_leaf_range){sum->next, sum->next + 1}, sum->subtrees, before);
    sum->next++;
    if (sum->depth > before) {
        sum->data[before] = leaf;
        return;
    }
    sum->spare[sum->spares++] = leaf;
    for (int d = sum->depth; d < before; d++) sum->spare[sum->spares++] = sum->data[d];
}
