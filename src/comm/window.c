#define _GNU_SOURCE
#include "comm/window.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "core/memory.h"

/* Where Open MPI and MPICH put it on Linux. A file that outgrows the place would end the process (SIGBUS). */
#define PLACE "/dev/shm"
#define SPARE ((size_t)1 << 20) /* bytes that are left to others */

/* Bytes of a rank's segment, whole pages. */
static size_t segment_bytes(const struct cvy_window_plan *plan) {
    const size_t board = sizeof(struct cvy_board) + (size_t)plan->buckets * sizeof(struct cvy_bucket_flags);
    return CVY_ALIGN + board + (size_t)plan->vectors * cvy_align_up(plan->floats * sizeof(float));
}

/* Whether the segments of this host's ranks have room; the same on all of them. */
static cvy_status fits(struct cvy_comm *comm, size_t bytes, char why[256], int *out) {
    unsigned long long all = bytes;
    struct statvfs place;
    CVY_MPI(comm, MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_UNSIGNED_LONG_LONG, MPI_SUM, comm->node));
    *out = statvfs(PLACE, &place) != 0 || all + SPARE <= (unsigned long long)place.f_bavail * place.f_frsize;
    if (!*out)
        snprintf(why, 256, "%s of %s has %.0f MiB free and gradients take %.0f", PLACE, comm->hosts[comm->rank],
                 (double)place.f_bavail * (double)place.f_frsize / (1 << 20), (double)all / (1 << 20));
    return CVY_OK;
}

static cvy_status allocate(struct cvy_comm *comm, size_t bytes, MPI_Win *win, int *made) {
    MPI_Info apart; /* so that each rank's pages are near it */
    void *base;
    CVY_MPI(comm, MPI_Info_create(&apart));
    CVY_MPI(comm, MPI_Info_set(apart, "alloc_shared_noncontig", "true"));
    *made = MPI_Win_allocate_shared((MPI_Aint)bytes, 1, apart, comm->node, &base, win) == MPI_SUCCESS;
    CVY_MPI(comm, MPI_Info_free(&apart));
    return CVY_OK;
}

/* MPI's segments begin anywhere in a page, but for all ranks at the same place of it. */
static cvy_status find_boards(struct cvy_comm *comm, struct cvy_window *w) {
    for (int r = 0; r < w->ranks; r++) {
        MPI_Aint size;
        int unit;
        unsigned char *base;
        CVY_MPI(comm, MPI_Win_shared_query(w->win, r, &size, &unit, (void *)&base));
        w->boards[r] = (void *)(base + (cvy_align_up((uintptr_t)base) - (uintptr_t)base));
    }
    return CVY_OK;
}

static cvy_status make(struct cvy_comm *comm, const struct cvy_window_plan *plan, struct cvy_window **out) {
    CVY_TRY(CVY_NEW(out, 1, comm));
    struct cvy_window *w = *out;
    const struct cvy_places *places = &comm->places;
    w->win = MPI_WIN_NULL;
    w->first = places->firsts[places->node];
    w->ranks = places->firsts[places->node + 1] - w->first;
    w->me = comm->rank - w->first;
    w->floats = plan->floats;
    w->board_bytes = sizeof(struct cvy_board) + (size_t)plan->buckets * sizeof(struct cvy_bucket_flags);
    CVY_TRY(CVY_NEW(&w->boards, w->ranks, comm));
    CVY_TRY(CVY_NEW(&w->sums, w->ranks, comm));
    return CVY_NEW(&w->pieces, plan->pieces, comm);
}

/* Zeros, so that pages are this rank's and no flag is up. */
static void clear(struct cvy_window *w, const struct cvy_window_plan *plan) {
    struct cvy_board *board = w->boards[w->me];
    for (int i = 0; i < CVY_TREE_DEPTH; i++) board->vectors[i] = 0;
    for (int b = 0; b < plan->buckets; b++) {
        atomic_init(&board->buckets[b].pieces, 0);
        atomic_init(&board->buckets[b].slice, 0);
    }
}

cvy_status cvy_window_create(struct cvy_comm *comm, const struct cvy_window_plan *plan, char why[256],
                             struct cvy_window **out) {
    int fine = 0;
    const size_t bytes = segment_bytes(plan);
    CVY_TRY(cvy_comm_agree(comm, make(comm, plan, out)));
    CVY_TRY(fits(comm, bytes, why, &fine));
    CVY_TRY(cvy_comm_min_int(comm, &fine));
    if (fine) {
        CVY_TRY(allocate(comm, bytes, &(*out)->win, &fine));
        if (!fine) snprintf(why, 256, "MPI_Win_allocate_shared failed on %s", comm->hosts[comm->rank]);
        CVY_TRY(cvy_comm_min_int(comm, &fine));
    }
    if (!fine) {
        cvy_window_destroy(comm, out);
        return CVY_OK;
    }
    CVY_TRY(find_boards(comm, *out));
    clear(*out, plan);
    return cvy_comm_barrier(comm);
}

void cvy_window_destroy(struct cvy_comm *comm, struct cvy_window **window) {
    struct cvy_window *w = *window;
    if (w == NULL) return;
    if (!comm->broken && w->win != MPI_WIN_NULL) MPI_Win_free(&w->win);
    cvy_free(w->boards);
    cvy_free(w->sums);
    cvy_free(w->pieces);
    CVY_DELETE(window);
}

float *cvy_window_vector(const struct cvy_window *w, int local, int index) {
    unsigned char *base = (unsigned char *)w->boards[local] + w->board_bytes;
    return (float *)(base + (size_t)index * cvy_align_up(w->floats * sizeof(float)));
}
