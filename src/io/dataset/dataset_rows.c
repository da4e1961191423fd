/* Reading rows.
 *
 *   whole blocks are wanted ─────────────────────────► read_block ─► out
 *   a part of one that has to be inflated whole ─► held (read_block) ─► out
 *
 * read_block takes rows that are stored as they are wanted in one call; others come as tiles, dense, whose elements are
 * put in place here, because HDF5 takes elements that are not neighbours one by one. A tile is a chunk, or many rows.
 */
#include "io/dataset/dataset_rows.h"

#include <inttypes.h>
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "io/hdf5/h5_sources.h"

#define HELD_MOST  ((size_t)32 << 20) /* a larger block is left to HDF5's cache */
#define CACHE_MOST ((size_t)2 << 30)
#define TILE_BYTES ((size_t)1 << 20)
#define READ_BYTES ((size_t)32 << 20) /* between two questions whether to go on */
#define TILE_LEAST 4096               /* bytes; chunks smaller than this are left to HDF5 */

/* ---- Opening ---- */

static void set_strides(struct cvy_rows *r, bool nchw) {
    int64_t row = 1, d[4] = {0};
    for (int i = r->rank - 1; i > 0; i--) {
        d[i] = (int64_t)r->dims[i];
        r->stride[i] = row;
        row *= d[i];
    }
    r->stride[0] = row;
    r->plain = r->rank < 4 || !nchw || row == d[1] || d[1] == 1; /* one pixel, or one channel */
    if (r->plain) return;
    r->stride[1] = 1;
    r->stride[2] = d[3] * d[1];
    r->stride[3] = d[1];
}

/* Chunks of its own, or of the first source of a virtual one. */
static void set_chunks(struct cvy_rows *r, hid_t properties) {
    hsize_t chunk[H5S_MAX_RANK];
    size_t bytes = r->stride[0] > 0 ? H5Tget_size(r->type) : 0; /* the stored type's, still */
    for (int i = 0; i < r->rank; i++) r->chunk[i] = i ? r->dims[i] : 1;
    r->block = 1;
    r->inflated = 0;
    if (properties < 0 || H5Pget_layout(properties) != H5D_CHUNKED) return;
    if (H5Pget_chunk(properties, H5S_MAX_RANK, chunk) != r->rank) return;
    for (int i = 0; i < r->rank; i++) r->chunk[i] = chunk[i] < r->dims[i] || i == 0 ? chunk[i] : r->dims[i];
    for (int i = 1; i < r->rank; i++) r->split |= r->chunk[i] < r->dims[i];
    if (r->chunk[0] > r->dims[0]) r->chunk[0] = r->dims[0];
    if (H5Pget_nfilters(properties) <= 0) return;
    r->block = (int64_t)r->chunk[0];
    r->inflated = bytes * (size_t)chunk[0];
    for (int i = 1; i < r->rank; i++) r->inflated *= (size_t)(cvy_round_up(r->dims[i], chunk[i]));
}

/* The chunks of a block, so that rows of it that are read one after the other find them inflated. A cache is made when
 * an array is opened, so it is closed before. */
static cvy_status enlarge_cache(struct cvy_rows *r, hid_t file) {
    size_t chunks = 1;
    if (r->inflated > CACHE_MOST) return CVY_OK;
    for (int i = 1; i < r->rank; i++) chunks *= (size_t)(cvy_ceil_div(r->dims[i], r->chunk[i]));
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 127 * chunks + 1, r->inflated + r->inflated / 8, 1);
    cvy_h5_drop(&r->id);
    r->id = H5Dopen2(file, r->name, access);
    cvy_h5_drop(&access);
    CVY_CHECK(r->id >= 0, CVY_ERR_DATA, "%s: %s cannot be opened again; make or copy it again", r->path, r->name);
    return CVY_OK;
}

cvy_status cvy_rows_open(const char *path, const char *name, hid_t file, hid_t array, bool nchw, struct cvy_held *held,
                         struct cvy_rows *out) {
    hid_t space = H5Dget_space(array), stored = H5Dget_type(array);
    *out = (struct cvy_rows){.id = array, .path = path, .name = name, .type = stored, .held = held};
    out->rank = H5Sget_simple_extent_ndims(space);
    if (out->rank >= 1 && out->rank <= 4) H5Sget_simple_extent_dims(space, out->dims, NULL);
    cvy_h5_drop(&space);
    if (out->rank < 1 || out->rank > 4) cvy_h5_drop(&stored);
    CVY_CHECK(out->rank >= 1 && out->rank <= 4, CVY_ERR_DATA, "%s: %s has rank %d; from 1 to 4", path, name, out->rank);
    set_strides(out, nchw);
    hid_t properties = cvy_h5_source_properties(path, file, array);
    set_chunks(out, properties);
    cvy_h5_drop(&properties);
    cvy_h5_drop(&stored);
    out->type = -1;
    return out->inflated > HELD_MOST ? enlarge_cache(out, file) : CVY_OK;
}

