/* The cases of the suite `ops` and their formulas, in parts: a file ops_cases_PART.c each, which ends both lists with
 * an empty entry. */
#ifndef CVY_TESTS_OPS_CASES_H
#define CVY_TESTS_OPS_CASES_H

#include "unit/ops/ops_help.h"
#include "ops_reference.h"

struct op_case {
    const char *op, *settings;      /* "": none */
    struct cvy_shape in[OP_INPUTS]; /* of each input, the first one being the largest in height and width */
};

#define OP_PARTS(X)                                                                                                    \
    X(base)                                                                                                            \
    X(activations)                                                                                                     \
    X(conv)                                                                                                            \
    X(loss)                                                                                                            \
    X(elements)                                                                                                        \
    X(norm)

#define OP_PART_DECLARE(part)                                                                                          \
    extern const struct op_case op_cases_##part[];                                                                     \
    extern const struct op_reference op_references_##part[];
OP_PARTS(OP_PART_DECLARE)

#endif
