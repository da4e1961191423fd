/* Initialisers: how a parameter starts, as a function of the seed, the parameter's name and the logical index alone. */
#ifndef CVY_CORE_INIT_H
#define CVY_CORE_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tree/node.h"
#include "core/rng.h"
#include "core/tree/schema.h"

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
#define CVY_INITS(X)                                                                                                   \
    X(ZERO, zero)                                                                                                      \
    X(ONE, one)                                                                                                        \
    X(CONSTANT, constant)                                                                                              \
    X(UNIFORM, uniform)                                                                                                \
    X(NORMAL, normal)                                                                                                  \
    X(TRUNCATED_NORMAL, truncated_normal)                                                                              \
    X(LECUN_NORMAL, lecun_normal)                                                                                      \
    X(LECUN_UNIFORM, lecun_uniform)                                                                                    \
    X(XAVIER_NORMAL, xavier_normal)                                                                                    \
    X(XAVIER_UNIFORM, xavier_uniform)                                                                                  \
    X(HE_NORMAL, he_normal)                                                                                            \
    X(HE_UNIFORM, he_uniform)                                                                                          \
    X(ORTHOGONAL, orthogonal)

enum cvy_init_kind {
#define CVY_INIT_ENUM(upper, lower) CVY_INIT_##upper,
    CVY_INITS(CVY_INIT_ENUM)
#undef CVY_INIT_ENUM
};

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

/* Reads `he_normal` or {he_normal: {mode: fan_out}}. free_of_shape: only kinds that know no fan (biases). */
void cvy_init_read(const struct cvy_node *node, const char *what, bool free_of_shape, struct cvy_init *out,
                   struct cvy_findings *findings);

bool cvy_inits_list(int index, struct cvy_listing *out);

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
