/* The control record: every rank's flags, hash and per-leaf values to rank 0, which joins them and sends the same
 * answer to all. 2·(W−1) small messages a step. */
#include <string.h>

#include "comm/exchange_internal.h"
#include "comm/progress.h"
#include "core/memory.h"

enum { FLAG_STOP = 1, FLAG_NONFINITE = 2, FLAG_UNREAD = 4, FLAG_SAVE = 8 };

static uint64_t flags_of(const struct cvy_control *c) {
    return (c->stop ? FLAG_STOP : 0) | (c->nonfinite ? FLAG_NONFINITE : 0) | (c->unread ? FLAG_UNREAD : 0) |
           (c->save ? FLAG_SAVE : 0);
}

/* Both travel at the head of arrays of double. */
struct control_head {
    uint64_t hash, flags;
    float spent[CVY_SPENT];
};
struct joint_head {
    uint64_t flags, differs; /* differs: first rank whose hash is not rank 0's, or 0 */
    uint64_t theirs, ours;
};
#define CONTROL_WORDS (sizeof(struct control_head) / sizeof(double))
#define JOINT_WORDS   (sizeof(struct joint_head) / sizeof(double))

static size_t all_room(int leaves, size_t values, int rank, int ranks) {
    return rank == 0 ? CONTROL_WORDS * (size_t)ranks + (size_t)leaves * values : 0;
}

size_t cvy_control_bytes(int own_leaves, int leaves, size_t values, int rank, int ranks) {
    size_t words = CONTROL_WORDS + (size_t)own_leaves * values + JOINT_WORDS + values;
    return (words + all_room(leaves, values, rank, ranks)) * sizeof(double) + cvy_requests_bytes(ranks + 1) +
           (rank == 0 ? (size_t)ranks * CVY_SPENT * sizeof(float) : 0);
}

cvy_status cvy_control_create(struct cvy_exchange *x, int own_leaves, int leaves) {
    struct control *c = &x->control;
    size_t values = x->plan.values;
    CVY_TRY(CVY_NEW(&c->record, CONTROL_WORDS + (size_t)own_leaves * values, comm));
    CVY_TRY(CVY_NEW(&c->all, all_room(leaves, values, x->comm->rank, x->comm->size), comm));
    CVY_TRY(CVY_NEW(&c->joint, JOINT_WORDS + values, comm));
    if (x->comm->rank == 0) CVY_TRY(CVY_NEW(&c->spent, x->comm->size, comm));
    return cvy_requests_create(&c->requests, x->comm->size + 1);
}

void cvy_control_destroy(struct control *control) {
    cvy_free(control->record);
    cvy_free(control->all);
    cvy_free(control->joint);
    cvy_free(control->spent);
    cvy_requests_destroy(&control->requests);
}

static size_t record_words(const struct cvy_exchange *x, int rank) {
    struct cvy_leaf_range share = cvy_tree_share(x->team.leaves, rank, x->comm->size);
    return CONTROL_WORDS + (size_t)(share.end - share.first) * x->plan.values;
}

static cvy_status post(struct cvy_exchange *x, bool sending, double *words, size_t count, int peer, int tag) {
    MPI_Request *request = cvy_requests_add(&x->control.requests, peer);
    if (sending)
        CVY_MPI_WITH(x->comm, peer, MPI_Isend(words, (int)count, MPI_DOUBLE, peer, tag, x->mpi, request));
    else
        CVY_MPI_WITH(x->comm, peer, MPI_Irecv(words, (int)count, MPI_DOUBLE, peer, tag, x->mpi, request));
    return CVY_OK;
}

/* Rank 0: reads the heads and closes up the values, row i being leaf i's. */
static void join_records(struct cvy_exchange *x) {
    struct control *c = &x->control;
    struct joint_head joint = {0};
    double *from = c->all, *rows = c->all;
    for (int r = 0; r < x->comm->size; r++) {
        struct control_head head;
        memcpy(&head, from, sizeof head);
        if (r == 0) joint.ours = head.hash;
        if (head.hash != joint.ours && joint.differs == 0) joint.differs = (uint64_t)r, joint.theirs = head.hash;
        joint.flags |= head.flags;
        memcpy(c->spent[r], head.spent, sizeof head.spent);
        size_t words = record_words(x, r), values = words - CONTROL_WORDS;
        memmove(rows, from + CONTROL_WORDS, values * sizeof *rows);
        from += words;
        rows += values;
    }
    cvy_tree_sum_rows(c->all, x->team.leaves, x->plan.values);
    memcpy(c->joint, &joint, sizeof joint);
    memcpy(c->joint + JOINT_WORDS, c->all, x->plan.values * sizeof *c->joint);
}

