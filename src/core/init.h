/* Initialisers: how a parameter starts, as a function of the seed, the parameter's name and the logical index alone. */
#ifndef CVY_CORE_INIT_H
#define CVY_CORE_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rng.h"
#include "core/status.h"

/* Names in the experiment file. With fan the inputs of an output value (kernel area × channels; of all but the last
 * axis), or with mode fan_out the outputs that an input value takes part in:
 *
 *   zero, one             0, 1
 *   constant              value
 *   uniform               between low and high
 *   normal                mean, std
 *   truncated_normal      the same, drawn anew beyond 2 std
 *   lecun_normal          variance 1/fan             LeCun et al. 1998, "Efficient BackProp", §4.6
 *   xavier_normal         gain²·2/(fan_in + fan_out) Glorot & Bengio 2010
 *   he_normal             2/(1 + slope²)/fan         He et al. 2015; slope: of a leaky ReLU
 *   …_uniform             the same variance: ±√(3·variance)
 *   orthogonal            gain × a random matrix of orthonormal rows or columns, whichever are fewer (Saxe et al. 2014)
 */
enum cvy_init_kind {
    CVY_INIT_ZERO,
    CVY_INIT_ONE,
    CVY_INIT_CONSTANT,
    CVY_INIT_UNIFORM,
    CVY_INIT_NORMAL,
    CVY_INIT_TRUNCATED_NORMAL,
    CVY_INIT_LECUN_NORMAL,
    CVY_INIT_LECUN_UNIFORM,
    CVY_INIT_XAVIER_NORMAL,
    CVY_INIT_XAVIER_UNIFORM,
    CVY_INIT_HE_NORMAL,
    CVY_INIT_HE_UNIFORM,
    CVY_INIT_ORTHOGONAL,
};

/* Whether its values are random. */
static inline bool cvy_init_draws(enum cvy_init_kind kind) {
    return kind > CVY_INIT_CONSTANT;
}

/* The settings of a kind; each uses its own, and zeros are the defaults of those that need none. */
struct cvy_init_how {
    double value, low, high, mean, std, slope;
    double gain; /* 0: 1 */
    int mode;    /* 0 fan_in, 1 fan_out */
};

struct cvy_init {
    enum cvy_init_kind kind;
    struct cvy_init_how how;
};

/* [rows][cols] values: rows the inputs and cols the outputs of a weight whose kernel has `area` taps (rows = area ·
 * channels). */
struct cvy_init_shape {
    int64_t rows, cols, area;
};
/* Values first … first + count − 1 in logical order, of any kind but orthogonal: the same whatever the range. */
void cvy_init_range(const struct cvy_init *init, struct cvy_stream stream, struct cvy_init_shape shape, int64_t first,
                    int64_t count, float *out);
/* All values of an orthogonal one. The status of memory alone. */
cvy_status cvy_init_orthogonal(const struct cvy_init *init, struct cvy_stream stream, struct cvy_init_shape shape,
                               float *out);

#endif
