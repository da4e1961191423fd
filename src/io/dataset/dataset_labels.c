/* Classes as people store them: numbers of any type, one-hot rows (names: dataset_names.c). They are read through at
 * opening, in blocks. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "io/dataset/dataset_part.h"

#define MOST_CLASSES (1 << 24)
#define MOST_LIKELY  (1 << 16) /* of floats that nobody calls classes */
#define BLOCK_VALUES (1 << 17)

cvy_status cvy_dataset_check_classes(const struct cvy_dataset *ds, int64_t first, int64_t count, const int32_t *y) {
    const struct cvy_dataset_info *info = &ds->info;
    const int64_t size = cvy_shape_count(info->target.shape);
    for (int64_t i = 0; i < count * size; i++) {
        bool fits = (y[i] >= 0 && y[i] < info->classes) || (info->ignores && y[i] == info->ignored);
        CVY_CHECK(fits, CVY_ERR_DATA, "%s: sample %" PRId64 " has label %d, but the classes are 0 to %d", ds->path,
                  first + i / size, y[i], info->classes - 1);
    }
    return CVY_OK;
}

/* ---- Reading them in blocks ---- */

/* Called for samples first … first+count−1. */
typedef cvy_status take_fn(struct cvy_dataset *ds, int64_t first, int64_t count, const double *y, void *arg);

/* All rows, which are samples `before` … of the set. */
static cvy_status each_block(struct cvy_dataset *ds, struct cvy_rows *rows, int64_t before, take_fn *take, void *arg) {
    const int64_t size = rows->stride[0], count = (int64_t)rows->dims[0];
    int64_t most = size < BLOCK_VALUES ? BLOCK_VALUES / size : 1;
    if (most < rows->block && rows->block * size < MOST_CLASSES) most = rows->block;
    double *block;
    cvy_status status = CVY_NEW(&block, most * size, data);
    for (int64_t first = 0, now; status == CVY_OK && first < count; first += now) {
        now = count - first < most ? count - first : most;
        status = cvy_work_go_on(&ds->spec.work, ds->path);
        if (status == CVY_OK) status = cvy_rows_read(rows, first, now, block);
        if (status == CVY_OK) status = take(ds, before + first, now, block, arg);
    }
    cvy_free(block);
    return status;
}

/* Takes `y` over. */
static cvy_status read_array(struct cvy_dataset *ds, const char *path, hid_t y, int64_t before, take_fn *take,
                             void *arg) {
    struct cvy_held held = {.data = NULL};
    struct cvy_rows rows;
    hid_t file = H5Iget_file_id(y);
    cvy_status status = cvy_rows_open(path, ds->y_name, file, y, ds->y_nchw, &held, &rows);
    if (status == CVY_OK) {
        cvy_rows_as(&rows, H5T_NATIVE_DOUBLE, sizeof(double));
        if (cvy_target_is_class(ds->info.target)) ds->info.unwritten = cvy_rows_unwritten(&rows);
        status = each_block(ds, &rows, before, take, arg);
    }
    cvy_rows_close(&rows);
    cvy_free(held.data);
    cvy_h5_drop(&file);
    return status;
}

/* A shard's own, not those that HDF5 sees through the index: where a shard is open already it would see zeros. */
static cvy_status read_shard(struct cvy_dataset *ds, const struct cvy_dataset_part *part, take_fn *take, void *arg) {
    hsize_t dims[8];
    int rank;
    hid_t file = -1, y = -1;
    cvy_status status;
    CVY_TRY(cvy_h5_open(part->path, CVY_ERR_DATA, &file));
    CVY_GO(cvy_dataset_array_open(part->path, file, ds->y_name, &y, &rank, dims));
    if (rank != ds->y_rank || (int64_t)dims[0] != part->count)
        CVY_GO(CVY_FAIL(CVY_ERR_DATA, "%s: %s is not as %s says; copy the shards again", part->path, ds->y_name,
                        ds->path));
    const hid_t taken = y;
    y = -1;
    CVY_GO(read_array(ds, part->path, taken, part->first, take, arg));
done:
    cvy_h5_drop(&y);
    cvy_h5_drop(&file);
    return status;
}

/* All of /y as numbers. */
static cvy_status read_through(struct cvy_dataset *ds, hid_t y, take_fn *take, void *arg) {
    const bool in_shards = ds->info.shards > 0 && ds->y_form != CVY_Y_AS_IT_IS; /* labels are in the index itself */
    if (!in_shards) {
        H5Iinc_ref(y);
        return read_array(ds, ds->path, y, 0, take, arg);
    }
    for (int i = 0; i < ds->part_count; i++) CVY_TRY(read_shard(ds, &ds->parts[i], take, arg));
    return CVY_OK;
}

cvy_status cvy_dataset_make_labels(struct cvy_dataset *ds) {
    return cvy_target_is_class(ds->info.target) ? CVY_NEW(&ds->labels, ds->info.count, data) : CVY_OK;
}

/* ---- Numbers ---- */

struct numbers {
    double largest;
    bool quietly, fit;
    double end; /* classes are below */
};

