/* A picture in the place of a data set. */
#ifndef CVY_API_PICTURES_H
#define CVY_API_PICTURES_H

#include "core/status.h"
#include "io/file.h"
#include "io/image/image.h"

static inline cvy_status cvy_refuse_picture(const char *path) {
    CVY_CHECK(!cvy_file_exists(path) || !cvy_image_is(path), CVY_ERR_DATA,
              "%s: is a picture, and no HDF5 file; pictures are for convoy predict", path);
    return CVY_OK;
}

#endif
