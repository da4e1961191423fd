/* Arithmetic on whole numbers in a model file, by recursive descent, one function a level of binding:
 *
 *   comparison  sum (== != < <= > >= sum)?
 *   sum         product ((+ | -) product)*
 *   product     factor ((* | // | %) factor)*
 *   factor      number | name | - factor | ( comparison )                                                            */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/model/expand.h"

enum { MAX_DEPTH = 32 };

struct formula {
    const char *text, *at;
    const struct cvy_node *place;
    const struct cvy_names *names;
    struct cvy_findings *findings;
    int depth;
    bool failed;
};

static int64_t comparison(struct formula *f);

/* The first thing that is wrong is told. */
static int64_t fail(struct formula *f, const char *what) {
    if (!f->failed) cvy_find(f->findings, f->place, "$(%s): %s", f->text, what);
    f->failed = true;
    return 0;
}

static int64_t overflow(struct formula *f) {
    return fail(f, "the result is too large");
}

/* Takes `symbol` when it is next. */
static bool take(struct formula *f, const char *symbol) {
    size_t length = strlen(symbol);
    while (*f->at == ' ') f->at++;
    if (strncmp(f->at, symbol, length) != 0) return false;
    f->at += length;
    return true;
}

static int64_t number(struct formula *f) {
    char *end;
    errno = 0;
    int64_t value = strtoll(f->at, &end, 10);
    f->at = end;
    if (*end == '.' || isalpha((unsigned char)*end)) return fail(f, "whole numbers only");
    return errno ? overflow(f) : value;
}

static int64_t name(struct formula *f) {
    char text[64];
    size_t length = strspn(f->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    int64_t value;
    bool truth;
    if (length >= sizeof text) return fail(f, "a name is too long");
    memcpy(text, f->at, length);
    text[length] = '\0';
    f->at += length;
    const struct cvy_node *node = cvy_names_get(f->names, text);
    if (node == NULL) {
        if (!f->failed) cvy_names_missing(f->names, f->place, text, f->findings);
        f->failed = true;
        return 0;
    }
    if (cvy_node_int(node, &value)) return value;
    if (cvy_node_bool(node, &truth)) return truth;
    if (!f->failed)
        cvy_find(f->findings, f->place, "$(%s): \"%s\" is %s%s%s, not a whole number", f->text, text,
                 node->kind == CVY_NODE_SCALAR ? "\"" : "",
                 node->kind == CVY_NODE_SCALAR ? node->text : "a list or map",
                 node->kind == CVY_NODE_SCALAR ? "\"" : "");
    f->failed = true;
    return 0;
}

static int64_t group(struct formula *f) {
    int64_t value = comparison(f);
    return take(f, ")") ? value : fail(f, "a ) is missing");
}

static int64_t negate(struct formula *f, int64_t value) {
    return value == INT64_MIN ? overflow(f) : -value;
}

static int64_t factor(struct formula *f) {
    int64_t value = 0;
    if (++f->depth > MAX_DEPTH)
        value = fail(f, "nested too deep");
    else if (take(f, "("))
        value = group(f);
    else if (take(f, "-"))
        value = negate(f, factor(f));
    else if (isdigit((unsigned char)*f->at))
        value = number(f);
    else if (isalpha((unsigned char)*f->at) || *f->at == '_')
        value = name(f);
    else
        value = fail(f, *f->at ? "a number, a name or ( is expected" : "it ends too early");
    f->depth--;
    return value;
}

/* ⌊a / b⌋ */
static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t divide(struct formula *f, int64_t a, int64_t b, bool remainder) {
    if (b == 0) return fail(f, "division by zero");
    if (b == -1) return remainder ? 0 : a == INT64_MIN ? overflow(f) : -a;
    int64_t quotient = floor_divide(a, b);
    return remainder ? a - quotient * b : quotient;
}

static int64_t product(struct formula *f) {
    int64_t value = factor(f);
    while (!f->failed) {
        if (take(f, "*")) {
            if (__builtin_mul_overflow(value, factor(f), &value)) return overflow(f);
        } else if (take(f, "//"))
            value = divide(f, value, factor(f), false);
        else if (take(f, "%"))
            value = divide(f, value, factor(f), true);
        else if (take(f, "/"))
            return fail(f, "whole numbers divide by //");
        else
            break;
    }
    return value;
}

static int64_t sum(struct formula *f) {
    int64_t value = product(f);
    while (!f->failed) {
        if (take(f, "+")) {
            if (__builtin_add_overflow(value, product(f), &value)) return overflow(f);
        } else if (take(f, "-")) {
            if (__builtin_sub_overflow(value, product(f), &value)) return overflow(f);
        } else
            break;
    }
    return value;
}

static int64_t comparison(struct formula *f) {
    int64_t a = sum(f);
    if (f->failed) return 0;
    if (take(f, "==")) return a == sum(f);
    if (take(f, "!=")) return a != sum(f);
    if (take(f, "<=")) return a <= sum(f);
    if (take(f, ">=")) return a >= sum(f);
    if (take(f, "<")) return a < sum(f);
    if (take(f, ">")) return a > sum(f);
    return a;
}

bool cvy_formula(const char *text, const struct cvy_node *place, const struct cvy_names *names, int64_t *out,
                 struct cvy_findings *findings) {
    struct formula f = {text, text, place, names, findings, 0, false};
    *out = comparison(&f);
    while (*f.at == ' ') f.at++;
    if (!f.failed && *f.at) fail(&f, "an operator is expected: + - * // % or a comparison");
    return !f.failed;
}
