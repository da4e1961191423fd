/* One message and one trail per thread, in fixed buffers: failing must not fail. */
#include "core/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES 8192

static _Thread_local char message[MESSAGE_BYTES];
static _Thread_local char trail[2048];

static void trail_add(const char *file, int line, const char *what) {
    size_t used = strlen(trail);
    snprintf(trail + used, sizeof trail - used, "  %s:%d %s\n", file, line, what);
}

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

void cvy_one_line(char *text, size_t room) {
    char code[8];
    for (char *at = text; *at; at++) {
        if (!is_control(*at)) continue;
        const int size =
            *at == '\n' ? snprintf(code, sizeof code, "\\n") : snprintf(code, sizeof code, "\\x%02x", (unsigned)*at);
        const size_t left = room - (size_t)(at - text), rest = strlen(at + 1) + 1;
        if ((size_t)size + rest > left) {
            *at = '\0'; /* no room: the text ends here */
            return;
        }
        memmove(at + size, at + 1, rest);
        memcpy(at, code, (size_t)size);
        at += size - 1;
    }
}

void cvy_fail_at(const char *file, int line, const char *fmt, ...) {
    char text[sizeof message]; /* the arguments may point into `message` */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (strcmp(fmt, "%s") != 0) cvy_one_line(text, sizeof text); /* else of findings, a line each */
    memcpy(message, text, sizeof message);
    trail[0] = '\0';
    trail_add(file, line, "failed");
}

cvy_status cvy_fail_prefix(cvy_status status, const char *fmt, ...) {
    char text[sizeof message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cvy_one_line(text, sizeof text);
    size_t used = strlen(text), room = sizeof text - used;
    snprintf(text + used, room, ": %.*s", (int)room, message);
    memcpy(message, text, sizeof message);
    return status;
}

void cvy_trail_at(const char *file, int line, const char *call) {
    trail_add(file, line, call);
}

const char *cvy_error_message(void) {
    return message;
}

const char *cvy_error_trail(void) {
    return trail;
}

void cvy_failure_take(struct cvy_failure *failure, cvy_status status) {
    failure->status = status;
    snprintf(failure->message, sizeof failure->message, "%.*s", (int)sizeof failure->message - 1, message);
}

cvy_status cvy_failure_raise(const struct cvy_failure *failure) {
    if (failure->status == CVY_OK) return CVY_OK;
    return CVY_FAIL(failure->status, "%s", failure->message);
}
