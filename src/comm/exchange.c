/* A step of the exchange: leaves into the rank's tree, buckets out of it as soon as their last leaf is final. */
#include "comm/exchange_internal.h"
#include "comm/progress.h"
#include "core/ints.h"
#include "core/memory.h"
#include "core/text.h"
#include "kernels/elementwise.h"

#define LINE       ((size_t)16)      /* floats of a cache line */
#define MAX_BUCKET ((size_t)1 << 26) /* floats: MPI counts are ints, and a message may have several pieces */

/* What a plan needs on a rank: the most of its kinds of batches. */
struct needs {
    int buffers, own_leaves, requests;
    int node_pieces; /* of all ranks of this host */
    size_t scratch;  /* bytes of a bucket */
    int buckets;
};

/* ---- Buckets ---- */

/* Of buckets that are alike. */
static size_t bucket_floats(const struct cvy_exchange_plan *plan) {
    size_t size = plan->bucket_floats ? plan->bucket_floats : plan->floats;
    if (size > MAX_BUCKET) size = MAX_BUCKET;
    return cvy_round_up(size < LINE ? LINE : size, LINE);
}

int cvy_plan_buckets(const struct cvy_exchange_plan *plan) {
    return plan->cuts ? plan->cut_count : (int)cvy_ceil_div(plan->floats, bucket_floats(plan));
}

size_t cvy_plan_bucket(const struct cvy_exchange_plan *plan, int b) {
    return plan->cuts ? plan->cuts[b] : (size_t)(cvy_plan_buckets(plan) - 1 - b) * bucket_floats(plan);
}

static size_t bucket_size(const struct cvy_exchange_plan *plan, int b) {
    return (b == 0 ? plan->floats : cvy_plan_bucket(plan, b - 1)) - cvy_plan_bucket(plan, b);
}

/* ---- What is needed ---- */

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

/* What the plan says, or what costs the least. One rank has nothing to send. */
static const struct cvy_reduction *reduction_of(const struct cvy_exchange_plan *plan, const struct cvy_team *team,
                                                size_t floats) {
    if (team->size == 1) return &cvy_reduction_direct;
    return plan->reduction ? plan->reduction : cvy_reduction_choose(team, floats);
}

/* Of a step of `leaves`, and a bucket of `floats`. */
static void need_bucket(struct needs *needs, const struct cvy_exchange_plan *plan, const struct cvy_team *team,
                        size_t floats) {
    const struct cvy_bill bill = reduction_of(plan, team, floats)->bill(team, floats);
    needs->requests = cvy_max(needs->requests, bill.requests);
    if (needs->scratch < bill.scratch) needs->scratch = bill.scratch;
}

static int pieces_of_host(const struct cvy_team *team) {
    const struct cvy_places *places = team->places;
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    int count = 0;
    for (int r = places->firsts[places->node]; r < places->firsts[places->node + 1]; r++)
        count += cvy_team_subtrees(team, r, r + 1, subtrees);
    return count;
}

static void need_leaves(struct needs *needs, const struct cvy_exchange_plan *plan, const struct cvy_team *team) {
    const struct cvy_leaf_range share = cvy_tree_share(team->leaves, team->me, team->size);
    needs->buffers = cvy_max(needs->buffers, cvy_tree_buffers(team->leaves, share));
    needs->own_leaves = cvy_max(needs->own_leaves, share.end - share.first);
    needs->node_pieces = cvy_max(needs->node_pieces, pieces_of_host(team));
    for (int b = 0; b < needs->buckets; b++)
        if (plan->cuts || b == 0 || b == 1) need_bucket(needs, plan, team, bucket_size(plan, b)); /* else alike */
}

