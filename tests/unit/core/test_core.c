/* core: Philox's published answers, streams, node helpers, schema findings, panels, initial values, arena, parallel
 * tasks, JSON, failure text. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/tree/node.h"
#include "core/parallel.h"
#include "core/param.h"
#include "core/normals.h"
#include "core/rng.h"
#include "core/tree/schema.h"
#include "unit/core/param_help.h"
#include "test.h"

#define HAS(text, words)   CU_ASSERT_PTR_NOT_NULL(strstr((text), (words)))
#define LACKS(text, words) CU_ASSERT_PTR_NULL(strstr((text), (words)))

/* ---- Random numbers ---- */

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
    for (size_t i = 0; i < COUNT(known); i++) {
        uint32_t out[4];
        cvy_philox(known[i].counter, known[i].key, out);
        CU_ASSERT(memcmp(out, known[i].out, sizeof out) == 0);
    }
}

/* Some blocks at once are those one by one, whatever their number, over the end of the first word as well. */
static void philox_rows(void) {
    const uint32_t key[2] = {0xa4093822, 0x299f31d0};
    for (int count = 1; count <= 20; count++) {
        const uint32_t counter[4] = {~0u - 5, 7, 8, (uint32_t)count};
        uint32_t row[20][4], out[4];
        cvy_philox_row(counter, key, count, row[0]);
        for (int i = 0; i < count; i++) {
            cvy_philox((uint32_t[4]){counter[0] + (uint32_t)i, 7, 8, (uint32_t)count}, key, out);
            CU_ASSERT(memcmp(row[i], out, sizeof out) == 0);
        }
    }
}

/* Every one of seed, name, epoch and sample matters; the same four give the same numbers again. */
static void streams_differ(void) {
    static const struct {
        uint64_t seed;
        const char *name;
        uint32_t epoch;
        uint64_t sample;
    } places[] = {{1, "flip", 0, 0}, {2, "flip", 0, 0},          {1, "crop", 0, 0}, {1, "flip", 1, 0},
                  {1, "flip", 0, 1}, {1, "flip", 0, 1ull << 32}, {1, "flip", 1, 1}};
    uint32_t drawn[COUNT(places)][9];
    for (size_t i = 0; i < COUNT(places); i++) {
        struct cvy_rng rng =
            cvy_rng_at(cvy_stream_make(places[i].seed, places[i].name), places[i].epoch, places[i].sample);
        struct cvy_rng again = rng;
        for (int k = 0; k < 9; k++) {
            drawn[i][k] = cvy_rng_u32(&rng);
            CU_ASSERT_EQUAL(cvy_rng_u32(&again), drawn[i][k]);
        }
        for (size_t j = 0; j < i; j++) CU_ASSERT(memcmp(drawn[i], drawn[j], sizeof drawn[i]) != 0);
    }
}

/* The transform beside the C library's functions, at the corners of its pieces and at random words; the same bits
 * whatever the count. */
static void normals_of_words(void) {
    enum { N = 2048 };
    static const uint32_t corners[] = {0,          1,          UINT32_MAX, 0x80000000, 0x7FFFFFFF, 0x20000000,
                                       0x1FFFFFFF, 0x40000000, 0xC0000000, 0xE0000000, 0xB504F333, 0xB504F334};
    enum { CORNERS = sizeof corners / sizeof *corners };
    uint32_t words[N];
    double all[N], few[2];
    cvy_rng_blocks(cvy_stream_make(7, "words"), 0, 0, N / 4, words);
    for (int i = 0; i < CORNERS * CORNERS; i++)
        words[2 * i] = corners[i / CORNERS], words[2 * i + 1] = corners[i % CORNERS];
    cvy_normals(words, N, all);
    for (int i = 0; i < N; i += 2) {
        const double r = sqrt(-2 * log((words[i] + 0.5) * 0x1p-32)), angle = 2 * acos(-1) * (words[i + 1] * 0x1p-32);
        CU_ASSERT_DOUBLE_EQUAL(all[i], r * cos(angle), 1e-14);
        CU_ASSERT_DOUBLE_EQUAL(all[i + 1], r * sin(angle), 1e-14);
        cvy_normals(words + i, 2, few);
        CU_ASSERT(memcmp(few, all + i, sizeof few) == 0);
    }
}

/* The first words of neighbouring samples at once are those of each alone, across the end of a number's low word. */
static void words_of_neighbours(void) {
    enum { COUNT = 11 };
    const struct cvy_stream stream = cvy_stream_make(3, "blocks");
    const uint64_t first = 0xFFFFFFFFu - 4;
    uint32_t together[COUNT][4];
    cvy_rng_blocks(stream, 9, first, COUNT, together[0]);
    for (int i = 0; i < COUNT; i++) {
        struct cvy_rng alone = cvy_rng_at(stream, 9, first + (uint64_t)i);
        for (int k = 0; k < 4; k++) CU_ASSERT_EQUAL(together[i][k], cvy_rng_u32(&alone));
    }
}

