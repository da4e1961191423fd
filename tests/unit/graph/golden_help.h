/* Golden files (tests/golden/): the formula that Python and C draw from, and reading what is stored. */
#ifndef CVY_TESTS_GOLDEN_HELP_H
#define CVY_TESTS_GOLDEN_HELP_H

#include <stddef.h>
#include <stdint.h>

#include "io/hdf5/h5.h"

/* Element i of a stream: 32 bits; uniform in [−scale, scale). */
uint32_t golden_bits(uint32_t stream, size_t i);
float golden_draw(uint32_t stream, size_t i, double scale);

/* Opens tests/golden/NAME and holds HDF5's lock until the close; −1, with a failed assertion, when it cannot. */
hid_t golden_open(const char *name);
void golden_close(hid_t *file);
/* A data set of `count` elements, and one of its attributes; false, with a failed assertion, when it is not so. */
bool golden_read(hid_t file, const char *name, size_t count, double *values, const char *attribute, double *attached);

#endif
