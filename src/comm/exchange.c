/* A step of the exchange: leaves into the rank's tree, buckets out of it as soon as their last leaf is final. */
#include "comm/exchange_internal.h"
#include "core/ints.h"
#include "core/memory.h"
#include "kernels/elementwise.h"

#define LINE       ((size_t)16)      /* floats of a cache line */
#define MAX_BUCKET ((size_t)1 << 28) /* floats: MPI counts are ints */

/* What a plan needs on a rank: the most of its kinds of batches. */
struct needs {
    int buffers, pieces, remote, own, own_leaves, requests;
    size_t bucket_floats, own_slice;
    int buckets;
};

static void need_leaves(struct needs *needs, int leaves, int rank, int ranks) {
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH], share = cvy_tree_share(leaves, rank, ranks);
    int own = cvy_tree_subtrees(leaves, share, subtrees), all = 0;
    for (int r = 0; r < ranks; r++) all += cvy_tree_subtrees(leaves, cvy_tree_share(leaves, r, ranks), subtrees);
    needs->buffers = cvy_max(needs->buffers, cvy_tree_buffers(leaves, share));
    needs->pieces = cvy_max(needs->pieces, all);
    needs->remote = cvy_max(needs->remote, all - own);
    needs->own_leaves = cvy_max(needs->own_leaves, share.end - share.first);
    needs->requests = cvy_max(needs->requests, own * (ranks - 1) + all - own);
}

static int most_leaves(const struct cvy_exchange_plan *plan) {
    int most = 0;
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++) most = cvy_max(most, plan->leaves[i]);
    return most;
}

static bool planned(const struct cvy_exchange_plan *plan, int leaves) {
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++)
        if (leaves > 0 && plan->leaves[i] == leaves) return true;
    return false;
}

static const struct cvy_reduction *reduction_of(const struct cvy_exchange_plan *plan) {
    return plan->reduction ? plan->reduction : &cvy_reduction_exact;
}

static struct needs needs_of(const struct cvy_exchange_plan *plan, int rank, int ranks) {
    struct needs needs = {.requests = cvy_max(1, 2 * (ranks - 1))};
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++)
        if (plan->leaves[i] > 0) need_leaves(&needs, plan->leaves[i], rank, ranks);
    size_t size = plan->bucket_floats ? plan->bucket_floats : plan->floats;
    if (size > MAX_BUCKET) size = MAX_BUCKET;
    if (size < LINE) size = LINE;
    needs.bucket_floats = cvy_round_up(size, LINE);
    needs.buckets = (int)cvy_ceil_div(plan->floats, needs.bucket_floats);
    needs.own_slice = cvy_ceil_div(needs.bucket_floats / LINE, (size_t)ranks) * LINE;
    if (!reduction_of(plan)->pieces) needs.remote = 0;
    return needs;
}

size_t cvy_exchange_bytes(const struct cvy_exchange_plan *plan, int rank, int ranks) {
    struct needs n = needs_of(plan, rank, ranks);
    size_t bucket = sizeof(struct bucket) + (size_t)n.remote * n.own_slice * sizeof(float) +
                    (size_t)n.requests * (sizeof(MPI_Request) + sizeof(int));
    return sizeof(struct cvy_exchange) + (size_t)n.buffers * plan->floats * sizeof(float) +
           (size_t)n.pieces * sizeof(struct piece) + (size_t)n.buckets * bucket +
           cvy_control_bytes(n.own_leaves, most_leaves(plan), plan->values, rank, ranks);
}

static cvy_status create_buckets(struct cvy_exchange *x, const struct needs *needs) {
    CVY_TRY(CVY_NEW(&x->buckets, needs->buckets, comm));
    x->bucket_count = needs->buckets;
    size_t end = x->plan.floats;
    for (int b = 0; b < x->bucket_count; b++) {
        struct bucket *bucket = &x->buckets[b];
        bucket->first = (size_t)(x->bucket_count - 1 - b) * needs->bucket_floats;
        bucket->count = end - bucket->first;
        bucket->state = BUCKET_DONE;
        end = bucket->first;
        CVY_TRY(CVY_NEW(&bucket->scratch, (size_t)needs->remote * needs->own_slice, comm));
        CVY_TRY(cvy_requests_create(&bucket->requests, needs->requests));
    }
    return CVY_OK;
}

