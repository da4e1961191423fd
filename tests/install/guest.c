/* A program that is there first: what it has in its environment and does on signals, and MPI if it has begun with it,
 * is as before while contexts live and after they are gone. Argument: 1 if it is to initialise MPI itself. */
#define _GNU_SOURCE
#include <convoy.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VARIABLES = 4096 };

static char *variables[VARIABLES];
static struct sigaction actions[NSIG];
static int changes;

static void remember(void) {
    for (int i = 0; i < VARIABLES - 1 && environ[i]; i++) variables[i] = strdup(environ[i]);
    for (int i = 1; i < NSIG; i++) sigaction(i, NULL, &actions[i]);
}

static void expect_subset(char **list, char **of, const char *when, const char *what) {
    for (char **v = list; *v; v++) {
        char **same = of;
        while (*same && strcmp(*same, *v) != 0) same++;
        if (*same) continue;
        printf("%s: %s %s\n", when, what, *v);
        changes++;
    }
}

static void expect_same(const char *when) {
    expect_subset(environ, variables, when, "new in the environment:");
    expect_subset(variables, environ, when, "gone from the environment:");
    for (int i = 1; i < NSIG; i++) {
        struct sigaction now;
        if (sigaction(i, NULL, &now) != 0 || now.sa_handler == actions[i].sa_handler) continue;
        printf("%s: another handler of signal %d\n", when, i);
        changes++;
    }
}

static struct cvy_context *create(void) {
    struct cvy_context *ctx;
    if (cvy_context_create(&CVY_INIT(cvy_context_options, .threads = 1, .log_level = CVY_LOG_ERROR), &ctx) == CVY_OK)
        return ctx;
    fprintf(stderr, "context: %s\n", cvy_error_message());
    exit(CVY_ERR_INTERNAL);
}

/* A communicator of the program's own, which its context is to leave alone: what it does on errors, who is in it, and
 * that it is there, afterwards as before. */
static void lend_communicator(void) {
    MPI_Comm own;
    MPI_Errhandler before, after;
    int rank, sum = 0, relation;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &own); /* in the other order */
    MPI_Comm_get_errhandler(own, &before);
    const MPI_Comm lent = own;
    struct cvy_context *ctx;
    const struct cvy_context_options options = {.size = sizeof options, .comm = &own, .threads = 1};
    if (cvy_context_create(&options, &ctx) != CVY_OK) exit(CVY_ERR_INTERNAL);
    MPI_Comm_rank(own, &rank);
    if (cvy_context_rank(ctx) != rank) printf("another rank\n"), changes++;
    MPI_Comm_compare(own, lent, &relation);
    cvy_context_destroy(&ctx);
    MPI_Comm_get_errhandler(own, &after);
    if (before != after || relation != MPI_IDENT) printf("the communicator was changed\n"), changes++;
    MPI_Errhandler_free(&before);
    MPI_Errhandler_free(&after);
    MPI_Allreduce(&(int){1}, &sum, 1, MPI_INT, MPI_SUM, own);
    if (sum < 2) printf("the communicator is gone\n"), changes++;
    MPI_Comm_free(&own);
}

int main(int argc, char **argv) {
    const int mine = argc > 1 && atoi(argv[1]);
    int up = 0, down = 0;
    if (mine) MPI_Init(&argc, &argv);
    remember();
    if (mine) lend_communicator();
    expect_same("after a communicator was lent");
    struct cvy_context *first = create(), *second = create();
    expect_same("with two contexts");
    cvy_context_destroy(&first);
    expect_same("with one context");
    printf("rank %d of %d\n", cvy_context_rank(second), cvy_context_ranks(second));
    cvy_context_destroy(&second); /* meets the other ranks */
    expect_same("after the last");
    MPI_Initialized(&up);
    MPI_Finalized(&down);
    if (down == mine || !up) printf("MPI is %s\n", down ? "down" : up ? "up" : "not there"), changes++;
    if (mine) MPI_Finalize();
    return changes ? CVY_ERR_INTERNAL : CVY_OK;
}
