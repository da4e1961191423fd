#include "io/hdf5/h5.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/file.h"
#include "io/foreign.h"

/* ---- The lock ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* HDF5 is one per process, so its lock is too */
static H5E_auto2_t caller_print;                          /* the caller's own error printing, while we hold the lock */
static void *caller_data;

/* HDF5 1.10 never lets go of a file whose metadata turned out to be damaged, and complains about that on stderr when
 * the process ends, unless its printing is off then. */
static void silence(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void cvy_h5_lock(void) {
    static bool silenced;
    pthread_mutex_lock(&mutex);
    if (!silenced)
        silenced = H5open() >= 0 && atexit(silence) == 0; /* runs before HDF5's own, which is there earlier */
    H5Eget_auto2(H5E_DEFAULT, &caller_print, &caller_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void cvy_h5_unlock(void) {
    H5Eset_auto2(H5E_DEFAULT, caller_print, caller_data);
    pthread_mutex_unlock(&mutex);
}

void cvy_h5_drop(hid_t *id) {
    if (*id >= 0) {
        hid_t said = H5Eget_num(H5E_DEFAULT) > 0 ? H5Eget_current_stack() : -1;
        H5Idec_ref(*id);
        if (said >= 0) H5Eset_current_stack(said);
    }
    *id = -1;
}

/* H5E_WALK_UPWARD begins at the innermost call; its text is the cause. */
static herr_t take_first(unsigned n, const H5E_error2_t *error, void *out) {
    if (n == 0 && error->desc) snprintf(out, 256, "%s", error->desc);
    return n == 0;
}

const char *cvy_h5_why(char out[256]) {
    snprintf(out, 256, "no reason given");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, out);
    return out;
}

/* ---- Reading ---- */

static void no_file_locks(hid_t access) {
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, false, true);
#else
    (void)access; /* HDF5_USE_FILE_LOCKING=FALSE in the environment does it there */
#endif
}

/* What it is instead, where that is known. */
static cvy_status fail_by_kind(const char *path, cvy_status code, const char *why) {
    struct cvy_buf kind = {0};
    if (code == CVY_ERR_DATA) cvy_foreign_say(path, false, &kind);
    const cvy_status status =
        kind.size ? CVY_FAIL(code, "%s: not a readable HDF5 file%s", path, cvy_buf_text(&kind))
                  : CVY_FAIL(code, "%s: not a readable HDF5 file (%s); make or copy it again", path, why);
    cvy_buf_destroy(&kind);
    return status;
}

static cvy_status refuse_folder(const char *path, cvy_status code) {
    struct cvy_buf holds = {0};
    if (code == CVY_ERR_DATA && cvy_folder_exists(path)) cvy_foreign_say_folder(path, &holds);
    const cvy_status status =
        holds.size ? CVY_FAIL(code, "%s: %s", path, cvy_buf_text(&holds)) : cvy_file_no_folder(path, ".h5", code);
    cvy_buf_destroy(&holds);
    return status;
}

static cvy_status fail_to_open(const char *path, cvy_status code, const char *why) {
    if (strstr(why, "already open for")) /* as its head says; no lock is asked for */
        return CVY_FAIL(code,
                        "%s: the program that wrote it has not closed it; once none writes it any more, run "
                        "`h5clear -s '%s'`, and see whether all that it should hold is there",
                        path, path);
    CVY_CHECK(strstr(why, "truncated") == NULL, code, "%s: the file is cut off (%s); make or copy it again", path, why);
    return fail_by_kind(path, code, why);
}

hid_t cvy_h5_open_source(const char *path, char why[256]) {
    hid_t properties = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(properties, H5F_CLOSE_WEAK);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, properties);
    if (file < 0) cvy_h5_why(why);
    cvy_h5_drop(&properties);
    return file;
}

cvy_status cvy_h5_open(const char *path, cvy_status code, hid_t *file) {
    char why[256];
    CVY_TRY(refuse_folder(path, code));
    CVY_CHECK(!cvy_file_special(path), code, "%s: is a pipe or a device; give a file", path);
    CVY_CHECK(access(path, R_OK) == 0, code, "%s: cannot be opened: %s", path, strerror(errno));
    hid_t properties = H5Pcreate(H5P_FILE_ACCESS);
    no_file_locks(properties);
    H5Pset_fclose_degree(properties, H5F_CLOSE_STRONG);
    *file = H5Fopen(path, H5F_ACC_RDONLY, properties);
    if (*file < 0) cvy_h5_why(why);
    cvy_h5_drop(&properties);
    if (*file < 0 && strstr(why, "match")) *file = cvy_h5_open_source(path, why);
    return *file < 0 ? fail_to_open(path, code, why) : CVY_OK;
}

