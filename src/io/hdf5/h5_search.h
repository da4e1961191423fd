/* Where a source of a virtual data set is. Under the lock. */
#ifndef CVY_IO_HDF5_H5_SEARCH_H
#define CVY_IO_HDF5_H5_SEARCH_H

#include "io/hdf5/h5.h"
#include "io/path.h"

struct cvy_h5_search {
    const char *name;         /* as the file has it */
    char found[CVY_PATH_MAX]; /* the first of that name that there is, readable or not; "" */
    char why[256];            /* it cannot be opened */
    hid_t file;               /* open, or -1 */
};

/* Looks for source `name` of the file at `path`, and leaves it open in s->file; false where there is none that opens.
 */
bool cvy_h5_find_source(const char *path, const char *name, struct cvy_h5_search *s);

/* "${ORIGIN}/parts" with the folder of the file at `path` for the first word; another prefix as it is. */
const char *cvy_h5_expand_prefix(const char *prefix, const char *path, char out[CVY_PATH_MAX]);

#endif
