/* data/loader, data/source: the thread delivers what the pure functions say, whatever the source, the number of ranks
 * and the place where it starts; failures come out once; nothing hangs. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unit/io/ckpt_help.h"
#include "core/memory.h"
#include "core/share.h"
#include "data/loader.h"
#include "io/ckpt/ckpt.h"
#include "io/file.h"
#include "test.h"

enum { COUNT = 83, H = 3, W = 4, SIZE = H * W };

static unsigned char inputs[COUNT * SIZE];
static int32_t labels[COUNT];
static const struct cvy_dataset_info set = {.count = COUNT,
                                            .shape = {H, W, 1},
                                            .x_type = CVY_U8,
                                            .classes = 5,
                                            .mean = (const double[]){100},
                                            .std = (const double[]){30}};

static void make_data(void) {
    for (int i = 0; i < COUNT * SIZE; i++) inputs[i] = (unsigned char)(i * 37 + i / 91);
    for (int i = 0; i < COUNT; i++) labels[i] = (i * i) % 5;
}

static int give_sample(void *arg, int64_t index, void *x, void *y) {
    (void)arg;
    memcpy(x, inputs + index * SIZE, SIZE);
    memcpy(y, &labels[index], sizeof *labels);
    return 0;
}

static cvy_status write_set(const char *path, int64_t shard_bytes) {
    struct cvy_dataset_writer *writer;
    struct cvy_dataset_plan plan = {
        .shape = set.shape, .x_type = CVY_U8, .classes = 5, .chunk = 4, .shard_bytes = shard_bytes};
    CVY_TRY(cvy_dataset_writer_create(path, &plan, &writer));
    CVY_TRY(cvy_dataset_writer_append(writer, COUNT, inputs, labels));
    return cvy_dataset_writer_finish(&writer);
}

static void hdf5_source(const char *path, int64_t budget, struct cvy_source **out) {
    struct cvy_dataset *ds = NULL;
    *out = NULL;
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path}, &ds));
    TEST_OK(cvy_source_hdf5(&ds, budget, out));
    CU_ASSERT(ds == NULL);
}

struct setting {
    struct cvy_source *source;
    struct cvy_tree *tree;
    struct cvy_augment *augment;
    struct cvy_loader_spec spec;
};

/* Takes the source over; NULL: memory. */
static void set_up(struct setting *s, struct cvy_source *source, int batch, int leaf) {
    struct cvy_node *list, *flip, place = {.file = "t", .line = 1, .column = 1};
    make_data();
    s->source = source;
    if (source == NULL) TEST_OK(cvy_source_memory(&set, inputs, labels, &s->source));
    TEST_OK(cvy_tree_create(&s->tree));
    TEST_OK(cvy_tree_node(s->tree, CVY_NODE_LIST, &place, &list));
    TEST_OK(cvy_tree_scalar(s->tree, &place, "flip", &flip));
    TEST_OK(cvy_node_append(s->tree, list, NULL, flip));
    struct cvy_augment_spec augment = {
        .list = list, .seed = 6, .shape = set.shape, .x_type = CVY_U8, .mean = set.mean, .std = set.std};
    TEST_OK(cvy_augment_create(&augment, &s->augment));
    s->spec = (struct cvy_loader_spec){.source = s->source,
                                       .augment = s->augment,
                                       .plan = {COUNT, batch, leaf, false},
                                       .seed = 6,
                                       .training = true,
                                       .ranks = 1};
}

static void tear_down(struct setting *s) {
    cvy_source_destroy(&s->source);
    cvy_augment_destroy(&s->augment);
    cvy_tree_destroy(&s->tree);
}

/* What sample `i` of a batch must be. */
static bool sample_is_right(const struct setting *s, const struct cvy_batch *b, int i) {
    float x[SIZE];
    int64_t position = b->plan.first + b->first + i;
    int64_t id = s->spec.training ? cvy_sampler_at(6, b->epoch, COUNT, position) : position;
    if (s->spec.training)
        cvy_augment_apply(s->augment, b->epoch, id, inputs + id * SIZE, x);
    else
        cvy_augment_normalize(s->augment, inputs + id * SIZE, x);
    return b->ids[i] == id && ((const int32_t *)b->y)[i] == labels[id] && memcmp(b->x + i * SIZE, x, sizeof x) == 0;
}

/* Of the samples as they are in the set, or of none where nobody asks. */
static bool range_is_right(const struct setting *s, const struct cvy_batch *b) {
    struct cvy_range range = cvy_range_of(set.x_type);
    for (int i = 0; s->spec.ranged && i < b->count; i++)
        cvy_range_widen(&range, set.x_type, inputs + b->ids[i] * SIZE, SIZE);
    return b->range.low == range.low && b->range.high == range.high && b->range.bytes && b->range.whole;
}

