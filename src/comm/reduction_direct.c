/* Every member with every other: two messages of latency, whatever W is.
 *
 *     rank 0 holds A, B (its whole subtrees), rank 1 holds C; slices ' and ":
 *       scatter:  0 → 1: A" B"      1 → 0: C'        the tree: (A + B) + C
 *       add:      0: (A'+B')+C'     1: (A"+B")+C"
 *       gather:   0 → 1: sum'       1 → 0: sum"
 */
#include <string.h>

#include "comm/exchange_internal.h"

#include "kernels/elementwise.h"

static bool applicable(const struct cvy_team *team) {
    (void)team;
    return true;
}

static int pieces_of(const struct cvy_team *team, int first, int end) {
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    int count = 0;
    for (int i = first; i < end; i++) count += cvy_team_subtrees(team, i, i + 1, subtrees);
    return count;
}

static struct cvy_bill bill(const struct cvy_team *team, size_t floats) {
    const int others = team->size - 1, own = pieces_of(team, team->me, team->me + 1);
    const int remote = pieces_of(team, 0, team->size) - own;
    size_t first, slice;
    cvy_slice(floats, team->size, 0, &first, &slice);
    const int scatter = own * others + remote, gather = 2 * others;
    return (struct cvy_bill){.messages = (own + 1) * others,
                             .sent = (size_t)(own + 1) * (size_t)others * slice * sizeof(float),
                             .copied = (size_t)remote * slice * sizeof(float),
                             .requests = scatter > gather ? scatter : gather,
                             .scratch = (size_t)remote * slice * sizeof(float)};
}

static cvy_status scatter(struct cvy_exchange *x, struct bucket *bucket) {
    const struct cvy_part *part = &bucket->part;
    const struct cvy_team *team = &part->team;
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    size_t first, count;
    float *to = bucket->scratch;
    cvy_slice(part->count, team->size, team->me, &first, &count);
    for (int i = 0; i < team->size; i++) {
        const int pieces = i == team->me ? 0 : cvy_team_subtrees(team, i, i + 1, subtrees);
        for (int p = 0; p < pieces; p++, to += count) CVY_TRY(cvy_bucket_receive(x, bucket, to, count, i));
    }
    for (int step = 1; step < team->size; step++) {
        const int other = (team->me + step) % team->size; /* not all at rank 0 first */
        cvy_slice(part->count, team->size, other, &first, &count);
        for (int p = 0; p < part->piece_count; p++)
            CVY_TRY(cvy_bucket_send(x, bucket, part->pieces[p].data + first, count, other));
    }
    return CVY_OK;
}

/* My slice of all pieces, from left to right, added in the tree's order into the slice of the sum. */
static void add_pieces(struct cvy_exchange *x, struct bucket *bucket) {
    const struct cvy_part *part = &bucket->part;
    const struct cvy_team *team = &part->team;
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    struct cvy_pile pile = {.leaves = team->leaves};
    size_t first, count;
    float *from = bucket->scratch;
    cvy_slice(part->count, team->size, team->me, &first, &count);
    if (count == 0) return;
    for (int i = 0; i < team->size; i++) {
        const int pieces = cvy_team_subtrees(team, i, i + 1, subtrees);
        for (int p = 0; p < pieces; p++) {
            float *data = i == team->me ? part->pieces[p].data + first : from;
            if (i != team->me) from += count;
            cvy_pile_put(&pile, (struct cvy_piece){subtrees[p], data}, x->adds, cvy_vec_add, count);
        }
    }
    const float *sum = pile.pieces[0].data;
    if (sum != part->sum + first) memcpy(part->sum + first, sum, count * sizeof *sum);
}

static cvy_status gather(struct cvy_exchange *x, struct bucket *bucket) {
    const struct cvy_part *part = &bucket->part;
    const struct cvy_team *team = &part->team;
    size_t first, count, my_first, my_count;
    add_pieces(x, bucket);
    cvy_slice(part->count, team->size, team->me, &my_first, &my_count);
    for (int step = 1; step < team->size; step++) {
        const int other = (team->me + step) % team->size;
        cvy_slice(part->count, team->size, other, &first, &count);
        CVY_TRY(cvy_bucket_receive(x, bucket, part->sum + first, count, other));
        CVY_TRY(cvy_bucket_send(x, bucket, part->sum + my_first, my_count, other));
    }
    return CVY_OK;
}

static cvy_status run(struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done) {
    if (phase == 0) return scatter(x, bucket);
    if (phase == 1) return gather(x, bucket);
    *done = true;
    return CVY_OK;
}

const struct cvy_reduction cvy_reduction_direct = {"direct", NULL, applicable, bill, run};
