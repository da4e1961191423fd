/* Checkpoint files whose head is as it comes, or, where it begins as one, made to say what follows it. */
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "fuzz/fuzz.h"
#include "io/ckpt/ckpt.h"
#include "io/ckpt/ckpt_head.h"

static void seal(uint8_t *bytes, size_t size) {
    const size_t length = size - CVY_CKPT_HEAD;
    cvy_ckpt_head((int64_t)length, cvy_hash(bytes + CVY_CKPT_HEAD, length, 0), (char *)bytes);
}

static void read_tensor(struct cvy_ckpt *ckpt, const struct cvy_ckpt_tensor *t) {
    const int64_t count = t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
    float *values;
    if (count > 1 << 20 || CVY_NEW(&values, count, checkpoint) != CVY_OK) return;
    (void)cvy_ckpt_read(ckpt, t->path, count, values);
    cvy_free(values);
}

static void read_all(struct cvy_ckpt *ckpt) {
    struct cvy_buf text = {0};
    int64_t step;
    double mean;
    const char *name;
    for (int i = 0; i < cvy_ckpt_tensor_count(ckpt); i++) read_tensor(ckpt, cvy_ckpt_tensor(ckpt, i));
    for (int i = 0; i < cvy_ckpt_attribute_count(ckpt); i++) (void)cvy_ckpt_attribute_at(ckpt, i);
    (void)cvy_ckpt_blob(ckpt, "experiment", &text);
    (void)cvy_ckpt_int(ckpt, "step", &step);
    (void)cvy_ckpt_real(ckpt, "mean", &mean);
    (void)cvy_ckpt_text(ckpt, "name", &name);
    cvy_buf_destroy(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cvy_ckpt *ckpt;
    uint8_t *bytes;
    if (CVY_NEW(&bytes, size + 1, checkpoint) != CVY_OK) return 0;
    memcpy(bytes, data, size);
    if (size > CVY_CKPT_HEAD && memcmp(bytes, CVY_CKPT_MAGIC, 8) == 0) seal(bytes, size);
    const char *path = fuzz_file("step-00000001.h5", bytes, size);
    cvy_free(bytes);
    if (cvy_ckpt_open(path, &ckpt) == CVY_OK) {
        read_all(ckpt);
        cvy_ckpt_close(&ckpt);
    }
    return fuzz_done();
}
