/* Ranks of a host see each other's gradients (window.h): nothing is sent, and each adds a slice.
 *
 *     rank 0  A ─┐ slice 0: A+B ──► into both       flags: "my pieces are final"  everybody, then
 *     rank 1  B ─┘ slice 1: A+B ──► into both              "my slice is there"    who adds, then all go on
 *
 * On several hosts the first ranks of each, as many as the host with the fewest ranks has, add a slice each; those of
 * one number sum theirs across hosts by messages, all at once. In stretches that stay in the first cache, so that what
 * is read and written in memory is each rank's gradient and sum, once. */
#include <string.h>

#include "comm/exchange_internal.h"
#include "core/ints.h"
#include "kernels/elementwise.h"

#define STRETCH 2048 /* floats */

static bool applicable(const struct cvy_team *team) {
    const struct cvy_places *places = team->places;
    return team->lead < 0 && team->window && places->in_rows && places->nodes < places->ranks;
}

/* Which slice this rank adds, < 0: none. */
static int own_slice(const struct cvy_places *places, int rank) {
    const int local = rank - places->firsts[cvy_places_node(places, rank)];
    return local < places->least ? local : -1;
}

static struct cvy_bill bill(const struct cvy_team *team, size_t floats) {
    const struct cvy_places *places = team->places;
    const int node = cvy_places_node(places, team->me), slice = own_slice(places, team->me);
    const int ranks = places->firsts[node + 1] - places->firsts[node];
    struct cvy_bill bill = {0};
    size_t first, count;
    cvy_slice(floats, places->least, 0, &first, &count);
    if (places->nodes > 1 && slice >= 0) {
        const struct cvy_team across = cvy_team_across(team);
        cvy_slice(floats, places->least, slice, &first, &count);
        const struct cvy_reduction *reduction = cvy_reduction_choose(&across, count);
        bill = reduction->bill(&across, count);
        bill.across = reduction;
    }
    bill.copied += 2 * (size_t)ranks * count * sizeof(float);
    if (bill.requests < ranks) bill.requests = ranks;
    return bill;
}

/* ---- Within the host ---- */

static void note_pieces(struct cvy_exchange *x) {
    struct cvy_window *w = x->window;
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    if (w->known == x->step) return;
    w->piece_count = 0;
    for (int r = 0; r < w->ranks; r++) {
        const struct cvy_board *board = w->boards[r];
        const int count = cvy_team_subtrees(&x->team, w->first + r, w->first + r + 1, subtrees);
        for (int p = 0; p < count; p++)
            w->pieces[w->piece_count++] = (struct cvy_piece){subtrees[p], cvy_window_vector(w, r, board->vectors[p])};
        w->sums[r] = cvy_window_vector(w, r, board->vectors[0]);
    }
    w->known = x->step;
}

/* A slice of the host's vectors, worked on in stretches. */
struct slice {
    const struct cvy_exchange *x;
    size_t first, count; /* floats of the flat vector */
    const float *from;   /* hand_out: the sum of [first, first + count) */
    bool join, hand_out;
};

static void write_to_all(const struct cvy_window *w, const float *sum, size_t first, size_t count) {
    for (int r = 0; r < w->ranks; r++)
        if (w->sums[r] + first != sum) memcpy(w->sums[r] + first, sum, count * sizeof *sum);
}

static void work_on_stretch(void *arg, int task, int thread) {
    (void)thread;
    const struct slice *s = arg;
    const struct cvy_window *w = s->x->window;
    const size_t first = (size_t)task * STRETCH;
    const size_t count = s->count - first < STRETCH ? s->count - first : STRETCH, at = s->first + first;
    struct cvy_pile pile = {.leaves = s->x->team.leaves};
    for (int p = 0; p < w->piece_count && s->join; p++) {
        const struct cvy_piece piece = {w->pieces[p].subtree, w->pieces[p].data + at};
        cvy_pile_put(&pile, piece, s->x->adds, cvy_vec_add_serial, count);
    }
    if (s->hand_out) write_to_all(w, s->join ? pile.pieces[0].data : s->from + first, at, count);
}

