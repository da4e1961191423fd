#define _GNU_SOURCE
#include "e2e.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char e2e_output[65536], e2e_stdout[65536];

const char e2e_experiment[] = "name: tiny\n"
                              "seed: 1\n"
                              "model:\n"
                              "  input: [12, 12, 1]\n"
                              "  layers:\n"
                              "    - conv: {filters: 4, kernel: 3, padding: same}\n"
                              "    - relu\n"
                              "    - maxpool: 2\n"
                              "    - dropout: 0.1\n"
                              "    - flatten\n"
                              "    - dense: 16\n"
                              "    - relu\n"
                              "    - dense: 4\n"
                              "data:\n"
                              "  train: train.h5\n"
                              "  test: test.h5\n"
                              "  augment: [{pad_crop: 1}, flip]\n"
                              "train:\n"
                              "  epochs: 3\n"
                              "  batch: 16\n"
                              "  leaf: 4\n"
                              "  optimizer: {sgd: {momentum: 0.9}}\n"
                              "  learning_rate: 0.02\n"
                              "checkpoint: {every: 4 steps, keep: 3}\n"
                              "log: {every: 1 step}\n";

/* ---- Files ---- */

static char home[512];

const char *e2e_path(const char *fmt, ...) {
    static char paths[8][1024];
    static int turn;
    char *path = paths[turn++ % 8];
    va_list args;
    va_start(args, fmt);
    int used = snprintf(path, sizeof paths[0], "%s/", e2e_home());
    vsnprintf(path + used, sizeof paths[0] - (size_t)used, fmt, args);
    va_end(args);
    return path;
}

