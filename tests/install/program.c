/* What a user's own program looks like: it has MPI already, and calls the installed library, seen through its public
 * headers alone. Arguments: an experiment, a run folder, steps. */
#include <convoy.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, cvy_status status) {
    fprintf(stderr, "%s: %s\n", what, cvy_error_message());
    return (int)status;
}

static int64_t seen; /* steps: of rank 0 alone */

static bool on_step(void *user, const struct cvy_step *step) {
    *(int64_t *)user += 1;
    return step->step < 0; /* never */
}

static cvy_status train(struct cvy_context *ctx, char **argv, struct cvy_train_summary *summary) {
    const struct cvy_train_options options = {.size = sizeof options,
                                              .experiment = argv[1],
                                              .run_folder = argv[2],
                                              .has_steps = true,
                                              .steps = atoi(argv[3]),
                                              .on_step = on_step,
                                              .user = &seen};
    cvy_status status = cvy_train(ctx, &options, summary);
    if (seen != (cvy_context_rank(ctx) == 0 ? summary->step : 0)) printf("%lld steps were seen\n", (long long)seen);
    return status == CVY_OK && cvy_context_rank(ctx) == 0 ? cvy_checkpoint_verify(argv[2]) : status;
}

int main(int argc, char **argv) {
    struct cvy_context *ctx;
    struct cvy_train_summary summary = cvy_train_summary_default();
    if (argc != 4) return CVY_ERR_USAGE;
    MPI_Init(&argc, &argv);
    MPI_Comm mine;
    MPI_Comm_dup(MPI_COMM_WORLD, &mine);
    cvy_status status =
        cvy_context_create(&CVY_INIT(cvy_context_options, .comm = &mine, .log_level = CVY_LOG_ERROR), &ctx);
    if (status != CVY_OK) return fail("context", status);
    status = train(ctx, argv, &summary);
    if (status != CVY_OK) return fail("train", status);
    if (cvy_context_rank(ctx) == 0)
        printf("convoy %s, %d ranks: step %lld\n", cvy_version(), cvy_context_ranks(ctx), (long long)summary.step);
    cvy_context_destroy(&ctx);
    MPI_Comm_free(&mine);
    return MPI_Finalize();
}