static void work_on(const struct slice *slice) {
    cvy_parallel(slice->x->adds->pool, (int)cvy_ceil_div(slice->count, STRETCH), work_on_stretch, (void *)slice);
}

/* ---- The stages ---- */

static struct cvy_bucket_flags *flags_of(const struct cvy_exchange *x, const struct bucket *bucket, int local) {
    return &x->window->boards[local]->buckets[bucket - x->buckets];
}

static void expect(struct cvy_exchange *x, struct bucket *bucket, bool slices) {
    const int count = slices ? x->comm->places.least : x->window->ranks;
    for (int r = 0; r < count; r++) {
        const struct cvy_bucket_flags *flags = flags_of(x, bucket, r);
        cvy_requests_add_flag(&bucket->requests, x->window->first + r, slices ? &flags->slice : &flags->pieces,
                              x->step);
    }
}

/* What the host's pieces become in my slice: the part that goes across. */
static void make_part(struct cvy_exchange *x, struct bucket *bucket, size_t first, size_t count) {
    const struct cvy_window *w = x->window;
    struct cvy_pile pile = {.leaves = x->team.leaves};
    bucket->part = (struct cvy_part){.team = cvy_team_across(&x->team), .count = count, .sum = x->sum + first};
    for (int p = 0; p < w->piece_count; p++) {
        const struct cvy_piece piece = {w->pieces[p].subtree, w->pieces[p].data + first};
        cvy_pile_put(&pile, piece, x->adds, cvy_vec_add, count);
    }
    bucket->part.piece_count = pile.depth;
    memcpy(bucket->part.pieces, pile.pieces, sizeof pile.pieces);
}

static void my_slice(const struct cvy_exchange *x, const struct bucket *bucket, size_t *first, size_t *count) {
    cvy_slice(bucket->count, x->comm->places.least, own_slice(&x->comm->places, x->comm->rank), first, count);
    *first += bucket->first;
}

static void slice_is_there(struct cvy_exchange *x, struct bucket *bucket) {
    atomic_store_explicit(&flags_of(x, bucket, x->window->me)->slice, x->step, memory_order_release);
    expect(x, bucket, true);
    bucket->stage = NODE_SLICES;
}

static cvy_status go_across(struct cvy_exchange *x, struct bucket *bucket) {
    bool done = false;
    CVY_TRY(bucket->bill.across->run(x, bucket, bucket->phase, &done));
    if (!done) return CVY_OK;
    struct slice slice = {.x = x, .from = bucket->part.sum, .hand_out = true};
    my_slice(x, bucket, &slice.first, &slice.count);
    work_on(&slice);
    slice_is_there(x, bucket);
    return CVY_OK;
}

/* On one host that is all; on several what it becomes goes across. */
static cvy_status add_slice(struct cvy_exchange *x, struct bucket *bucket) {
    struct slice slice = {.x = x, .join = true, .hand_out = true};
    my_slice(x, bucket, &slice.first, &slice.count);
    note_pieces(x);
    if (x->comm->places.nodes > 1 && slice.count > 0) {
        make_part(x, bucket, slice.first, slice.count);
        bucket->stage = NODE_ACROSS;
        bucket->phase = 0;
        return go_across(x, bucket);
    }
    work_on(&slice);
    slice_is_there(x, bucket);
    return CVY_OK;
}

static void pieces_are_final(struct cvy_exchange *x, struct bucket *bucket) {
    const bool adds = own_slice(&x->comm->places, x->comm->rank) >= 0;
    atomic_store_explicit(&flags_of(x, bucket, x->window->me)->pieces, x->step, memory_order_release);
    expect(x, bucket, !adds);
    bucket->stage = adds ? NODE_PIECES : NODE_SLICES;
}

static cvy_status run(struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done) {
    (void)phase; /* counts the messages across */
    if (bucket->stage == NODE_PIECES) return add_slice(x, bucket);
    if (bucket->stage == NODE_ACROSS) return go_across(x, bucket);
    if (bucket->stage == NODE_START)
        pieces_are_final(x, bucket);
    else
        *done = true;
    return CVY_OK;
}

const struct cvy_reduction cvy_reduction_node = {
    "node", "several ranks on a host, neighbours, in memory that they share", applicable, bill, run};