static cvy_status create_parts(struct cvy_exchange *x) {
    struct needs needs = needs_of(&x->plan, x->comm->rank, x->comm->size);
    for (; x->buffer_count < needs.buffers; x->buffer_count++)
        CVY_TRY(CVY_NEW(&x->buffers[x->buffer_count], x->plan.floats, gradients));
    CVY_TRY(CVY_NEW(&x->pieces, needs.pieces, comm));
    CVY_TRY(create_buckets(x, &needs));
    return cvy_control_create(x, needs.own_leaves, most_leaves(&x->plan));
}

cvy_status cvy_exchange_create(struct cvy_comm *comm, const struct cvy_compute *compute,
                               const struct cvy_exchange_plan *plan, struct cvy_exchange **out) {
    cvy_status status = CVY_NEW(out, 1, comm);
    if (status == CVY_OK) {
        **out = (struct cvy_exchange){.comm = comm, .mpi = MPI_COMM_NULL, .compute = compute, .plan = *plan};
        (*out)->plan.reduction = reduction_of(plan);
        status = create_parts(*out);
    }
    CVY_GO(cvy_comm_agree(comm, status));
    if (comm->mpi != MPI_COMM_NULL) CVY_GO(cvy_mpi_duplicate(comm, comm->mpi, &(*out)->mpi));
    return CVY_OK;
done:
    cvy_exchange_destroy(out);
    return status;
}

void cvy_exchange_destroy(struct cvy_exchange **exchange) {
    struct cvy_exchange *x = *exchange;
    if (x == NULL) return;
    for (int b = 0; b < x->bucket_count; b++) {
        cvy_free(x->buckets[b].scratch);
        cvy_requests_destroy(&x->buckets[b].requests);
    }
    cvy_control_destroy(&x->control);
    for (int i = 0; i < x->buffer_count; i++) cvy_free(x->buffers[i]);
    cvy_free(x->pieces);
    cvy_free(x->buckets);
    if (!x->comm->broken && x->mpi != MPI_COMM_NULL) MPI_Comm_free(&x->mpi);
    CVY_DELETE(exchange);
}

int cvy_exchange_buckets(const struct cvy_exchange *x) {
    return x->bucket_count;
}

void cvy_exchange_bucket(const struct cvy_exchange *x, int bucket, size_t *first, size_t *end) {
    *first = x->buckets[bucket].first;
    *end = *first + x->buckets[bucket].count;
}

/* Who holds which whole subtrees when a step has `leaves` leaves. */
static void lay_out(struct cvy_exchange *x, int leaves) {
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    x->leaves = leaves;
    x->share = cvy_tree_share(leaves, x->comm->rank, x->comm->size);
    x->piece_count = 0;
    for (int r = 0; r < x->comm->size; r++) {
        int count = cvy_tree_subtrees(leaves, cvy_tree_share(leaves, r, x->comm->size), subtrees);
        if (r == x->comm->rank) x->own_count = count;
        for (int i = 0; i < count; i++) x->pieces[x->piece_count++] = (struct piece){r, subtrees[i]};
    }
}

/* Starts, in order, the buckets whose own pieces are final. One order on all ranks, as the library's allreduce needs.
 */
static cvy_status start_ready(struct cvy_exchange *x) {
    while (x->started < x->bucket_count && x->buckets[x->started].missing == 0)
        CVY_TRY(cvy_bucket_start(x, &x->buckets[x->started++]));
    return CVY_OK;
}

static bool on_last_leaf(const struct cvy_exchange *x) {
    return x->tree.next + 1 == x->tree.end;
}

static void miss_everything(struct cvy_exchange *x) {
    for (int b = 0; b < x->bucket_count; b++) x->buckets[b].missing = x->buckets[b].count;
}

/* Before a leaf: nothing of it is there; and where the rank's pieces will lie, if it is the last. With several passes
 * only the floats of last leaves are counted, over all passes. */
static void expect_leaf(struct cvy_exchange *x) {
    if (!x->plan.passes) miss_everything(x);
    if (!on_last_leaf(x)) return;
    struct cvy_tree_sum after = x->tree;
    cvy_tree_sum_next(&after);
    for (int p = 0; p < after.depth; p++) x->own[p] = after.data[p];
    x->sum = x->own[0];
}

