/* core: Philox's published answers, node helpers, schema findings, panels, arena. */
#include <string.h>

#include "core/memory.h"
#include "core/node.h"
#include "core/param.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "core/schema.h"
#include "test.h"

/* Known answers of Random123 (kat_vectors, philox4x32-10). */
static void philox_known_answers(void) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        cvy_philox(known[i].counter, known[i].key, out);
        CU_ASSERT(memcmp(out, known[i].out, sizeof out) == 0);
    }
}

static const struct test_case cases[] = {
    {"Philox gives its published answers", philox_known_answers},
    {0},
};
const struct test_suite suite_core = {"core", cases, NULL};
