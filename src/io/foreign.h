/* Files of other programs, told by how they begin: what one is that stands where HDF5 or a picture was expected, and
 * what makes something of it that can be read. */
#ifndef CVY_IO_FOREIGN_H
#define CVY_IO_FOREIGN_H

#include <stdbool.h>

#include "core/buf.h"

struct cvy_foreign {
    const char *name;    /* "a GIF picture" */
    const char *picture; /* "GIF", where it is one */
    bool text;           /* which may be anything */
};

/* NULL: of no kind that is known, or it cannot be read. */
const struct cvy_foreign *cvy_foreign_of(const char *path);
/* A picture of a format that is not among those of convoy/formats.h. */
bool cvy_foreign_is_unread(const struct cvy_foreign *kind);

/* ", but a NumPy array; python3 … makes new.h5 of it": what a file is instead of what it should be, and what to do.
 * `as_picture`: it was to be one, else a data set. Nothing is appended where its kind is not known. */
void cvy_foreign_say(const char *path, bool as_picture, struct cvy_buf *out);
/* "is a folder of pictures, …": where it has some, or a folder in it has, and no HDF5 file. */
void cvy_foreign_say_folder(const char *folder, struct cvy_buf *out);
/* "python3 … FILES makes PNG of it, where …": `files` are " WORD" each, as a shell takes them. */
void cvy_foreign_say_convert(const char *files, struct cvy_buf *out);

#endif