/* Moments within five standard errors of 40,000 draws; bounds always. */
static void distributions(void) {
    enum { N = 40000 };
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(7, "moments"), 3, 5);
    double sum = 0, squares = 0, fourth = 0, uniform = 0;
    int seen[7] = {0};
    for (int i = 0; i < N; i++) {
        double z = cvy_rng_normal(&rng);
        float u = cvy_rng_uniform(&rng);
        uint32_t k = cvy_rng_below(&rng, 7);
        CU_ASSERT_FATAL(isfinite(z) && u >= 0 && u < 1 && k < 7);
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
        uniform += u;
        seen[k]++;
    }
    CU_ASSERT_DOUBLE_EQUAL(sum / N, 0, 5 / sqrt(N));
    CU_ASSERT_DOUBLE_EQUAL(squares / N, 1, 5 * sqrt(2.0 / N));
    CU_ASSERT_DOUBLE_EQUAL(fourth / N, 3, 5 * sqrt(96.0 / N));
    CU_ASSERT_DOUBLE_EQUAL(uniform / N, 0.5, 5 * sqrt(1.0 / 12 / N));
    for (int k = 0; k < 7; k++) CU_ASSERT_DOUBLE_EQUAL(seen[k] / (double)N, 1.0 / 7, 5 * sqrt(6.0 / 49 / N));
}

/* XXH64's published answers for the empty text and "abc". */
static void hash_known_answers(void) {
    CU_ASSERT_EQUAL(cvy_hash("", 0, 0), 0xEF46DB3751D8E999u);
    CU_ASSERT_EQUAL(cvy_hash("abc", 3, 0), 0x44BC2CF5AD770999u);
}

/* ---- Nodes ---- */

static struct cvy_node *scalar(struct cvy_tree *tree, int line, const char *text) {
    struct cvy_node *node = NULL;
    TEST_OK(cvy_tree_scalar(tree, &(struct cvy_node){.file = "t.yaml", .line = line, .column = 3}, text, &node));
    return node;
}

/* "a=1 b=two": a map whose pair i stands on line i+1. */
static struct cvy_node *map_of(struct cvy_tree *tree, const char *text) {
    struct cvy_node *map = NULL;
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text);
    TEST_OK(cvy_tree_node(tree, CVY_NODE_MAP, &(struct cvy_node){.file = "t.yaml", .line = 1, .column = 1}, &map));
    for (int line = 1; *rest; line++) {
        char *key = rest, *equals = strchr(rest, '=');
        rest = equals + 1 + strcspn(equals, " ") - 1;
        if (*rest) *rest++ = '\0';
        *equals = '\0';
        TEST_OK(cvy_node_append(tree, map, scalar(tree, line, key), scalar(tree, line, equals + 1)));
    }
    return map;
}

static void nodes_found_and_replaced(void) {
    struct cvy_tree *tree;
    TEST_OK(cvy_tree_create(&tree));
    struct cvy_node *root = map_of(tree, "seed=1 name=x"), *inner = map_of(tree, "batch=64"), *copy;
    TEST_OK(cvy_node_set(tree, root, "train", inner));
    CU_ASSERT_EQUAL(root->count, 3);
    CU_ASSERT_PTR_EQUAL(cvy_node_find(root, "train"), inner);
    CU_ASSERT_STRING_EQUAL(cvy_node_find(root, "train.batch")->text, "64");
    CU_ASSERT_PTR_NULL(cvy_node_find(root, "train.leaf"));
    CU_ASSERT_PTR_NULL(cvy_node_find(root, "seed.batch"));
    CU_ASSERT_PTR_NULL(cvy_node_get(NULL, "seed"));
    TEST_OK(cvy_node_copy(tree, root, &copy));
    TEST_OK(cvy_node_set(tree, root, "seed", scalar(tree, 9, "5")));
    CU_ASSERT_EQUAL(root->count, 3);
    CU_ASSERT_STRING_EQUAL(cvy_node_get(root, "seed")->text, "5");
    CU_ASSERT_STRING_EQUAL(cvy_node_get(copy, "seed")->text, "1"); /* a deep copy does not follow */
    CU_ASSERT_STRING_EQUAL(cvy_node_find(copy, "train.batch")->text, "64");
    CU_ASSERT_EQUAL(cvy_node_get(copy, "name")->line, 2);
    cvy_tree_destroy(&tree);
    CU_ASSERT_PTR_NULL(tree);
}