static struct needs needs_of(const struct cvy_exchange_plan *plan, const struct cvy_places *places, bool window) {
    struct needs needs = {.requests = 1, .buckets = cvy_plan_buckets(plan)};
    for (int i = 0; i < CVY_EXCHANGE_SIZES; i++) {
        const struct cvy_team team = cvy_team_all(places, places->rank, plan->leaves[i], window);
        if (plan->leaves[i] > 0) need_leaves(&needs, plan, &team);
    }
    return needs;
}
static bool wants_window(const struct cvy_exchange_plan *plan, const struct cvy_places *places) {
    const struct cvy_team team = cvy_team_all(places, places->rank, 1, true);
    return (plan->reduction == NULL || plan->reduction == &cvy_reduction_node) && cvy_reduction_node.applicable(&team);
}

size_t cvy_exchange_bytes(const struct cvy_exchange_plan *plan, const struct cvy_comm *comm) {
    const struct cvy_places alone = {
        .network = &cvy_network_usual, .ranks = 1, .nodes = 1, .firsts = (int[]){0, 1}, .least = 1, .in_rows = true};
    const struct cvy_places *places = comm ? &comm->places : &alone;
    const struct needs n = needs_of(plan, places, wants_window(plan, places));
    const size_t bucket = sizeof(struct bucket) + n.scratch + cvy_requests_bytes(n.requests);
    return sizeof(struct cvy_exchange) + (size_t)n.buffers * plan->floats * sizeof(float) + (size_t)n.buckets * bucket +
           cvy_control_bytes(n.own_leaves, most_leaves(plan), plan->values, places->rank, places->ranks);
}

static cvy_status create_buckets(struct cvy_exchange *x, const struct needs *needs) {
    CVY_TRY(CVY_NEW(&x->buckets, needs->buckets, comm));
    x->bucket_count = needs->buckets;
    for (int b = 0; b < x->bucket_count; b++) {
        struct bucket *bucket = &x->buckets[b];
        bucket->first = cvy_plan_bucket(&x->plan, b);
        bucket->count = bucket_size(&x->plan, b);
        bucket->state = BUCKET_DONE;
        CVY_TRY(cvy_alloc(needs->scratch, CVY_TAG_comm, (void **)&bucket->scratch));
        CVY_TRY(cvy_requests_create(&bucket->requests, needs->requests));
    }
    return CVY_OK;
}

/* Collective. In memory that the ranks of the host share, where that can be had and is wanted. */
static cvy_status share_gradients(struct cvy_exchange *x) {
    const struct cvy_places *places = &x->comm->places;
    if (!wants_window(&x->plan, places)) return CVY_OK;
    const struct needs needs = needs_of(&x->plan, places, true);
    const struct cvy_window_plan plan = {
        .vectors = needs.buffers, .buckets = needs.buckets, .floats = x->plan.floats, .pieces = needs.node_pieces};
    return cvy_window_create(x->comm, &plan, x->doubt, &x->window);
}

static cvy_status check_reduction(const struct cvy_exchange *x) {
    const struct cvy_reduction *reduction = x->plan.reduction;
    const struct cvy_places *places = &x->comm->places;
    const struct cvy_team team = cvy_team_all(places, places->rank, 1, x->window != NULL);
    CVY_CHECK(reduction == NULL || places->ranks == 1 || reduction->applicable(&team), CVY_ERR_USAGE,
              "comm.algorithm: %s wants %s; here are %d ranks on %d %s%s%s; take auto", reduction->name,
              reduction->wants, places->ranks, places->nodes, cvy_plural(places->nodes, "host", "hosts"),
              x->doubt[0] ? ", and " : "", x->doubt);
    return CVY_OK;
}

/* Who sums how when a step has `leaves` leaves. */
static void lay_out(struct cvy_exchange *x, int leaves) {
    x->team = cvy_team_all(&x->comm->places, x->comm->rank, leaves, x->window != NULL);
    x->share = cvy_tree_share(leaves, x->comm->rank, x->comm->size);
    for (int b = 0; b < x->bucket_count; b++) {
        struct bucket *bucket = &x->buckets[b];
        bucket->reduction = reduction_of(&x->plan, &x->team, bucket->count);
        bucket->bill = bucket->reduction->bill(&x->team, bucket->count);
    }
}

