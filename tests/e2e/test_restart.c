/* convoy-run --restarts: what is worth another start, on which hosts, and that nothing is lost by it. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launched.h"

static void killed_thrice_and_the_same_bits(void) {
    launched_kill_often("killed-often", 3, 3);
}

/* ---- With stand-ins ---- */

/* Writes home/NAME, an executable shell script that counts its calls in home/NAME.calls and has the number in $n. */
static void write_script(const char *name, const char *text) {
    char all[2048];
    const int size = snprintf(all, sizeof all, "#!/bin/sh\necho \"$@\" >>'%s.calls'\nn=$(wc -l <'%s.calls')\n%s\n",
                              e2e_path("%s", name), e2e_path("%s", name), text);
    e2e_write(name, all, (size_t)size);
    test_shell(e2e_output, sizeof e2e_output, "chmod +x '%s'; rm -f '%s.calls'", e2e_path("%s", name),
               e2e_path("%s", name));
}

/* Its arguments at call number `call`, from 1; "" where there was none. */
static const char *call_of(const char *name, int call) {
    static char text[8192];
    e2e_read(e2e_path("%s.calls", name), text, sizeof text);
    char *line = text;
    for (int i = 1; i < call && line; i++) line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    if (line == NULL) return "";
    line[strcspn(line, "\n")] = '\0';
    return line;
}
static int calls_of(const char *name) {
    int calls = 0;
    while (call_of(name, calls + 1)[0]) calls++;
    return calls;
}

/* In mpirun's place. */
static void write_mpirun(const char *text) {
    e2e_home();
    test_shell(e2e_output, sizeof e2e_output, "mkdir -p '%s/bin'", e2e_home());
    write_script("bin/mpirun", text);
}
#define CONVOY_RUN "cd '%s' && export PATH=$PWD/bin:$PATH && exec '%s/launch/convoy-run' "
static int convoy_run(const char *options) {
    return test_shell(e2e_output, sizeof e2e_output, CONVOY_RUN "%s sh --resume", e2e_home(), test_root(), options);
}

static void exit_codes_say_what_is_worth_it(void) {
    static const int again[] = {6, 134, 135, 137, 139, 143}, final[] = {0, 1, 2, 3, 4, 5, 75, 136};
    char text[64];
    for (size_t i = 0; i < COUNT(again); i++) {
        snprintf(text, sizeof text, "exit %d", again[i]);
        write_mpirun(text);
        CU_ASSERT_EQUAL(convoy_run("--restarts 1"), again[i]);
        CU_ASSERT_EQUAL(calls_of("bin/mpirun"), 2);
        E2E_SAID("convoy-run: restart 1: ");
    }
    for (size_t i = 0; i < COUNT(final); i++) {
        snprintf(text, sizeof text, "exit %d", final[i]);
        write_mpirun(text);
        CU_ASSERT_EQUAL(convoy_run("--restarts 1"), final[i]);
        CU_ASSERT_EQUAL(calls_of("bin/mpirun"), 1);
        CU_ASSERT_FALSE(e2e_said("restart"));
    }
    write_mpirun("exit 6");
    CU_ASSERT_EQUAL(convoy_run(""), 6); /* none unless it is asked for */
    CU_ASSERT_EQUAL(calls_of("bin/mpirun"), 1);
}

/* The limit is for starts that come no further. */
static void progress_begins_a_new_row(void) {
    write_mpirun("echo convoy: launcher: step ${n}0 >&2; [ $n -ge 4 ] || exit 6");
    CU_ASSERT_EQUAL(convoy_run("--restarts 1"), 0);
    CU_ASSERT_EQUAL(calls_of("bin/mpirun"), 4);
    write_mpirun("echo convoy: launcher: step 10 >&2; echo \"told: $CONVOY_RESTARTED\"; exit 6");
    CU_ASSERT_EQUAL(convoy_run("--restarts 2"), 6);
    CU_ASSERT_EQUAL(calls_of("bin/mpirun"), 3);
    E2E_SAID("told: restart 2: a rank or the network was lost\n");
    E2E_SAID("convoy-run: restarts in a row that came no further: 2, the limit");
}