static void check_batch(const struct setting *s, const struct cvy_batch *b, uint32_t epoch, int64_t step) {
    struct cvy_batch_plan plan = cvy_batch_plan_at(&s->spec.plan, step);
    int first, end, from, to, unused;
    cvy_share(plan.leaves, s->spec.rank, s->spec.ranks, &first, &end);
    cvy_leaf_range(&plan, first, &from, &unused);
    cvy_leaf_range(&plan, end, &to, &unused);
    CU_ASSERT(b->epoch == epoch && b->step == step);
    CU_ASSERT(b->plan.first == plan.first && b->plan.count == plan.count && b->plan.leaves == plan.leaves);
    CU_ASSERT(b->first_leaf == first && b->leaf_count == end - first && b->first == from && b->count == to - from);
    int right = 0;
    for (int i = 0; i < b->count; i++) right += sample_is_right(s, b, i);
    CU_ASSERT_EQUAL(right, b->count);
    CU_ASSERT(range_is_right(s, b));
}

static void run_steps(struct setting *s, int steps) {
    struct cvy_loader *loader = NULL;
    TEST_OK(cvy_loader_create(&s->spec, &loader));
    int64_t per_epoch = cvy_epoch_steps(&s->spec.plan);
    size_t live = cvy_memory_live(CVY_TAG_data);
    for (int64_t i = 0; i < steps; i++) {
        struct cvy_batch *batch = NULL;
        TEST_OK(cvy_loader_next(loader, &batch));
        if (batch == NULL) break;
        int64_t step = s->spec.step + i;
        check_batch(s, batch, s->spec.epoch + (uint32_t)(step / per_epoch), step % per_epoch);
        cvy_loader_release(loader, batch);
    }
    CU_ASSERT_EQUAL(cvy_memory_live(CVY_TAG_data), live); /* nothing is allocated while it runs */
    CU_ASSERT(cvy_loader_waited(loader) >= 0);
    cvy_loader_destroy(&loader);
    CU_ASSERT(loader == NULL);
}

static void order_is_that_of_the_functions(void) {
    static const int shapes[][2] = {{16, 8}, {83, 83}, {12, 1}, {20, 5}, {64, 32}, {128, 32}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int training = 0; training < 2; training++) {
            struct setting s;
            set_up(&s, NULL, shapes[i][0], shapes[i][1]);
            s.spec.training = training;
            run_steps(&s, 2 * (int)cvy_epoch_steps(&s.spec.plan) + 1);
            tear_down(&s);
        }
}

/* All ranks together have each sample of each batch once, also where some ranks have none. */
static void ranks_share(void) {
    for (int ranks = 1; ranks <= 4; ranks++) {
        unsigned char seen[COUNT] = {0};
        int steps = 0;
        for (int rank = 0; rank < ranks; rank++) {
            struct setting s;
            struct cvy_loader *loader = NULL;
            set_up(&s, NULL, 16, 8); /* 2 leaves a batch, and 1 in the last: 83 = 5·16 + 3 */
            s.spec.rank = rank;
            s.spec.ranks = ranks;
            s.spec.ranged = ranks > 1;
            run_steps(&s, 13);
            TEST_OK(cvy_loader_create(&s.spec, &loader));
            steps = (int)cvy_epoch_steps(&s.spec.plan);
            for (int i = 0; i < steps; i++) {
                struct cvy_batch *b;
                TEST_OK(cvy_loader_next(loader, &b));
                for (int k = 0; k < b->count; k++) seen[b->ids[k]]++;
                cvy_loader_release(loader, b);
            }
            cvy_loader_destroy(&loader);
            tear_down(&s);
        }
        CU_ASSERT_EQUAL(steps, 6);
        for (int i = 0; i < COUNT; i++) CU_ASSERT_EQUAL(seen[i], 1);
    }
}

static void starts_anywhere(void) {
    for (int64_t step = 0; step <= 6; step++) { /* 6: the end of an epoch is the start of the next */
        struct setting s;
        set_up(&s, NULL, 16, 8);
        s.spec.epoch = 3;
        s.spec.step = step;
        s.spec.depth = 1 + (int)step;
        run_steps(&s, 9);
        tear_down(&s);
    }
}

