/* Reductions in rounds: in round s = 1, 2, 4, … each member sends half of the slices that it still works on, and gets
 * what another has of the other half; then the sums go back the same way. log2 W messages there and back.
 *
 * Slice `D` away from a member is the one of which it is D away from the owner. In round s it sends the slices at
 * s, 3s, 5s, … to the member s away, for which they are at 0, 2s, 4s, …: so that after it only multiples of 2s are
 * left, and at the end its own slice, 0 away. What a member holds of a slice by then are the leaves of up to s
 * neighbours:
 *
 *                     slice at D      member s away    what member i holds before round s
 *     halving         i xor D         i xor s          the aligned s members around i; one subtree where leaves are 2^n
 *     bruck           i + D mod W     i + s mod W      members i−s+1 … i mod W, but none that is W or more from the
 * owner
 *
 * Neighbours on the ring are not always siblings of the tree: subtrees that are not yet complete stay beside each
 * other.
 */
#include <string.h>

#include "comm/exchange_internal.h"
#include "core/memory.h"

#include "kernels/elementwise.h"

/* One of the two ways: peers and slices, and neighbours [first, first + count) mod W. */
struct way {
    int (*forward)(const struct cvy_team *team, int member, int distance); /* the member or slice so far away */
    int (*back)(const struct cvy_team *team, int member, int distance);    /* for whom `member` is that */
    void (*held)(const struct cvy_team *team, int member, int distance, int s, int *first, int *count);
};

static int flip(const struct cvy_team *team, int member, int distance) {
    (void)team;
    return member ^ distance;
}
static void held_aligned(const struct cvy_team *team, int member, int distance, int s, int *first, int *count) {
    (void)team, (void)distance;
    *first = member & ~(s - 1);
    *count = s;
}

static int ring_forward(const struct cvy_team *team, int member, int distance) {
    return (member + distance) % team->size;
}
static int ring_back(const struct cvy_team *team, int member, int distance) {
    return (member - distance + team->size) % team->size;
}
static void held_on_ring(const struct cvy_team *team, int member, int distance, int s, int *first, int *count) {
    *count = s < team->size - distance ? s : team->size - distance;
    *first = ring_back(team, member, *count - 1);
}

static const struct way halving = {flip, flip, held_aligned}, bruck = {ring_forward, ring_back, held_on_ring};

/* The subtrees that `member` holds before round s of the slice at `distance`, in the order of their leaves: of members
 * [begin, size) and [0, tail) where they go around the end, unless what is left out between has no leaves. */
static int held_subtrees(const struct way *way, const struct cvy_team *team, int member, int distance, int s,
                         struct cvy_leaf_range subtrees[CVY_TREE_DEPTH]) {
    int begin, count;
    way->held(team, member, distance, s, &begin, &count);
    const int tail = begin + count - team->size;
    if (tail <= 0) return cvy_team_subtrees(team, begin, begin + count, subtrees);
    if (cvy_team_subtrees(team, tail, begin, subtrees) == 0) return cvy_team_subtrees(team, 0, team->size, subtrees);
    const int left = cvy_team_subtrees(team, 0, tail, subtrees);
    return left + cvy_team_subtrees(team, begin, team->size, subtrees + left);
}

/* ---- What it costs ---- */

/* Slices times pieces on the way to their owners. */
struct tally {
    int rounds, most;   /* most: pieces of a slice at once */
    int sent, received; /* in all rounds together */
    int at_once;        /* in a message, of the way back too */
};

static int larger(int a, int b) {
    return a > b ? a : b;
}

static void count_round(const struct way *way, const struct cvy_team *team, int s, struct tally *t) {
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    const int from = way->back(team, team->me, s);
    int sent = 0, slices = 0;
    for (int d = s; d < team->size; d += 2 * s, slices++) sent += held_subtrees(way, team, team->me, d, s, subtrees);
    for (int d = 0; d + s < team->size; d += 2 * s) {
        t->received += held_subtrees(way, team, from, d + s, s, subtrees);
        t->most = larger(t->most, held_subtrees(way, team, team->me, d, 2 * s, subtrees));
    }
    t->rounds++;
    t->sent += sent;
    t->at_once = larger(t->at_once, larger(sent, slices));
}

