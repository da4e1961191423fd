/* convoy-run and the real program: requests at any moment, ranks and launchers that are killed or stopped. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launched.h"

/* ---- A request holds until it is answered ---- */

static void request_at(int ms, int ranks, int number) {
    char run[32];
    snprintf(run, sizeof run, "asked%d-%d", ms, ranks);
    struct e2e_job job = launched_start(ranks, "", run);
    CU_ASSERT(launched_wait_for(run, NULL, 1)); /* sh has become convoy-run, whose first words are the trap's */
    usleep(20000 + (useconds_t)ms * 1000);
    e2e_signal(job, number);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("stopped");
    launched_expect_nobody(run);
    const int step = e2e_newest_step(run);
    launched_finish(run, 1, (step > 0 ? step : 0) + 2);
}

static void requests_hold(void) {
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGINT, SIGHUP}, times[] = {0, 40, 90, 150, 220, 300, 400, 800};
    signal(SIGHUP, SIG_DFL); /* these tests may run under nohup */
    for (size_t i = 0; i < COUNT(times); i++) request_at(times[i], i % 2 ? 3 : 1, numbers[i % 4]);
}

/* ---- mpirun does not outlive its job, nor a rank its mpirun ---- */

/* At the first sight of the ranks: while they load their libraries, or MPI starts. */
static void hurt_in_start(const char *run, int number, int ranks_there) {
    struct e2e_job job = launched_start(3, "", run);
    CU_ASSERT(launched_wait_for(run, "convoy", ranks_there));
    launched_signal(run, "convoy", ranks_there - 1, number);
    const int code = e2e_wait(job);
    CU_ASSERT(code == (number == SIGSTOP ? 6 : 137) || code == 6);
    CU_ASSERT(e2e_said("with --resume"));
    launched_expect_nobody(run);
}
static void a_rank_lost_in_its_start(void) {
    hurt_in_start("lost1", SIGKILL, 1);
    hurt_in_start("lost3", SIGKILL, 3);
}
static void a_rank_stopped_in_its_start(void) {
    hurt_in_start("stopped1", SIGSTOP, 1);
    E2E_SAID("rank 0 on ");
    E2E_SAID(" was stopped as it started");
}

/* Under a bare mpirun: MPI itself waits for ever. Within twelve times the silence they must have met. */
static void ranks_that_do_not_meet(void) {
    e2e_home();
    e2e_write_experiment("endless.yaml", "epochs: 3", "epochs: 100000");
    struct e2e_job job = e2e_start(3, "train endless.yaml --run unmet --threads 1 --silence 0.5s");
    CU_ASSERT(launched_wait_for("unmet", "convoy", 1));
    launched_signal("unmet", "convoy", 0, SIGSTOP);
    e2e_expect_exit(6, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("the ranks have not met for 6 s: one was stopped or lost as it started, or the hosts do not reach");
    launched_expect_nobody("unmet");
}

static void a_frozen_rank_is_named(void) {
    struct e2e_job job = launched_start(3, "", "frozen-launched");
    CU_ASSERT(e2e_wait_for_step("frozen-launched", 6));
    launched_signal("frozen-launched", "convoy", 1, SIGSTOP);
    e2e_expect_exit(6, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("has been silent for 5 s");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    launched_expect_nobody("frozen-launched");
}

/* Ranks that are stopped notice nothing of its death. */
static void a_killed_mpirun_leaves_nobody(void) {
    struct e2e_job job = launched_start(3, "", "no-mpirun");
    CU_ASSERT(e2e_wait_for_step("no-mpirun", 6));
    launched_signal("no-mpirun", "convoy", 1, SIGSTOP);
    launched_signal("no-mpirun", "mpirun", 0, SIGKILL);
    e2e_expect_exit(137, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("convoy-run: mpirun was killed (signal 9); go on with --resume");
    launched_expect_nobody("no-mpirun");
}

static void a_killed_launcher_leaves_nobody(void) {
    for (int in_start = 0; in_start < 2; in_start++) {
        const char *run = in_start ? "no-launcher-yet" : "no-launcher";
        struct e2e_job job = launched_start(3, "", run);
        CU_ASSERT(in_start ? launched_wait_for(run, "mpirun", 1) : e2e_wait_for_step(run, 6));
        CU_ASSERT(launched_has_guard(job));
        e2e_signal(job, SIGKILL);
        e2e_expect_exit(137, e2e_wait(job), __FILE__, __LINE__);
        launched_expect_nobody(run);
        for (int i = 0; i < 100 && launched_has_guard(job); i++) usleep(100000);
        CU_ASSERT_FALSE(launched_has_guard(job));
    }
}

/* Of an mpirun that is dead: its folder, and the memory of its jobs. Of one that lives, and of another user's: nothing.
 */
static void leftovers_are_removed(void) {
    const char *base = e2e_path("ompi");
    const int code = test_shell(
        e2e_output, sizeof e2e_output,
        "export TMPDIR='%s'; mkdir -p $TMPDIR; s=$TMPDIR/ompi.$(hostname).$(id -u); name=$(hostname).$(id -u); "
        "sh -c 'exit' & dead=$!; wait $dead; sleep 60 & alive=$!; "
        "for p in $dead $alive; do mkdir -p $s/pid.$p/1; done; "
        "echo '3735879680.0;tcp://192.0.2.1:1' >$s/pid.$dead/contact.txt; "  /* 0xdead0000 */
        "echo '3203334144.0;tcp://192.0.2.1:1' >$s/pid.$alive/contact.txt; " /* 0xbeef0000 */
        "dd='/dev/shm/vader_segment.'$name'.dead0001.'; bb='/dev/shm/vader_segment.'$name'.beef0001.'; "
        "oo='/dev/shm/vader_segment.another.'$(id -u)'.dead0001.'; touch ${dd}0 ${dd}1 ${bb}0 ${oo}0; "
        "'%s/launch/convoy-run' -n 1 true || exit; "
        "[ ! -e ${dd}0 ] && [ ! -e ${dd}1 ] && [ ! -e $s/pid.$dead ] || echo left; "
        "[ -e ${bb}0 ] && [ -e ${oo}0 ] && [ -e $s/pid.$alive ] || echo too much; "
        "rm -f ${dd}0 ${dd}1 ${bb}0 ${oo}0; kill $alive",
        base, test_root());
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_STRING_EQUAL(e2e_output, "");
}

static void a_second_request_ends_at_once(void) {
    struct e2e_job job = launched_start(3, "", "twice");
    CU_ASSERT(e2e_wait_for_step("twice", 6));
    e2e_signal(job, SIGTERM);
    usleep(300000);
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    launched_expect_nobody("twice");
}

static const struct test_case cases[] = {
    {"a request at any moment ends in 75, and the run goes on", requests_hold},
    {"a rank that is killed as it starts ends the job", a_rank_lost_in_its_start},
    {"a rank that is stopped as it starts is named", a_rank_stopped_in_its_start},
    {"ranks that do not meet end with a message", ranks_that_do_not_meet},
    {"a rank that is frozen is named, and its process killed", a_frozen_rank_is_named},
    {"mpirun that is killed leaves no rank, stopped ones included", a_killed_mpirun_leaves_nobody},
    {"convoy-run that is killed leaves nobody, and its guard goes", a_killed_launcher_leaves_nobody},
    {"what a dead mpirun left is removed, and no more", leftovers_are_removed},
    {"a second request ends the job at once", a_second_request_ends_at_once},
    {0},
};
const struct test_suite suite_e2e_launch = {"e2e_launch", cases, NULL};
