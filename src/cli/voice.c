/* What the library says, on stderr: lines, and on a terminal how far it is, in a line that is drawn again and again. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "commands.h"

static bool drawn;

void cli_voice_log(void *user, cvy_log_level level, const char *text) {
    static const char *const marks[] = {"error: ", "warning: ", "", "debug: "};
    (void)user;
    fprintf(stderr, "%s%s%s\n", drawn ? "\r\033[K" : "", marks[level], text);
    drawn = false;
}

bool cli_voice_progress(void *user, const char *what, int64_t done, int64_t total) {
    (void)user, (void)done, (void)total; /* `what` has them */
    if (!isatty(STDERR_FILENO)) return false;
    fprintf(stderr, "\r\033[K%s", what);
    fflush(stderr);
    drawn = true;
    return true;
}

void cli_voice_erase(void) {
    if (drawn) fputs("\r\033[K", stderr);
    drawn = false;
}

void cli_voice_rest(void) {
    if (drawn) fputc('\n', stderr);
    drawn = false;
}