/* An epoch that goes on in other batches: what is left of it once, all of the next, from its start again. */
static void goes_on_in_other_batches(void) {
    static const int starts[] = {0, 1, 20, 40, 82}, sizes[] = {7, 16, 40, 128};
    for (int i = 0; i < 5 * 4; i++) {
        struct setting s;
        struct cvy_loader *loader = NULL;
        struct cvy_batch *b;
        int seen[COUNT] = {0}, wrong = 0, ends = 0;
        set_up(&s, NULL, sizes[i / 5], 4);
        s.spec.epoch = 3;
        s.spec.plan.start = starts[i % 5];
        for (int64_t p = 0; p < s.spec.plan.start; p++)
            seen[cvy_sampler_at(6, 3, COUNT, p)]++; /* in the batches before */
        TEST_OK(cvy_loader_create(&s.spec, &loader));
        while (ends < 2) {
            TEST_OK(cvy_loader_next(loader, &b));
            for (int k = 0; k < b->count; k++) seen[b->ids[k]]++;
            wrong += b->epoch != (uint32_t)(3 + ends);
            ends += b->last;
            cvy_loader_release(loader, b);
        }
        for (int k = 0; k < COUNT; k++) wrong += seen[k] != 2;
        CU_ASSERT_EQUAL(wrong, 0);
        cvy_loader_destroy(&loader);
        tear_down(&s);
    }
}

static void every_source_gives_the_same(void) {
    const char *folder = test_folder();
    char single[CVY_PATH_MAX], sharded[CVY_PATH_MAX];
    struct cvy_source *source;
    struct setting s;
    make_data();
    TEST_OK(cvy_path_join(folder, "single.h5", single));
    TEST_OK(cvy_path_join(folder, "sharded.h5", sharded));
    TEST_OK(write_set(single, 0));
    TEST_OK(write_set(sharded, 20 * SIZE));
    for (int kind = 0; kind < 5; kind++) {
        if (kind == 4)
            TEST_OK(cvy_source_callback(&set, give_sample, NULL, &source));
        else
            hdf5_source(kind < 2 ? single : sharded, kind % 2 ? 0 : 1 << 20, &source);
        CU_ASSERT_STRING_EQUAL(source->kind->name, kind == 4 ? "callback" : "hdf5");
        set_up(&s, source, 16, 8);
        run_steps(&s, 13);
        s.spec.training = false;
        run_steps(&s, 7);
        tear_down(&s);
    }
}

/* ---- Failures ---- */

static int fail_at_50(void *arg, int64_t index, void *x, void *y) {
    give_sample(arg, index, x, y);
    return index == 50 ? 7 : 0;
}

