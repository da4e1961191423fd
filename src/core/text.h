/* Words: what a misspelt one was meant to be, what a number is. The program uses it as well (tests/layers.sh knows). */
#ifndef CVY_CORE_TEXT_H
#define CVY_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The one of `count` candidates that is the word itself, the word in other letters ("LeakyReLU"), or what another
 * program's word for it means here ("Linear": dense), or NULL. */
const char *cvy_meant(const char *word, const char *const *candidates, size_t count);

/* The same, else the nearest by edit distance, or NULL when none is near. */
const char *cvy_nearest(const char *word, const char *const *candidates, size_t count);

/* The noun that fits the count: cvy_plural(1, "leaf", "leaves") is "leaf". */
const char *cvy_plural(double count, const char *one, const char *many);
/* Copies as much as fits into an array. */
#define CVY_COPY_TEXT(to, text) snprintf((to), sizeof(to), "%.*s", (int)sizeof(to) - 1, (text))
/* A number, or one divided by another ("0.5", "1/257"), and nothing else. False, and *out as it was, where it is none.
 */
bool cvy_read_number(const char *text, double *out);

#endif
