/* The context: who takes part (ranks), with what (threads, ISA level), and who speaks. */
#ifndef CONVOY_CONTEXT_H
#define CONVOY_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "convoy/log.h"
#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cvy_context;

/* A program's own functions, each with a `user` pointer that the library only passes on. They are called on rank 0, by
 * the thread that called the library, while that call runs, and in what that thread had set (floating-point modes,
 * locale). They may call anything of other contexts; of the same one cvy_request_stop, and what asks for rank, ranks,
 * threads and ISA level. `text` and `what` are theirs until they return; both are without the end of the line.
 *
 * A line of the log, of context_options.log_level and more important ones. */
typedef void cvy_log_fn(void *user, cvy_log_level level, const char *text);
/* How far a long work is, some times a second at most: `what` for people ("epoch 2/3  step 512  loss 0.3015  …",
 * "evaluating: 3200 of 10000 samples", and so "packing", "splitting", "verifying", "measuring"), `done` of `total`
 * samples. Returns whether it was shown: of training, what was
 * not comes as a line of the log at the experiment's log.every. */
typedef bool cvy_progress_fn(void *user, const char *what, int64_t done, int64_t total);

struct cvy_context_options {
    size_t size;      /* of this struct */
    const void *comm; /* MPI_Comm *, duplicated; NULL: all ranks of the launcher, or this process alone (then MPI is
                         never initialised) */
    int threads;      /* compute threads a rank; 0: OMP_NUM_THREADS, else the cpuset divided by the ranks of the node */
    cvy_log_level log_level; /* what rank 0 says; a run's log.txt gets CVY_LOG_INFO at least */
    const char *log_folder;  /* NULL, or where every rank writes rank-NNNN.log */
    double silence;          /* s after which a rank that says nothing (stopped, or its host or network is down) ends
                                the job; 0: 5 */
    cvy_log_fn *on_log;      /* gets what rank 0 says; NULL: stderr gets it */
    cvy_progress_fn *on_progress; /* NULL: nothing is shown */
    void *user;                   /* of these two */
};
CVY_SIZED(cvy_context_options)

/* Collective (over the communicator, or all processes of the launcher). `options` may be NULL. Agrees on the lowest ISA
 * level of all ranks; CONVOY_ISA=portable|avx2|avx512|avx512bf16|amx caps it. On failure *out is NULL. */
CVY_API cvy_status cvy_context_create(const struct cvy_context_options *options, struct cvy_context **out);

/* Collective: waits for all ranks, then leaves MPI if a context initialised it and this is the last of them. NULL is
 * fine. */
CVY_API void cvy_context_destroy(struct cvy_context **ctx);

/* This process among the ranks, how many these are, compute threads of a rank, and the ISA level that all agreed on
 * ("avx512"; a constant). Not collective. */
CVY_API int cvy_context_rank(const struct cvy_context *ctx);
CVY_API int cvy_context_ranks(const struct cvy_context *ctx);
CVY_API int cvy_context_threads(const struct cvy_context *ctx);
CVY_API const char *cvy_context_isa(const struct cvy_context *ctx);

/* Whether this rank failed alone, in the middle of work that the others still wait in. It then holds the message, must
 * print it whatever its rank, and end the job with cvy_context_abort, which does not return. Not collective. */
CVY_API bool cvy_context_broken(const struct cvy_context *ctx);
CVY_API void cvy_context_abort(struct cvy_context *ctx, cvy_status status);

/* Asks the call that is running, or the next one, to end with CVY_STOPPED: cvy_train after it has written a checkpoint,
 * cvy_data_pack and cvy_data_split with nothing written, cvy_data_verify_in. Safe in a signal handler; one rank's wish
 * is enough. Not collective. */
CVY_API void cvy_request_stop(struct cvy_context *ctx);

/* Rank 0 as the launcher tells it in the environment, before any context exists: may this process speak? Not
 * collective. */
CVY_API bool cvy_launcher_rank_is_zero(void);

#ifdef __cplusplus
}
#endif

#endif
