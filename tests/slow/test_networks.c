/* Every network of configs/models trains for real: at its own input size, by the program, from a data set of two random
 * samples, two steps; the losses are finite, every parameter has moved, and `describe` counts what the checkpoint
 * holds. Minutes and gigabytes: `make test-slow`, or with MODELS="vgg16 unet" some of them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "hdf5_help.h"
#include "test.h"

enum { SAMPLES = 2, STEPS = 2, NAMES = 128 };

struct network {
    const char *name; /* without .yaml */
    char folder[4096];
    int input[3], output[3];
    double params;
    int fixed;         /* layers of fixed filters */
    char *description; /* of describe */
};

static char output[1 << 20];

static int convoy(const struct network *n, const char *arguments) {
    return test_shell(output, sizeof output, "cd '%s' && timeout -k 5 900 '%s' %s", n->folder, test_program(),
                      arguments);
}

/* The call must succeed (or, of `ckpt diff`, find differences). */
static bool expect(const struct network *n, int code, const char *arguments) {
    int found = convoy(n, arguments);
    if (found != code) fprintf(stderr, "\n    %s: convoy %s: exit %d\n%.2000s", n->name, arguments, found, output);
    CU_ASSERT_EQUAL(found, code);
    return found == code;
}

/* ---- what describe says ---- */

static bool read_shape(const char *at, int shape[3]) {
    return at && sscanf(strchr(at, '['), "[%d,%d,%d]", &shape[0], &shape[1], &shape[2]) == 3;
}

static bool describe(struct network *n) {
    char arguments[4200];
    const char *last = NULL, *params;
    snprintf(arguments, sizeof arguments, "describe '%s/configs/models/%s.yaml' --json", test_root(), n->name);
    if (!expect(n, 0, arguments)) return false;
    for (const char *p = output; (p = strstr(p, "\"output\":")); p++) last = p;
    params = strstr(output, "\"params\":");
    bool good = read_shape(strstr(output, "\"input\":"), n->input) && read_shape(last, n->output) && params;
    CU_ASSERT(good);
    n->description = strdup(output);
    n->params = good ? strtod(params + strlen("\"params\":"), NULL) : 0;
    return good;
}

/* ---- data, experiment ---- */

static int64_t count_of(const int shape[3]) {
    return (int64_t)shape[0] * shape[1] * shape[2];
}

/* Noise, and labels: one a sample, or one a pixel where the scores are pixels'. */
static void write_data(const struct network *n) {
    char path[4200];
    const hsize_t dims[4] = {SAMPLES, (hsize_t)n->input[0], (hsize_t)n->input[1], (hsize_t)n->input[2]};
    const hsize_t labels[3] = {SAMPLES, (hsize_t)n->output[0], (hsize_t)n->output[1]};
    const int64_t values = SAMPLES * count_of(n->input), places = SAMPLES * n->output[0] * n->output[1];
    struct cvy_rng rng = cvy_rng_at(cvy_stream_make(1, n->name), 0, 0);
    float *x = calloc((size_t)values, sizeof *x);
    int32_t *y = calloc((size_t)places, sizeof *y);
    for (int64_t i = 0; i < values; i++) x[i] = (float)cvy_rng_normal(&rng);
    for (int64_t i = 0; i < places; i++) y[i] = (int32_t)cvy_rng_below(&rng, (uint32_t)n->output[2]);
    snprintf(path, sizeof path, "%s/data.h5", n->folder);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "x", H5T_NATIVE_FLOAT, H5T_NATIVE_FLOAT, 4, dims, x);
    hdf5_put(file, "y", H5T_NATIVE_INT32, H5T_NATIVE_INT32, places > SAMPLES ? 3 : 1, labels, y);
    H5Fclose(file);
    free(x);
    free(y);
}

static void write_experiment(const struct network *n) {
    char path[4200];
    snprintf(path, sizeof path, "%s/run.yaml", n->folder);
    test_write(path,
               "model: %s/configs/models/%s.yaml\n"
               "data: {train: data.h5}\n"
               "train: {epochs: %d, batch: %d, optimizer: {sgd: {momentum: 0.9}}, learning_rate: 0.001}\n"
               "log: {every: 1 step}\n",
               test_root(), n->name, STEPS, SAMPLES);
}