static cvy_status send(struct cvy_exchange *x, const struct cvy_control *mine, const double *values) {
    struct control *c = &x->control;
    struct control_head head = {.hash = mine->hash, .flags = flags_of(mine)};
    size_t words = record_words(x, x->comm->rank);
    double *record = x->comm->rank == 0 ? c->all : c->record;
    memcpy(head.spent, mine->spent, sizeof head.spent);
    memcpy(record, &head, sizeof head);
    if (words > CONTROL_WORDS) memcpy(record + CONTROL_WORDS, values, (words - CONTROL_WORDS) * sizeof *record);
    cvy_requests_clear(&c->requests);
    c->state = x->comm->rank == 0 ? CONTROL_RECORDS : CONTROL_JOINT;
    if (x->comm->rank != 0) {
        CVY_TRY(post(x, true, record, words, 0, TAG_CONTROL));
        CVY_TRY(post(x, false, c->joint, JOINT_WORDS + x->plan.values, 0, TAG_CONTROL_SUM));
    } else {
        double *at = record + words;
        for (int r = 1; r < x->comm->size; at += record_words(x, r++))
            CVY_TRY(post(x, false, at, record_words(x, r), r, TAG_CONTROL));
    }
    return cvy_control_advance(x);
}

cvy_status cvy_exchange_send_control(struct cvy_exchange *x, const struct cvy_control *mine, const double *values) {
    CVY_TRY(cvy_comm_usable(x->comm));
    cvy_progress_lock(x);
    cvy_status status = send(x, mine, values);
    cvy_progress_unlock(x);
    return status;
}

cvy_status cvy_control_advance(struct cvy_exchange *x) {
    struct control *c = &x->control;
    bool done = false;
    if (c->state == CONTROL_RECORDS) {
        CVY_TRY(cvy_requests_test(x->comm, &c->requests, &done));
        if (!done) return CVY_OK;
        join_records(x);
        cvy_requests_clear(&c->requests);
        for (int r = 1; r < x->comm->size; r++)
            CVY_TRY(post(x, true, c->joint, JOINT_WORDS + x->plan.values, r, TAG_CONTROL_SUM));
        c->state = CONTROL_JOINT;
    }
    if (c->state != CONTROL_JOINT) return CVY_OK;
    CVY_TRY(cvy_requests_test(x->comm, &c->requests, &done));
    if (done) c->state = CONTROL_DONE;
    return CVY_OK;
}

static bool is_done(const void *control) {
    return ((const struct control *)control)->state == CONTROL_DONE;
}

cvy_status cvy_exchange_wait_control(struct cvy_exchange *x, struct cvy_control *joint, double *sums) {
    struct control *c = &x->control;
    CVY_CHECK(c->state != CONTROL_IDLE, CVY_ERR_INTERNAL, "the step's control record was never sent");
    CVY_TRY(cvy_exchange_await(x, is_done, c, &c->requests, "its control record of this step"));
    struct joint_head head;
    memcpy(&head, c->joint, sizeof head);
    cvy_progress_lock(x);
    c->state = CONTROL_IDLE;
    cvy_progress_unlock(x);
    CVY_CHECK(head.differs == 0, CVY_ERR_INTERNAL,
              "rank %d on %s is at another step or network than rank 0 on %s (digest %016llx, not %016llx); this is a "
              "fault of the program: go back to the last checkpoint with --resume",
              (int)head.differs, x->comm->hosts[head.differs], x->comm->hosts[0], (unsigned long long)head.theirs,
              (unsigned long long)head.ours);
    *joint = (struct cvy_control){.hash = head.ours,
                                  .stop = head.flags & FLAG_STOP,
                                  .save = head.flags & FLAG_SAVE,
                                  .nonfinite = head.flags & FLAG_NONFINITE,
                                  .unread = head.flags & FLAG_UNREAD};
    memcpy(sums, c->joint + JOINT_WORDS, x->plan.values * sizeof *sums);
    return CVY_OK;
}

const float (*cvy_exchange_spent(const struct cvy_exchange *x))[CVY_SPENT] {
    return (const float(*)[CVY_SPENT])x->control.spent;
}