static herr_t number_of_chunks(hid_t array, hid_t space, hsize_t *out) {
#if H5_VERSION_GE(1, 10, 5)
    return H5Dget_num_chunks(array, space, out);
#else
    (void)array, (void)space, (void)out;
    return -1;
#endif
}

/* Without chunks it is one piece, which is there or not; those of other files are checked elsewhere. */
static int64_t unwritten_piece(hid_t array, hid_t properties) {
    H5D_space_status_t status;
    if (H5Pget_layout(properties) != H5D_CONTIGUOUS || H5Pget_external_count(properties) > 0) return 0;
    return H5Dget_space_status(array, &status) >= 0 && status == H5D_SPACE_STATUS_NOT_ALLOCATED;
}

static int64_t unwritten_chunks(const struct cvy_rows *r, hid_t properties) {
    hsize_t written = 0, all = 1, chunk[H5S_MAX_RANK];
    if (H5Pget_chunk(properties, H5S_MAX_RANK, chunk) != r->rank) return 0;
    for (int i = 0; i < r->rank; i++) all *= cvy_ceil_div(r->dims[i], chunk[i]);
    hid_t space = H5Dget_space(r->id);
    if (number_of_chunks(r->id, space, &written) < 0) written = all;
    cvy_h5_drop(&space);
    return written < all ? (int64_t)(all - written) : 0;
}

int64_t cvy_rows_unwritten(const struct cvy_rows *r) {
    hid_t properties = H5Dget_create_plist(r->id);
    if (properties < 0) return 0;
    const bool chunked = H5Pget_layout(properties) == H5D_CHUNKED;
    const int64_t count = chunked ? unwritten_chunks(r, properties) : unwritten_piece(r->id, properties);
    cvy_h5_drop(&properties);
    return count;
}

void cvy_rows_close(struct cvy_rows *r) {
    if (r->path == NULL) return;
    cvy_h5_drop(&r->id);
    if (r->held->of == r) r->held->of = NULL;
    cvy_free(r->tile);
    *r = (struct cvy_rows){.id = -1};
}

void cvy_rows_as(struct cvy_rows *r, hid_t type, size_t element) {
    r->type = type;
    r->element = element;
    r->row = (size_t)r->stride[0] * element;
    if (r->held->of == r) r->held->of = NULL;
}

/* ---- Putting in place ---- */

#define PLACE(type)                                                                                                    \
    static void place_##type(const int64_t size[4], const int64_t stride[4], const type *in, type *out) {              \
        for (int64_t n = 0; n < size[0]; n++)                                                                          \
            for (int64_t b = 0; b < size[2]; b++)                                                                      \
                for (int64_t a = 0; a < size[1]; a++) {                                                                \
                    const type *from = in + ((n * size[1] + a) * size[2] + b) * size[3];                               \
                    type *to = out + n * stride[0] + a * stride[1] + b * stride[2];                                    \
                    if (stride[3] == 1)                                                                                \
                        memcpy(to, from, (size_t)size[3] * sizeof *to);                                                \
                    else                                                                                               \
                        for (int64_t c = 0; c < size[3]; c++) to[c * stride[3]] = from[c];                             \
                }                                                                                                      \
    }
PLACE(uint8_t)
PLACE(uint32_t)
PLACE(uint64_t)

/* An innermost axis of one element makes way for the next, so that the innermost loop is a long one. */
static void skip_single(int64_t size[4], int64_t stride[4]) {
    for (int turn = 0; turn < 2 && size[3] == 1; turn++)
        for (int i = 3; i > 0; i--) {
            size[i] = i > 1 ? size[i - 1] : 1;
            stride[i] = i > 1 ? stride[i - 1] : 0;
        }
}

/* A dense tile of these extents → its elements' places; `out`: of its first. */
static void place(const struct cvy_rows *r, const hsize_t *extent, const void *tile, unsigned char *out) {
    int64_t size[4] = {1, 1, 1, 1}, stride[4] = {0, 0, 0, 1};
    size[0] = (int64_t)extent[0];
    stride[0] = r->stride[0];
    for (int i = 1; i < r->rank; i++) {
        size[4 - r->rank + i] = (int64_t)extent[i];
        stride[4 - r->rank + i] = r->stride[i];
    }
    skip_single(size, stride);
    if (r->element == 1)
        place_uint8_t(size, stride, tile, out);
    else if (r->element == 4)
        place_uint32_t(size, stride, tile, (uint32_t *)(void *)out);
    else
        place_uint64_t(size, stride, tile, (uint64_t *)(void *)out);
}

