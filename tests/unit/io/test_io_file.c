/* io/file, io/path: replacing whole or not at all, hashing, paths, folders that cannot be written; io/foreign. */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "io/file.h"
#include "io/foreign.h"
#include "io/path.h"
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

static void touch(const char *folder, const char *name) {
    char path[CVY_PATH_MAX];
    TEST_OK(cvy_path_join(folder, name, path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"x", 1}, 1));
}

static void link_to(const char *target, const char *folder, const char *name) {
    char path[CVY_PATH_MAX];
    TEST_OK(cvy_path_join(folder, name, path));
    CU_ASSERT_EQUAL(symlink(target, path), 0);
}

/* ".." behind a link is the folder of what it leads to; a file beside a link may lie beside what it leads to. */
static void paths_through_links(void) {
    char root[CVY_PATH_MAX], folder[CVY_PATH_MAX], out[CVY_PATH_MAX], expected[CVY_PATH_MAX + 32];
    static const struct {
        const char *path, *whole;
    } up[] = {
        {"near/../a", "far/deep/a"},      /* near → far/deep/linked */
        {"near/x/../../a", "far/deep/a"}, /* x does not exist: by its text, then as above */
        {"near/a", "near/a"},             /* links stay */
        {"none/../a", "a"},
    };
    static const struct {
        const char *base, *path, *whole;
    } beside[] = {
        {"one.h5", "one.d/0", "far/one.d/0"},    /* one.h5 → middle/one.h5 → ../far/one.h5 */
        {"one.h5", "mid.d/0", "middle/mid.d/0"}, /* beside the link in between */
        {"one.h5", "own.d/0", "own.d/0"},        /* beside the link itself, before others */
        {"one.h5", "nowhere", "nowhere"},        {"loop", "nowhere", "nowhere"},
    };
    TEST_OK(cvy_path_absolute(test_folder(), root));
    CU_ASSERT_PTR_NOT_NULL(realpath(root, folder));
    strcpy(root, folder);
    static const char *const made[] = {"far/deep/linked", "middle/mid.d", "middle/own.d",
                                       "far/one.d",       "far/own.d",    "own.d"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        TEST_OK(cvy_path_join(root, made[i], folder));
        TEST_OK(cvy_folder_make(folder));
    }
    link_to("far/deep/linked", root, "near");
    link_to("middle/one.h5", root, "one.h5");
    link_to("../far/one.h5", root, "middle/one.h5");
    link_to("loop", root, "loop");
    touch(root, "far/one.d/0");
    touch(root, "middle/mid.d/0");
    touch(root, "far/own.d/0");
    touch(root, "own.d/0");
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        TEST_OK(cvy_path_join(root, up[i].path, folder));
        TEST_OK(cvy_path_absolute(folder, out));
        snprintf(expected, sizeof expected, "%s/%s", root, up[i].whole);
        CU_ASSERT_STRING_EQUAL(out, expected);
    }
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        TEST_OK(cvy_path_join(root, beside[i].base, folder));
        TEST_OK(cvy_path_meant(folder, beside[i].path, out));
        TEST_OK(cvy_path_absolute(out, folder));
        snprintf(expected, sizeof expected, "%s/%s", root, beside[i].whole);
        CU_ASSERT_STRING_EQUAL(folder, expected);
    }
}