static void failure_comes_out_once(void) {
    struct setting s;
    struct cvy_source *source;
    struct cvy_loader *loader;
    struct cvy_batch *batch;
    make_data();
    TEST_OK(cvy_source_callback(&set, fail_at_50, NULL, &source));
    set_up(&s, source, 16, 8);
    s.spec.training = false;
    TEST_OK(cvy_loader_create(&s.spec, &loader));
    for (int i = 0; i < 3; i++) { /* samples 0 … 47 are good, and come first */
        TEST_OK(cvy_loader_next(loader, &batch));
        check_batch(&s, batch, 0, i);
        cvy_loader_release(loader, batch);
    }
    CU_ASSERT_EQUAL(cvy_loader_next(loader, &batch), CVY_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(cvy_error_message(), "the program's data source failed with 7 at sample 50");
    CU_ASSERT(batch == NULL);
    CU_ASSERT_EQUAL(cvy_loader_next(loader, &batch), CVY_ERR_INTERNAL);
    CU_ASSERT(strstr(cvy_error_message(), "earlier failure") != NULL);
    cvy_loader_destroy(&loader);
    tear_down(&s);
}

/* ---- Stopping ---- */

static atomic_bool wanted;

static bool is_wanted(void *arg) {
    (void)arg;
    return wanted;
}

static int ask_at_50(void *arg, int64_t index, void *x, void *y) {
    if (index > 50) *(int *)arg += 1;
    if (index == 50) wanted = true;
    return give_sample(arg, index, x, y);
}

/* In the middle of a batch: that one comes in its place, empty, and is the last; none of its other samples is read. */
static void stops_between_samples(void) {
    struct setting s;
    struct cvy_source *source;
    struct cvy_loader *loader;
    struct cvy_batch *batch;
    int after = 0, zeros = 0;
    make_data();
    wanted = false;
    TEST_OK(cvy_source_callback(&set, ask_at_50, &after, &source));
    set_up(&s, source, 16, 8);
    s.spec.training = false;
    s.spec.stop = is_wanted;
    TEST_OK(cvy_loader_create(&s.spec, &loader));
    for (int i = 0; i < 3; i++) {
        TEST_OK(cvy_loader_next(loader, &batch));
        CU_ASSERT(!batch->stopped);
        check_batch(&s, batch, 0, i);
        cvy_loader_release(loader, batch);
    }
    TEST_OK(cvy_loader_next(loader, &batch));
    CU_ASSERT(batch->stopped && batch->step == 3 && batch->count == 16 && batch->leaf_count == 2);
    for (int i = 0; i < 16 * SIZE; i++) zeros += batch->x[i] == 0;
    CU_ASSERT_EQUAL(zeros, 16 * SIZE);
    CU_ASSERT_EQUAL(after, 0);
    cvy_loader_release(loader, batch);
    CU_ASSERT_EQUAL(cvy_loader_next(loader, &batch), CVY_STOPPED);
    cvy_loader_destroy(&loader);
    tear_down(&s);
}

/* A shard that is cut off while the job runs. */
static void damage_comes_out(void) {
    char path[CVY_PATH_MAX], shard[CVY_PATH_MAX];
    struct cvy_source *source;
    struct setting s;
    struct cvy_loader *loader;
    struct cvy_batch *batch;
    cvy_status status = CVY_OK;
    make_data();
    TEST_OK(cvy_path_join(test_folder(), "t.h5", path));
    TEST_OK(write_set(path, 20 * SIZE));
    TEST_OK(cvy_path_beside(path, "t.d/00002.h5", shard));
    hdf5_source(path, 1 << 20, &source);
    CU_ASSERT_EQUAL(truncate(shard, cvy_file_size(shard) - 5), 0);
    set_up(&s, source, 16, 8);
    TEST_OK(cvy_loader_create(&s.spec, &loader));
    for (int i = 0; i < 7 && status == CVY_OK; i++) {
        status = cvy_loader_next(loader, &batch);
        if (status == CVY_OK) cvy_loader_release(loader, batch);
    }
    CU_ASSERT_EQUAL(status, CVY_ERR_DATA);
    CU_ASSERT(strstr(cvy_error_message(), "t.d/00002.h5: the file is cut off") != NULL);
    cvy_loader_destroy(&loader);
    tear_down(&s);
}

static int slow_sample(void *arg, int64_t index, void *x, void *y) {
    nanosleep(&(struct timespec){0, 200000}, NULL);
    return give_sample(arg, index, x, y);
}

/* Destroyed at once, while full, while the thread works, with batches out: it returns each time. */
static void destroy_never_hangs(void) {
    for (int taken = 0; taken <= 3; taken++)
        for (int slow = 0; slow < 2; slow++) {
            struct setting s;
            struct cvy_source *source;
            struct cvy_loader *loader;
            struct cvy_batch *batch;
            make_data();
            TEST_OK(cvy_source_callback(&set, slow ? slow_sample : give_sample, NULL, &source));
            set_up(&s, source, 16, 8);
            TEST_OK(cvy_loader_create(&s.spec, &loader));
            for (int i = 0; i < taken; i++) TEST_OK(cvy_loader_next(loader, &batch));
            if (taken == 3) { /* depth 2 and the one in use are out */
                CU_ASSERT_EQUAL(cvy_loader_next(loader, &batch), CVY_ERR_INTERNAL);
                CU_ASSERT(strstr(cvy_error_message(), "all 3 batches of the loader are in use") != NULL);
            }
            cvy_loader_destroy(&loader);
            tear_down(&s);
        }
    struct cvy_loader *none = NULL;
    cvy_loader_destroy(&none);
}

static void *write_checkpoints(void *folder) {
    static float values[20000];
    char path[CVY_PATH_MAX];
    struct cvy_ckpt_tensor tensor = {"/param/w", 1, {20000}, values, "n"};
    struct cvy_ckpt_contents contents = {.tensors = &tensor, .tensor_count = 1};
    for (int64_t i = 0; i < 20; i++)
        if (cvy_ckpt_name(folder, i, path) || ckpt_write(path, &contents, NULL) || cvy_ckpt_verify(path)) return NULL;
    return folder; /* all is well */
}

/* HDF5 is used by two threads at a time: the lock is there (ThreadSanitizer would tell). */
static void checkpoints_meanwhile(void) {
    char folder[CVY_PATH_MAX], path[CVY_PATH_MAX];
    struct cvy_source *source;
    struct setting s;
    pthread_t thread;
    void *done = NULL;
    make_data();
    strcpy(folder, test_folder());
    TEST_OK(cvy_path_join(folder, "t.h5", path));
    TEST_OK(write_set(path, 20 * SIZE));
    hdf5_source(path, 0, &source);
    set_up(&s, source, 16, 8);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, write_checkpoints, folder), 0);
    run_steps(&s, 200);
    pthread_join(thread, &done);
    CU_ASSERT(done == folder);
    tear_down(&s);
}