static void scalars_are_typed(void) {
    static const struct {
        const char *text;
        bool quoted, is_int, is_real, is_bool, is_null;
    } table[] = {
        {"12", false, true, true, false, false},
        {"-3", false, true, true, false, false},
        {"12", true, false, false, false, false},
        {"1.5e-3", false, false, true, false, false},
        {"12x", false, false, false, false, false},
        {"yes", false, false, false, true, false},
        {"Off", false, false, false, true, false},
        {"true", true, false, false, false, false},
        {"", false, false, false, false, true},
        {"", true, false, false, false, false},
        {"~", false, false, false, false, true},
        {"null", false, false, false, false, true},
        {"1/2", false, false, true, false, false},
        {"1/", false, false, false, false, false},
        {"1/0", false, false, false, false, false},
        {"/2", false, false, false, false, false},
        {"1/2/3", false, false, false, false, false},
        {"null", true, false, false, false, false},
        {"99999999999999999999", false, false, true, false, false},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct cvy_node node = {.kind = CVY_NODE_SCALAR, .quoted = table[i].quoted, .text = table[i].text};
        int64_t whole;
        double real;
        bool truth;
        CU_ASSERT_EQUAL(cvy_node_int(&node, &whole), table[i].is_int);
        CU_ASSERT_EQUAL(cvy_node_real(&node, &real), table[i].is_real);
        CU_ASSERT_EQUAL(cvy_node_bool(&node, &truth), table[i].is_bool);
        CU_ASSERT_EQUAL(cvy_node_is_null(&node), table[i].is_null);
    }
    CU_ASSERT(cvy_node_is_null(NULL));
}

static void messages_are_one_line(void) {
    char tight[8] = "a\nb\nc";
    CU_ASSERT_EQUAL(CVY_FAIL(CVY_ERR_DATA, "%s: no\tfile", "a\n\x1b[1m\x7f"), CVY_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "a\\n\\x1b[1m\\x7f: no\\x09file");
    CU_ASSERT_EQUAL(CVY_FAIL(CVY_ERR_DATA, "%s", "one\ntwo"), CVY_ERR_DATA); /* findings */
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "one\ntwo");
    cvy_one_line(tight, sizeof tight);
    CU_ASSERT_STRING_EQUAL(tight, "a\\nb\\nc");
    strcpy(tight, "abcde\nf");
    cvy_one_line(tight, sizeof tight);
    CU_ASSERT_STRING_EQUAL(tight, "abcde");
}

static void fractions(void) {
    double value = 5;
    CU_ASSERT(cvy_read_number("1/257", &value) && value == 1.0 / 257);
    CU_ASSERT(cvy_read_number("-3/-1.5e1", &value) && value == 0.2);
    CU_ASSERT(!cvy_read_number("", &value) && !cvy_read_number("1/x", &value) && value == 0.2);
}

static void nearest_word(void) {
    static const char *const keys[] = {"momentum", "nesterov", "weight_decay", "lr"};
    static const struct {
        const char *word, *near;
    } table[] = {{"momentun", "momentum"},
                 {"nestrov", "nesterov"},
                 {"weight-decay", "weight_decay"},
                 {"lr", "lr"},
                 {"rl", "lr"},
                 {"momnetum", "momentum"},
                 {"nest", NULL},
                 {"dropout", NULL},
                 {"x", NULL},
                 {"a_word_that_is_much_longer_than_any_key_that_anybody_would_ever_want_to_use", NULL}};
    for (size_t i = 0; i < COUNT(table); i++) {
        const char *near = cvy_nearest(table[i].word, keys, COUNT(keys));
        CU_ASSERT_STRING_EQUAL(near ? near : "none", table[i].near ? table[i].near : "none");
    }
}

/* ---- Schema ---- */

struct sgd {
    int64_t batch, kernel[2];
    double momentum;
    bool nesterov;
    const char *name;
    int precision;
    const struct cvy_node *model;
};
#define AT(member) offsetof(struct sgd, member)
static const struct cvy_key sgd_keys[] = {
    {"batch", CVY_KEY_INT, AT(batch), NULL, 1, 1e9, NULL, "samples a step"},
    {"momentum", CVY_KEY_REAL, AT(momentum), "0.9", 0, 1, NULL, ""},
    {"nesterov", CVY_KEY_BOOL, AT(nesterov), "false", 0, 0, NULL, ""},
    {"name", CVY_KEY_TEXT, AT(name), "", 0, 0, NULL, ""},
    {"precision", CVY_KEY_CHOICE, AT(precision), "fp32", 0, 0, "fp32|bf16", ""},
    {"kernel", CVY_KEY_PAIR, AT(kernel), "3", 1, 99, NULL, ""},
    {"model", CVY_KEY_NODE, AT(model), "", 0, 0, NULL, ""},
    CVY_KEY_END,
};

