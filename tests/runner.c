/* The one test program: `convoy-tests [--unit|--slow] [SUITE…]`, `--bench SUITE`, and, under mpirun, `--mpi SUITE
 * CASE`. */
#define _GNU_SOURCE
#include <CUnit/Basic.h>
#include <cblas.h>
#include <dirent.h>
#include <hdf5.h>
#include <limits.h>
#include <mpi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/inside.h"
#include "core/memory.h"
#include "core/status.h"
#include "io/path.h"
#include "suites.h"
#include "test.h"

#define DECLARE_SUITE(name) extern const struct test_suite suite_##name;
#define DECLARE_MPI(name)   extern const struct mpi_suite mpi_##name;
UNIT_SUITES(DECLARE_SUITE)
MPI_SUITES(DECLARE_MPI)
E2E_SUITES(DECLARE_SUITE)
SLOW_SUITES(DECLARE_SUITE)

static const struct test_suite *const unit_suites[] = {
#define LIST_SUITE(name) &suite_##name,
    UNIT_SUITES(LIST_SUITE) NULL};
static const struct test_suite *const e2e_suites[] = {E2E_SUITES(LIST_SUITE) NULL};
static const struct test_suite *const slow_suites[] = {SLOW_SUITES(LIST_SUITE) NULL};
static const struct mpi_suite *const mpi_suites[] = {
#define LIST_MPI(name) &mpi_##name,
    MPI_SUITES(LIST_MPI) NULL};

static char self_path[PATH_MAX], folder_base[PATH_MAX];
static int folders, mpi_failures;

/* ---- helpers that tests use ---- */

int test_shell(char *output, size_t room, const char *fmt, ...) {
    char command[8192];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(command, sizeof command - 8, fmt, args);
    va_end(args);
    if (length < 0 || length > (int)sizeof command - 8) return -1;
    strcat(command, " 2>&1");
    output[0] = '\0';
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) return -1;
    size_t used = 0;
    char drop[4096];
    while (!feof(pipe)) {
        bool full = used + 1 >= room;
        size_t got = full ? fread(drop, 1, sizeof drop, pipe) : fread(output + used, 1, room - used - 1, pipe);
        if (!full) output[used += got] = '\0';
    }
    int status = pclose(pipe);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

const char *test_mpirun(int ranks) {
    static char words[2][128];
    static int turn;
    turn = !turn;
    snprintf(words[turn], sizeof words[turn], "mpirun -q --oversubscribe --bind-to none -n %d", ranks);
    return words[turn];
}

static void remove_folders(void) {
    char output[256];
    if (folder_base[0]) test_shell(output, sizeof output, "rm -rf '%s'", folder_base);
}

const char *test_folder(void) {
    static char path[PATH_MAX + 32];
    if (!folder_base[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(folder_base, sizeof folder_base, "%s/convoy-tests-XXXXXX", base ? base : "/tmp");
        if (mkdtemp(folder_base) == NULL) exit(1);
        atexit(remove_folders);
    }
    snprintf(path, sizeof path, "%s/%d", folder_base, folders++);
    mkdir(path, 0777);
    return path;
}

static const char *beside_self(const char *name) {
    static char path[2][PATH_MAX];
    static int turn;
    turn = !turn;
    snprintf(path[turn], PATH_MAX, "%.*s/%s", (int)(strrchr(self_path, '/') - self_path), self_path, name);
    return path[turn];
}

const char *test_program(void) {
    return beside_self("convoy");
}

const char *test_root(void) {
    static char path[PATH_MAX];
    if (!path[0] && realpath(CVY_TEST_ROOT, path) == NULL) exit(1);
    return path;
}

const char *test_path(const char *folder, const char *name) {
    static char paths[4][CVY_PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4];
    TEST_OK(cvy_path_join(folder, name, path));
    return path;
}

void test_write(const char *path, const char *fmt, ...) {
    va_list args;
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be written\n", path);
        abort();
    }
    va_start(args, fmt);
    vfprintf(file, fmt, args);
    va_end(args);
    fclose(file);
}

