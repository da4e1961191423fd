/* The library installs no handler; the program does, and only asks. */
#define _XOPEN_SOURCE 700
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

static bool is_ignored(int number) {
    struct sigaction before;
    return sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
}

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* What a terminal, a batch queue or a limit of processor time ends a job with. A second SIGINT ends the program at
 * once, as someone at a terminal expects. nohup and queues that want a signal to do nothing have it ignored from the
 * start. */
static void ask_on_signals(void) {
    static const struct {
        int number, flags;
        bool may_be_ignored;
    } signals[] = {{SIGTERM, SA_RESTART, false}, {SIGINT, SA_RESTART | (int)SA_RESETHAND, false},
                   {SIGUSR1, SA_RESTART, false}, {SIGHUP, SA_RESTART, true},
                   {SIGUSR2, SA_RESTART, true},  {SIGXCPU, SA_RESTART, true}};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!signals[i].may_be_ignored || !is_ignored(signals[i].number))
            handle(signals[i].number, on_signal, signals[i].flags);
}

/* A reader who has gone (`convoy train … | head`) and a file that may not grow are errors of the write alone. */
void cli_signals_catch(void) {
    ask_on_signals();
    handle(SIGPIPE, SIG_IGN, 0);
    handle(SIGXFSZ, SIG_IGN, 0);
}

void cli_signals_go_to(struct cvy_context *ctx) {
    listener = ctx;
    if (ctx && asked) cvy_request_stop(ctx);
}
