/* An HDF5 file of arrays that grow by a row at a time: made in memory, and put in place whole. Not thread-safe. */
#ifndef CVY_IO_HDF5_ARRAYS_H
#define CVY_IO_HDF5_ARRAYS_H

#include "core/status.h"
#include "core/tensor.h"

struct cvy_array {
    const char *name;    /* "/y" */
    enum cvy_dtype type; /* CVY_F32 or CVY_I32 */
    int rank;            /* of the whole array, 1 to 4 */
    int dims[3];         /* of a row, [rank − 1] */
};
enum { CVY_ARRAYS = 4 };

struct cvy_arrays;
/* `texts`: the name of an array of texts, one a row. Nothing is on disk before _finish, which replaces what
 * is there: see output.h. */
cvy_status cvy_arrays_create(const char *path, const struct cvy_array *arrays, int count, const char *texts,
                             struct cvy_arrays **out);
/* One row of each array, and its text. */
cvy_status cvy_arrays_append(struct cvy_arrays *arrays, const void *const *rows, const char *text);
/* Writes the file, in the place of one that is there; destroys, also on failure. */
cvy_status cvy_arrays_finish(struct cvy_arrays **arrays);
void cvy_arrays_destroy(struct cvy_arrays **arrays); /* NULL is fine */

#endif