static void a_request_ends_the_pause(void) {
    write_mpirun("exit 6");
    struct e2e_job job =
        e2e_start_command("sh -c \"" CONVOY_RUN "--restarts 99 sh --resume\"", e2e_home(), test_root());
    for (int i = 0; i < 6000 && !e2e_said("restart 4: "); i++) { /* the next pause is of 4 s */
        usleep(10000);
        e2e_read(e2e_path("job.txt"), e2e_output, sizeof e2e_output);
    }
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    CU_ASSERT_EQUAL(calls_of("bin/mpirun"), 4);
}

static void a_command_that_would_begin_anew_is_refused(void) {
    CU_ASSERT_EQUAL(test_shell(e2e_output, sizeof e2e_output, "'%s/launch/convoy-run' --restarts 1 true", test_root()),
                    2);
    E2E_SAID("add --resume to it");
}

/* ---- Hosts, by a stand-in for mpirun ---- */

/* h2 fails twice; left out for 2 s, it answers, and the job is asked to make place for it. */
static void hosts_that_fail_twice_are_left_out(void) {
    e2e_home();
    e2e_write("hosts", "h1 slots=2\nh2 slots=2\nh3 slots=2\n", 33);
    write_mpirun("case \"$*\" in *' true') exit 0 ;; esac\n" /* a look whether a host answers */
                 "echo convoy: launcher: here >&2; echo convoy: launcher: together >&2\n"
                 "echo convoy: launcher: step ${n}0 >&2\n"
                 "case \"$*\" in *--host*) trap 'kill $!; exit 75' USR1; sleep 30 & wait ;; esac\n"
                 "[ $n -lt 4 ] || exit 0\n" /* with the looks it is the fifth call or a later one */
                 "echo mpirun: process rank 3 with PID 9 on node h2 exited on signal 9 >&2; exit 137");
    const int code =
        test_shell(e2e_output, sizeof e2e_output,
                   "export OMPI_MCA_orte_default_hostfile='%s'; " CONVOY_RUN "-n 6 --restarts 3 --away 2 sh --resume",
                   e2e_path("hosts"), e2e_home(), test_root());
    CU_ASSERT_EQUAL(code, 0);
    E2E_SAID("convoy-run: restart 1: rank 3 on h2 was killed (signal 9)");
    E2E_SAID("convoy-run: host h2 is left out: it failed twice");
    E2E_SAID("convoy-run: restart 3: a host is back");
    E2E_SAID("convoy-run: host h2 is back");
    static const char *const calls[] = {"-n 6 sh --resume", "--host h2:1 -n 1 true", "-n 6 sh --resume",
                                        "--host h2:1 -n 1 true", "-n 4 sh --resume"};
    for (int i = 0; i < 5; i++) CU_ASSERT_PTR_NOT_NULL(strstr(call_of("bin/mpirun", i + 1), calls[i]));
    CU_ASSERT_PTR_NOT_NULL(strstr(call_of("bin/mpirun", 5), "--host h1:2,h3:2 "));
    const char *last = call_of("bin/mpirun", calls_of("bin/mpirun"));
    CU_ASSERT_PTR_NOT_NULL(strstr(last, "-n 6 sh --resume"));
    CU_ASSERT_PTR_NULL(strstr(last, "--host "));
}

static const struct test_case cases[] = {
    {"killed three times and started again: the same bits", killed_thrice_and_the_same_bits},
    {"exit codes say what is worth another start", exit_codes_say_what_is_worth_it},
    {"a start that comes further begins a new row", progress_begins_a_new_row},
    {"a request ends the pause between two starts", a_request_ends_the_pause},
    {"a command that would begin anew is refused", a_command_that_would_begin_anew_is_refused},
    {"hosts that fail twice are left out, and taken back", hosts_that_fail_twice_are_left_out},
    {0},
};
const struct test_suite suite_e2e_restart = {"e2e_restart", cases, NULL};