static cvy_status refuse(const struct cvy_dataset *ds, int64_t sample, double label) {
    const int most = ds->spec.most_classes;
    if (ds->own && label == floor(label) && (label < 0 || label >= ds->info.classes))
        return CVY_FAIL(CVY_ERR_DATA, "%s: sample %" PRId64 " has label %.0f, but the classes are 0 to %d", ds->path,
                        sample, label, ds->info.classes - 1);
    if ((label != floor(label) || isinf(label)) && ds->spec.names) /* NaN too */
        return CVY_FAIL(CVY_ERR_DATA,
                        "%s: sample %" PRId64 " has %g in %s, which is no class, and the network is trained on "
                        "classes; name these with --y, in an experiment {file: …, y: /NAME}",
                        ds->path, sample, label, ds->y_name);
    if (label != floor(label) || isinf(label))
        return CVY_FAIL(CVY_ERR_DATA,
                        "%s: sample %" PRId64 " has %g in %s, which is no class: classes are the whole numbers from 0; "
                        "give these, or rows [n][k] of probabilities; if they are measurements, take a loss of values",
                        ds->path, sample, label, ds->y_name);
    if (most > 0 && label >= most)
        return CVY_FAIL(CVY_ERR_DATA,
                        "%s: sample %" PRId64 " has class %.0f, but the network tells %d %s apart, 0 to %d; %s%sleave "
                        "such samples out, or train with that class",
                        ds->path, sample, label, most, cvy_plural(most, "class", "classes"), most - 1,
                        label == most ? "where labels start at 1, subtract 1; else " : "",
                        label == 255 ? "where it stands for what does not count, train with ignore_label: 255 in the "
                                       "loss; else "
                                     : "");
    return CVY_FAIL(
        CVY_ERR_DATA,
        "%s: sample %" PRId64 " has label %.0f; classes are numbered from 0 (one that does not count is "
        "named in the loss's ignore_label, data pack --ignore-label); if these are measurements, take a loss "
        "of values (data pack --values)",
        ds->path, sample, label);
}

static cvy_status take_numbers(struct cvy_dataset *ds, int64_t first, int64_t count, const double *y, void *arg) {
    struct numbers *n = arg;
    const int64_t size = cvy_shape_count(ds->info.target.shape);
    for (int64_t i = 0; n->fit && i < count * size; i++) {
        const bool ignored = ds->info.ignores && y[i] == ds->info.ignored;
        n->fit = ignored || (y[i] >= 0 && y[i] < n->end && y[i] == floor(y[i]));
        if (!n->fit && !n->quietly) return refuse(ds, first + i / size, y[i]);
        if (!n->fit) ds->misfit = y[i];
        if (n->fit && !ignored && y[i] > n->largest) {
            n->largest = y[i];
            ds->info.largest_at = first + i / size;
        }
        if (n->fit && ds->labels) ds->labels[first + i] = (int32_t)y[i];
    }
    return CVY_OK;
}

cvy_status cvy_dataset_read_numbers(struct cvy_dataset *ds, hid_t y, bool quietly, bool *fit) {
    const int most = ds->spec.most_classes;
    const bool own = ds->own && ds->y_form == CVY_Y_AS_IT_IS;
    struct numbers n = {.quietly = quietly, .fit = true};
    n.end = own ? ds->info.classes : quietly && ds->spec.want == CVY_WANT_ANY ? MOST_LIKELY : MOST_CLASSES;
    if (most > 0 && most < n.end) n.end = most;
    CVY_TRY(cvy_dataset_make_labels(ds));
    CVY_TRY(read_through(ds, y, take_numbers, &n));
    *fit = n.fit;
    if (!own) ds->info.classes = (int)n.largest + 1;
    return CVY_OK;
}

/* ---- One-hot ---- */

/* The one of k that is 1 while the others are 0; −1 where it is not so. */
static int hot_of(const double *row, int k) {
    int hot = -1, ones = 0, zeros = 0;
    for (int i = 0; i < k; i++) {
        if (row[i] == 1) hot = i;
        ones += row[i] == 1;
        zeros += row[i] == 0;
    }
    return ones == 1 && zeros == k - 1 ? hot : -1;
}

struct rows {
    int64_t seen, odd; /* of these, that are not one-hot */
};

/* To the end of a block where one is odd, so that a slip is told from rows of another kind. */
static cvy_status take_rows(struct cvy_dataset *ds, int64_t first, int64_t count, const double *y, void *arg) {
    struct rows *rows = arg;
    const int k = ds->y_channels;
    const int64_t size = cvy_shape_count(ds->info.target.shape);
    const bool over = rows->odd > 0;
    for (int64_t i = 0; !over && i < count * size; i++, rows->seen++) {
        const int hot = hot_of(y + i * k, k);
        if (hot < 0 && rows->odd++ == 0) ds->info.odd_row = first + i / size;
        if (hot >= 0 && ds->labels) ds->labels[first + i] = hot;
    }
    return CVY_OK;
}

cvy_status cvy_dataset_read_one_hot(struct cvy_dataset *ds, hid_t y, bool *fit) {
    struct rows rows = {0, 0};
    CVY_TRY(cvy_dataset_make_labels(ds));
    CVY_TRY(read_through(ds, y, take_rows, &rows));
    *fit = rows.odd == 0;
    ds->info.odd = rows.odd > 0 && 10 * rows.odd <= rows.seen;
    ds->info.classes = ds->y_channels;
    return CVY_OK;
}
