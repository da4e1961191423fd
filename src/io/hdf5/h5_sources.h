/* Whether everything that an array is made of is there. HDF5 gives its fill value, mostly zeros, for what a missing,
 * unreadable or too short source of a virtual data set or external file should have given, without a word. Under the
 * lock. */
#ifndef CVY_IO_HDF5_H5_SOURCES_H
#define CVY_IO_HDF5_H5_SOURCES_H

#include "io/hdf5/h5.h"
#include "io/watch.h"

/* The files that are sources, open as HDF5 itself will open them: as long as they are, nobody can open them otherwise,
 * which would keep HDF5 from them. */
struct cvy_h5_sources {
    hid_t *files;
    int count, room;
    struct cvy_h5_watched *watched; /* these, and external files, by name */
    int watched_count, watched_room;
};
struct cvy_h5_watched {
    char *path;
    struct cvy_watch watch;
};

/* CVY_ERR_DATA naming the first source that is missing; also where some of a virtual data set has no source at all. */
cvy_status cvy_h5_open_sources(const char *path, hid_t file, hid_t array, const char *name,
                               struct cvy_h5_sources *sources);
/* Whether all are what they were when they were opened; CVY_ERR_DATA naming the first that is not. After reading: HDF5
 * opens them by name each time, and gives zeros for one that is gone. */
cvy_status cvy_h5_watch_sources(struct cvy_h5_sources *sources);
void cvy_h5_close_sources(struct cvy_h5_sources *sources);

/* Creation properties of the first array with values of its own that an array is made of: of itself, mostly. -1 when
 * there is none. Drop it. */
hid_t cvy_h5_source_properties(const char *path, hid_t file, hid_t array);

#endif