static void schema_reads_values(void) {
    struct cvy_tree *tree;
    struct cvy_findings findings = {0};
    struct sgd sgd = {0};
    TEST_OK(cvy_tree_create(&tree));
    struct cvy_node *map = map_of(tree, "batch=64 nesterov=yes precision=bf16 name=12");
    cvy_schema_read(sgd_keys, map, map, "optimizer sgd", &sgd, &findings);
    CU_ASSERT_EQUAL(findings.count, 0);
    CU_ASSERT_EQUAL(sgd.batch, 64);
    CU_ASSERT_EQUAL(sgd.momentum, 0.9);
    CU_ASSERT(sgd.nesterov);
    CU_ASSERT_STRING_EQUAL(sgd.name, "12");
    CU_ASSERT_EQUAL(sgd.precision, 1);
    CU_ASSERT(sgd.kernel[0] == 3 && sgd.kernel[1] == 3);
    CU_ASSERT_PTR_NULL(sgd.model);
    TEST_OK(cvy_findings_raise(&findings, CVY_ERR_USAGE));
    cvy_tree_destroy(&tree);
}

static void nouns_fit_their_counts(void) {
    CU_ASSERT_STRING_EQUAL(cvy_plural(1, "leaf", "leaves"), "leaf");
    CU_ASSERT_STRING_EQUAL(cvy_plural(0, "leaf", "leaves"), "leaves");
    CU_ASSERT_STRING_EQUAL(cvy_plural(1.5, "epoch", "epochs"), "epochs");
    CU_ASSERT_STRING_EQUAL(cvy_plural(2, "class", "classes"), "classes");
}

static void schema_finds_faults(void) {
    static const struct {
        const char *map, *words[3];
        int count;
    } table[] = {
        {"momentum=0.5", {"t.yaml:1:1: optimizer sgd: \"batch\" is missing: samples a step"}, 1},
        {"quux=1 momentum=0.5",
         {"t.yaml:1:3: optimizer sgd: unknown key \"quux\"; it needs \"batch\" (samples a step)"},
         1},
        {"batch=0", {"t.yaml:1:3: batch: 0 is out of range; at least 1"}, 1},
        {"batch=2 momentum=1.5", {"t.yaml:2:3: momentum: 1.5 is out of range; from 0 to 1"}, 1},
        {"batch=2.5", {"t.yaml:1:3: batch: expected a whole number, found \"2.5\""}, 1},
        {"batch=2 momentum=nan", {"t.yaml:2:3: momentum: expected a number, found \"nan\""}, 1},
        {"batch=2 nesterov=2", {"t.yaml:2:3: nesterov: expected true or false, found \"2\""}, 1},
        {"batch=2 precision=fp8", {"t.yaml:2:3: precision: expected one of fp32|bf16, found \"fp8\""}, 1},
        {"batch=2 batch=3", {"t.yaml:2:3: optimizer sgd: key \"batch\" is given twice"}, 1},
        {"batch=2 kernel=0", {"t.yaml:2:3: kernel: 0 is out of range"}, 1},
        {"bacth=64 nestrov=x quux=1",
         {"unknown key \"bacth\"; did you mean \"batch\"?",
          "t.yaml:2:3: optimizer sgd: unknown key \"nestrov\"; did you "
          "mean \"nesterov\"?",
          "t.yaml:3:3: optimizer sgd: unknown key \"quux\"; known are batch, momentum, "},
         3}, /* batch is not missing: it was misspelt */
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct cvy_tree *tree;
        struct cvy_findings findings = {0};
        struct sgd sgd = {0};
        TEST_OK(cvy_tree_create(&tree));
        struct cvy_node *map = map_of(tree, table[i].map);
        cvy_schema_read(sgd_keys, map, map, "optimizer sgd", &sgd, &findings);
        CU_ASSERT_EQUAL(findings.count, table[i].count);
        for (int w = 0; w < 3 && table[i].words[w]; w++) HAS(findings.text, table[i].words[w]);
        CU_ASSERT_EQUAL(cvy_findings_raise(&findings, CVY_ERR_USAGE), CVY_ERR_USAGE);
        CU_ASSERT_STRING_EQUAL(cvy_error_message(), findings.text);
        cvy_tree_destroy(&tree);
    }
}

