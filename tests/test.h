/* What a test file needs: a suite is a table of cases; the runner (runner.c) hands them to CUnit.
 *
 * A file under unit/ROOM/ (the folders of src/) or e2e/ defines `const struct test_suite suite_NAME`, which is listed
 * in suites.h. A file under mpi/ defines `const struct mpi_suite mpi_NAME`: each case runs on every rank of `mpirun -n
 * N` for every N of its list, and fails when any rank does. */
#ifndef CVY_TESTS_TEST_H
#define CVY_TESTS_TEST_H

#include <CUnit/CUnit.h>
#include <stdbool.h>

/* Of an array's elements. */
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct test_case {
    const char *name;
    void (*run)(void);
};
struct test_suite {
    const char *name;
    const struct test_case *cases; /* ends with {0} */
    void (*bench)(void);           /* optional: `convoy-tests --bench NAME` */
};

struct mpi_case {
    const char *name;
    const char *ranks; /* "1 2 3 4" */
    void (*run)(void); /* on every rank; uses mpi_expect */
};
struct mpi_suite {
    const char *name;
    const struct mpi_case *cases; /* ends with {0} */
};
/* In an MPI case: a failed expectation is printed with its place and makes the rank exit 1 at the end. */
void mpi_expect_at(bool holds, const char *what, const char *file, int line);
#define mpi_expect(condition) mpi_expect_at((condition), #condition, __FILE__, __LINE__)

/* Runs a shell command with stdout and stderr caught (cut at `room`); gives its exit code, 128+N for signal N. */
int test_shell(char *output, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Words that start N ranks here, whoever and wherever we are: "mpirun -q --oversubscribe --bind-to none -n 3". */
const char *test_mpirun(int ranks);
/* A new empty folder under the build folder, removed with all in it when the runner ends. */
const char *test_folder(void);
/* build/convoy, the program under test, as an absolute path. */
const char *test_program(void);
/* The project's folder, as an absolute path. */
const char *test_root(void);

/* folder/name; one of a few buffers in turn. */
const char *test_path(const char *folder, const char *name);
/* A file of this text, new or in place of what was there. */
void test_write(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int test_files_in(const char *folder);
/* Whether the last error's message has these words; else it is shown. */
bool test_message_has(const char *words);

/* CU_ASSERT with the last error message shown on failure. */
#define TEST_OK(call)                                                                                                  \
    do {                                                                                                               \
        int test_status_ = (int)(call);                                                                                \
        if (test_status_ != 0) test_show(#call, test_status_);                                                         \
        CU_ASSERT_EQUAL(test_status_, 0);                                                                              \
    } while (0)
void test_show(const char *call, int status);

#endif