static void what_a_shell_means(void) {
    static const struct {
        const char *path, *meant; /* NULL: refused, with … */
        const char *words;
    } paths[] = {
        {"~", "/home/me", NULL},
        {"~/a b", "/home/me/a b", NULL},
        {"~root/x", "/root/x", NULL},
        {"a/~/b", "a/~/b", NULL},
        {"$CVY_A/x.h5", "/scratch/x.h5", NULL},
        {"d${CVY_A}x$CVY_A", "d/scratchx/scratch", NULL},
        {"~/$CVY_A", "/home/me//scratch", NULL},
        {"\\$CVY_A \\x", "$CVY_A \\x", NULL},
        {"5$ and $5", "5$ and $5", NULL},
        {"plain/../x", "plain/../x", NULL},
        {"$CVY_NONE/x", NULL, "CVY_NONE is not set in the environment; set it"},
        {"${CVY_EMPTY}/x", NULL, "CVY_EMPTY is empty"},
        {"~no-such-user/x", NULL, "no user no-such-user; a file of that name is ./~no-such-user/x"},
        {"$(ls)", NULL, "only $NAME and ${NAME}"},
        {"${CVY_A:-x}", NULL, "only $NAME and ${NAME}"},
        {"${", NULL, "only $NAME and ${NAME}"},
        {"${}", NULL, "only $NAME and ${NAME}"},
    };
    char out[CVY_PATH_MAX], *home = strdup(getenv("HOME") ? getenv("HOME") : "");
    setenv("HOME", "/home/me", 1);
    setenv("CVY_A", "/scratch", 1);
    setenv("CVY_EMPTY", "", 1);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        cvy_status status = cvy_path_expand(paths[i].path, out);
        CU_ASSERT_EQUAL(status, paths[i].meant ? CVY_OK : CVY_ERR_USAGE);
        if (status == CVY_OK && paths[i].meant) CU_ASSERT_STRING_EQUAL(out, paths[i].meant);
        if (paths[i].words) CU_ASSERT_PTR_NOT_NULL(strstr(cvy_error_message(), paths[i].words));
    }
    TEST_OK(cvy_path_home("~/$CVY_A", out, sizeof out)); /* a shell has seen the rest */
    CU_ASSERT_STRING_EQUAL(out, "/home/me/$CVY_A");
    CU_ASSERT_EQUAL(cvy_path_home("~/x", out, 10), CVY_ERR_USAGE);
    unsetenv("CVY_A");
    unsetenv("CVY_EMPTY");
    setenv("HOME", home, 1);
    free(home);
}

static void folders(void) {
    char path[CVY_PATH_MAX], below[CVY_PATH_MAX];
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "a/b/c", path));
    TEST_OK(cvy_file_probe_folder(path));
    CU_ASSERT(cvy_folder_exists(path) && files_in(path) == 0);
    TEST_OK(cvy_folder_make(path));
    TEST_OK(cvy_path_join(folder, "file", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"x", 1}, 1));
    TEST_OK(cvy_path_join(path, "below", below));
    CU_ASSERT_EQUAL(cvy_file_probe_folder(below), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "is a file, where a folder is wanted") != NULL);
    CU_ASSERT_EQUAL(cvy_file_probe_folder("/proc"), CVY_ERR_USAGE); /* nobody, root included, can write there */
    CU_ASSERT(strncmp(cvy_error_message(), "/proc: no file can be created", 29) == 0);
}

static char kept[2048];

static const char *said_of(const char *path, bool as_picture) {
    struct cvy_buf said = {0};
    cvy_foreign_say(path, as_picture, &said);
    snprintf(kept, sizeof kept, "%s", cvy_buf_text(&said));
    cvy_buf_destroy(&said);
    return kept;
}