/* More findings than fit: whole lines only, all counted. */
static void findings_overflow(void) {
    struct cvy_findings findings = {0};
    const struct cvy_node place = {.file = "t.yaml", .line = 1, .column = 1};
    for (int i = 0; i < 1000; i++) cvy_find(&findings, &place, "finding %d is a sentence of some length", i);
    CU_ASSERT_EQUAL(findings.count, 1000);
    CU_ASSERT_STRING_EQUAL(findings.text + strlen(findings.text) - 6, "length");
}

static void schema_variants(void) {
    struct cvy_tree *tree;
    struct cvy_findings findings = {0};
    const struct cvy_node *name = NULL, *body = NULL;
    TEST_OK(cvy_tree_create(&tree));
    CU_ASSERT(cvy_schema_variant(scalar(tree, 1, "flip"), "augment", &name, &body, &findings));
    CU_ASSERT(strcmp(name->text, "flip") == 0 && body == NULL);
    CU_ASSERT(cvy_schema_variant(map_of(tree, "pad_crop=2"), "augment", &name, &body, &findings));
    CU_ASSERT(strcmp(name->text, "pad_crop") == 0 && strcmp(body->text, "2") == 0);
    CU_ASSERT(!cvy_schema_variant(map_of(tree, "a=1 b=2"), "augment", &name, &body, &findings));
    CU_ASSERT_EQUAL(findings.count, 1);
    HAS(findings.text, "t.yaml:1:1: augment: expected a name");
    cvy_tree_destroy(&tree);
}

/* ---- Parameters ---- */

static const struct cvy_param shapes[] = {
    {.name = "a", .rank = 2, .dims = {3, 5}, .panels = true, .init = CVY_INIT_LECUN_UNIFORM},
    {.name = "b", .rank = 4, .dims = {3, 2, 4, 16}, .panels = true, .init = CVY_INIT_HE_NORMAL},
    {.name = "c", .rank = 4, .dims = {1, 1, 1, 33}, .panels = true, .init = CVY_INIT_HE_NORMAL},
    {.name = "d", .rank = 1, .dims = {17}, .panels = false, .init = CVY_INIT_ONE},
    {.name = "e", .rank = 2, .dims = {500, 40}, .panels = true, .init = CVY_INIT_HE_NORMAL},
};

static void panels_round_trip(void) {
    struct cvy_params params = {0};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        int index = -1;
        TEST_OK(cvy_params_add(&params, &shapes[i], &index));
        CU_ASSERT_EQUAL(index, (int)i);
        const struct cvy_param *p = &params.items[index];
        int64_t count = cvy_param_count(p), zeros = 0;
        float *logical, *stored, *back;
        CU_ASSERT(p->offset % CVY_PANEL == 0 && p->stored % CVY_PANEL == 0 && (int64_t)p->stored >= count);
        CU_ASSERT_EQUAL(p->offset + p->stored, params.stored);
        TEST_OK(CVY_NEW(&logical, count, general));
        TEST_OK(CVY_NEW(&back, count, general));
        TEST_OK(CVY_NEW(&stored, p->stored, general));
        for (int64_t k = 0; k < count; k++) logical[k] = (float)(k + 1);
        for (size_t k = 0; k < p->stored; k++) stored[k] = NAN;
        cvy_param_from_logical(p, logical, stored);
        param_logical(p, stored, back);
        CU_ASSERT(memcmp(logical, back, (size_t)count * sizeof *back) == 0);
        memset(back, 0, (size_t)count * sizeof *back);
        for (int64_t first = 0, n; first < p->dims[0]; first += n) { /* slices of the first dimension, put together */
            n = p->dims[0] - first < 3 ? p->dims[0] - first : 3;
            cvy_param_slices(p, stored, first, n, back + first * (count / p->dims[0]));
        }
        CU_ASSERT(memcmp(logical, back, (size_t)count * sizeof *back) == 0);
        for (size_t k = 0; k < p->stored; k++) zeros += stored[k] == 0;
        CU_ASSERT_EQUAL(zeros, (int64_t)p->stored - count); /* padding lanes, and nothing else */
        cvy_free(logical);
        cvy_free(back);
        cvy_free(stored);
    }
    CU_ASSERT_EQUAL(cvy_params_count(&params), 15 + 384 + 33 + 17 + 20000);
    cvy_params_destroy(&params);
}

