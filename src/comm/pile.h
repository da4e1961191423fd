/* Whole subtrees put together from left to right: two neighbours become one as soon as they are both children of a node
 * of the tree (comm/tree.h), the left one's floats being the sum. */
#ifndef CVY_COMM_PILE_H
#define CVY_COMM_PILE_H

#include "comm/tree.h"

/* A whole subtree, and some floats of its gradient. */
struct cvy_piece {
    struct cvy_leaf_range subtree;
    float *data;
};

struct cvy_pile {
    int leaves, depth;
    struct cvy_piece pieces[CVY_TREE_DEPTH];
};

typedef void cvy_add_fn(const struct cvy_compute *compute, float *to, const float *from, int64_t count);

/* `add`: cvy_vec_add, or in a task cvy_vec_add_serial. */
static inline void cvy_pile_put(struct cvy_pile *pile, struct cvy_piece piece, const struct cvy_compute *compute,
                                cvy_add_fn *add, size_t floats) {
    while (pile->depth > 0 && cvy_tree_siblings(pile->leaves, pile->pieces[pile->depth - 1].subtree, piece.subtree)) {
        const struct cvy_piece left = pile->pieces[--pile->depth];
        add(compute, left.data, piece.data, (int64_t)floats);
        piece = (struct cvy_piece){{left.subtree.first, piece.subtree.end}, left.data};
    }
    pile->pieces[pile->depth++] = piece;
}

#endif
