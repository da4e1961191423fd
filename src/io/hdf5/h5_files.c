#include "io/hdf5/h5_files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/hdf5/h5.h"
#include "io/path.h"

enum { DEPTH = 3, NAME_ROOM = 1024 };

struct looking {
    const char *path, *file; /* does the one read the other? */
    int depth;
    bool found;
};

static bool reads(const char *path, const char *file, int depth);

/* HDF5 looks beside the file, beside what it is a link to, and in the working folder; an absolute name also by its last
 * part. */
static void look_at(struct looking *l, const char *name) {
    char beside[CVY_PATH_MAX];
    const char *const names[2] = {name, cvy_path_name(name)};
    for (int i = 0; i < 2 && !l->found; i++) {
        l->found = reads(names[i], l->file, l->depth - 1);
        if (!l->found && cvy_path_meant(l->path, names[i], beside) == CVY_OK)
            l->found = reads(beside, l->file, l->depth - 1);
    }
}

static void look_at_sources(struct looking *l, hid_t array) {
    char name[NAME_ROOM];
    size_t count = 0;
    hid_t properties = H5Dget_create_plist(array);
    if (H5Pget_layout(properties) == H5D_VIRTUAL) H5Pget_virtual_count(properties, &count);
    for (size_t i = 0; i < count && !l->found; i++)
        if (H5Pget_virtual_filename(properties, i, name, sizeof name) >= 0) look_at(l, name);
    const int files = count == 0 ? H5Pget_external_count(properties) : 0;
    for (int i = 0; i < files && !l->found; i++) {
        memset(name, 0, sizeof name);
        if (H5Pget_external(properties, (unsigned)i, sizeof name - 1, name, NULL, NULL) >= 0) look_at(l, name);
    }
    cvy_h5_drop(&properties);
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *info, void *arg) {
    struct looking *l = arg;
    char value[NAME_ROOM];
    const char *file, *object;
    unsigned flags;
    hid_t array = info->type == H5L_TYPE_HARD ? H5Dopen2(group, name, H5P_DEFAULT) : -1;
    if (array >= 0) look_at_sources(l, array);
    cvy_h5_drop(&array);
    if (info->type == H5L_TYPE_EXTERNAL && info->u.val_size <= sizeof value &&
        H5Lget_val(group, name, value, sizeof value, H5P_DEFAULT) >= 0 &&
        H5Lunpack_elink_val(value, info->u.val_size, &flags, &file, &object) >= 0)
        look_at(l, file);
    return l->found;
}

static bool reads(const char *path, const char *file, int depth) {
    struct looking l = {path, file, depth, cvy_path_same(path, file)};
    hid_t h5 = -1;
    if (l.found || depth == 0 || H5Fis_hdf5(path) <= 0) return l.found;
    if (cvy_h5_open(path, CVY_ERR_DATA, &h5) == CVY_OK) H5Lvisit(h5, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &l);
    cvy_h5_drop(&h5);
    return l.found;
}

/* By its signature, which stands at the start or at a power of two from 512 on (File Format Specification, II.A).
 * Without the library and its lock: whoever reads a text asks this, too. */
bool cvy_h5_is(const char *path) {
    static const char signature[] = "\211HDF\r\n\032\n";
    enum { BYTES = sizeof signature - 1 };
    char start[BYTES];
    bool is = false;
    struct stat facts;
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return false; /* what a pipe gives is there once */
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    for (long at = 0; !is && fseek(file, at, SEEK_SET) == 0 && fread(start, 1, BYTES, file) == BYTES;
         at = at ? 2 * at : 512)
        is = memcmp(start, signature, BYTES) == 0;
    fclose(file);
    return is;
}

bool cvy_h5_reads(const char *path, const char *file) {
    cvy_h5_lock();
    bool found = reads(path, file, DEPTH);
    cvy_h5_unlock();
    return found;
}
