/* EXIF: which way up a picture is.
 *
 *   "II" or "MM": the byte order; 42; where the first directory is: entries of 12 bytes, each tag, type, count, value.
 *
 * Tag 0x0112 says where row 0 and column 0 of the file belong (Exif 2.32, 4.6.4 A). */
#include <stdbool.h>
#include <string.h>

#include "core/memory.h"
#include "io/image/image_decode.h"

enum { ORIENTATION = 0x0112, SHORT = 3, LONG = 4, ENTRY = 12 };

struct tiff {
    const unsigned char *bytes;
    size_t size;
    bool little;
};

/* `count` bytes at `at` as a number, 0 where the data end before. */
static unsigned long number(const struct tiff *t, size_t at, size_t count) {
    unsigned long value = 0;
    if (at > t->size || count > t->size - at) return 0;
    for (size_t i = 0; i < count; i++) value = value << 8 | t->bytes[at + (t->little ? count - 1 - i : i)];
    return value;
}

int cvy_exif_orientation(const unsigned char *tiff, size_t size) {
    struct tiff t = {tiff, size, size > 0 && tiff[0] == 'I'};
    if (size < 8 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0) || number(&t, 2, 2) != 42) return 1;
    size_t directory = number(&t, 4, 4), entries = number(&t, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + i * ENTRY;
        if (entry + ENTRY > size) break;
        if (number(&t, entry, 2) != ORIENTATION) continue;
        unsigned long type = number(&t, entry + 2, 2);
        unsigned long value = type == SHORT ? number(&t, entry + 8, 2) : type == LONG ? number(&t, entry + 8, 4) : 0;
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Where an upright pixel comes from: rows and columns exchanged, then counted from the other end. */
static const struct {
    bool exchanged, from_below, from_right;
} turns[9] = {
    [2] = {false, false, true}, [3] = {false, true, true}, [4] = {false, true, false}, [5] = {true, false, false},
    [6] = {true, true, false},  [7] = {true, true, true},  [8] = {true, false, true},
};

cvy_status cvy_picture_upright(struct cvy_picture *p) {
    const int turn = p->orientation, h = p->shape.h, w = p->shape.w;
    const size_t pixel = cvy_picture_pixel(p);
    unsigned char *upright;
    if (turn <= 1) return CVY_OK;
    const struct cvy_shape shape = {turns[turn].exchanged ? w : h, turns[turn].exchanged ? h : w, p->shape.c};
    CVY_TRY(CVY_NEW(&upright, (size_t)h * (size_t)w * pixel, data));
    unsigned char *to = upright;
    for (int y = 0; y < shape.h; y++)
        for (int x = 0; x < shape.w; x++, to += pixel) {
            int row = turns[turn].exchanged ? x : y, column = turns[turn].exchanged ? y : x;
            if (turns[turn].from_below) row = h - 1 - row;
            if (turns[turn].from_right) column = w - 1 - column;
            memcpy(to, p->pixels + ((size_t)row * (size_t)w + (size_t)column) * pixel, pixel);
        }
    cvy_free(p->pixels);
    p->shape = shape;
    p->pixels = upright;
    p->orientation = 1;
    return CVY_OK;
}