static void bad_plans_and_data(void) {
    struct setting s;
    struct cvy_loader *loader;
    struct cvy_source *source = NULL;
    set_up(&s, NULL, 128, 32);
    s.spec.plan.drop_last = true;
    CU_ASSERT_EQUAL(cvy_loader_create(&s.spec, &loader), CVY_ERR_USAGE);
    CU_ASSERT(strstr(cvy_error_message(), "a batch of 128") && loader == NULL);
    s.spec.plan = (struct cvy_epoch_plan){COUNT + 1, 16, 8, false, 0};
    CU_ASSERT_EQUAL(cvy_loader_create(&s.spec, &loader), CVY_ERR_INTERNAL);
    labels[9] = 5;
    CU_ASSERT_EQUAL(cvy_source_memory(&set, inputs, labels, &source), CVY_ERR_DATA);
    CU_ASSERT(strstr(cvy_error_message(), "sample 9 has label 5, but the classes are 0 to 4") && source == NULL);
    labels[9] = 81 % 5;
    struct cvy_dataset_info empty = set;
    empty.count = 0;
    CU_ASSERT_EQUAL(cvy_source_callback(&empty, give_sample, NULL, &source), CVY_ERR_DATA);
    tear_down(&s);
}

/* Said as of a file: which sample, what it holds, and where. */
static void values_that_are_none(void) {
    float x[2 * 3] = {0, 1, 2, 3, 4, 5}, y[2] = {0, 1}, to[3], one;
    const struct cvy_dataset_info info = {
        .count = 2, .shape = {1, 3, 1}, .x_type = CVY_F32, .target = {CVY_F32, {1, 1, 1}}, .classes = 1};
    struct cvy_source *source;
    const int64_t last = 1;
    TEST_OK(cvy_source_memory(&info, x, y, &source));
    TEST_OK(source->kind->read(source, &last, 1, to, &one));
    x[4] = NAN;
    CU_ASSERT_EQUAL(source->kind->read(source, &last, 1, to, &one), CVY_ERR_DATA);
    CU_ASSERT(strstr(cvy_error_message(), "data in memory: sample 1 holds NaN in its input") != NULL);
    x[4] = 4;
    y[1] = INFINITY;
    CU_ASSERT_EQUAL(source->kind->read(source, &last, 1, to, &one), CVY_ERR_DATA);
    CU_ASSERT(strstr(cvy_error_message(), "data in memory: sample 1 holds infinity in its target") != NULL);
    cvy_source_destroy(&source);
}

static void memory_source_completes_its_info(void) {
    struct cvy_source *a, *b;
    struct cvy_dataset_info bare = {.count = COUNT, .shape = {H, W, 1}, .x_type = CVY_U8, .classes = 5};
    make_data();
    TEST_OK(cvy_source_memory(&bare, inputs, labels, &a));
    CU_ASSERT(a->info.mean[0] == 0 && a->info.std[0] == 1 && !a->info.named && a->info.bytes == COUNT * SIZE);
    CU_ASSERT_STRING_EQUAL(a->info.class_names[4], "4");
    inputs[COUNT * SIZE - 1] ^= 1;
    TEST_OK(cvy_source_memory(&bare, inputs, labels, &b));
    CU_ASSERT(a->info.digest != b->info.digest && a->info.digest != 0);
    cvy_source_destroy(&a);
    cvy_source_destroy(&b);
}

static const struct test_case cases[] = {
    {"the order is that of the pure functions", order_is_that_of_the_functions},
    {"ranks share each batch", ranks_share},
    {"it starts anywhere", starts_anywhere},
    {"an epoch goes on in other batches", goes_on_in_other_batches},
    {"every source gives the same", every_source_gives_the_same},
    {"a failure comes out once, after the good batches", failure_comes_out_once},
    {"a request ends a batch between its samples", stops_between_samples},
    {"damage that appears later comes out", damage_comes_out},
    {"destroying never hangs", destroy_never_hangs},
    {"checkpoints are written meanwhile", checkpoints_meanwhile},
    {"bad plans and bad data", bad_plans_and_data},
    {"values that are none are named", values_that_are_none},
    {"a memory source completes its info", memory_source_completes_its_info},
    {0},
};
const struct test_suite suite_data_loader = {"data_loader", cases, NULL};