/* In the scratch come pointers to pieces, then what arrives, then what is sent. */
static struct cvy_bill bill(const struct way *way, const struct cvy_team *team, size_t floats) {
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    struct tally t = {.most = larger(1, cvy_team_subtrees(team, team->me, team->me + 1, subtrees))};
    size_t first, slice;
    for (int s = 1; s < team->size; s *= 2) count_round(way, team, s, &t);
    cvy_slice(floats, team->size, 0, &first, &slice);
    const size_t sent = (size_t)(t.sent + team->size - 1) * slice * sizeof(float);
    const size_t arrivals = cvy_align_up((size_t)(team->size * t.most) * sizeof(float *)) / sizeof(float);
    const size_t out = arrivals + (size_t)larger(t.received, t.at_once) * slice;
    return (struct cvy_bill){.messages = 2 * t.rounds,
                             .sent = sent,
                             .copied = 2 * sent,
                             .requests = 2,
                             .scratch = (out + (size_t)t.at_once * slice) * sizeof(float),
                             .rounds = t.rounds,
                             .most = t.most,
                             .arrivals = arrivals,
                             .out = out};
}

/* ---- The rounds ---- */

/* A call for a bucket. */
struct run {
    const struct way *way;
    struct cvy_exchange *x;
    struct bucket *bucket;
    const struct cvy_part *part;
    const struct cvy_team *team;
    float **data; /* [size][most]: pieces of the slice at each distance */
    float *out;   /* what is sent */
};

/* The floats of the slice at `distance`. */
static size_t slice_at(const struct run *r, int distance, size_t *first) {
    size_t count;
    cvy_slice(r->part->count, r->team->size, r->way->forward(r->team, r->team->me, distance), first, &count);
    return count;
}

static float **pieces_at(const struct run *r, int distance) {
    return r->data + (size_t)distance * (size_t)r->bucket->bill.most;
}

static void begin(const struct run *r) {
    size_t first;
    for (int d = 0; d < r->team->size; d++) {
        (void)slice_at(r, d, &first);
        for (int p = 0; p < r->part->piece_count; p++) pieces_at(r, d)[p] = r->part->pieces[p].data + first;
    }
    r->bucket->arrived = r->bucket->scratch + r->bucket->bill.arrivals;
}

static cvy_status send_pieces(const struct run *r, int s) {
    const int me = r->team->me, from = r->way->back(r->team, me, s);
    struct cvy_leaf_range subtrees[CVY_TREE_DEPTH];
    size_t first, count, incoming = 0;
    float *out = r->out;
    for (int d = s; d < r->team->size; d += 2 * s) {
        count = slice_at(r, d, &first);
        const int pieces = held_subtrees(r->way, r->team, me, d, s, subtrees);
        for (int p = 0; p < pieces; p++, out += count) memcpy(out, pieces_at(r, d)[p], count * sizeof *out);
    }
    for (int d = 0; d + s < r->team->size; d += 2 * s)
        incoming += (size_t)held_subtrees(r->way, r->team, from, d + s, s, subtrees) * slice_at(r, d, &first);
    CVY_TRY(cvy_bucket_receive(r->x, r->bucket, r->bucket->arrived, incoming, from));
    return cvy_bucket_send(r->x, r->bucket, r->out, (size_t)(out - r->out), r->way->forward(r->team, me, s));
}

/* Mine and those that came of one slice, from left to right. */
static void join_slice(const struct run *r, int s, int d) {
    const int from = r->way->back(r->team, r->team->me, s);
    struct cvy_leaf_range mine[CVY_TREE_DEPTH], theirs[CVY_TREE_DEPTH];
    struct cvy_pile pile = {.leaves = r->team->leaves};
    size_t first;
    const size_t count = slice_at(r, d, &first);
    const int own = held_subtrees(r->way, r->team, r->team->me, d, s, mine);
    const int came = held_subtrees(r->way, r->team, from, d + s, s, theirs);
    float *at = r->bucket->arrived, **data = pieces_at(r, d);
    for (int i = 0, j = 0; i < own || j < came;) {
        const bool take_own = j == came || (i < own && mine[i].first < theirs[j].first);
        const struct cvy_piece piece =
            take_own ? (struct cvy_piece){mine[i], data[i]} : (struct cvy_piece){theirs[j], at + (size_t)j * count};
        i += take_own;
        j += !take_own;
        cvy_pile_put(&pile, piece, r->x->adds, cvy_vec_add, count);
    }
    for (int p = 0; p < pile.depth; p++) data[p] = pile.pieces[p].data; /* as held_subtrees will have them */
    r->bucket->arrived += (size_t)came * count;
}

