/* Whether a checkpoint is whole: its head says what follows, and the digest covers every byte of that. */
#include <errno.h>
#include <string.h>

#include "core/text.h"
#include "io/ckpt/ckpt.h"
#include "io/ckpt/ckpt_head.h"
#include "io/file.h"
#include "io/foreign.h"

/* ", but a NumPy array": what it is instead, where that is known. */
static const char *instead(const char *path, char out[96]) {
    const struct cvy_foreign *kind = cvy_foreign_of(path);
    out[0] = '\0';
    if (kind) snprintf(out, 96, ", but %s", kind->name);
    return cvy_file_is_hdf5(path) ? ", but an HDF5 file such as a data set" : out;
}

static cvy_status read_head(const char *path, char head[CVY_CKPT_HEAD]) {
    CVY_TRY(cvy_file_no_folder(path, ".h5", CVY_ERR_CHECKPOINT));
    CVY_CHECK(cvy_file_size(path) < 0 || cvy_file_exists(path), CVY_ERR_CHECKPOINT, "%s: not a regular file", path);
    FILE *file = fopen(path, "rb");
    CVY_CHECK(file, CVY_ERR_CHECKPOINT, "%s: cannot be opened: %s", path, strerror(errno));
    char kind[96];
    size_t got = fread(head, 1, CVY_CKPT_HEAD, file);
    fclose(file);
    const size_t magic = strlen(CVY_CKPT_MAGIC), begun = got < magic ? got : magic;
    CVY_CHECK(
        got == 0 || memcmp(head, CVY_CKPT_MAGIC, begun) == 0, CVY_ERR_CHECKPOINT,
        "%s: not a checkpoint%s, or its head is damaged: expected it to begin with \"%s\"; name a run folder, or a "
        "file of its checkpoints/",
        path, instead(path, kind), CVY_CKPT_MAGIC);
    CVY_CHECK(got == CVY_CKPT_HEAD, CVY_ERR_CHECKPOINT, "%s: damaged: cut off after %zu %s", path, got,
              cvy_plural((double)got, "byte", "bytes"));
    return CVY_OK;
}

cvy_status cvy_ckpt_verify(const char *path) {
    char head[CVY_CKPT_HEAD], expected[CVY_CKPT_HEAD];
    int version = 0;
    int64_t length = 0;
    uint64_t digest = 0, found = 0;
    CVY_TRY(read_head(path, head));
    head[CVY_CKPT_HEAD - 1] = '\0'; /* as it must be; compared below */
    int fields = sscanf(head, CVY_CKPT_MAGIC "%d length %" SCNd64 " xxh64 %" SCNx64, &version, &length, &digest);
    CVY_CHECK(fields == 0 || version <= CVY_CKPT_VERSION, CVY_ERR_CHECKPOINT,
              "%s: of format version %d, this program reads up to %d; use a newer program", path, version,
              CVY_CKPT_VERSION);
    CVY_TRY(read_head(path, head));
    cvy_ckpt_head(length, digest, expected);
    CVY_CHECK(memcmp(head, expected, CVY_CKPT_HEAD) == 0, CVY_ERR_CHECKPOINT, "%s: damaged: its head is not whole",
              path);
    int64_t there = cvy_file_size(path) - CVY_CKPT_HEAD;
    CVY_CHECK(there == length, CVY_ERR_CHECKPOINT,
              "%s: damaged: %" PRId64 " bytes follow its head, there should be %" PRId64, path, there, length);
    if (cvy_file_hash(path, CVY_CKPT_HEAD, length, &found) != CVY_OK) return CVY_ERR_CHECKPOINT;
    CVY_CHECK(found == digest, CVY_ERR_CHECKPOINT,
              "%s: damaged: its contents have XXH64 %016" PRIx64 ", its head says %016" PRIx64, path, found, digest);
    return CVY_OK;
}
