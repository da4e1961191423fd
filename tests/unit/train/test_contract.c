/* train/contract: inputs are compared with a selection of the training's samples, and what may be an extreme one of all
 * of them is not refused. */
#include <stdio.h>

#include "test.h"
#include "unit/data/range_help.h"
#include "train/contract.h"

static void extremes(void) {
    static const struct {
        struct cvy_range few, all, given;
        double factor; /* REFUSED: none is certain */
    } cases[] = {
        /* what the selection looks like goes as it is, whatever else was there */
        {NUMBERS(0.2, 0.9), NUMBERS(0.2, 7.5), NUMBERS(0.1, 0.8), 1},
        {NUMBERS(0, 1), NUMBERS(0, 254.5), NUMBERS(0, 1),
         1}, /* all alone would be bytes, and these multiplied by 255 */
        {NUMBERS(0, 40), NUMBERS(-999, 40), NUMBERS(3, 37), 1},
        /* extreme samples of the training */
        {NUMBERS(0.2, 0.9), NUMBERS(0.2, 7.5), NUMBERS(0.3, 7.5), 1},
        {NUMBERS(0, 40), NUMBERS(-9999, 40), NUMBERS(-9999, 35), 1},
        {WHOLE(0, 1), WHOLE(0, 3), WHOLE(1, 3), 1},
        {BYTES(0, 1), BYTES(0, 255), BYTES(0, 255), 1}, /* very dark ones, but for a few */
        {BYTES(0, 1), BYTES(0, 1), BYTES(0, 255), REFUSED},
        /* pictures are converted as ever */
        {NUMBERS(0, 1), NUMBERS(0, 1), BYTES(0, 255), 1.0 / 255},
        {NUMBERS(0, 1), NUMBERS(0, 7.5), BYTES(0, 255), 1.0 / 255},
        {NUMBERS(0, 1), NUMBERS(0, 300), BYTES(0, 255), 1.0 / 255}, /* no sample of floats */
        {NUMBERS(0, 1), NUMBERS(0, 7.5), WHOLE(0, 255), 1.0 / 255},
        {BYTES(0, 200), BYTES(0, 255), NUMBERS(0, 1), 255},
        {NUMBERS(0, 255), NUMBERS(-999, 255), NUMBERS(0, 1), 255},
        {NUMBERS(0, 1), NUMBERS(0, 300), NUMBERS(0, 254.5), REFUSED}, /* bytes, or extreme fractions */
        /* other scales stay refused, though they lie among extremes */
        {NUMBERS(0, 40), NUMBERS(-999, 40), NUMBERS(270, 310), REFUSED},
        {NUMBERS(0, 1), NUMBERS(0, 7.5), WHOLE(0, 65535), REFUSED},
        {WHOLE(0, 60000), WHOLE(0, 65535), WHOLE(0, 255), REFUSED},
        {NUMBERS(-820, 990), NUMBERS(-9999, 990), NUMBERS(-0.82, 0.99), REFUSED},
        /* no value in common with any sample of the training */
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(17, 31), REFUSED},
        {NUMBERS(270, 310), NUMBERS(262, 318), NUMBERS(250, 260), REFUSED},
        {NUMBERS(2.1, 9), NUMBERS(2, 9), NUMBERS(0.1, 0.9), REFUSED},
        {NUMBERS(-3, 11), NUMBERS(-3, 20), NUMBERS(17, 31), 1},
        {NUMBERS(-3, 11), NUMBERS(-3, 20), NUMBERS(15, 19), 1},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(0, 0), 1},
        {BYTES(60, 219), BYTES(50, 230), BYTES(0, 40), 1}, /* dark pictures */
        {BYTES(60, 219), BYTES(50, 230), NUMBERS(0, 0.1), 255},
        {NUMBERS(0.6, 0.9), NUMBERS(0.5, 0.9), NUMBERS(0.1, 0.3), 1},
        /* white as 1, or nearly black */
        {BYTES(0, 255), BYTES(0, 255), BYTES(0, 1), REFUSED},
        {BYTES(9, 130), BYTES(0, 255), BYTES(0, 1), REFUSED},
        {WHOLE(0, 255), WHOLE(0, 255), BYTES(0, 1), REFUSED},
        {BYTES(0, 255), BYTES(0, 255), BYTES(0, 0), 1},
        {BYTES(0, 255), BYTES(0, 255), BYTES(0, 2), 1},
        {BYTES(0, 30), BYTES(0, 255), BYTES(0, 1), 1},
        {BYTES(0, 1), BYTES(0, 1), BYTES(0, 1), 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct cvy_contract contract = {.few = cases[i].few, .all = cases[i].all, .known = true};
        double factor = REFUSED;
        const bool certain = cvy_contract_scale(&contract, &cases[i].given, &factor);
        const bool as_told = certain ? factor == cases[i].factor : cases[i].factor == REFUSED;
        if (!as_told) fprintf(stderr, "\n    case %zu: %s, factor %g", i, certain ? "certain" : "refused", factor);
        CU_ASSERT(as_told);
    }
}