/* By first bytes, and by the name where these are several kinds'. */
static void kinds_of_files(void) {
#define WITH(bytes) bytes, sizeof(bytes) - 1
    static const struct {
        const char *name, *bytes;
        size_t size;
        const char *words;
    } files[] = {
        {"a.png", WITH("\211PNG\r\n\032\n"), ", but a PNG picture; pictures are for convoy predict; to train"},
        {"a.h5", WITH("GIF89a"), ", but a GIF picture; pictures are for"},
        {"a.bmp", WITH("BM1234"), ", but a BMP picture; "},
        {"a", WITH("BM1234"), ", but a text; "},
        {"a.tif", WITH("II*\0\010\0\0\0"), ", but a TIFF picture; "},
        {"a.webp", WITH("RIFF\0\1\2\3WEBP"), ", but a WebP picture; "},
        {"a.npy", WITH("\223NUMPY\1\0"), "numpy.load(sys.argv[3])\" new.h5 x "},
        {"a.npz", WITH("PK\003\004\1"), "numpy.load(sys.argv[2]))\" new.h5 "},
        {"a.zip", WITH("PK\003\004\1"), ", but a ZIP archive; unzip "},
        {"a.pt", WITH("PK\003\004\1"), ", but a file of PyTorch's; "},
        {"a.tar.gz", WITH("\037\213\1"), ", but a packed archive; tar -xzf "},
        {"a-ubyte.gz", WITH("\037\213\1"), "convoy data pack --format idx IMAGES LABELS OUT.h5"},
        {"a.gz", WITH("\037\213\1"), ", but a gzip file; gunzip -k "},
        {"a.idx", WITH("\0\0\010\003\0\0"), ", but an IDX file; convoy data pack --format idx "},
        {"a.csv", WITH("1,2\n"), "numpy.loadtxt(sys.argv[3], delimiter=',')\" new.h5 x "},
        {"a.mat", WITH("MATLAB 5.0 MAT-file"), ", but a file of MATLAB's; "},
        {"a.h5", WITH("version https://git-lfs.github.com/spec/v1\n"), ", but a pointer of Git LFS; git lfs pull"},
        {"a.h5", WITH("<!DOCTYPE html>"), ", but an HTML page; "},
        {"a.txt", WITH("Hello\n"), ", but a text; a data set is HDF5"},
        {"a.bin", WITH("\1\2\3\4"), ""},
        {"a", WITH(""), ""},
    };
    char path[CVY_PATH_MAX];
    const char *folder = test_folder();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        TEST_OK(cvy_path_join(folder, files[i].name, path));
        TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){files[i].bytes, files[i].size}, 1));
        const char *said = said_of(path, false);
        if (files[i].words[0])
            CU_ASSERT_PTR_NOT_NULL(strstr(said, files[i].words))
        else
            CU_ASSERT_STRING_EQUAL(said, "");
    }
    TEST_OK(cvy_path_join(folder, "it's a.gif", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"GIF89a", 6}, 1));
    CU_ASSERT(cvy_foreign_is_unread(cvy_foreign_of(path)));
    CU_ASSERT_PTR_NOT_NULL(strstr(said_of(path, true), "it'\\''s a.gif' makes PNG of it")); /* as a shell takes it */
    TEST_OK(cvy_path_join(folder, "a.png", path));
    CU_ASSERT_FALSE(cvy_foreign_is_unread(cvy_foreign_of(path)));
    TEST_OK(cvy_path_join(folder, "none", path));
    CU_ASSERT_PTR_NULL(cvy_foreign_of(path));
}

static bool says_pictures(const char *folder) {
    struct cvy_buf said = {0};
    cvy_foreign_say_folder(folder, &said);
    const bool says = strstr(cvy_buf_text(&said), "is a folder of pictures, such as ") != NULL;
    CU_ASSERT(says || said.size == 0);
    cvy_buf_destroy(&said);
    return says;
}

/* In it, or a folder a class; where a data set is among them, that is meant. */
static void folders_of_pictures(void) {
    char inner[CVY_PATH_MAX], path[CVY_PATH_MAX];
    const char *folder = test_folder();
    TEST_OK(cvy_path_join(folder, "cats", inner));
    TEST_OK(cvy_folder_make(inner));
    CU_ASSERT_FALSE(says_pictures(folder));
    TEST_OK(cvy_path_join(inner, "1.gif", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"GIF89a", 6}, 1));
    CU_ASSERT(says_pictures(inner));
    CU_ASSERT(says_pictures(folder));
    TEST_OK(cvy_path_join(inner, "set.h5", path));
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){"\211HDF\r\n\032\n", 8}, 1));
    CU_ASSERT_FALSE(says_pictures(inner));
}

static const struct test_case cases[] = {
    {"replacing, reading, hashing", replace_and_read},
    {"a full disk leaves the old file and nothing else", full_disk_leaves_nothing},
    {"temporary files of dead writers", dead_temporaries},
    {"paths", paths},
    {"paths through links", paths_through_links},
    {"~ and $NAME", what_a_shell_means},
    {"folders", folders},
    {"what files of other programs are", kinds_of_files},
    {"folders of pictures", folders_of_pictures},
    {0},
};
const struct test_suite suite_io_file = {"io_file", cases, NULL};
