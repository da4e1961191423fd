/* The library installs no handler; the program does, and only asks. */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "commands.h"

static struct cvy_context *_Atomic listener;
static atomic_int asked; /* by this signal; 0: not yet */

static void on_signal(int number) {
    struct cvy_context *ctx = listener;
    if (!asked) cli_launcher_tell_asked();
    asked = number;
    if (ctx) cvy_request_stop(ctx);
}

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* What a terminal, a batch queue or a limit of processor time ends a job with. A second SIGINT ends the program at
 * once, as someone at a terminal expects. nohup and queues that want a signal to do nothing have it ignored from the
 * start. */
static struct request {
    int number, flags;
    bool may_be_ignored;
    struct sigaction before;
} requests[] = {{.number = SIGTERM, .flags = SA_RESTART},
                {.number = SIGINT, .flags = SA_RESTART | (int)SA_RESETHAND},
                {.number = SIGUSR1, .flags = SA_RESTART},
                {.number = SIGHUP, .flags = SA_RESTART, .may_be_ignored = true},
                {.number = SIGUSR2, .flags = SA_RESTART, .may_be_ignored = true},
                {.number = SIGXCPU, .flags = SA_RESTART, .may_be_ignored = true}};
#define REQUESTS (sizeof requests / sizeof *requests)

void cli_signals_catch(void) {
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request *r = &requests[i];
        sigaction(r->number, NULL, &r->before);
        if (!r->may_be_ignored || r->before.sa_handler != SIG_IGN) handle(r->number, on_signal, r->flags);
    }
}

void cli_signals_give_back(void) {
    for (size_t i = 0; i < REQUESTS; i++) sigaction(requests[i].number, &requests[i].before, NULL);
    if (asked) raise(asked);
}

/* A reader who has gone (`convoy train … | head`) and a file that may not grow are errors of the write alone. */
void cli_signals_spare_writes(void) {
    handle(SIGPIPE, SIG_IGN, 0);
    handle(SIGXFSZ, SIG_IGN, 0);
}

void cli_signals_go_to(struct cvy_context *ctx) {
    listener = ctx;
    if (ctx && asked) cvy_request_stop(ctx);
}
