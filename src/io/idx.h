/* IDX files, the format of MNIST and Fashion-MNIST: big-endian, unsigned bytes, plain or gzip. Read as a stream. */
#ifndef CVY_IO_IDX_H
#define CVY_IO_IDX_H

#include <stdint.h>

#include "core/status.h"

struct cvy_idx {
    void *stream; /* private */
    char *path;
    int rank;
    int64_t dims[4]; /* dims[0] is the number of items */
    int64_t item;    /* bytes of one item: the product of the other dims */
    int64_t done;    /* items read so far */
};

/* Opens and checks magic and dimensions. CVY_ERR_DATA: missing, not IDX, not of unsigned bytes, wrong rank (`rank` is
 * what the caller expects: 3 for images, 1 for labels). */
cvy_status cvy_idx_open(const char *path, int rank, struct cvy_idx **out);
/* The next `count` items; CVY_ERR_DATA when the file ends too early or is damaged. */
cvy_status cvy_idx_read(struct cvy_idx *idx, int64_t count, unsigned char *out);
/* CVY_ERR_DATA when there are bytes behind the last item. Call after the last read. */
cvy_status cvy_idx_expect_end(struct cvy_idx *idx);
void cvy_idx_close(struct cvy_idx **idx);

#endif
