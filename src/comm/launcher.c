/* What the environment says of the launcher that started this process, before and besides MPI. */
#include <stdlib.h>
#include <string.h>

#include "comm/internal.h"

/* In order of trust: mpirun under Slurm leaves Slurm's variables in place, about its own daemons. */
static const struct launcher {
    const char *rank, *size; /* variables; size NULL: not told */
    bool speaks_mpi;
} launchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", true},
    {"PMI_RANK", "PMI_SIZE", true},
    {"PMIX_RANK", "SLURM_STEP_NUM_TASKS", true},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", false}, /* srun without --mpi */
};

static const struct launcher *find(void) {
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++)
        if (getenv(launchers[i].rank)) return &launchers[i];
    return NULL;
}

/* 0 where the variable is not set. */
static int number(const char *variable) {
    const char *text = getenv(variable);
    return text ? atoi(text) : 0;
}

bool cvy_launcher_present(void) {
    const struct launcher *launcher = find();
    return launcher && launcher->speaks_mpi;
}

int cvy_launcher_rank(void) {
    const struct launcher *launcher = find();
    return launcher ? number(launcher->rank) : 0;
}

cvy_status cvy_launcher_check(int size) {
    const struct launcher *launcher = find();
    if (launcher == NULL) return CVY_OK;
    int told = number(launcher->size), rank = number(launcher->rank);
    if (told == 0 || told == size || (size == 0 && (launcher->speaks_mpi || told == 1))) return CVY_OK;
    if (rank != 0) return CVY_FAIL(CVY_ERR_USAGE, "%s", "");
    if (size == 0)
        return CVY_FAIL(CVY_ERR_USAGE,
                        "srun started %d processes (%s) but none of them is told about the others; start with "
                        "srun --mpi=pmix, or with mpirun",
                        told, launcher->size);
    char library[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(library, &length);
    return CVY_FAIL(CVY_ERR_USAGE,
                    "the launcher started %d processes (%s) but MPI sees %d: it belongs to another MPI than this "
                    "program, which runs on %.*s; use that one's mpirun (which mpirun, module list), or rebuild",
                    told, launcher->size, size, (int)strcspn(library, ","), library);
}