/* Panel j holds columns 16j … 16j+15, row by row. */
static void panel_places(void) {
    struct cvy_params params = {0};
    int index;
    enum { ROWS = 3, COLS = 20 };
    const struct cvy_param like = {.name = "w", .rank = 2, .dims = {ROWS, COLS}, .panels = true};
    float logical[ROWS * COLS], stored[2 * ROWS * CVY_PANEL];
    TEST_OK(cvy_params_add(&params, &like, &index));
    CU_ASSERT_EQUAL_FATAL(params.items[0].stored, COUNT(stored));
    for (int i = 0; i < ROWS * COLS; i++) logical[i] = (float)(i + 1);
    cvy_param_from_logical(&params.items[0], logical, stored);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            CU_ASSERT_EQUAL(stored[(c / 16 * ROWS + r) * 16 + c % 16], logical[r * COLS + c]);
    cvy_params_destroy(&params);
}

/* A function of seed and name, with the variance of the paper. */
static void initial_values(void) {
    struct cvy_params params = {0};
    int index;
    float *w[3];
    TEST_OK(cvy_params_add(&params, &shapes[4], &index));
    const struct cvy_param *p = &params.items[0];
    for (int i = 0; i < 3; i++) {
        TEST_OK(CVY_NEW(&w[i], p->stored, general));
        cvy_param_init(p, i == 2 ? 2 : 1, NULL, w[i]);
    }
    CU_ASSERT(memcmp(w[0], w[1], p->stored * sizeof(float)) == 0);
    CU_ASSERT(memcmp(w[0], w[2], p->stored * sizeof(float)) != 0);
    double squares = 0;
    for (size_t k = 0; k < p->stored; k++) squares += (double)w[0][k] * w[0][k];
    CU_ASSERT_DOUBLE_EQUAL(squares / 20000, 2.0 / 500, 5 * sqrt(2.0 / 20000) * 2.0 / 500);
    for (int i = 0; i < 3; i++) cvy_free(w[i]);
    cvy_params_destroy(&params);
}

/* ---- Memory ---- */

static void arena_carves(void) {
    struct cvy_arena arena;
    unsigned char *a, *b, *c;
    size_t before = cvy_memory_live(CVY_TAG_workspace);
    TEST_OK(cvy_arena_create(&arena, 3 * CVY_ALIGN, CVY_TAG_workspace));
    CU_ASSERT(cvy_memory_live(CVY_TAG_workspace) >= before + 3 * CVY_ALIGN);
    TEST_OK(cvy_arena_take(&arena, 1, (void **)&a));
    TEST_OK(cvy_arena_take(&arena, CVY_ALIGN + 1, (void **)&b));
    CU_ASSERT_EQUAL((uintptr_t)a % CVY_ALIGN, 0);
    CU_ASSERT_PTR_EQUAL(b, a + CVY_ALIGN);
    CU_ASSERT_EQUAL(cvy_arena_take(&arena, 1, (void **)&c), CVY_ERR_INTERNAL);
    cvy_arena_destroy(&arena);
    CU_ASSERT_EQUAL(cvy_memory_live(CVY_TAG_workspace), before);
}

static void blocks_are_zeroed_and_counted(void) {
    unsigned char *block;
    size_t before = cvy_memory_live(CVY_TAG_data), total = cvy_memory_live_total();
    for (size_t size = 0; size < 300; size += 37) {
        bool zero = true;
        TEST_OK(CVY_NEW(&block, size, data));
        CU_ASSERT_EQUAL((uintptr_t)block % CVY_ALIGN, 0);
        for (size_t i = 0; i < size; i++) zero &= block[i] == 0;
        CU_ASSERT(zero);
        CU_ASSERT(cvy_memory_live(CVY_TAG_data) >= before + size);
        memset(block, 0xFF, size); /* so that the next one shows whether it was cleared */
        CVY_DELETE(&block);
        CU_ASSERT_PTR_NULL(block);
    }
    CU_ASSERT_EQUAL(cvy_memory_live(CVY_TAG_data), before);
    CU_ASSERT_EQUAL(cvy_memory_live_total(), total);
}

/* More than any machine has: an error that says how much, not a crash. */
static void no_memory(void) {
    void *block = NULL;
    CU_ASSERT_EQUAL(cvy_alloc(SIZE_MAX - 10, CVY_TAG_data, &block), CVY_ERR_INTERNAL);
    HAS(cvy_error_message(), "memory");
}

