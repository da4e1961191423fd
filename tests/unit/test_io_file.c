/* io/file, io/path: replacing whole or not at all, hashing, paths, folders that cannot be written. */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "io/file.h"
#include "test.h"

static int files_in(const char *folder) {
    int count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; (e = readdir(dir));) count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void replace_and_read(void) {
    char path[CVY_PATH_MAX];
    struct cvy_buf text = {0};
    uint64_t digest;
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "a.txt", path));
    struct cvy_bytes parts[] = {{"hello ", 6}, {"", 0}, {"world", 5}};
    TEST_OK(cvy_file_replace(path, parts, 1));
    TEST_OK(cvy_file_replace(path, parts, 3));
    TEST_OK(cvy_file_read(path, 100, &text));
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&text), "hello world");
    CU_ASSERT(cvy_file_exists(path) && !cvy_file_exists(folder) && cvy_file_size(path) == 11);
    TEST_OK(cvy_file_hash(path, 6, 5, &digest));
    CU_ASSERT_EQUAL(digest, cvy_hash("world", 5, 0));
    CU_ASSERT_EQUAL(cvy_file_hash(path, 6, 6, &digest), CVY_ERR_DATA);
    CU_ASSERT_EQUAL(cvy_file_read(path, 10, &text), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "longer than 10") != NULL);
    CU_ASSERT_EQUAL(files_in(folder), 1);
    cvy_buf_destroy(&text);
}

/* A limit on file size stands for a full disk. */
static void full_disk_leaves_nothing(void) {
    static char bytes[100000];
    char path[CVY_PATH_MAX];
    struct rlimit before, small;
    struct cvy_buf text = {0};
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "a.bin", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"old", 3}, 1));
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){50000, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    cvy_status status = cvy_file_replace(path, &(struct cvy_bytes){bytes, sizeof bytes}, 1);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    CU_ASSERT_EQUAL(status, CVY_ERR_INTERNAL);
    CU_ASSERT(strstr(cvy_error_message(), "a.bin: cannot be written: File too large") != NULL);
    TEST_OK(cvy_file_read(path, 100, &text));
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&text), "old");
    CU_ASSERT_EQUAL(files_in(folder), 1);
    cvy_buf_destroy(&text);
}

static void dead_temporaries(void) {
    char host[64] = "", name[128];
    const char *folder = test_folder();
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "x.h5.%s.%ld.tmp", host, (long)getpid());
    CU_ASSERT(!cvy_file_is_dead_temporary(folder, name)); /* our own: alive */
    snprintf(name, sizeof name, "x.h5.%s.4194999.tmp", host);
    CU_ASSERT(cvy_file_is_dead_temporary(folder, name));
    CU_ASSERT(!cvy_file_is_dead_temporary(folder, "x.h5"));
    char path[CVY_PATH_MAX];
    TEST_OK(cvy_path_join(folder, "x.h5.elsewhere.12.tmp", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"", 0}, 1));
    CU_ASSERT(!cvy_file_is_dead_temporary(folder, "x.h5.elsewhere.12.tmp")); /* another host's, and young */
}

static void paths(void) {
    static const struct {
        const char *base, *path, *whole;
    } beside[] = {
        {"configs/a.yaml", "../data/x.h5", "configs/../data/x.h5"},
        {"a.yaml", "x.h5", "x.h5"},
        {"/r/a.yaml", "x.h5", "/r/x.h5"},
        {"configs/a.yaml", "/d/x.h5", "/d/x.h5"},
    };
    char out[CVY_PATH_MAX], long_path[CVY_PATH_MAX + 10];
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        TEST_OK(cvy_path_beside(beside[i].base, beside[i].path, out));
        CU_ASSERT_STRING_EQUAL(out, beside[i].whole);
    }
    TEST_OK(cvy_path_absolute("/a/./b//../c/", out));
    CU_ASSERT_STRING_EQUAL(out, "/a/c");
    TEST_OK(cvy_path_absolute("/../..", out));
    CU_ASSERT_STRING_EQUAL(out, "/");
    TEST_OK(cvy_path_absolute("x", out));
    CU_ASSERT(out[0] == '/' && strcmp(cvy_path_name(out), "x") == 0);
    TEST_OK(cvy_path_folder("/x", out));
    CU_ASSERT_STRING_EQUAL(out, "/");
    TEST_OK(cvy_path_folder("x", out));
    CU_ASSERT_STRING_EQUAL(out, ".");
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    CU_ASSERT_EQUAL(cvy_path_join("/a", long_path, out), CVY_ERR_USAGE);
    CU_ASSERT_EQUAL(cvy_path_absolute(long_path, out), CVY_ERR_USAGE);
    CU_ASSERT_EQUAL(cvy_folder_make(long_path), CVY_ERR_USAGE);
}

static void folders(void) {
    char path[CVY_PATH_MAX], below[CVY_PATH_MAX];
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "a/b/c", path));
    TEST_OK(cvy_file_probe_folder(path));
    CU_ASSERT(cvy_folder_exists(path) && files_in(path) == 0 && cvy_folder_free(path) > 0);
    TEST_OK(cvy_folder_make(path));
    TEST_OK(cvy_path_join(folder, "file", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"x", 1}, 1));
    TEST_OK(cvy_path_join(path, "below", below));
    CU_ASSERT_EQUAL(cvy_file_probe_folder(below), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "is a file, where a folder is wanted") != NULL);
    CU_ASSERT_EQUAL(cvy_file_probe_folder("/proc"), CVY_ERR_USAGE); /* nobody, root included, can write there */
    CU_ASSERT(strncmp(cvy_error_message(), "/proc: no file can be created", 29) == 0);
}

static const struct test_case cases[] = {
    {"replacing, reading, hashing", replace_and_read},
    {"a full disk leaves the old file and nothing else", full_disk_leaves_nothing},
    {"temporary files of dead writers", dead_temporaries},
    {"paths", paths},
    {"folders", folders},
    {0},
};
const struct test_suite suite_io_file = {"io_file", cases, NULL};