/* ---- Reading ---- */

static cvy_status fail_to_read(const struct cvy_rows *r, int64_t first, int64_t count, const char *why) {
    char filter[160];
    bool needed;
    if (cvy_h5_missing_filter(r->id, filter, &needed)) return cvy_h5_fail_by_filter(r->path, r->name, filter);
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s: %s: samples %" PRId64 " to %" PRId64 " cannot be read: %s; make or copy it again", r->path,
                    r->name, r->before + first, r->before + first + count - 1, why);
}

static cvy_status read_box(const struct cvy_rows *r, const hsize_t *at, const hsize_t *extent, void *out);

/* Of several blocks, of which one cannot be read: which. */
static cvy_status find_bad_block(const struct cvy_rows *r, const hsize_t *at, const hsize_t *extent, void *out) {
    hsize_t first[4], size[4], end = at[0] + extent[0], block = (hsize_t)r->block;
    memcpy(first, at, sizeof first);
    memcpy(size, extent, sizeof size);
    for (; first[0] < end; first[0] += size[0]) {
        const hsize_t next = (first[0] / block + 1) * block;
        size[0] = (next < end ? next : end) - first[0];
        CVY_TRY(read_box(r, first, size, out));
    }
    return CVY_OK;
}

/* A box of the array, dense. */
static cvy_status read_box(const struct cvy_rows *r, const hsize_t *at, const hsize_t *extent, void *out) {
    char why[256];
    if (r->work) CVY_TRY(cvy_work_go_on(r->work, r->path));
    hid_t file_space = H5Dget_space(r->id), memory_space = H5Screate_simple(r->rank, extent, NULL);
    bool good = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, extent, NULL) >= 0 &&
                H5Dread(r->id, r->type, memory_space, file_space, H5P_DEFAULT, out) >= 0;
    if (!good) cvy_h5_why(why); /* before the next call clears it */
    cvy_h5_drop(&memory_space);
    cvy_h5_drop(&file_space);
    if (!good && extent[0] > (hsize_t)r->block) CVY_TRY(find_bad_block(r, at, extent, out));
    return good ? CVY_OK : fail_to_read(r, (int64_t)at[0], (int64_t)extent[0], why);
}

static cvy_status make_tile(struct cvy_rows *r, size_t bytes) {
    if (bytes <= r->tile_bytes) return CVY_OK;
    CVY_DELETE(&r->tile);
    r->tile_bytes = 0;
    CVY_TRY(cvy_alloc(bytes, CVY_TAG_data, (void **)&r->tile));
    r->tile_bytes = bytes;
    return CVY_OK;
}

static size_t box_bytes(const struct cvy_rows *r, const hsize_t *extent) {
    size_t bytes = r->element;
    for (int i = 0; i < r->rank; i++) bytes *= (size_t)extent[i];
    return bytes;
}

/* Steps to the next box of the grid of chunks within a row; false behind the last. */
static bool next_box(const struct cvy_rows *r, hsize_t *at, hsize_t *extent) {
    for (int i = r->rank - 1; i > 0; i--) {
        at[i] += extent[i];
        const bool more = at[i] < r->dims[i];
        if (!more) at[i] = 0;
        extent[i] = r->dims[i] - at[i] < r->chunk[i] ? r->dims[i] - at[i] : r->chunk[i];
        if (more) return true;
    }
    return false;
}

/* Rows whose chunks hold parts of them: a chunk at a time. */
static cvy_status read_split(struct cvy_rows *r, int64_t first, int64_t count, unsigned char *out) {
    hsize_t at[4] = {(hsize_t)first}, extent[4];
    memcpy(extent, r->chunk, sizeof extent);
    extent[0] = (hsize_t)count;
    CVY_TRY(make_tile(r, box_bytes(r, extent)));
    do {
        int64_t to = 0;
        for (int i = 1; i < r->rank; i++) to += (int64_t)at[i] * r->stride[i];
        CVY_TRY(read_box(r, at, extent, r->tile));
        place(r, extent, r->tile, out + (size_t)to * r->element);
    } while (next_box(r, at, extent));
    return CVY_OK;
}

/* Whole rows, which may have to be put in another order. */
static cvy_status read_rows(struct cvy_rows *r, int64_t first, int64_t count, unsigned char *out) {
    hsize_t at[4] = {(hsize_t)first}, extent[4];
    memcpy(extent, r->dims, sizeof extent);
    extent[0] = (hsize_t)count;
    if (r->plain) return read_box(r, at, extent, out);
    CVY_TRY(make_tile(r, box_bytes(r, extent)));
    CVY_TRY(read_box(r, at, extent, r->tile));
    place(r, extent, r->tile, out);
    return CVY_OK;
}

