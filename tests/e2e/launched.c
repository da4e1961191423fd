#define _GNU_SOURCE
#include "launched.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct e2e_job launched_start(int ranks, const char *options, const char *run) {
    e2e_home();
    e2e_write_experiment("endless.yaml", "epochs: 3", "epochs: 100000");
    return e2e_start_command(
        "'%s/launch/convoy-run' -n %d -t 1 %s '%s' train endless.yaml --run %s --resume --log-level warn", test_root(),
        ranks, options, test_program(), run);
}

/* ---- Its processes ---- */

static size_t read_proc(const char *pid, const char *file, char *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.16s/%s", pid, file);
    const int fd = open(path, O_RDONLY);
    const ssize_t got = fd >= 0 ? read(fd, out, room - 1) : -1;
    if (fd >= 0) close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

/* Whether these words follow each other in its command line, where each ends in NUL; the first may be the end of one.
 */
static bool has_words(const char *pid, const char *first, const char *second) {
    char words[4096], wanted[128];
    const size_t size = read_proc(pid, "cmdline", words, sizeof words);
    const int length = snprintf(wanted, sizeof wanted, "%s%c%s", first, '\0', second) + 1;
    return size > 0 && memmem(words, size, wanted, (size_t)length) != NULL;
}

static bool is_called(const char *pid, const char *name) {
    char text[512];
    read_proc(pid, "stat", text, sizeof text);
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (open == NULL || close == NULL || close[2] == 'Z') return false;
    const size_t length = (size_t)(close - open) - 1;
    return name == NULL || (strlen(name) == length && strncmp(open + 1, name, length) == 0);
}

static int find(const char *first, const char *second, const char *name, pid_t *pids, int room) {
    DIR *folder = opendir("/proc");
    int count = 0;
    for (struct dirent *e; folder && (e = readdir(folder));) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9' || !has_words(e->d_name, first, second) ||
            !is_called(e->d_name, name))
            continue;
        if (count < room) pids[count] = atoi(e->d_name);
        count++;
    }
    if (folder) closedir(folder);
    return count;
}

int launched_find(const char *run, const char *name, pid_t *pids, int room) {
    return find("--run", run, name, pids, room);
}

bool launched_has_guard(struct e2e_job launcher) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)launcher.pid);
    return find("guard.sh", pid, NULL, NULL, 0) > 0;
}

bool launched_wait_for(const char *run, const char *name, int count) {
    for (int i = 0; i < 30000 && launched_find(run, name, NULL, 0) < count; i++) usleep(1000);
    return launched_find(run, name, NULL, 0) >= count;
}

void launched_signal(const char *run, const char *name, int which, int number) {
    pid_t pids[16];
    const int found = launched_find(run, name, pids, 16);
    if (found > 0) kill(pids[which % found], number);
}

void launched_expect_nobody(const char *run) {
    pid_t pids[16];
    for (int i = 0; i < 100 && launched_find(run, NULL, NULL, 0) > 0; i++) usleep(100000);
    const int left = launched_find(run, NULL, pids, 16);
    for (int i = 0; i < left && i < 16; i++) {
        fprintf(stderr, "\n    process %d of %s is left\n", (int)pids[i], run);
        kill(pids[i], SIGKILL);
    }
    CU_ASSERT_EQUAL(left, 0);
}

/* ---- Its end ---- */

void launched_finish(const char *run, int ranks, int step) {
    static int runs;
    E2E_EXIT(0, ranks, "train endless.yaml --run %s --resume --steps %d --threads 1", run, step);
    E2E_EXIT(0, 0, "train endless.yaml --run alone%d --steps %d --threads 1 --log-level error", ++runs, step);
    E2E_EXIT(0, 0, "ckpt diff alone%d/checkpoints/step-%08d.h5 %s", runs, step, run);
    E2E_SAID("bit-identical");
}

/* ---- Kills, many times over ---- */

static unsigned draw(unsigned *state) {
    return (*state = *state * 1103515245u + 12345u) >> 16;
}

/* Within a minute. */
static bool wait_for_step(const char *run, int step) {
    for (int i = 0; i < 60000 && e2e_newest_step(run) < step; i++) usleep(1000);
    return e2e_newest_step(run) >= step;
}

/* So many times, as it has said so far. */
static bool wait_for_restarts(int count) {
    for (int i = 0; i < 60000; i += 10) {
        e2e_read(e2e_path("job.txt"), e2e_output, sizeof e2e_output);
        if (e2e_count("convoy-run: restart ") >= count) return true;
        usleep(10000);
    }
    return false;
}

static bool writes_checkpoint(const char *run) {
    DIR *folder = opendir(e2e_path("%s/checkpoints", run));
    bool found = false;
    for (struct dirent *e; folder && !found && (e = readdir(folder));) found = strstr(e->d_name, ".tmp") != NULL;
    if (folder) closedir(folder);
    return found;
}

/* Rank 0, which writes, was started first. */
static void kill_the_writer(const char *run) {
    pid_t pids[16] = {0};
    const int found = launched_find(run, "convoy", pids, 16);
    for (int i = 0; i < 100000 && !writes_checkpoint(run); i++) continue;
    for (int i = 1; i < found; i++)
        if (pids[i] < pids[0]) pids[0] = pids[i];
    if (found > 0) kill(pids[0], SIGKILL);
}

void launched_kill_often(const char *run, int ranks, int kills) {
    unsigned random = 7;
    struct e2e_job job = launched_start(ranks, "--restarts 9", run);
    for (int i = 0; i < kills; i++) {
        CU_ASSERT(wait_for_restarts(i));
        CU_ASSERT(wait_for_step(run, e2e_newest_step(run) + 4));
        usleep(draw(&random) % 1000 * 300);
        if (i % 3 == 2)
            kill_the_writer(run);
        else
            launched_signal(run, draw(&random) % 4 == 0 ? "mpirun" : "convoy", (int)draw(&random) % ranks, SIGKILL);
    }
    CU_ASSERT(wait_for_restarts(kills));
    CU_ASSERT(wait_for_step(run, e2e_newest_step(run) + 4));
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    launched_expect_nobody(run);
    CU_ASSERT_EQUAL(e2e_count("convoy-run: restart "), kills);
    const int step = e2e_newest_step(run) + 2;
    launched_finish(run, 2, step);
    e2e_expect_one_run(run, step);
    CU_ASSERT_EQUAL(e2e_count_metrics(run, "\"event\":\"restart\""), kills);
}