/* ---- what came of it ---- */

static void check_losses(const struct network *n) {
    int steps = 0;
    CU_ASSERT(test_shell(output, sizeof output, "grep '\"kind\":\"step\"' '%s/run/metrics.jsonl'", n->folder) == 0);
    for (const char *p = output; (p = strstr(p, "\"loss\":")); p++, steps++) {
        double loss = strtod(p + strlen("\"loss\":"), NULL);
        if (!(isfinite(loss) && loss > 0)) fprintf(stderr, "\n    %s: a loss of %g", n->name, loss);
        CU_ASSERT(isfinite(loss) && loss > 0);
    }
    CU_ASSERT_EQUAL(steps, STEPS);
}

/* Every layer that has parameters differs from its start, but for fixed filters. */
static void check_moved(const struct network *n) {
    char name[256], wanted_name[300];
    int still = 0;
    if (!expect(n, 1, "ckpt diff run/checkpoints/step-00000000.h5 run --json")) return;
    for (const char *p = strstr(n->description, "\"layers\":"); (p = strstr(p, "{\"name\":\"")); p++) {
        const char *params = strstr(p, "\"params\":");
        if (params == NULL || strtod(params + strlen("\"params\":"), NULL) == 0) continue;
        sscanf(p, "{\"name\":\"%255[^\"]", name);
        snprintf(wanted_name, sizeof wanted_name, "\"/param/%s/", name);
        if (strstr(output, wanted_name)) continue;
        if (still++ >= n->fixed) fprintf(stderr, "\n    %s: %s has not moved", n->name, name);
    }
    CU_ASSERT_EQUAL(still, n->fixed);
}

/* The checkpoint holds as many values as describe counts. */
static void check_count(const struct network *n) {
    if (!expect(n, 0, "ckpt info run --json")) return;
    const char *params = strstr(output, "\"params\":");
    CU_ASSERT(params && strtod(params + strlen("\"params\":"), NULL) == n->params);
}

static void train(struct network *n) {
    snprintf(n->folder, sizeof n->folder, "%s", test_folder());
    if (!describe(n)) return;
    fprintf(stderr, "\n    %s: %.0f parameters, %d×%d×%d ", n->name, n->params, n->input[0], n->input[1], n->input[2]);
    write_data(n);
    write_experiment(n);
    if (expect(n, 0, "train run.yaml --run run --steps 0") && expect(n, 0, "train run.yaml --run run --resume")) {
        check_losses(n);
        check_moved(n);
        check_count(n);
    }
    test_shell(output, sizeof output, "rm -rf '%s'", n->folder);
    free(n->description);
}

/* ---- which ---- */

static bool wanted(const char *name) {
    const char *models = getenv("MODELS");
    size_t length = strlen(name);
    if (models == NULL || models[0] == '\0') return true;
    for (const char *p = models; (p = strstr(p, name)); p += length)
        if ((p == models || p[-1] == ' ') && (p[length] == ' ' || p[length] == '\0')) return true;
    return false;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void networks(void) {
    char path[4200], *names[NAMES];
    int count = 0;
    snprintf(path, sizeof path, "%s/configs/models", test_root());
    DIR *folder = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (const struct dirent *entry; count < NAMES && (entry = readdir(folder));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot == NULL || strcmp(dot, ".yaml") != 0) continue;
        names[count] = strndup(entry->d_name, (size_t)(dot - entry->d_name));
        if (wanted(names[count]))
            count++;
        else
            free(names[count]);
    }
    closedir(folder);
    CU_ASSERT(count > 0);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) {
        struct network n = {.name = names[i], .fixed = strcmp(names[i], "edges") == 0 ? 2 : 0};
        train(&n);
        free(names[i]);
    }
}

static const struct test_case cases[] = {
    {"every network trains at its real size", networks},
    {0},
};
const struct test_suite suite_networks = {"networks", cases, NULL};
