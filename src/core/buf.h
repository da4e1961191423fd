/* A growing byte buffer, and JSON written into it. The program uses it as well (tests/layers.sh knows). */
#ifndef CVY_CORE_BUF_H
#define CVY_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cvy_buf {
    char *data; /* NUL-terminated; "" is NULL until the first write */
    size_t size, room;
    bool failed; /* out of memory: later writes do nothing; checked once at the end */
};
void cvy_buf_destroy(struct cvy_buf *buf);
void cvy_buf_clear(struct cvy_buf *buf);
void cvy_buf_write(struct cvy_buf *buf, const void *bytes, size_t size);
void cvy_buf_printf(struct cvy_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* " WORD", as a shell takes it. */
void cvy_buf_shell_word(struct cvy_buf *buf, const char *word);
const char *cvy_buf_text(const struct cvy_buf *buf); /* never NULL */

/* JSON: commas are put where they belong; `key` is NULL inside an array and at the top. Numbers that are not finite
 * become null. */
void cvy_json_open(struct cvy_buf *buf, const char *key, char bracket); /* '{' or '[' */
void cvy_json_close(struct cvy_buf *buf, char bracket);                 /* '}' or ']' */
void cvy_json_text(struct cvy_buf *buf, const char *key, const char *value);
void cvy_json_int(struct cvy_buf *buf, const char *key, int64_t value);
void cvy_json_real(struct cvy_buf *buf, const char *key, double value);
void cvy_json_bool(struct cvy_buf *buf, const char *key, bool value);
#endif