/* Rows at a time that suit a tile, or a read into their place: whole blocks, as long as a tile of these can be held. */
static int64_t rows_at_once(const struct cvy_rows *r, bool by_chunk) {
    const bool blocks = r->inflated > 0 && (r->plain || r->inflated <= HELD_MOST);
    if (by_chunk) return (int64_t)r->chunk[0];
    const int64_t fit = (int64_t)((r->plain ? READ_BYTES : TILE_BYTES) / r->row) + 1;
    return !blocks ? fit : fit <= r->block ? r->block : fit / r->block * r->block;
}

static cvy_status check_sums(const struct cvy_rows *r, int64_t first, int64_t count, const unsigned char *rows) {
    if (r->sums == NULL) return CVY_OK;
    const int64_t bad = cvy_sums_compare(r->sums, first, count, (int64_t)r->dims[0], r->row, rows);
    CVY_CHECK(bad < 0, CVY_ERR_DATA,
              "%s: %s: samples from %" PRId64 " on are not what was packed: the file is damaged, or another took its "
              "place; copy or make it again (convoy data verify reads all of it)",
              r->path, r->name, r->before + bad);
    return CVY_OK;
}

/* Everything that is read of a data set comes through here; blocks that are inflated come whole, unless they are too
 * large to be held. */
static cvy_status read_block(struct cvy_rows *r, int64_t first, int64_t count, unsigned char *out) {
    hsize_t one[4];
    memcpy(one, r->chunk, sizeof one);
    const bool by_chunk = r->split && box_bytes(r, one) >= TILE_LEAST;
    const int64_t step = rows_at_once(r, by_chunk);
    for (int64_t done = 0, now; done < count; done += now) {
        const int64_t from = first + done, end = step - from % step;
        now = count - done < end ? count - done : end;
        unsigned char *to = out + (size_t)done * r->row;
        CVY_TRY(by_chunk ? read_split(r, from, now, to) : read_rows(r, from, now, to));
    }
    return check_sums(r, first, count, out);
}

/* ---- Parts of blocks ---- */

static bool holds(const struct cvy_rows *r) {
    return r->inflated > 0 && r->block > 1 && (size_t)r->block * r->row <= HELD_MOST && r->inflated <= HELD_MOST;
}

static cvy_status make_held(struct cvy_rows *r) {
    const size_t bytes = (size_t)r->block * r->row;
    if (bytes <= r->held->room) return CVY_OK;
    cvy_free(r->held->data);
    *r->held = (struct cvy_held){.data = NULL};
    CVY_TRY(cvy_alloc(bytes, CVY_TAG_data, (void **)&r->held->data));
    r->held->room = bytes;
    return CVY_OK;
}

cvy_status cvy_rows_reserve(struct cvy_rows *r) {
    hsize_t extent[4];
    memcpy(extent, r->split ? r->chunk : r->dims, sizeof extent);
    extent[0] = (hsize_t)r->block;
    if (holds(r)) CVY_TRY(make_held(r));
    return r->plain && !r->split ? CVY_OK : make_tile(r, box_bytes(r, extent));
}

/* The block that begins at `first`, in r->held. */
static cvy_status hold_block(struct cvy_rows *r, int64_t first) {
    const int64_t left = (int64_t)r->dims[0] - first, count = left < r->block ? left : r->block;
    if (r->held->of == r && r->held->first == first) return CVY_OK;
    CVY_TRY(make_held(r));
    r->held->of = NULL;
    CVY_TRY(read_block(r, first, count, r->held->data));
    r->held->of = r;
    r->held->first = first;
    return CVY_OK;
}

cvy_status cvy_rows_read(struct cvy_rows *r, int64_t first, int64_t count, void *out) {
    const int64_t rows = (int64_t)r->dims[0];
    if (!holds(r)) return read_block(r, first, count, out);
    for (int64_t done = 0, now; done < count; done += now) {
        const int64_t at = first + done, block = at / r->block * r->block, stop = first + count;
        const int64_t end = stop == rows ? rows : stop / r->block * r->block; /* of whole blocks */
        unsigned char *to = (unsigned char *)out + (size_t)done * r->row;
        if (at == block && end > at) {
            now = end - at;
            CVY_TRY(read_block(r, at, now, to));
            continue;
        }
        CVY_TRY(hold_block(r, block));
        now = block + r->block < stop ? block + r->block - at : stop - at;
        memcpy(to, r->held->data + (size_t)(at - block) * r->row, (size_t)now * r->row);
    }
    return CVY_OK;
}