void e2e_write(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(e2e_path("%s", name), "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

void e2e_write_experiment(const char *name, const char *from, const char *to) {
    char text[4096];
    const char *found = from ? strstr(e2e_experiment, from) : e2e_experiment;
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    size_t before = (size_t)(found - e2e_experiment), skipped = from ? strlen(from) : 0;
    int length = snprintf(text, sizeof text, "%.*s%s%s", (int)before, e2e_experiment, to ? to : "", found + skipped);
    e2e_write(name, text, (size_t)length);
}

static size_t put_u32(unsigned char *out, uint32_t value) {
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(value >> (24 - 8 * i));
    return 4;
}

/* magic 2051: images; 2049: labels. */
void e2e_write_idx(const char *name, int magic, int count, int rows, int cols, const unsigned char *items,
                   size_t size) {
    unsigned char text[32768];
    size_t used = put_u32(text, (uint32_t)magic);
    used += put_u32(text + used, (uint32_t)count);
    if (magic == 2051) used += put_u32(text + used, (uint32_t)rows);
    if (magic == 2051) used += put_u32(text + used, (uint32_t)cols);
    CU_ASSERT_FATAL(used + size <= sizeof text);
    memcpy(text + used, items, size);
    e2e_write(name, text, used + size);
}

/* Class k is a bright 5×5 patch in corner k, with noise over all. */
static void write_set(const char *stem, int count, unsigned noise) {
    static unsigned char images[128 * 144], labels[128];
    char name[64];
    for (int i = 0; i < count; i++) {
        int k = labels[i] = (unsigned char)(i * 7 % 4);
        for (int p = 0; p < 144; p++) {
            int row = p / 12, col = p % 12;
            bool patch = row / 6 == k / 2 && col / 6 == k % 2 && row % 6 < 5 && col % 6 < 5;
            noise = noise * 1103515245u + 12345u;
            images[i * 144 + p] = (unsigned char)((noise >> 16) % 120 + (patch ? 90 : 0));
        }
    }
    snprintf(name, sizeof name, "%s-x.idx", stem);
    e2e_write_idx(name, 2051, count, 12, 12, images, (size_t)count * 144);
    snprintf(name, sizeof name, "%s-y.idx", stem);
    e2e_write_idx(name, 2049, count, 0, 0, labels, (size_t)count);
}

const char *e2e_home(void) {
    static CU_pSuite owner; /* suites do not meet each other's files */
    if (owner == CU_get_current_suite()) return home;
    owner = CU_get_current_suite();
    snprintf(home, sizeof home, "%s", test_folder());
    write_set("train", 90, 1);
    write_set("test", 40, 2);
    E2E_EXIT(0, 0, "data pack train-x.idx train-y.idx train.h5 --classes c0,c1,c2,c3");
    E2E_EXIT(0, 0, "data pack --format idx test-x.idx test-y.idx test.h5 --classes c0,c1,c2,c3");
    return home;
}

void e2e_read(const char *path, char *out, size_t room) {
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(out, 1, room - 1, file) : 0;
    out[got] = '\0';
    if (file) fclose(file);
}

/* ---- Calls ---- */

/* At the first non-zero exit Open MPI waits so many seconds, twice, before it kills the other ranks: not here. */
#define NO_WAIT "env OMPI_MCA_odls_base_sigkill_timeout=0"

static void command_line(char *out, size_t room, int ranks, const char *arguments) {
    snprintf(out, room, "%s %s '%s' %s", ranks ? NO_WAIT : "", ranks ? test_mpirun(ranks) : "", test_program(),
             arguments);
}

int e2e_convoy(int ranks, const char *fmt, ...) {
    char arguments[2048], command[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(arguments, sizeof arguments, fmt, args);
    va_end(args);
    command_line(command, sizeof command, ranks, arguments);
    int code =
        test_shell(e2e_output, sizeof e2e_output, "cd '%s' && (timeout -k 5 60 %s 2>.stderr)", e2e_home(), command);
    strcpy(e2e_stdout, e2e_output);
    const size_t used = strlen(e2e_output);
    e2e_read(e2e_path(".stderr"), e2e_output + used, sizeof e2e_output - used);
    return code;
}

bool e2e_said(const char *words) {
    return strstr(e2e_output, words) != NULL;
}

int e2e_count(const char *words) {
    int count = 0;
    for (const char *p = e2e_output; (p = strstr(p, words)); p++) count++;
    return count;
}

int e2e_error_lines(void) {
    static const char mark[] = "convoy: error: ";
    int lines = 0;
    for (const char *p = e2e_output; (p = strstr(p, mark)); p++) lines += p == e2e_output || p[-1] == '\n';
    return lines;
}

void e2e_expect_exit(int expected, int found, const char *file, int line) {
    if (found != expected)
        fprintf(stderr, "\n    %s:%d: exit %d, expected %d:\n%s\n", file, line, found, expected, e2e_output);
    CU_ASSERT_EQUAL(found, expected);
}

void e2e_expect_said(const char *words, const char *file, int line) {
    if (!e2e_said(words)) fprintf(stderr, "\n    %s:%d: \"%s\" is not in:\n%s\n", file, line, words, e2e_output);
    CU_ASSERT(e2e_said(words));
}

/* ---- In the background ---- */

static pid_t start(const char *command) {
    char line[8192];
    snprintf(line, sizeof line, "cd '%s' && exec %s", e2e_home(), command);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int out = open(e2e_path("job.txt"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
        dup2(out, 1);
        dup2(out, 2);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    CU_ASSERT_FATAL(pid > 0);
    return pid;
}

struct e2e_job e2e_start(int ranks, const char *fmt, ...) {
    char arguments[2048], command[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(arguments, sizeof arguments, fmt, args);
    va_end(args);
    command_line(command, sizeof command, ranks, arguments);
    return (struct e2e_job){.pid = start(command), .launched = ranks > 0};
}

struct e2e_job e2e_start_command(const char *fmt, ...) {
    char command[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    return (struct e2e_job){.pid = start(command)};
}

/* Field 4 of /proc/PID/stat. */
static pid_t parent_of(const char *pid) {
    char path[64], text[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    e2e_read(path, text, sizeof text);
    const char *p = strrchr(text, ')');
    return p && sscanf(p + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static pid_t child_of(pid_t parent) {
    DIR *folder = opendir("/proc");
    pid_t child = 0;
    for (struct dirent *e; child == 0 && folder && (e = readdir(folder));)
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && parent_of(e->d_name) == parent) child = atoi(e->d_name);
    if (folder) closedir(folder);
    return child;
}

void e2e_signal_rank(struct e2e_job job, int number) {
    pid_t rank = job.launched ? child_of(job.pid) : job.pid;
    CU_ASSERT_FATAL(rank > 0);
    kill(rank, number);
}

void e2e_signal(struct e2e_job job, int number) {
    kill(job.pid, number);
}

#define PATIENCE_MS 60000
#define NAP_MS      5

int e2e_wait(struct e2e_job job) {
    int status = 0, waited = 0;
    while (waitpid(job.pid, &status, WNOHANG) == 0) {
        if (waited == PATIENCE_MS) e2e_signal_rank(job, SIGKILL);
        if (waited == 2 * PATIENCE_MS) kill(job.pid, SIGKILL);
        usleep(NAP_MS * 1000);
        waited += NAP_MS;
    }
    e2e_read(e2e_path("job.txt"), e2e_output, sizeof e2e_output);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int e2e_newest_step(const char *run) {
    DIR *folder = opendir(e2e_path("%s/checkpoints", run));
    int newest = -1;
    for (struct dirent *e; folder && (e = readdir(folder));) {
        int step = -1, used = 0;
        sscanf(e->d_name, "step-%d.h5%n", &step, &used);
        if (used > 0 && e->d_name[used] == '\0' && step > newest) newest = step;
    }
    if (folder) closedir(folder);
    return newest;
}

bool e2e_wait_for_step(const char *run, int step) {
    for (int waited = 0; waited < 20000; waited += NAP_MS) {
        if (e2e_newest_step(run) >= step) return true;
        usleep(NAP_MS * 1000);
    }
    return false;
}

static FILE *open_metrics(const char *run) {
    FILE *file = fopen(e2e_path("%s/metrics.jsonl", run), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

void e2e_expect_one_run(const char *run, int last) {
    char line[4096];
    int expected = 1, step, used;
    bool whole = true;
    FILE *file = open_metrics(run);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "{\"kind\":\"step\",", 15) != 0) continue;
        used = 0;
        sscanf(line, "{\"kind\":\"step\",\"step\":%d,%n", &step, &used);
        whole &= used > 0 && step == expected++;
    }
    fclose(file);
    CU_ASSERT(whole);
    CU_ASSERT_EQUAL(expected - 1, last);
}

int e2e_count_metrics(const char *run, const char *words) {
    char line[4096];
    int count = 0;
    FILE *file = open_metrics(run);
    while (fgets(line, sizeof line, file)) count += strstr(line, words) != NULL;
    fclose(file);
    return count;
}

double e2e_json_number(const char *json, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(json, quoted);
    return found ? strtod(found + strlen(quoted), NULL) : NAN;
}
