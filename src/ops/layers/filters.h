/* Fixed filters: small matrices that image processing knows by name, or that are written out in the file. */
#ifndef CVY_OPS_LAYERS_FILTERS_H
#define CVY_OPS_LAYERS_FILTERS_H

#include "core/tree/node.h"
#include "core/tree/schema.h"

enum { CVY_FILTER_MOST = 225 /* values: 15×15 */ };

/* Reads a name or rows [[…], …] into values [height][width], the size being the layer's `kernel`. As
 * cross-correlations, x to the right and y down:
 *
 *   sobel_x    −1 0 1 / −2 0 2 / −1 0 1          sobel_y, scharr_y, prewitt_y: the transposes
 *   scharr_x   −3 0 3 / −10 0 10 / −3 0 3
 *   prewitt_x  −1 0 1 / −1 0 1 / −1 0 1
 *   vertical_edge  1 0 −1 / 1 0 −1 / 1 0 −1, horizontal_edge its transpose (Ng, "Convolutional neural networks")
 *   gaussian   of any size: products of binomial coefficients, sum 1; for 3×3, 1 2 1 / 2 4 2 / 1 2 1 over 16
 *   identity   of any odd size: 1 in the middle, 0 elsewhere
 *
 * False with a finding that begins with `what`. */
bool cvy_filter_read(const struct cvy_node *node, const int64_t kernel[2], const char *what,
                     float values[CVY_FILTER_MOST], struct cvy_findings *findings);
bool cvy_filters_list(int index, struct cvy_listing *out);

#endif
