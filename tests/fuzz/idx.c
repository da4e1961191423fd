/* IDX files, plain and gzipped, as images and as labels. */
#include "core/memory.h"
#include "fuzz/fuzz.h"
#include "io/idx.h"

static void read_items(struct cvy_idx *idx) {
    unsigned char *items;
    const int64_t few = idx->dims[0] < 3 ? idx->dims[0] : 3;
    if (CVY_NEW(&items, (size_t)(few * idx->item), data) != CVY_OK) return;
    while (idx->done < idx->dims[0]) {
        const int64_t left = idx->dims[0] - idx->done;
        if (cvy_idx_read(idx, left < few ? left : few, items) != CVY_OK) break;
    }
    if (idx->done == idx->dims[0]) (void)cvy_idx_expect_end(idx);
    cvy_free(items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file("x.idx", data, size);
    struct cvy_idx *idx;
    for (int rank = 1; rank <= 3; rank += 2)
        if (cvy_idx_open(path, rank, &idx) == CVY_OK) {
            read_items(idx);
            cvy_idx_close(&idx);
        }
    return fuzz_done();
}
