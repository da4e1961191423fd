/* Cases of the variants of convolution (the formula of conv itself is in ops_reference.c), and transposed convolution.
 */
#include "ops_cases.h"

const struct op_case op_cases_conv[] = {
    {"conv", "{filters: 6, kernel: 3, groups: 2, padding: 1}", {{5, 7, 4}}},
    {"conv", "{filters: 34, kernel: [3, 2], groups: 2, stride: [2, 1], bias: false}", {{6, 5, 10}}},
    {"conv", "{filters: 64, kernel: 3, groups: 4, padding: same, dilation: 2}", {{5, 6, 8}}},
    {"conv", "{filters: 21, kernel: 1, groups: 3, stride: 2}", {{5, 5, 6}}},
    {"conv", "{filters: 3, kernel: 3, groups: 3}", {{3, 3, 3}}}, /* depthwise from here on */
    {"conv", "{filters: 7, kernel: 3, groups: 7, padding: same}", {{9, 21, 7}}},
    {"conv", "{filters: 16, kernel: 3, groups: 16, padding: 1, stride: 2, bias: false}", {{7, 8, 16}}},
    {"conv", "{filters: 35, kernel: [5, 4], groups: 35, padding: [2, 1, 0, 3], stride: [1, 3]}", {{6, 13, 35}}},
    {"conv", "{filters: 17, kernel: 3, groups: 17, padding: 3, dilation: [2, 3], stride: [3, 2]}", {{8, 9, 17}}},
    {"conv", "{filters: 4, kernel: 2, groups: 4, padding: 5, stride: 5}", {{3, 4, 4}}},
    {"conv", "{filters: 10, kernel: 3, groups: 5, padding: 1}", {{4, 6, 5}}},
    {"conv", "{filters: 51, kernel: [1, 3], groups: 17, stride: 2}", {{3, 6, 17}}},
    {"conv", "{filters: 32, kernel: 1, groups: 32}", {{9, 9, 32}}},
    {"conv", "{filters: 5, kernel: [3, 4], flip: true, padding: [1, 0, 2, 1]}", {{5, 6, 3}}},
    {"conv", "{filters: 18, kernel: 3, flip: true, stride: 2, padding: same}", {{6, 5, 17}}},
    {"conv", "{filters: 6, kernel: 3, flip: true, groups: 6, padding: same}", {{6, 5, 6}}},
    {"conv", "{filters: 4, kernel: [2, 3], flip: true, groups: 2, bias: false}", {{4, 5, 6}}},
    {"conv", "{filters: 2, kernel: 3, weights: sobel_x, padding: same}", {{5, 6, 3}}},
    {"conv", "{filters: 3, kernel: [1, 2], weights: [[1, -1]], groups: 3, flip: true}", {{1, 9, 3}}},
    {"conv", "{filters: 4, kernel: [1, 5], stride: [1, 2], padding: [0, 2]}", {{1, 30, 2}}}, /* a signal */
    {0},
};

const struct op_reference op_references_conv[] = {{0}};
