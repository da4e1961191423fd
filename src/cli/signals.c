/* The library installs no handler; the program does, and only asks. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "commands.h"

static struct cvy_context *_Atomic listener;
static atomic_bool asked;

static void on_signal(int number) {
    (void)number;
    struct cvy_context *ctx = listener;
    asked = true;
    if (ctx) cvy_request_stop(ctx);
}

/* A second SIGINT ends the program at once, as someone at a terminal expects. */
void cli_signals_catch(void) {
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGINT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        if (numbers[i] == SIGINT) action.sa_flags |= (int)SA_RESETHAND;
        sigemptyset(&action.sa_mask);
        sigaction(numbers[i], &action, NULL);
    }
}

void cli_signals_go_to(struct cvy_context *ctx) {
    listener = ctx;
    if (ctx && asked) cvy_request_stop(ctx);
}