/* ---- Writing to memory ----
 * HDF5's memory driver asks these for its one growing block, which is counted like all our memory; instead of freeing
 * it when the file is closed, we keep it. */

static void *image_grow(void *old, size_t size, H5FD_file_image_op_t op, void *context) {
    struct cvy_h5_image *image = context;
    void *larger;
    (void)op;
    if (cvy_alloc(size, CVY_TAG_checkpoint, &larger) != CVY_OK) return NULL;
    if (old) memcpy(larger, old, image->room < size ? image->room : size);
    cvy_free(old);
    image->data = larger;
    image->room = size;
    return larger;
}

static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *context) {
    return image_grow(NULL, size, op, context);
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t op, void *context) {
    (void)op;
    (void)context;
    return memcpy(to, from, size);
}

static herr_t image_keep(void *block, H5FD_file_image_op_t op, void *context) {
    (void)block;
    (void)op;
    (void)context;
    return 0;
}

static void *same_context(void *context) {
    return context;
}

static herr_t leave_context(void *context) {
    (void)context;
    return 0;
}

/* The same input gives the same bytes: no times in the file. The format is that of HDF5 1.10: checksummed metadata. */
cvy_status cvy_h5_image_create(struct cvy_h5_image *image, size_t expect, size_t user_block) {
    char why[256], name[32]; /* a name only, but two open files must not share one */
    H5FD_file_image_callbacks_t callbacks = {.image_malloc = image_malloc,
                                             .image_memcpy = image_copy,
                                             .image_realloc = image_grow,
                                             .image_free = image_keep,
                                             .udata_copy = same_context,
                                             .udata_free = leave_context,
                                             .udata = image};
    *image = (struct cvy_h5_image){.file = -1};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
    bool good = H5Pset_fapl_core(access, expect, false) >= 0 && H5Pset_file_image_callbacks(access, &callbacks) >= 0 &&
                H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
                H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 && H5Pset_userblock(create, user_block) >= 0 &&
                H5Pset_obj_track_times(create, false) >= 0;
    snprintf(name, sizeof name, "image-%p", (void *)image);
    if (good) no_file_locks(access); /* which else would forget why */
    if (good) image->file = H5Fcreate(name, H5F_ACC_TRUNC, create, access);
    if (image->file < 0) cvy_h5_why(why);
    cvy_h5_drop(&access);
    cvy_h5_drop(&create);
    CVY_CHECK(image->file >= 0, CVY_ERR_INTERNAL, "HDF5 cannot make a file in memory: %s", why);
    return CVY_OK;
}

/* The end of the file as the superblock (version 2 and later) has it, counted from the file's start. */
static size_t stored_end(const unsigned char *superblock) {
    size_t end = 0;
    for (int i = 7; i >= 0; i--) end = end << 8 | superblock[28 + i];
    return end;
}

cvy_status cvy_h5_image_close(struct cvy_h5_image *image) {
    char why[256];
    hsize_t user_block = 0;
    hid_t create = H5Fget_create_plist(image->file);
    H5Pget_userblock(create, &user_block);
    cvy_h5_drop(&create);
    herr_t closed = H5Fclose(image->file);
    if (closed < 0) cvy_h5_why(why);
    image->file = -1;
    CVY_CHECK(closed >= 0, CVY_ERR_INTERNAL, "HDF5 cannot complete a file in memory: %s", why);
    image->size = image->room > user_block + 48 ? stored_end(image->data + user_block) : 0;
    CVY_CHECK(image->size > 0 && image->size <= image->room, CVY_ERR_INTERNAL,
              "HDF5 left a file of %zu bytes in a block of %zu", image->size, image->room);
    return CVY_OK;
}

void cvy_h5_image_destroy(struct cvy_h5_image *image) {
    if (image->data && image->file >= 0) H5Fclose(image->file); /* 0 in a zeroed image is no id */
    cvy_free(image->data);
    *image = (struct cvy_h5_image){.file = -1};
}