/* What is taken as it is, and warned of. */
static void unlike(void) {
    static const struct {
        struct cvy_range few, all, given;
        double factor;
        bool unlike;
    } cases[] = {
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-3, 11), 1, false},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-2.5, 9), 1, false},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-4.5, 16.5), 1, false},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(2, 16), 1, false},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-0.3, 1.1), 1, true},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-1.5, 5.5), 1, true},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-6, 22), 1, true},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(7, 21), 1, true},
        {NUMBERS(-3, 11), NUMBERS(-3, 11), NUMBERS(-11, 3), 1, true},
        {NUMBERS(-3, 11), NUMBERS(-99, 99), NUMBERS(-6, 22), 1, false}, /* extreme samples of the training */
        {NUMBERS(-3, 11), NUMBERS(-99, 99), NUMBERS(-0.3, 1.1), 1, true},
        {BYTES(0, 255), BYTES(0, 255), BYTES(0, 76), 1, true},
        {BYTES(0, 255), BYTES(0, 255), NUMBERS(0, 1), 255, false},
        {BYTES(0, 255), BYTES(0, 255), NUMBERS(0, 0.5), 255, true},
        {NUMBERS(7, 7), NUMBERS(7, 7), NUMBERS(7, 7), 1, false},
        {NUMBERS(7, 7), NUMBERS(7, 7), NUMBERS(7, 9), 1, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct cvy_contract contract = {.few = cases[i].few, .all = cases[i].all, .known = true};
        const bool found = cvy_contract_is_unlike(&contract, &cases[i].given, cases[i].factor);
        if (found != cases[i].unlike) fprintf(stderr, "\n    case %zu: %s", i, found ? "unlike" : "alike");
        CU_ASSERT_EQUAL(found, cases[i].unlike);
    }
}

/* The scale of a file's targets is a question where uint8 maps are given or were trained on. */
static void targets(void) {
    const double byte = 1.0 / 255;
    const struct cvy_contract_targets pictures = {true, byte, NUMBERS(0, 1)}, dark = {true, 1, WHOLE(0, 1)},
                                      white = {true, byte, WHOLE(0, 1)}, black = {true, 1, WHOLE(0, 0)},
                                      dim = {true, byte, NUMBERS(0, 0.5)}, counts = {true, byte, NUMBERS(0, 3 * byte)},
                                      shares = {true, 0, NUMBERS(0, 1)}, hard = {true, 0, WHOLE(0, 1)},
                                      grey = {true, 0, NUMBERS(0, 254.5)}, whole = {true, 0, WHOLE(0, 255)},
                                      free = {true, 0, NUMBERS(-3, 7)}, other = {true, 0, NUMBERS(270, 310)};
    const struct {
        const struct cvy_contract_targets *trained, *given;
        double scale;
    } cases[] = {
        /* pictures */
        {&pictures, &pictures, byte},
        {&pictures, &dark, byte}, /* nearly black ones, not masks */
        {&pictures, &black, byte},
        {&pictures, &dim, byte},
        {&pictures, &white, byte},
        {&pictures, &shares, 1},
        {&pictures, &hard, 1},
        {&pictures, &grey, byte},
        {&pictures, &whole, byte},
        {&pictures, &free, REFUSED},
        /* masks, whatever stands for white */
        {&dark, &dark, 1},
        {&dark, &white, byte},
        {&white, &dark, 1},
        {&white, &pictures, byte},
        {&dark, &pictures, REFUSED},
        {&dark, &counts, REFUSED}, /* numbers from 0 to 3 */
        {&dark, &hard, 1},
        {&dark, &shares, 1},
        {&dark, &whole, REFUSED},
        /* numbers */
        {&shares, &pictures, byte},
        {&shares, &dark, REFUSED},
        {&hard, &dark, 1},
        {&hard, &white, byte},
        {&hard, &pictures, REFUSED},
        {&grey, &pictures, 1},
        {&whole, &dim, 1},
        {&free, &pictures, REFUSED},
        {&free, &other, 1}, /* as they are, whatever they are */
        {&shares, &whole, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double scale = REFUSED;
        const bool certain = cvy_contract_target_scale(cases[i].trained, cases[i].given, &scale);
        const bool as_told = certain ? scale == cases[i].scale : cases[i].scale == REFUSED;
        if (!as_told) fprintf(stderr, "\n    case %zu: %s, scale %g", i, certain ? "certain" : "refused", scale);
        CU_ASSERT(as_told);
    }
}

static const struct test_case cases[] = {{"the scale of targets", targets},
                                         {"extreme samples are not refused", extremes},
                                         {"clearly other ranges", unlike},
                                         {0}};
const struct test_suite suite_contract = {.name = "contract", .cases = cases};