static cvy_status create_parts(struct cvy_exchange *x) {
    const struct needs needs = needs_of(&x->plan, &x->comm->places, x->window != NULL);
    CVY_TRY(check_reduction(x));
    for (; x->buffer_count < needs.buffers; x->buffer_count++) {
        float **buffer = &x->buffers[x->buffer_count];
        if (x->window)
            *buffer = cvy_window_vector(x->window, x->window->me, x->buffer_count);
        else
            CVY_TRY(CVY_NEW(buffer, x->plan.floats, gradients));
    }
    CVY_TRY(create_buckets(x, &needs));
    lay_out(x, x->plan.leaves[0]);
    return cvy_control_create(x, needs.own_leaves, most_leaves(&x->plan));
}

cvy_status cvy_exchange_create(struct cvy_comm *comm, const struct cvy_compute *compute,
                               const struct cvy_exchange_plan *plan, struct cvy_exchange **out) {
    cvy_status status = CVY_NEW(out, 1, comm);
    CVY_GO(cvy_comm_agree(comm, status));
    **out =
        (struct cvy_exchange){.comm = comm, .mpi = MPI_COMM_NULL, .compute = compute, .adds = compute, .plan = *plan};
    CVY_GO(share_gradients(*out));
    CVY_GO(cvy_comm_agree(comm, create_parts(*out)));
    if (comm->mpi != MPI_COMM_NULL) CVY_GO(cvy_mpi_duplicate(comm, comm->mpi, &(*out)->mpi));
    CVY_GO(cvy_progress_start(*out));
    return CVY_OK;
done:
    cvy_exchange_destroy(out);
    return status;
}

