#define _GNU_SOURCE
#include "fuzz/fuzz.h"

#include <cblas.h>
#include <hdf5.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/inside.h"
#include "core/memory.h"
#include "core/status.h"

static char folder[PATH_MAX], last[PATH_MAX + 64];

static void remove_folder(void) {
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    fuzz_expect(system(command) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *base = getenv("TMPDIR");
    (void)argc, (void)argv;
    cvy_thread_settle();
    openblas_set_num_threads(1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    snprintf(folder, sizeof folder, "%s/convoy-fuzz-XXXXXX", base ? base : "/tmp");
    fuzz_expect(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    return 0;
}

const char *fuzz_path(const char *name) {
    snprintf(last, sizeof last, "%s/%s", folder, name);
    unlink(last);
    return last;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size) {
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    fuzz_expect(file != NULL);
    if (size > 0) fuzz_expect(fwrite(data, 1, size, file) == size);
    const int closed = fclose(file);
    fuzz_expect(closed == 0);
    return path;
}

void fuzz_expect_at(int holds, const char *what, const char *file, int line) {
    if (holds) return;
    fprintf(stderr, "%s:%d: %s does not hold; the last failure: %s\n", file, line, what, cvy_error_message());
    abort();
}

int fuzz_done(void) {
    fuzz_expect(cvy_memory_live_total() == 0);
    fuzz_expect(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
    return 0;
}

unsigned fuzz_draw(struct fuzz_dice *dice, unsigned below) {
    if (dice->left == 0) return 0;
    dice->left--;
    return *dice->at++ % below;
}

/* HDF5 1.10 loses what it has read of damaged metadata. */
const char *__lsan_default_suppressions(void) __attribute__((visibility("default")));
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5\n";
}
