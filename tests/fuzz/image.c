/* PNG and JPEG files, to grey and to colours. */
#include "fuzz/fuzz.h"
#include "io/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct cvy_image_options options = {.background = {255, 127, 0}};
    const char *path = fuzz_file("x.png", data, size);
    unsigned char pixels[7 * 9 * 3];
    for (int channels = 1; channels <= 3; channels += 2)
        (void)cvy_image_load(path, (struct cvy_shape){7, 9, channels}, &options, pixels);
    return fuzz_done();
}
