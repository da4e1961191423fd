/* Magic: two zero bytes, the type (8: unsigned byte), the rank; then the dimensions, 32 bits each. zlib reads plain
 * files as they are. */
#include "io/idx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/ints.h"
#include "core/memory.h"
#include "io/file.h"
#include "io/foreign.h"

enum { UNSIGNED_BYTE = 8, CHUNK = 1 << 20 };
enum { MOST_DEFLATE = 1032 };   /* what a byte of gzip unfolds to, at most (zlib's technical details) */
enum { LARGE_ITEM = 16 << 20 }; /* bytes; of such the file is read through before room is made for one */

static cvy_status check_stream(const struct cvy_idx *idx) {
    int code;
    const char *text = gzerror(idx->stream, &code);
    const char *reason = code == Z_ERRNO ? strerror(errno) : code == Z_BUF_ERROR ? "it ends too early" : text;
    CVY_CHECK(code == Z_OK || code == Z_STREAM_END, CVY_ERR_DATA, "%s: damaged: %s; get the file again", idx->path,
              reason);
    return CVY_OK;
}

/* Exactly `size` bytes; *short_by gets how many are missing at the end of the file. */
static cvy_status read_bytes(struct cvy_idx *idx, size_t size, unsigned char *out, size_t *short_by) {
    *short_by = 0;
    while (size > 0) {
        int got = gzread(idx->stream, out, size < CHUNK ? (unsigned)size : CHUNK);
        if (got <= 0) CVY_TRY(check_stream(idx));
        if (got <= 0) break;
        out += got;
        size -= (size_t)got;
    }
    *short_by = size;
    return CVY_OK;
}

/* a · b, or the largest number where that is more. */
static int64_t times(int64_t a, int64_t b) {
    return a > INT64_MAX / b ? INT64_MAX : a * b;
}

/* Nobody makes room for what the head says alone: the file must be able to hold it. `held`: its bytes behind the head,
 * or the most that they can be. */
static cvy_status check_size(const struct cvy_idx *idx, int64_t held, const char *most) {
    const int64_t wanted = times(idx->dims[0], idx->item);
    CVY_CHECK(
        wanted <= held, CVY_ERR_DATA,
        "%s: cut off, or no IDX file: its head says %lld items of %lld bytes, %lld bytes in all, but %s%lld are there; "
        "get the file again",
        idx->path, (long long)idx->dims[0], (long long)idx->item, (long long)wanted, most, (long long)held);
    return CVY_OK;
}

/* Reads all there is, and returns to behind the head. */
static cvy_status count_bytes(struct cvy_idx *idx, int64_t *held) {
    static const size_t block = CHUNK;
    unsigned char *bytes;
    size_t missing = 0;
    CVY_TRY(CVY_NEW(&bytes, block, data));
    cvy_status status = CVY_OK;
    for (*held = 0; status == CVY_OK && missing == 0; *held += (int64_t)(block - missing))
        status = read_bytes(idx, block, bytes, &missing);
    cvy_free(bytes);
    CVY_TRY(status);
    CVY_CHECK(gzseek(idx->stream, 4 + 4 * idx->rank, SEEK_SET) >= 0, CVY_ERR_DATA, "%s: cannot be read again",
              idx->path);
    return CVY_OK;
}

static cvy_status check_dims(struct cvy_idx *idx) {
    const int64_t head = 4 + 4 * idx->rank, size = cvy_file_size(idx->path);
    int64_t held;
    if (size < 0 || !cvy_file_exists(idx->path)) return CVY_OK; /* a pipe */
    if (gzdirect(idx->stream)) return check_size(idx, size - head, "");
    CVY_TRY(check_size(idx, times(size, MOST_DEFLATE), "at most "));
    if (idx->item < LARGE_ITEM) return CVY_OK; /* what is missing shows when it is read */
    CVY_TRY(count_bytes(idx, &held));
    return check_size(idx, held, "");
}

