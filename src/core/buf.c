#include "core/buf.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/inside.h"
#include "core/memory.h"

void cvy_buf_destroy(struct cvy_buf *buf) {
    cvy_free(buf->data);
    *buf = (struct cvy_buf){0};
}

void cvy_buf_clear(struct cvy_buf *buf) {
    buf->size = 0;
    if (buf->data) buf->data[0] = '\0';
}

static bool reserve(struct cvy_buf *buf, size_t more) {
    if (buf->failed) return false;
    if (buf->size + more + 1 <= buf->room) return true;
    size_t room = 2 * buf->room + more + 64;
    char *data;
    if (CVY_NEW(&data, room, text) != CVY_OK) {
        buf->failed = true;
        return false;
    }
    if (buf->size) memcpy(data, buf->data, buf->size);
    cvy_free(buf->data);
    buf->data = data;
    buf->room = room;
    return true;
}

void cvy_buf_write(struct cvy_buf *buf, const void *bytes, size_t size) {
    if (!reserve(buf, size)) return;
    if (size) memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void cvy_buf_printf(struct cvy_buf *buf, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, fmt, args);
    if (need >= 0 && reserve(buf, (size_t)need)) {
        vsnprintf(buf->data + buf->size, (size_t)need + 1, fmt, again);
        buf->size += (size_t)need;
    }
    va_end(again);
    va_end(args);
}

void cvy_buf_shell_word(struct cvy_buf *buf, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,+-@%";
    if (word[0] && strspn(word, plain) == strlen(word)) {
        cvy_buf_printf(buf, " %s", word);
        return;
    }
    cvy_buf_printf(buf, " '");
    for (const char *p = word; *p; p++) cvy_buf_printf(buf, *p == '\'' ? "'\\''" : "%c", *p);
    cvy_buf_printf(buf, "'");
}

const char *cvy_buf_text(const struct cvy_buf *buf) {
    return buf->data ? buf->data : "";
}

/* Bytes of the UTF-8 character that starts here; 0: none does, as in the file names of other encodings. */
static size_t character(const unsigned char *p) {
    static const struct {
        unsigned char from, to, next_from, next_to; /* of the first byte, and of the one behind it */
        size_t size;
    } forms[] = {
        {0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (p[0] < forms[i].from || p[0] > forms[i].to) continue;
        if (forms[i].size > 1 && (p[1] < forms[i].next_from || p[1] > forms[i].next_to)) return 0;
        for (size_t k = 2; k < forms[i].size; k++)
            if ((p[k] & 0xc0) != 0x80) return 0;
        return forms[i].size;
    }
    return 0;
}

/* JSON is UTF-8: a byte that is not gives U+FFFD, the mark for such. */
static void quote(struct cvy_buf *buf, const char *text) {
    cvy_buf_write(buf, "\"", 1);
    for (const char *p = text; *p;) {
        const size_t size = character((const unsigned char *)p);
        if (*p == '"' || *p == '\\')
            cvy_buf_printf(buf, "\\%c", *p);
        else if (size == 1 && *p < 0x20)
            cvy_buf_printf(buf, "\\u%04x", (unsigned)*p);
        else if (size)
            cvy_buf_write(buf, p, size);
        else
            cvy_buf_write(buf, "\xef\xbf\xbd", 3);
        p += size ? size : 1;
    }
    cvy_buf_write(buf, "\"", 1);
}

static void lead(struct cvy_buf *buf, const char *key) {
    char last = buf->size ? buf->data[buf->size - 1] : '{';
    if (!strchr("{[\n", last)) cvy_buf_write(buf, ",", 1);
    if (key == NULL) return;
    quote(buf, key);
    cvy_buf_write(buf, ":", 1);
}

void cvy_json_open(struct cvy_buf *buf, const char *key, char bracket) {
    lead(buf, key);
    cvy_buf_write(buf, &bracket, 1);
}

void cvy_json_close(struct cvy_buf *buf, char bracket) {
    cvy_buf_write(buf, &bracket, 1);
}

void cvy_json_text(struct cvy_buf *buf, const char *key, const char *value) {
    lead(buf, key);
    quote(buf, value);
}

void cvy_json_int(struct cvy_buf *buf, const char *key, int64_t value) {
    lead(buf, key);
    cvy_buf_printf(buf, "%" PRId64, value);
}

void cvy_json_real(struct cvy_buf *buf, const char *key, double value) {
    CVY_INSIDE();
    lead(buf, key);
    if (isfinite(value))
        cvy_buf_printf(buf, "%.9g", value);
    else
        cvy_buf_write(buf, "null", 4);
}

void cvy_json_bool(struct cvy_buf *buf, const char *key, bool value) {
    lead(buf, key);
    cvy_buf_printf(buf, "%s", value ? "true" : "false");
}
