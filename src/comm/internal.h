/* What the files of src/comm share, MPI included; nobody else includes this. */
#ifndef CVY_COMM_INTERNAL_H
#define CVY_COMM_INTERNAL_H

#include <mpi.h>
#include <stdatomic.h>

#include "comm/comm.h"
#include "comm/network.h"
#include "comm/team.h"

#define HOST_BYTES 64

struct cvy_comm {
    MPI_Comm mpi; /* MPI_COMM_NULL: this process alone, no MPI */
    int rank, size, local_size;
    char (*hosts)[HOST_BYTES]; /* [size] */
    MPI_Comm node;             /* the ranks of this host, MPI_COMM_NULL without MPI */
    struct cvy_places places;
    struct cvy_network network; /* places.network */
    int processors;             /* of this host, for its ranks */
    bool crowded;               /* fewer than ranks */
    bool threads;               /* several may call MPI, on every rank */
    atomic_bool broken;
    bool counted;                    /* among those that need the MPI that we started */
    double deadline;                 /* s: of a wait for a rank that is alive. Rank r waits r/2 s longer, so that the
                                        lowest rank that noticed speaks first, and alone */
    double silence;                  /* s: of a rank */
    struct cvy_heartbeat *heartbeat; /* NULL: none (one rank, or MPI without threads) */
    MPI_Request *requests;           /* [size], for one collective at a time */
    int *peers;                      /* [size] */
    uint64_t *words;                 /* [size] */
    double *rows;                    /* reduce_partial on rank 0: all leaves; else unused */
    size_t rows_room;                /* doubles */
};

/* Messages on a communicator. Those of a bucket count up from TAG_BUCKET, two a bucket. */
enum { TAG_GATHER, TAG_PARTIAL, TAG_CONTROL, TAG_CONTROL_SUM, TAG_TRIP, TAG_BUCKET };

/* A word that another rank of this host will raise to `want`, in memory that both see. */
struct cvy_flag {
    const atomic_uint *word;
    unsigned want;
};

/* Requests under way and, for messages about late ranks, whom each waits for. */
struct cvy_requests {
    MPI_Request *items;
    struct cvy_flag *flags; /* whose word is NULL where a message is waited for; NULL: all are messages */
    int *peers;
    int count;
    int finished;    /* those before this one are done */
    bool collective; /* one of the library's collectives: whom it waits for is not known, and it cannot be cancelled */
};
/* None under way. */
void cvy_requests_clear(struct cvy_requests *requests);
cvy_status cvy_requests_create(struct cvy_requests *requests, int room);
size_t cvy_requests_bytes(int room); /* that _create takes */
/* Unfinished ones (only where the communicator is broken) are cancelled first. */
void cvy_requests_destroy(struct cvy_requests *requests);

/* One more: the request to fill in, from or to `peer`. */
MPI_Request *cvy_requests_add(struct cvy_requests *requests, int peer);
void cvy_requests_add_flag(struct cvy_requests *requests, int peer, const atomic_uint *word, unsigned want);

/* Turns an MPI error into a failure and the communicator into a broken one. */
cvy_status cvy_mpi_failed(struct cvy_comm *comm, int code, const char *call, const char *file, int line);
cvy_status cvy_mpi_failed_with(struct cvy_comm *comm, int peer, int code, const char *call, const char *file, int line);
#define CVY_MPI(comm, call)                                                                                            \
    do {                                                                                                               \
        int code_ = (call);                                                                                            \
        if (code_ != MPI_SUCCESS) return cvy_mpi_failed((comm), code_, #call, __FILE__, __LINE__);                     \
    } while (0)

/* The same of a call that concerns one other rank, which the message names. */
#define CVY_MPI_WITH(comm, peer, call)                                                                                 \
    do {                                                                                                               \
        int code_ = (call);                                                                                            \
        if (code_ != MPI_SUCCESS) return cvy_mpi_failed_with((comm), (peer), code_, #call, __FILE__, __LINE__);        \
    } while (0)

/* Starts MPI unless somebody has (collective then), and ends it with the last communicator, if it was us: start.c. */
cvy_status cvy_mpi_start(struct cvy_comm *comm);
void cvy_mpi_end(struct cvy_comm *comm);

/* Collective. A communicator of the same ranks that reports errors instead of ending the job. */
cvy_status cvy_mpi_duplicate(struct cvy_comm *comm, MPI_Comm from, MPI_Comm *out);

/* Collective. Ranks say that they are alive from now on (heartbeat.c), where MPI can be called from several threads. */
cvy_status cvy_heartbeat_start(struct cvy_comm *comm);
/* Collective unless the communicator is broken. Breaks it when a rank does not say goodbye. */
void cvy_heartbeat_stop(struct cvy_comm *comm);
/* A rank that is silent, −1 for none that this rank listens to. */
int cvy_heartbeat_silent(const struct cvy_comm *comm);

/* A wait that other ranks must end: call _pause between two polls. */
struct cvy_wait {
    double seconds, before; /* waited so far, up to when */
};
/* False when the deadline has passed or a rank is silent. Spins first unless ranks share processors, then yields, then
 * sleeps a little. */
bool cvy_wait_pause(const struct cvy_comm *comm, struct cvy_wait *wait);
/* After a false: names the silent rank, or those of the unfinished requests; the communicator is broken from now on. */
cvy_status cvy_wait_expired(struct cvy_comm *comm, struct cvy_requests *requests, const char *doing);
cvy_status cvy_requests_test(struct cvy_comm *comm, struct cvy_requests *requests, bool *done);
/* Waits for all requests. doing: "waiting for …". */
cvy_status cvy_wait_all(struct cvy_comm *comm, struct cvy_requests *requests, const char *doing);

/* CVY_ERR_USAGE where the launcher's environment contradicts MPI: `size` is MPI's count, or 0 before MPI is up. */
cvy_status cvy_launcher_check(int size);
/* Whether a launcher that speaks to MPI started this process. */
bool cvy_launcher_present(void);

#endif