/* Control groups as the files under a folder of our own tell them; the least of what any leaves counts. */
static void groups_limit_memory(void) {
    static const struct {
        const char *what, *files; /* a script that makes them */
        int64_t leaves;
    } kinds[] = {
        {"none", "put proc/self/cgroup 0::/job", INT64_MAX},
        {"second version", "put proc/self/cgroup 0::/job; put $G/job/memory.max 1000; put $G/job/memory.current 400",
         600},
        {"no limit, a limit above",
         "put proc/self/cgroup 0::/a/b; put $G/a/b/memory.max max; put $G/a/memory.max 1000; put $G/a/memory.current 1",
         999},
        {"first version",
         "put proc/self/cgroup 5:cpu,cpuacct:/x '4:memory:/job' '0::/'; put $M/job/memory.limit_in_bytes 1000; put "
         "$M/job/memory.usage_in_bytes 900; put $M/job/memory.stat 'inactive_file 1' 'total_inactive_file 50'",
         150},
        {"first version, nested, mounted with another",
         "put proc/self/cgroup '4:hugetlb,memory:/slurm/job/step'; put $M/slurm/job/step/memory.limit_in_bytes "
         "9223372036854771712; put $M/slurm/job/memory.limit_in_bytes 2000; put $M/slurm/job/memory.usage_in_bytes 500",
         1500},
        {"first version, the container's own is its mount",
         "put proc/self/cgroup '4:memory:/docker/f00'; put $M/memory.limit_in_bytes 700; put "
         "$M/memory.usage_in_bytes 100",
         600},
        {"both", "put proc/self/cgroup '4:memory:/j' 0::/j; put $M/j/memory.limit_in_bytes 9; put $G/j/memory.max 5",
         5},
        {"more used than allowed",
         "put proc/self/cgroup 2:memory:/j; put $M/j/memory.limit_in_bytes 9; put $M/j/memory.usage_in_bytes 10", 1},
        {"another controller's limit", "put proc/self/cgroup 2:memoryless:/j; put $M/j/memory.limit_in_bytes 9",
         INT64_MAX},
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char out[256];
        const char *root = test_folder();
        const int code = test_shell(out, sizeof out,
                                    "cd '%s' && G=sys/fs/cgroup M=$G/memory && put() { mkdir -p ${1%%/*} && f=$1 && "
                                    "shift && printf '%%s\\n' \"$@\" >$f; } && %s",
                                    root, kinds[i].files);
        CU_ASSERT_EQUAL(code, 0);
        const int64_t leaves = cvy_machine_group_bytes(root);
        if (leaves != kinds[i].leaves) fprintf(stderr, "\n    %s: %lld\n", kinds[i].what, (long long)leaves);
        CU_ASSERT_EQUAL(leaves, kinds[i].leaves);
    }
}

/* ---- Parallel tasks ---- */

struct tally {
    atomic_int runs[257];
    atomic_int strange; /* a thread number out of range */
    int threads;
};

static void count_task(void *arg, int task, int thread) {
    struct tally *tally = arg;
    atomic_fetch_add(&tally->runs[task], 1);
    if (thread < 0 || thread >= tally->threads) atomic_fetch_add(&tally->strange, 1);
}

static void every_task_once(void) {
    static const int task_counts[] = {0, 1, 2, 3, 7, 64, 257};
    for (int threads = 1; threads <= 4; threads++) {
        struct cvy_pool *pool;
        TEST_OK(cvy_pool_create(threads, &pool));
        for (size_t k = 0; k < COUNT(task_counts); k++) {
            static struct tally tally;
            memset(&tally, 0, sizeof tally);
            tally.threads = threads;
            for (int round = 0; round < 20; round++) cvy_parallel(pool, task_counts[k], count_task, &tally);
            for (int t = 0; t < 257; t++) CU_ASSERT_EQUAL(tally.runs[t], t < task_counts[k] ? 20 : 0);
            CU_ASSERT_EQUAL(tally.strange, 0);
        }
        cvy_pool_destroy(&pool);
        CU_ASSERT_PTR_NULL(pool);
    }
}

struct rounds {
    int tasks[3], count;
};

static void note_round(void *arg, int tasks, double seconds) {
    struct rounds *rounds = arg;
    CU_ASSERT(seconds >= 0 && rounds->count < 3);
    rounds->tasks[rounds->count++] = tasks;
}

/* Who watches a pool is told of each round's tasks, of one thread and of two, until nobody does. */
static void rounds_are_told(void) {
    for (int threads = 1; threads <= 2; threads++) {
        static struct tally tally;
        struct cvy_pool *pool;
        struct rounds seen = {{0}, 0};
        tally.threads = threads;
        TEST_OK(cvy_pool_create(threads, &pool));
        cvy_parallel(pool, 5, count_task, &tally);
        cvy_pool_watch(pool, &(struct cvy_pool_watcher){note_round, &seen});
        cvy_parallel(pool, 1, count_task, &tally);
        cvy_parallel(pool, 64, count_task, &tally);
        cvy_pool_watch(pool, NULL);
        cvy_parallel(pool, 7, count_task, &tally);
        CU_ASSERT(seen.count == 2 && seen.tasks[0] == 1 && seen.tasks[1] == 64);
        cvy_pool_destroy(&pool);
    }
}