static void join_pieces(const struct run *r, int s) {
    for (int d = 0; d + s < r->team->size; d += 2 * s) join_slice(r, s, d);
}

static void keep_own_sum(const struct run *r) {
    size_t first;
    const size_t count = slice_at(r, 0, &first);
    float *sum = r->part->sum + first, *mine = pieces_at(r, 0)[0];
    if (mine != sum) memcpy(sum, mine, count * sizeof *sum);
    r->bucket->arrived = r->bucket->scratch + r->bucket->bill.arrivals;
}

/* Back the way that pieces came in round s. */
static cvy_status send_sums(const struct run *r, int s) {
    const int me = r->team->me;
    size_t first, count, incoming = 0;
    float *out = r->out;
    for (int d = 0; d + s < r->team->size; d += 2 * s, out += count) {
        count = slice_at(r, d, &first);
        memcpy(out, r->part->sum + first, count * sizeof *out);
    }
    for (int d = s; d < r->team->size; d += 2 * s) incoming += slice_at(r, d, &first);
    CVY_TRY(cvy_bucket_receive(r->x, r->bucket, r->bucket->arrived, incoming, r->way->forward(r->team, me, s)));
    return cvy_bucket_send(r->x, r->bucket, r->out, (size_t)(out - r->out), r->way->back(r->team, me, s));
}

static void take_sums(const struct run *r, int s) {
    const float *from = r->bucket->arrived;
    size_t first, count;
    for (int d = s; d < r->team->size; d += 2 * s, from += count) {
        count = slice_at(r, d, &first);
        memcpy(r->part->sum + first, from, count * sizeof *from);
    }
}

/* Phases 0 … K−1 send in round 2^phase, K … 2K−1 back in round 2^(2K−1−phase). */
static cvy_status run(const struct way *way, struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done) {
    const struct run r = {.way = way,
                          .x = x,
                          .bucket = bucket,
                          .part = &bucket->part,
                          .team = &bucket->part.team,
                          .data = (float **)bucket->scratch,
                          .out = bucket->scratch + bucket->bill.out};
    const int rounds = bucket->bill.rounds;
    if (phase == 0) begin(&r);
    if (phase > 0 && phase <= rounds) join_pieces(&r, 1 << (phase - 1));
    if (phase < rounds) return send_pieces(&r, 1 << phase);
    if (phase == rounds) keep_own_sum(&r);
    if (phase > rounds) take_sums(&r, 1 << (2 * rounds - phase));
    if (phase < 2 * rounds) return send_sums(&r, 1 << (2 * rounds - 1 - phase));
    *done = true;
    return CVY_OK;
}

/* ---- The two rows ---- */

static bool halving_applicable(const struct cvy_team *team) {
    return (team->size & (team->size - 1)) == 0;
}
static struct cvy_bill halving_bill(const struct cvy_team *team, size_t floats) {
    return bill(&halving, team, floats);
}
static cvy_status halving_run(struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done) {
    return run(&halving, x, bucket, phase, done);
}
const struct cvy_reduction cvy_reduction_halving = {"halving", "2^n ranks", halving_applicable, halving_bill,
                                                    halving_run};

static bool bruck_applicable(const struct cvy_team *team) {
    (void)team;
    return true;
}
static struct cvy_bill bruck_bill(const struct cvy_team *team, size_t floats) {
    return bill(&bruck, team, floats);
}
static cvy_status bruck_run(struct cvy_exchange *x, struct bucket *bucket, int phase, bool *done) {
    return run(&bruck, x, bucket, phase, done);
}
const struct cvy_reduction cvy_reduction_bruck = {"bruck", NULL, bruck_applicable, bruck_bill, bruck_run};
