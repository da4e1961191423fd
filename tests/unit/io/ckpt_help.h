/* Checkpoints for tests. */
#ifndef CVY_TESTS_CKPT_HELP_H
#define CVY_TESTS_CKPT_HELP_H

#include "io/ckpt/ckpt.h"

/* Makes a checkpoint and writes it in one go; `bytes` as cvy_ckpt_image_write. */
cvy_status ckpt_write(const char *path, const struct cvy_ckpt_contents *contents, int64_t *bytes);

#endif
