#include "data/split.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "io/dataset/dataset.h"
#include "io/path.h"

enum { BLOCK = 1024, BLOCK_BYTES = 16 << 20 }; /* samples in flight, at most, and their bytes */

struct splitting {
    struct cvy_dataset *from;
    const struct cvy_dataset_info *info;
    struct cvy_dataset_writer *part[2];
    unsigned char *x, *y;
    size_t x_bytes, y_bytes; /* of a sample */
    bool random;
    struct cvy_rng rng;
    int64_t wanted, left; /* of the first part, of the input: still to come */
};

/* Which part the next sample goes to. At random: selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S), which takes
 * each subset with the same probability, in order. */
static int next_part(struct splitting *s) {
    bool first = s->wanted > 0;
    if (s->random && first) {
        const uint64_t high = cvy_rng_u32(&s->rng), draw = high << 32 | cvy_rng_u32(&s->rng);
        first = draw % (uint64_t)s->left < (uint64_t)s->wanted;
    }
    s->left--;
    s->wanted -= first;
    return !first;
}

/* Neighbours that stay together are written together. */
static cvy_status deal(struct splitting *s, int64_t count) {
    int part = next_part(s);
    for (int64_t begin = 0, i = 1; i <= count; i++) {
        const int next = i < count ? next_part(s) : !part;
        if (next == part) continue;
        CVY_TRY(cvy_dataset_writer_append(s->part[part], i - begin, s->x + (size_t)begin * s->x_bytes,
                                          s->y + (size_t)begin * s->y_bytes));
        begin = i;
        part = next;
    }
    return CVY_OK;
}

static cvy_status copy_all(struct splitting *s, int64_t block, const struct cvy_work *work) {
    for (int64_t first = 0; first < s->info->count; first += block) {
        const int64_t rest = s->info->count - first, now = rest < block ? rest : block;
        CVY_TRY(cvy_dataset_read(s->from, first, now, s->x, s->y));
        CVY_TRY(deal(s, now));
        cvy_work_tell(work, first + now, s->info->count);
    }
    return CVY_OK;
}

static cvy_status create_part(const struct splitting *s, const struct cvy_split *how, int part,
                              struct cvy_dataset_writer **out) {
    char source[256];
    const int64_t count = part ? s->info->count - how->samples : how->samples;
    snprintf(source, sizeof source, "%s, %" PRId64 " of %" PRId64 " samples", cvy_path_name(how->input.file), count,
             s->info->count);
    const struct cvy_dataset_plan plan = {.shape = s->info->shape,
                                          .x_type = s->info->x_type,
                                          .target = s->info->target,
                                          .bare = cvy_shape_count(s->info->target.shape) == 0,
                                          .classes = s->info->classes,
                                          .class_names = s->info->named ? s->info->class_names : NULL,
                                          .ignores = s->info->ignores,
                                          .ignored = s->info->ignored,
                                          .count = count,
                                          .shard_bytes = how->shard_bytes,
                                          .source = source,
                                          .overwrite = how->overwrite,
                                          .inputs = &how->input.file,
                                          .input_count = 1};
    return cvy_dataset_writer_create(part ? how->rest : how->first, &plan, out);
}

/* "part.h5" and "part" would have one folder of shards. */
static cvy_status check_paths(const struct cvy_split *how) {
    char first[CVY_PATH_MAX], rest[CVY_PATH_MAX];
    CVY_TRY(cvy_dataset_folder(how->first, first));
    CVY_TRY(cvy_dataset_folder(how->rest, rest));
    CVY_CHECK(!cvy_path_same(how->first, how->rest) && !cvy_path_same(first, rest), CVY_ERR_USAGE,
              "%s and %s are one file; the input and the two parts must be three", how->first, how->rest);
    return CVY_OK;
}

static cvy_status check(const struct splitting *s, const struct cvy_split *how) {
    CVY_CHECK(how->samples >= 1 && how->samples < s->info->count, CVY_ERR_USAGE,
              "%s has %" PRId64 " samples: %" PRId64 " cannot be split off; from 1 to %" PRId64, how->input.file,
              s->info->count, how->samples, s->info->count - 1);
    return check_paths(how);
}

cvy_status cvy_split_dataset(const struct cvy_split *how) {
    struct splitting s = {.random = how->random, .wanted = how->samples};
    cvy_status status;
    CVY_GO(cvy_dataset_open(&how->input, &s.from));
    s.info = cvy_dataset_info(s.from);
    CVY_GO(check(&s, how));
    s.left = s.info->count;
    s.rng = cvy_rng_at(cvy_stream_make(how->seed, "split"), 0, 0);
    s.x_bytes = cvy_dataset_sample_bytes(s.info);
    s.y_bytes = cvy_target_bytes(s.info->target);
    int64_t block = (int64_t)((size_t)BLOCK_BYTES / (s.x_bytes + s.y_bytes));
    block = block < 1 ? 1 : block > BLOCK ? BLOCK : block;
    CVY_GO(cvy_alloc((size_t)block * s.x_bytes, CVY_TAG_data, (void **)&s.x));
    CVY_GO(cvy_alloc((size_t)block * s.y_bytes, CVY_TAG_data, (void **)&s.y));
    for (int part = 0; part < 2; part++) CVY_GO(create_part(&s, how, part, &s.part[part]));
    CVY_GO(copy_all(&s, block, &how->input.work));
    for (int part = 0; part < 2; part++) CVY_GO(cvy_dataset_writer_finish(&s.part[part]));
done:
    for (int part = 0; part < 2; part++) cvy_dataset_writer_destroy(&s.part[part]);
    cvy_dataset_close(&s.from);
    cvy_free(s.x);
    cvy_free(s.y);
    return status;
}
