/* Which files one of HDF5 is made of. */
#ifndef CVY_IO_HDF5_H5_FILES_H
#define CVY_IO_HDF5_H5_FILES_H

#include <stdbool.h>

/* Whether who reads `path` reads `file`, too: it is the file itself, a source of one of its virtual data sets (a shard
 * of ours is one), an external file, or what an external link leads to. Both exist; `path` need not be HDF5. Takes the
 * lock of h5.h. */
bool cvy_h5_reads(const char *path, const char *file);

#endif
