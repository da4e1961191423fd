/* From subtrees on every rank to their sum on every rank, in the tree's order: the same bits on every number of ranks.
 *
 *     rank 0 holds A, B (its whole subtrees), rank 1 holds C; slices ' and ":
 *       scatter:  0 → 1: A" B"      1 → 0: C'        the tree: (A + B) + C
 *       add:      0: (A'+B')+C'     1: (A"+B")+C"
 *       gather:   0 → 1: sum'       1 → 0: sum"
 */
#include <string.h>

#include "comm/exchange_internal.h"

#include "kernels/elementwise.h"

static int tag(const struct cvy_exchange *x, const struct bucket *bucket, int phase) {
    return TAG_BUCKET + 2 * (int)(bucket - x->buckets) + phase;
}

static cvy_status send(struct cvy_exchange *x, struct bucket *bucket, const float *from, size_t count, int to,
                       int phase) {
    if (count == 0) return CVY_OK;
    struct cvy_requests *r = &bucket->requests;
    CVY_MPI(x->comm, MPI_Isend(from, (int)count, MPI_FLOAT, to, tag(x, bucket, phase), x->mpi, &r->items[r->count]));
    r->peers[r->count++] = to;
    return CVY_OK;
}

static cvy_status receive(struct cvy_exchange *x, struct bucket *bucket, float *to, size_t count, int from, int phase) {
    if (count == 0) return CVY_OK;
    struct cvy_requests *r = &bucket->requests;
    CVY_MPI(x->comm, MPI_Irecv(to, (int)count, MPI_FLOAT, from, tag(x, bucket, phase), x->mpi, &r->items[r->count]));
    r->peers[r->count++] = from;
    return CVY_OK;
}

/* Where slice [first, first + count) of piece i is on this rank, once it is here; *own and *remote count the pieces of
 * either kind as i goes up. */
static float *piece_data(const struct cvy_exchange *x, const struct bucket *bucket, int i, size_t first, size_t count,
                         int *own, int *remote) {
    if (x->pieces[i].rank == x->comm->rank) return x->own[(*own)++] + first;
    return bucket->scratch + (size_t)(*remote)++ * count;
}

static cvy_status scatter(struct cvy_exchange *x, struct bucket *bucket) {
    int me = x->comm->rank, own = 0, remote = 0;
    size_t first, count;
    cvy_bucket_slice(x, bucket, me, &first, &count);
    for (int i = 0; i < x->piece_count; i++) {
        float *data = piece_data(x, bucket, i, first, count, &own, &remote);
        if (x->pieces[i].rank != me) CVY_TRY(receive(x, bucket, data, count, x->pieces[i].rank, 0));
    }
    for (int step = 1; step < x->comm->size; step++) {
        int to = (me + step) % x->comm->size; /* not all at rank 0 first */
        cvy_bucket_slice(x, bucket, to, &first, &count);
        for (int p = 0; p < x->own_count; p++) CVY_TRY(send(x, bucket, x->own[p] + first, count, to, 0));
    }
    return CVY_OK;
}

/* My slice of all pieces, added in the tree's order into the slice of x->sum. */
static void add_pieces(struct cvy_exchange *x, struct bucket *bucket) {
    struct cvy_leaf_range stack[CVY_TREE_DEPTH];
    float *data[CVY_TREE_DEPTH];
    int depth = 0, own = 0, remote = 0;
    size_t first, count;
    float *sum = NULL; /* of the topmost subtree; in the end that is the whole tree */
    cvy_bucket_slice(x, bucket, x->comm->rank, &first, &count);
    if (count == 0) return;
    for (int i = 0; i < x->piece_count; i++) {
        struct cvy_leaf_range subtree = x->pieces[i].subtree;
        sum = piece_data(x, bucket, i, first, count, &own, &remote);
        for (; depth > 0 && cvy_tree_siblings(x->leaves, stack[depth - 1], subtree); depth--) {
            cvy_vec_add(x->compute, data[depth - 1], sum, (int64_t)count);
            sum = data[depth - 1];
            subtree.first = stack[depth - 1].first;
        }
        stack[depth] = subtree;
        data[depth++] = sum;
    }
    if (sum != x->sum + first) memcpy(x->sum + first, sum, count * sizeof *sum);
}

/* Once all pieces are here. */
static cvy_status gather(struct cvy_exchange *x, struct bucket *bucket) {
    int me = x->comm->rank;
    size_t first, count, my_first, my_count;
    add_pieces(x, bucket);
    cvy_bucket_slice(x, bucket, me, &my_first, &my_count);
    for (int step = 1; step < x->comm->size; step++) {
        int other = (me + step) % x->comm->size;
        cvy_bucket_slice(x, bucket, other, &first, &count);
        CVY_TRY(receive(x, bucket, x->sum + first, count, other, 1));
        CVY_TRY(send(x, bucket, x->sum + my_first, my_count, other, 1));
    }
    return CVY_OK;
}

const struct cvy_reduction cvy_reduction_exact = {.phases = {scatter, gather}, .pieces = true};