static void product_task(void *arg, int task, int thread) {
    volatile float *x = arg;
    (void)thread;
    x[task] = x[task] * 0.5f;
}

/* The smallest normal number halved is zero in every thread, so all threads round alike. */
static void denormals_are_zero(void) {
    float x[64];
    struct cvy_pool *pool;
    for (int i = 0; i < 64; i++) x[i] = 0x1p-126f;
    TEST_OK(cvy_pool_create(4, &pool));
    cvy_parallel(pool, 64, product_task, x);
    for (int i = 0; i < 64; i++) CU_ASSERT_EQUAL(x[i], 0);
    cvy_pool_destroy(&pool);
}

/* ---- Text ---- */

static void json_is_written(void) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_int(&json, "a", -7);
    cvy_json_open(&json, "list", '[');
    cvy_json_real(&json, NULL, 0.5);
    cvy_json_real(&json, NULL, NAN);
    cvy_json_open(&json, NULL, '{');
    cvy_json_close(&json, '}');
    cvy_json_close(&json, ']');
    cvy_json_text(&json, "t", "quote \" slash \\ line\n tab\t \x01 é");
    cvy_json_bool(&json, "b", true);
    cvy_json_text(&json, "latin", "\xe9t\xe9 \xed\xa0\x80 \xc0\xaf \xf0\x9f\x98\x80 \xe2\x82");
    cvy_json_close(&json, '}');
    CU_ASSERT_STRING_EQUAL(
        cvy_buf_text(&json),
        "{\"a\":-7,\"list\":[0.5,null,{}],\"t\":\"quote \\\" slash \\\\ line\\u000a tab\\u0009 \\u0001 é\","
        "\"b\":true,\"latin\":\"�t� ��� �� 😀 ��\"}");
    cvy_buf_destroy(&json);
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&json), "");
}

static cvy_status fails(int n) {
    CVY_CHECK(n < 3, CVY_ERR_DATA, "%d is too much", n);
    return CVY_OK;
}
static cvy_status passes_on(int n) {
    CVY_TRY(fails(n));
    return CVY_OK;
}

static void failures_have_text(void) {
    struct cvy_failure carried;
    CU_ASSERT_EQUAL(passes_on(2), CVY_OK);
    CU_ASSERT_EQUAL(passes_on(5), CVY_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "5 is too much");
    HAS(cvy_error_trail(), "fails(n)");
    CU_ASSERT_EQUAL(cvy_fail_prefix(CVY_ERR_DATA, "layer %d", 4), CVY_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "layer 4: 5 is too much");
    cvy_failure_take(&carried, CVY_ERR_DATA);
    CU_ASSERT_EQUAL(passes_on(9), CVY_ERR_DATA);
    CU_ASSERT_EQUAL(cvy_failure_raise(&carried), CVY_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "layer 4: 5 is too much");
    LACKS(cvy_error_trail(), "fails(n)"); /* a new trail */
}

static const struct test_case cases[] = {
    {"Philox gives its published answers", philox_known_answers},
    {"Philox by the row is Philox", philox_rows},
    {"the first words of neighbouring samples", words_of_neighbours},
    {"normal numbers of words", normals_of_words},
    {"streams differ by seed, name, epoch and sample", streams_differ},
    {"distributions have their moments", distributions},
    {"XXH64 gives its published answers", hash_known_answers},
    {"nodes are found, replaced and copied", nodes_found_and_replaced},
    {"scalars are typed by their text", scalars_are_typed},
    {"fractions are numbers", fractions},
    {"a message is one line", messages_are_one_line},
    {"the nearest word", nearest_word},
    {"nouns fit their counts", nouns_fit_their_counts},
    {"a schema reads values and defaults", schema_reads_values},
    {"a schema finds faults with place and nearest key", schema_finds_faults},
    {"more findings than fit", findings_overflow},
    {"a name, or one name with settings", schema_variants},
    {"panels round trip, padding zero", panels_round_trip},
    {"panels have their places", panel_places},
    {"initial values", initial_values},
    {"an arena is carved and runs out", arena_carves},
    {"blocks are zeroed and counted", blocks_are_zeroed_and_counted},
    {"no memory is an error", no_memory},
    {"control groups of both versions limit memory", groups_limit_memory},
    {"every task runs once, 1 to 4 threads", every_task_once},
    {"rounds are told to who watches", rounds_are_told},
    {"denormals are zero in every thread", denormals_are_zero},
    {"JSON", json_is_written},
    {"failures carry text and trail", failures_have_text},
    {0},
};
const struct test_suite suite_core = {"core", cases, NULL};