int test_files_in(const char *folder) {
    int count = -2; /* . and .. */
    DIR *dir = opendir(folder);
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

bool test_message_has(const char *words) {
    if (strstr(cvy_error_message(), words)) return true;
    fprintf(stderr, "\n    \"%s\" is not in: %s\n", words, cvy_error_message());
    return false;
}

void test_show(const char *call, int status) {
    fprintf(stderr, "\n    %s gave %d: %s\n%s", call, status, cvy_error_message(), cvy_error_trail());
}

void mpi_expect_at(bool holds, const char *what, const char *file, int line) {
    if (holds) return;
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (mpi_failures++ < 5) fprintf(stderr, "rank %d: %s:%d: %s does not hold\n", rank, file, line, what);
}

/* ---- MPI cases: CUnit calls run_mpi_case, which starts this program under mpirun ---- */

static const struct mpi_case *current_mpi_case(const char **suite) {
    CU_pSuite s = CU_get_current_suite();
    CU_pTest t = CU_get_current_test();
    for (const struct mpi_suite *const *m = mpi_suites; *m; m++)
        for (const struct mpi_case *c = (*m)->cases; strcmp((*m)->name, s->pName) == 0 && c->name; c++)
            if (strcmp(c->name, t->pName) == 0) {
                *suite = (*m)->name;
                return c;
            }
    return NULL;
}

/* Rank 0's line when no rank found a fault. mpirun's exit code alone does not tell: on a machine so busy that a rank's
   farewell to mpirun takes seconds, Open MPI says 1 of ranks that finalized and returned 0. */
#define EVERY_RANK_PASSED "every rank passed"

static bool mpi_case_passed(int code, const char *output) {
    return (code == 0 || code == 1) && strstr(output, EVERY_RANK_PASSED);
}

static void run_mpi_case(void) {
    const char *suite = NULL;
    const struct mpi_case *c = current_mpi_case(&suite);
    char output[4096], *end;
    for (const char *p = c->ranks; *p; p = end) {
        int ranks = (int)strtol(p, &end, 10);
        int code = test_shell(output, sizeof output, "timeout -k 5 100 %s '%s' --mpi '%s' '%s'", test_mpirun(ranks),
                              self_path, suite, c->name);
        const bool passed = mpi_case_passed(code, output);
        if (!passed) fprintf(stderr, "\n    %d ranks: exit %d\n%s", ranks, code, output);
        CU_ASSERT(passed);
        while (*end == ' ') end++;
    }
}

static int mpi_main(const char *suite, const char *name) {
    int thread_level, rank, failures = 0;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &thread_level);
    const struct mpi_case *found = NULL;
    for (const struct mpi_suite *const *m = mpi_suites; *m; m++)
        for (const struct mpi_case *c = (*m)->cases; strcmp((*m)->name, suite) == 0 && c->name; c++)
            if (strcmp(c->name, name) == 0) found = c;
    if (found)
        found->run();
    else
        mpi_failures = 1;
    mpi_expect(cvy_memory_live_total() == 0);
    MPI_Allreduce(&mpi_failures, &failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0 && failures == 0) puts(EVERY_RANK_PASSED);
    fflush(stdout);
    MPI_Finalize();
    return failures != 0;
}

/* ---- registering and running ---- */

static bool named(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-') return true;
    return false;
}

static bool wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) return true;
    }
    return !named(argc, argv);
}

static void add_suites(const struct test_suite *const *suites, int argc, char **argv) {
    for (; *suites; suites++) {
        if (!wanted((*suites)->name, argc, argv)) continue;
        CU_pSuite suite = CU_add_suite((*suites)->name, NULL, NULL);
        for (const struct test_case *c = (*suites)->cases; c->name; c++) CU_add_test(suite, c->name, c->run);
    }
}

static void add_mpi_suites(int argc, char **argv) {
    for (const struct mpi_suite *const *m = mpi_suites; *m; m++) {
        if (!wanted((*m)->name, argc, argv)) continue;
        CU_pSuite suite = CU_add_suite((*m)->name, NULL, NULL);
        for (const struct mpi_case *c = (*m)->cases; c->name; c++) CU_add_test(suite, c->name, run_mpi_case);
    }
}

static int bench_main(const char *name) {
    for (const struct test_suite *const *s = unit_suites; *s; s++)
        if (strcmp((*s)->name, name) == 0 && (*s)->bench) {
            (*s)->bench();
            return 0;
        }
    fprintf(stderr, "no suite \"%s\" with a benchmark\n", name);
    return 2;
}

/* Every suite has freed what it took: the memory counters end at zero. */
static void no_live_bytes(void) {
    for (int t = 0; t < CVY_TAG_COUNT; t++)
        if (cvy_memory_live((enum cvy_tag)t)) fprintf(stderr, "\n    live: %s", cvy_tag_name((enum cvy_tag)t));
    CU_ASSERT_EQUAL(cvy_memory_live_total(), 0);
    CU_ASSERT_EQUAL(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* SAN=address: HDF5 1.10 loses what it has read of damaged metadata. That we close all we open is tested above. */
const char *__lsan_default_suppressions(void) __attribute__((visibility("default")));
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5\n";
}

int main(int argc, char **argv) {
    if (realpath("/proc/self/exe", self_path) == NULL) return 1;
    cvy_thread_settle(); /* tests call what public calls of the library would, which are inside by then */
    openblas_set_num_threads(1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    if (argc == 4 && strcmp(argv[1], "--mpi") == 0) return mpi_main(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "--bench") == 0) return bench_main(argv[2]);
    bool unit_only = argc == 2 && strcmp(argv[1], "--unit") == 0;
    bool slow_only = argc == 2 && strcmp(argv[1], "--slow") == 0;
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    if (!slow_only) add_suites(unit_suites, argc, argv);
    if (!unit_only && !slow_only) add_mpi_suites(argc, argv);
    if (!unit_only && !slow_only) add_suites(e2e_suites, argc, argv);
    if (slow_only || named(argc, argv)) add_suites(slow_suites, argc, argv);
    CU_add_test(CU_add_suite("memory at exit", NULL, NULL), "zero live bytes, no file or data set open", no_live_bytes);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed != 0;
}
