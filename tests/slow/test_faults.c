/* What convoy-run promises, many times over, at moments that are spread over a whole start. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "e2e/launched.h"

/* From the moment that the trap is there, each 0.02 s, 1.5 s long: within 10 s, as long as a pre-emption leaves.
 * Some go on from it. */
static void requests_at_every_moment(void) {
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGINT, SIGHUP};
    double longest = 0;
    signal(SIGHUP, SIG_DFL);
    e2e_home();
    for (int i = 0; i < 2 * 75; i++) {
        char run[32];
        snprintf(run, sizeof run, "moment%d", i);
        struct e2e_job job = launched_start(i % 2 ? 3 : 1, "", run);
        CU_ASSERT(launched_wait_for(run, NULL, 1));
        usleep(20000 + (useconds_t)(i / 2) * 20000);
        const double asked = cvy_clock();
        e2e_signal(job, numbers[i % 4]);
        e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
        const double took = cvy_clock() - asked;
        if (took > longest) longest = took;
        launched_expect_nobody(run);
        const int step = e2e_newest_step(run);
        if (i % 10 < 2) launched_finish(run, 1, (step > 0 ? step : 0) + 2);
    }
    fprintf(stderr, "\n    longest from request to end: %.1f s ", longest);
    CU_ASSERT(longest < 10);
}

static void killed_thirty_times(void) {
    launched_kill_often("killed30", 3, 30);
}

static const struct test_case cases[] = {
    {"killed thirty times and started again: the same bits", killed_thirty_times},
    {"a request at every moment of a start", requests_at_every_moment},
    {0},
};
const struct test_suite suite_faults = {"faults", cases, NULL};