static cvy_status read_dims(struct cvy_idx *idx) {
    unsigned char bytes[4];
    size_t missing;
    idx->item = 1;
    for (int i = 0; i < idx->rank; i++) {
        CVY_TRY(read_bytes(idx, 4, bytes, &missing));
        CVY_CHECK(missing == 0, CVY_ERR_DATA, "%s: cut off in its head; get the file again", idx->path);
        idx->dims[i] = (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
        CVY_CHECK(idx->dims[i] > 0, CVY_ERR_DATA, "%s: dimension %d is 0", idx->path, i);
        if (i > 0) idx->item = times(idx->item, idx->dims[i]);
    }
    CVY_TRY(check_dims(idx));
    CVY_CHECK(idx->item < (int64_t)1 << 31, CVY_ERR_DATA, "%s: an item of %lld bytes; at most 2 GiB are read",
              idx->path, (long long)idx->item);
    return CVY_OK;
}

static cvy_status refuse(const struct cvy_idx *idx, int rank, const unsigned char magic[4]) {
    struct cvy_buf kind = {0};
    if (cvy_file_is_hdf5(idx->path))
        cvy_buf_printf(&kind, ", but an HDF5 file; --format hdf5 packs it");
    else
        cvy_foreign_say(idx->path, false, &kind);
    const cvy_status status = CVY_FAIL(
        CVY_ERR_DATA, "%s: not an IDX file: expected it to begin with 00 00 08 %02x, found %02x %02x %02x %02x%s",
        idx->path, rank, magic[0], magic[1], magic[2], magic[3], cvy_buf_text(&kind));
    cvy_buf_destroy(&kind);
    return status;
}

static cvy_status read_head(struct cvy_idx *idx, int rank) {
    unsigned char magic[4] = {0};
    size_t missing;
    CVY_TRY(read_bytes(idx, 4, magic, &missing));
    if (missing || magic[0] || magic[1]) return refuse(idx, rank, magic);
    CVY_CHECK(magic[2] == UNSIGNED_BYTE, CVY_ERR_DATA, "%s: IDX type 0x%02x; only unsigned bytes (0x08) are supported",
              idx->path, magic[2]);
    CVY_CHECK(magic[3] == rank, CVY_ERR_DATA, "%s: IDX file of rank %d, expected %d (%s); are the files swapped?",
              idx->path, magic[3], rank, rank == 1 ? "labels" : "images");
    idx->rank = rank;
    return read_dims(idx);
}

static cvy_status open_stream(struct cvy_idx *idx, const char *path, int rank) {
    CVY_CHECK(rank >= 1 && rank <= 4, CVY_ERR_INTERNAL, "IDX of rank %d", rank);
    CVY_TRY(cvy_alloc(strlen(path) + 1, CVY_TAG_text, (void **)&idx->path));
    strcpy(idx->path, path);
    CVY_TRY(cvy_file_no_folder(path, "ubyte.gz", CVY_ERR_DATA));
    errno = 0;
    idx->stream = gzopen(path, "rb");
    CVY_CHECK(idx->stream, CVY_ERR_DATA, "%s: cannot be opened: %s", path, strerror(errno ? errno : ENOMEM));
    gzbuffer(idx->stream, 1 << 17);
    return read_head(idx, rank);
}

cvy_status cvy_idx_open(const char *path, int rank, struct cvy_idx **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    cvy_status status = open_stream(*out, path, rank);
    if (status != CVY_OK) cvy_idx_close(out);
    return status;
}

cvy_status cvy_idx_read(struct cvy_idx *idx, int64_t count, unsigned char *out) {
    size_t missing;
    CVY_CHECK(count <= idx->dims[0] - idx->done, CVY_ERR_DATA, "%s: %lld items more wanted, it has %lld of %lld left",
              idx->path, (long long)count, (long long)(idx->dims[0] - idx->done), (long long)idx->dims[0]);
    CVY_TRY(read_bytes(idx, (size_t)(count * idx->item), out, &missing));
    int64_t whole = count - (int64_t)(cvy_ceil_div(missing, (size_t)idx->item));
    CVY_CHECK(missing == 0, CVY_ERR_DATA, "%s: cut off: its head says %lld items, it holds %lld; get the file again",
              idx->path, (long long)idx->dims[0], (long long)(idx->done + whole));
    idx->done += count;
    return CVY_OK;
}

cvy_status cvy_idx_expect_end(struct cvy_idx *idx) {
    unsigned char byte;
    size_t missing;
    CVY_TRY(read_bytes(idx, 1, &byte, &missing));
    CVY_CHECK(missing == 1, CVY_ERR_DATA, "%s: there are more bytes than the %lld items of its head take", idx->path,
              (long long)idx->dims[0]);
    return CVY_OK;
}

void cvy_idx_close(struct cvy_idx **idx) {
    if (*idx == NULL) return;
    if ((*idx)->stream) gzclose((*idx)->stream);
    cvy_free((*idx)->path);
    CVY_DELETE(idx);
}
