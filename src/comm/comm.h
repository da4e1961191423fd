/* Ranks that work together: who we are, agreement, small broadcasts and gathers. All MPI of the project is behind the
 * headers of this folder.
 *
 * Every rank says that it is alive, whatever it does meanwhile; one that is silent for some seconds (stopped, or its
 * host or network is down), or that a collective has waited for beyond all measure, ends the job with a message that
 * names it instead of a hang. After such an end or an MPI error the communicator is broken: every later call fails at
 * once, with no communication, and the process that holds the message prints it and ends the job with cvy_comm_abort.
 */
#ifndef CVY_COMM_COMM_H
#define CVY_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct cvy_comm;

/* Collective. mpi_comm: the address of the caller's MPI_Comm, which is duplicated; NULL: all processes of the job when
 * a launcher is in the environment (mpirun, srun with PMI), else this process alone, and then MPI is never initialised
 * (it costs 0.25 s). Initialises MPI when nobody has; then the last cvy_comm_destroy finalises it, and another
 * communicator cannot be made afterwards (CVY_ERR_USAGE). CVY_ERR_USAGE when MPI counts other ranks than the launcher
 * does (mpirun of another MPI than this program's: every process believes that it is rank 0 of 1); only the process
 * whose launcher rank is 0 has a message then, the others fail with an empty one, so that the job says it once. */
cvy_status cvy_comm_create(const void *mpi_comm, struct cvy_comm **out);
/* This process alone, whatever job it is part of, and no MPI. Not collective. */
cvy_status cvy_comm_create_alone(struct cvy_comm **out);
/* Collective. NULL is fine. A broken communicator is left as it is, since the other ranks may be gone. */
void cvy_comm_destroy(struct cvy_comm **comm);

/* This process's rank as the launcher tells it in the environment, before any communicator exists; 0 without one. Not
 * collective. */
int cvy_launcher_rank(void);

/* Not collective. */
int cvy_comm_rank(const struct cvy_comm *comm);
int cvy_comm_size(const struct cvy_comm *comm);
int cvy_comm_local_size(const struct cvy_comm *comm);             /* ranks of this host */
int cvy_comm_hosts(const struct cvy_comm *comm);                  /* how many hosts there are */
const char *cvy_comm_host(const struct cvy_comm *comm, int rank); /* name of a rank's host */
/* Seconds for which another rank may be silent; 5 at first. Rank r waits r/4 s longer, for at most 2 s. */
void cvy_comm_set_silence(struct cvy_comm *comm, double seconds);
bool cvy_comm_broken(const struct cvy_comm *comm);
/* Fails when the communicator is broken, or breaks because a rank is silent: what every call here asks first, and long
 * work between two calls may ask. Not collective. */
cvy_status cvy_comm_usable(struct cvy_comm *comm);
/* Ends all processes of the job, this one included, with `code`: for the program, after it has printed the message of a
 * broken communicator. Does not return. */
void cvy_comm_abort(struct cvy_comm *comm, int code);

/* Collective. Every rank returns the same status: that of the lowest rank that failed, whose message becomes every
 * rank's, so that rank 0 can print it, once. It starts with "rank R on HOST: " unless all ranks failed. */
cvy_status cvy_comm_agree(struct cvy_comm *comm, cvy_status mine);
/* Collective. Rank 0's status and message become every rank's (work that only rank 0 does, such as reading the
 * experiment); the other ranks' `mine` is ignored. No prefix. */
cvy_status cvy_comm_follow(struct cvy_comm *comm, cvy_status mine);
/* Collective. Returns when every rank has called it. */
cvy_status cvy_comm_barrier(struct cvy_comm *comm);
/* Collective. `size` bytes of rank 0 to all. */
cvy_status cvy_comm_bcast(struct cvy_comm *comm, void *bytes, size_t size);
/* Collective. A block of rank 0 to all, who need not know its size: rank 0 gives *bytes and *size; on the others *bytes
 * becomes a new block (tag text, one NUL behind it) to be freed with cvy_free. */
cvy_status cvy_comm_bcast_blob(struct cvy_comm *comm, void **bytes, size_t *size);
/* Collective. all: [ranks][size], on every rank. For small records: everything passes through rank 0. */
cvy_status cvy_comm_allgather(struct cvy_comm *comm, const void *mine, size_t size, void *all);
/* Collective. *value becomes the least of all ranks' values. */
cvy_status cvy_comm_min_int(struct cvy_comm *comm, int *value);
/* Collective. Counts become their sums over all ranks. */
cvy_status cvy_comm_sum_counts(struct cvy_comm *comm, int64_t *counts, size_t size);
/* Collective. CVY_ERR_INTERNAL on every rank unless all have the same value; the message names the first rank that
 * differs from rank 0, and `what` ("graph"). */
cvy_status cvy_comm_same_u64(struct cvy_comm *comm, uint64_t value, const char *what);

/* Collective, ranks without leaves included. Sums a partial of `len` doubles a leaf over all leaves of the step, in the
 * tree's order (comm/tree.h): the same bits for every number of ranks. per_leaf: [own leaves][len], those of
 * cvy_tree_share(leaves, rank, size); sum: [len], on every rank. Scratch grows to [leaves][len] on rank 0 at the first
 * call of that size; cvy_comm_reserve makes it before the first step. */
cvy_status cvy_comm_reduce_partial(struct cvy_comm *comm, int leaves, const double *per_leaf, size_t len, double *sum);
cvy_status cvy_comm_reserve(struct cvy_comm *comm, int leaves, size_t len);

#endif
