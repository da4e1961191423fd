#include "core/shape.h"

#include <stdio.h>

const char *cvy_axis_name(int axis) {
    static const char *const names[CVY_AXES] = {"height", "width", "channels"};
    return names[axis];
}

static const char *join_axes(struct cvy_shape s, int axes, char out[CVY_SHAPE_CHARS]) {
    int length = 0;
    for (int axis = 0; axis < axes; axis++)
        length += snprintf(out + length, (size_t)(CVY_SHAPE_CHARS - length), "%s%d", axis ? "×" : "",
                           cvy_shape_axis(s, axis));
    return out;
}

const char *cvy_shape_text(struct cvy_shape s, char out[CVY_SHAPE_CHARS]) {
    return join_axes(s, CVY_AXES, out);
}

const char *cvy_space_text(struct cvy_shape s, char out[CVY_SHAPE_CHARS]) {
    return join_axes(s, CVY_SPATIAL_AXES, out);
}
