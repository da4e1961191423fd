#include "core/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/synonyms.h"

/* ---- Numbers ---- */

bool cvy_read_number(const char *text, double *out) {
    char *end, *divisor;
    double value = strtod(text, &end);
    if (end == text) return false;
    if (*end == '/') {
        divisor = end + 1;
        value /= strtod(divisor, &end);
        if (end == divisor || !isfinite(value)) return false;
    }
    if (*end) return false;
    *out = value;
    return true;
}

/* ---- Other words for the same ---- */

enum { WORD = 64 };

/* Small letters and digits alone: "Leaky-ReLU" → "leakyrelu". Nothing where it is too long. */
static void simplify(const char *word, char out[WORD]) {
    size_t used = 0;
    for (; *word && used < WORD - 1; word++)
        if (isalnum((unsigned char)*word)) out[used++] = (char)tolower((unsigned char)*word);
    out[*word ? 0 : used] = '\0';
}

static const char *same_simplified(const char *simple, const char *const *candidates, size_t count) {
    char other[WORD];
    for (size_t i = 0; i < count && simple[0]; i++) {
        simplify(candidates[i], other);
        if (strcmp(simple, other) == 0) return candidates[i];
    }
    return NULL;
}

static const char *same(const char *word, const char *const *candidates, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, candidates[i]) == 0) return candidates[i];
    return NULL;
}

/* In other letters, or as a synonym of one that may stand there. */
static const char *synonym(const char *simple, const char *const *candidates, size_t count) {
    const char *found = same_simplified(simple, candidates, count), *ours;
    for (int next = 0; found == NULL && (ours = cvy_synonym(simple, &next));) found = same(ours, candidates, count);
    return found;
}

/* "maxpool2d" → "maxpool", "mseloss" → "mse"; false when there is no such ending. */
static bool drop_ending(char simple[WORD]) {
    static const char *const endings[] = {"1d", "2d", "3d", "layer", "loss", "lr", "init", "initializer"};
    const size_t length = strlen(simple);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t n = strlen(endings[i]);
        if (length <= n || strcmp(simple + length - n, endings[i]) != 0) continue;
        simple[length - n] = '\0';
        return true;
    }
    return false;
}

const char *cvy_meant(const char *word, const char *const *candidates, size_t count) {
    char simple[WORD];
    const char *found = same(word, candidates, count);
    simplify(word, simple);
    if (found == NULL) found = synonym(simple, candidates, count);
    while (found == NULL && drop_ending(simple)) found = synonym(simple, candidates, count);
    return found;
}

/* ---- Misspelt words ---- */

static size_t lesser(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Levenshtein distance in three rows, where two letters in each other's place are one edit (Damerau 1964). */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows[3][64], m = strlen(b), n = strlen(a);
    if (m >= 64 || n >= 64) return 64;
    for (size_t j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = lesser(above[j - 1] + (a[i - 1] != b[j - 1]), lesser(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = lesser(row[j], second[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *cvy_nearest(const char *word, const char *const *candidates, size_t count) {
    const char *best = cvy_meant(word, candidates, count);
    if (best) return best;
    const size_t letters = strlen(word), third = letters / 3;
    size_t best_distance = 1 + (third > 1 ? third : letters > 1); /* more than a third of the letters is another word */
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}

/* ---- Counts ---- */

const char *cvy_plural(double count, const char *one, const char *many) {
    return count == 1 ? one : many;
}