cvy_status cvy_exchange_begin(struct cvy_exchange *x, int leaves) {
    CVY_CHECK(planned(&x->plan, leaves), CVY_ERR_INTERNAL, "a step of %d leaves where %d, %d or %d were planned",
              leaves, x->plan.leaves[0], x->plan.leaves[1], x->plan.leaves[2]);
    for (int b = 0; b < x->bucket_count && x->leaves; b++) CVY_TRY(cvy_exchange_wait(x, b));
    if (leaves != x->leaves) lay_out(x, leaves);
    for (int b = 0; b < x->bucket_count; b++) x->buckets[b].state = BUCKET_OPEN;
    x->started = 0;
    cvy_tree_sum_begin(&x->tree, leaves, x->share, x->buffers, x->buffer_count);
    if (x->own_count > 0) {
        miss_everything(x);
        expect_leaf(x);
        return CVY_OK;
    }
    x->sum = x->buffers[0];
    for (int b = 0; b < x->bucket_count; b++) x->buckets[b].missing = 0;
    return start_ready(x);
}

float *cvy_exchange_leaf(struct cvy_exchange *x) {
    return cvy_tree_sum_leaf(&x->tree);
}

/* `count` more floats of a bucket are final; the leaf is joined when all are. */
static void bucket_ready(struct cvy_exchange *x, struct bucket *bucket, size_t count) {
    if (x->plan.passes && !on_last_leaf(x)) return;
    CVY_ASSERT(count <= bucket->missing);
    bucket->missing -= count;
    if (bucket->missing == 0 && !x->plan.passes) cvy_tree_sum_join(&x->tree, x->compute, bucket->first, bucket->count);
}

cvy_status cvy_exchange_ready(struct cvy_exchange *x, size_t first, size_t count) {
    size_t end = first + count;
    if (x->plan.passes) cvy_tree_sum_join(&x->tree, x->compute, first, count);
    for (int b = 0; b < x->bucket_count; b++) {
        struct bucket *bucket = &x->buckets[b];
        size_t low = first > bucket->first ? first : bucket->first;
        size_t high = end < bucket->first + bucket->count ? end : bucket->first + bucket->count;
        if (low < high) bucket_ready(x, bucket, high - low);
    }
    if (on_last_leaf(x)) CVY_TRY(start_ready(x));
    return cvy_exchange_poll(x);
}

cvy_status cvy_exchange_leaf_done(struct cvy_exchange *x) {
    for (int b = 0; b < x->bucket_count && !x->plan.passes; b++)
        if (x->buckets[b].missing > 0) bucket_ready(x, &x->buckets[b], x->buckets[b].missing);
    bool last = on_last_leaf(x);
    cvy_tree_sum_next(&x->tree);
    if (last) return start_ready(x);
    expect_leaf(x);
    return CVY_OK;
}

cvy_status cvy_exchange_rewind(struct cvy_exchange *x) {
    CVY_CHECK(x->plan.passes, CVY_ERR_INTERNAL, "a second pass over the leaves of an exchange planned for one");
    if (x->own_count == 0) return CVY_OK;
    cvy_tree_sum_begin(&x->tree, x->leaves, x->share, x->buffers, x->buffer_count);
    expect_leaf(x);
    return CVY_OK;
}

int cvy_exchange_leaves(const struct cvy_exchange *x) {
    return x->leaves;
}

cvy_status cvy_exchange_poll(struct cvy_exchange *x) {
    CVY_TRY(cvy_comm_usable(x->comm));
    for (int b = 0; b < x->started; b++) CVY_TRY(cvy_bucket_advance(x, &x->buckets[b]));
    return cvy_control_advance(x);
}

cvy_status cvy_exchange_wait(struct cvy_exchange *x, int bucket) {
    struct bucket *b = &x->buckets[bucket];
    CVY_CHECK(b->state != BUCKET_OPEN, CVY_ERR_INTERNAL, "bucket %d is waited for before the step's last leaf", bucket);
    for (struct cvy_wait wait = {0}; b->state != BUCKET_DONE;) {
        CVY_TRY(cvy_exchange_poll(x));
        if (b->state != BUCKET_DONE && !cvy_wait_pause(x->comm, &wait))
            return cvy_wait_expired(x->comm, &b->requests, "its part of a gradient sum");
    }
    return CVY_OK;
}

float *cvy_exchange_sum(struct cvy_exchange *x) {
    return x->sum;
}
