/* What convoy-run, whose mpirun the ranks live under, is told: lines on stderr that it keeps to itself. They travel the
 * same way from any host. By them it knows what a request to stop would meet, and whether it was met. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

#define MARK "convoy: launcher: "

static bool listens;

void cli_launcher_find(void) {
    listens = getenv("CONVOY_LAUNCHER") != NULL;
}

bool cli_launcher_listens(void) {
    return listens;
}

const char *cli_launcher_reason(void) {
    return getenv("CONVOY_RESTARTED");
}

void cli_launcher_tell(const char *word) {
    if (listens && cvy_launcher_rank_is_zero()) fprintf(stderr, MARK "%s\n", word);
}

void cli_launcher_tell_asked(void) {
    static const char line[] = MARK "asked\n";
    if (listens) (void)!write(STDERR_FILENO, line, sizeof line - 1);
}

/* ---- Coming together ---- */

/* Where a process is stopped or lost before MPI has started, MPI waits for it for ever. */
static char late[512];

static void on_alarm(int number) {
    (void)!write(STDERR_FILENO, late, strlen(late));
    _exit(CVY_ERR_LOST);
    (void)number;
}

void cli_meet_within(double seconds) {
    char host[128] = "?";
    const bool first = cvy_launcher_rank_is_zero();
    gethostname(host, sizeof host - 1);
    snprintf(
        late, sizeof late,
        "convoy: error: a rank on %s: the ranks have not met for %.0f s: one was stopped or lost as it started, or "
        "the hosts do not reach each other (firewall; networks: mpirun --mca btl_tcp_if_include, oob_tcp_if_include); "
        "look there, then start again with --resume\n",
        host, seconds);
    struct sigaction action = {.sa_handler = on_alarm};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    alarm((unsigned)seconds + 1 + !first); /* one that speaks is enough */
}

void cli_met(void) {
    alarm(0);
    signal(SIGALRM, SIG_DFL);
}
