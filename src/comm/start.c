/* MPI as the process has it: started by the first communicator that needs it if the caller has not, ended with the last
 * one. Starting and ending it is all that changes: Open MPI sets variables of the environment (children of the process
 * would take themselves for ranks) and handlers of signals, which are put back at once. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/internal.h"
#include "core/memory.h"

/* ---- What is around MPI ---- */

struct surroundings {
    char **variables; /* "NAME=value", count of them; one block, texts behind the pointers */
    int count;
    struct sigaction actions[NSIG]; /* [1 … NSIG − 1] */
};

static cvy_status save(struct surroundings *s) {
    size_t bytes = 0;
    s->count = 0;
    for (char **v = environ; v && *v; v++, s->count++) bytes += sizeof *v + strlen(*v) + 1;
    CVY_TRY(cvy_alloc(bytes, CVY_TAG_text, (void **)&s->variables));
    char *text = (char *)(s->variables + s->count);
    for (int i = 0; i < s->count; i++) {
        s->variables[i] = strcpy(text, environ[i]);
        text += strlen(text) + 1;
    }
    for (int i = 1; i < NSIG; i++) sigaction(i, NULL, &s->actions[i]); /* some are the C library's own: left alone */
    return CVY_OK;
}

/* The variable of the same name in a list, NULL: none. */
static char *same_name(const char *variable, char **list, int count) {
    const size_t length = strcspn(variable, "=");
    for (int i = 0; i < count; i++)
        if (strncmp(list[i], variable, length) == 0 && list[i][length] == '=') return list[i];
    return NULL;
}

static int count_variables(void) {
    int count = 0;
    while (environ && environ[count]) count++;
    return count;
}

static void drop_new_variables(const struct surroundings *s) {
    for (int i = count_variables() - 1; i >= 0; i--) { /* from the end: those behind the one that goes move up */
        char name[256];
        const size_t length = strcspn(environ[i], "=");
        if (length >= sizeof name || same_name(environ[i], s->variables, s->count)) continue;
        memcpy(name, environ[i], length);
        name[length] = '\0';
        unsetenv(name);
    }
}

static void put_variables_back(const struct surroundings *s) {
    for (int i = 0; i < s->count; i++) {
        char *variable = s->variables[i], *equals = strchr(variable, '=');
        const char *now = same_name(variable, environ, count_variables());
        if (equals == NULL || (now && strcmp(now, variable) == 0)) continue;
        *equals = '\0';
        setenv(variable, equals + 1, 1);
        *equals = '=';
    }
}

static bool same_handler(const struct sigaction *a, const struct sigaction *b) {
    return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction : a->sa_handler == b->sa_handler;
}

static void restore(struct surroundings *s) {
    drop_new_variables(s);
    put_variables_back(s);
    for (int i = 1; i < NSIG; i++) {
        struct sigaction now;
        if (sigaction(i, NULL, &now) != 0 || same_handler(&now, &s->actions[i])) continue;
        sigaction(i, &s->actions[i], NULL);
    }
    cvy_free(s->variables);
}

/* ---- Its life ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* MPI is one per process, so these are too: */
static bool ours, broken;                                 /* we started it; a communicator of it broke */
static int users;                                         /* communicators that need it, where it is ours */

/* With all ranks on one host there is no fabric to look for, which takes Open MPI 0.2 s of a start of 0.4 s. What the
 * user has set stays. */
static void choose_transport(void) {
    const char *here = getenv("OMPI_COMM_WORLD_LOCAL_SIZE"), *all = getenv("OMPI_COMM_WORLD_SIZE");
    if (here && all && strcmp(here, all) == 0) setenv("OMPI_MCA_pml", "ob1", 0);
}

static cvy_status begin(struct cvy_comm *comm) {
    struct surroundings around;
    int level = 0;
    CVY_TRY(save(&around));
    choose_transport();
    const int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
    restore(&around);
    CVY_MPI(comm, code);
    ours = true;
    return CVY_OK;
}

static cvy_status start(struct cvy_comm *comm) {
    int up = 0, down = 0;
    CVY_MPI(comm, MPI_Initialized(&up));
    CVY_MPI(comm, MPI_Finalized(&down));
    CVY_CHECK(!down, CVY_ERR_USAGE,
              "MPI was finalised in this process and cannot start again; initialise it yourself before the first "
              "context, and finalise it after the last");
    if (!up) CVY_TRY(begin(comm));
    comm->counted = ours;
    users += ours;
    return CVY_OK;
}

cvy_status cvy_mpi_start(struct cvy_comm *comm) {
    pthread_mutex_lock(&mutex);
    cvy_status status = start(comm);
    pthread_mutex_unlock(&mutex);
    return status;
}

void cvy_mpi_end(struct cvy_comm *comm) {
    struct surroundings around;
    if (!comm->counted) return;
    pthread_mutex_lock(&mutex);
    broken |= comm->broken;
    if (--users == 0 && !broken) {
        const bool saved = save(&around) == CVY_OK;
        MPI_Finalize();
        if (saved) restore(&around);
    }
    pthread_mutex_unlock(&mutex);
}
