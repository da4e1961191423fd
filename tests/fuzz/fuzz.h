/* What the fuzz targets share. A target is a file here that defines LLVMFuzzerTestOneInput: it hands bytes to one
 * reader of files, and whatever they are, the reader must give a status, free what it took, and close what it opened.
 */
#ifndef CVY_TESTS_FUZZ_H
#define CVY_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path in this process's own folder; what stood there is gone. */
const char *fuzz_path(const char *name);
/* A file of that name with these bytes. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* The end of every target: stops where bytes are live or HDF5 objects open. Gives 0. */
int fuzz_done(void);
/* Stops unless the condition holds. */
void fuzz_expect_at(int holds, const char *what, const char *file, int line);
#define fuzz_expect(condition) fuzz_expect_at((condition) != 0, #condition, __FILE__, __LINE__)

/* Decisions taken from the bytes, for what is built rather than read. */
struct fuzz_dice {
    const uint8_t *at;
    size_t left;
};
/* 0 … below − 1; 0 where the bytes are used up. */
unsigned fuzz_draw(struct fuzz_dice *dice, unsigned below);

#endif