void cvy_exchange_destroy(struct cvy_exchange **exchange) {
    struct cvy_exchange *x = *exchange;
    if (x == NULL) return;
    cvy_progress_stop(x);
    for (int b = 0; b < x->bucket_count; b++) {
        cvy_free(x->buckets[b].scratch);
        cvy_requests_destroy(&x->buckets[b].requests);
    }
    cvy_control_destroy(&x->control);
    for (int i = 0; i < x->buffer_count && x->window == NULL; i++) cvy_free(x->buffers[i]);
    cvy_window_destroy(x->comm, &x->window);
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

/* Starts, in order, the buckets whose own pieces are final. One order on all ranks, as the library's allreduce needs.
 */
static cvy_status start_ready(struct cvy_exchange *x) {
    cvy_status status = CVY_OK;
    cvy_progress_lock(x);
    while (status == CVY_OK && x->started < x->bucket_count && x->buckets[x->started].missing == 0)
        status = cvy_bucket_start(x, &x->buckets[x->started++]);
    cvy_progress_unlock(x);
    return status;
}

static bool on_last_leaf(const struct cvy_exchange *x) {
    return x->tree.next + 1 == x->tree.end;
}

static void miss_everything(struct cvy_exchange *x) {
    for (int b = 0; b < x->bucket_count; b++) x->buckets[b].missing = x->buckets[b].count;
}

static int vector_of(const struct cvy_exchange *x, const float *data) {
    int i = 0;
    while (x->buffers[i] != data) i++;
    return i;
}

/* The ranks of the host read it when the pieces of a bucket are final, and no more once all buckets are summed. */
static void tell_vectors(struct cvy_exchange *x) {
    int *vectors = x->window->boards[x->window->me]->vectors;
    vectors[0] = vector_of(x, x->sum);
    for (int p = 1; p < x->own_count; p++) vectors[p] = vector_of(x, x->own[p].data);
}

/* Before a leaf: nothing of it is there; and where the rank's pieces will lie, if it is the last. With several passes
 * only the floats of last leaves are counted, over all passes. */
static void expect_leaf(struct cvy_exchange *x) {
    if (!x->plan.passes) miss_everything(x);
    if (!on_last_leaf(x)) return;
    struct cvy_tree_sum after = x->tree;
    cvy_tree_sum_next(&after);
    x->own_count = after.depth;
    for (int p = 0; p < after.depth; p++) x->own[p] = (struct cvy_piece){after.subtrees[p], after.data[p]};
    x->sum = x->own[0].data;
    if (x->window) tell_vectors(x);
}

cvy_status cvy_exchange_begin(struct cvy_exchange *x, int leaves) {
    CVY_CHECK(planned(&x->plan, leaves), CVY_ERR_INTERNAL, "a step of %d leaves where %d, %d or %d were planned",
              leaves, x->plan.leaves[0], x->plan.leaves[1], x->plan.leaves[2]);
    for (int b = 0; b < x->bucket_count; b++) CVY_TRY(cvy_exchange_wait(x, b));
    cvy_progress_lock(x);
    if (leaves != x->team.leaves) lay_out(x, leaves);
    for (int b = 0; b < x->bucket_count; b++) x->buckets[b].state = BUCKET_OPEN;
    x->started = 0;
    x->step++;
    cvy_progress_unlock(x);
    x->own_count = 0;
    cvy_tree_sum_begin(&x->tree, leaves, x->share, x->buffers, x->buffer_count);
    if (x->share.first < x->share.end) {
        miss_everything(x);
        expect_leaf(x);
        return CVY_OK;
    }
    x->sum = x->buffers[0];
    if (x->window) tell_vectors(x);
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
    if (x->share.first == x->share.end) return CVY_OK;
    cvy_tree_sum_begin(&x->tree, x->team.leaves, x->share, x->buffers, x->buffer_count);
    expect_leaf(x);
    return CVY_OK;
}

int cvy_exchange_leaves(const struct cvy_exchange *x) {
    return x->team.leaves;
}

cvy_status cvy_exchange_advance(struct cvy_exchange *x) {
    CVY_TRY(cvy_comm_usable(x->comm));
    for (int b = 0; b < x->started; b++) CVY_TRY(cvy_bucket_advance(x, &x->buckets[b]));
    return cvy_control_advance(x);
}

/* What the thread does, if there is one, is left to it. */
cvy_status cvy_exchange_poll(struct cvy_exchange *x) {
    if (x->progress) return cvy_comm_usable(x->comm);
    return cvy_exchange_advance(x);
}

cvy_status cvy_exchange_await(struct cvy_exchange *x, cvy_exchange_awaited *awaited, const void *what,
                              struct cvy_requests *requests, const char *doing) {
    cvy_status status = CVY_OK;
    bool done = false;
    for (struct cvy_wait wait = {0}; status == CVY_OK && !done;) {
        cvy_progress_lock(x);
        status = cvy_progress_status(x);
        done = awaited(what);
        if (status == CVY_OK && !done) status = cvy_exchange_advance(x);
        if (status == CVY_OK && !done) done = awaited(what);
        if (status == CVY_OK && !done && !cvy_wait_pause(x->comm, &wait))
            status = cvy_wait_expired(x->comm, requests, doing);
        cvy_progress_unlock(x);
    }
    return status;
}

static bool is_done(const void *bucket) {
    return ((const struct bucket *)bucket)->state == BUCKET_DONE;
}

cvy_status cvy_exchange_wait(struct cvy_exchange *x, int bucket) {
    struct bucket *b = &x->buckets[bucket];
    CVY_CHECK(x->step == 0 || bucket < x->started, CVY_ERR_INTERNAL,
              "bucket %d is waited for before the step's last leaf", bucket);
    return cvy_exchange_await(x, is_done, b, &b->requests, "its part of a gradient sum");
}

const char *cvy_exchange_doubt(const struct cvy_exchange *x) {
    return x->doubt;
}

bool cvy_exchange_has_thread(const struct cvy_exchange *x) {
    return x->progress != NULL;
}

const struct cvy_reduction *cvy_exchange_reduction(const struct cvy_exchange *x, int bucket) {
    return x->buckets[bucket].reduction;
}

float *cvy_exchange_sum(struct cvy_exchange *x) {
    return x->sum;
}
