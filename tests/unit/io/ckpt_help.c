#include "ckpt_help.h"

cvy_status ckpt_write(const char *path, const struct cvy_ckpt_contents *contents, int64_t *bytes) {
    struct cvy_ckpt_image *image;
    CVY_TRY(cvy_ckpt_image_create(contents, &image));
    cvy_status status = cvy_ckpt_image_write(image, path, bytes);
    cvy_ckpt_image_destroy(&image);
    return status;
}
