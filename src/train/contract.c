#include "train/contract.h"

#include <string.h>

/* ---- In a checkpoint ---- */

static const char *layout_name(enum cvy_layout layout) {
    return layout == CVY_LAYOUT_NCHW ? "nchw" : "nhwc";
}

static const char *or_default(const char *name, const char *fallback) {
    return name ? name : fallback;
}

int cvy_contract_save(const struct cvy_contract *contract, struct cvy_contract_room *room,
                      struct cvy_ckpt_attribute attributes[CVY_CONTRACT_ATTRIBUTES]) {
    const struct cvy_dataset_spec *place = &contract->place;
    static const char *const names[5] = {"x_type", "x_name", "y_name", "x_layout", "resize"};
    const struct cvy_contract_targets *targets = &contract->targets;
    *room = (struct cvy_contract_room){.all_whole = contract->all.whole,
                                       .few_whole = contract->few.whole,
                                       .targets_whole = targets->range.whole,
                                       .targets = {targets->range.low, targets->range.high},
                                       .all = {contract->all.low, contract->all.high},
                                       .few = {contract->few.low, contract->few.high},
                                       .texts = {contract->stored, or_default(place->x, "/x"),
                                                 or_default(place->y, "/y"), layout_name(place->layout), "bilinear"}};
    for (int i = 0; i < 5; i++)
        attributes[i] = (struct cvy_ckpt_attribute){.name = names[i], .count = 1, .texts = &room->texts[i]};
    attributes[5] = (struct cvy_ckpt_attribute){.name = "x_range", .count = 2, .reals = room->all};
    attributes[6] = (struct cvy_ckpt_attribute){.name = "x_whole", .count = 1, .ints = &room->all_whole};
    attributes[7] = (struct cvy_ckpt_attribute){.name = "x_probe_range", .count = 2, .reals = room->few};
    attributes[8] = (struct cvy_ckpt_attribute){.name = "x_probe_whole", .count = 1, .ints = &room->few_whole};
    if (!targets->known) return 9;
    attributes[9] = (struct cvy_ckpt_attribute){.name = "y_range", .count = 2, .reals = room->targets};
    attributes[10] = (struct cvy_ckpt_attribute){.name = "y_whole", .count = 1, .ints = &room->targets_whole};
    attributes[11] = (struct cvy_ckpt_attribute){.name = "y_scale", .count = 1, .reals = &targets->scale};
    return 12;
}

static cvy_status load_range(const struct cvy_ckpt *ckpt, const char *name, const char *whole_name, bool bytes,
                             struct cvy_range *out) {
    const struct cvy_ckpt_attribute *range = cvy_ckpt_attribute(ckpt, name);
    int64_t whole;
    CVY_CHECK(range->reals && range->count == 2, CVY_ERR_CHECKPOINT, "%s: the attribute %s of /run is no range",
              cvy_ckpt_path(ckpt), name);
    CVY_TRY(cvy_ckpt_int(ckpt, whole_name, &whole));
    *out = (struct cvy_range){.low = range->reals[0], .high = range->reals[1], .whole = whole != 0, .bytes = bytes};
    return CVY_OK;
}

static cvy_status load_targets(const struct cvy_ckpt *ckpt, struct cvy_contract_targets *out) {
    out->known = cvy_ckpt_attribute(ckpt, "y_range") != NULL;
    if (!out->known) return CVY_OK;
    CVY_TRY(load_range(ckpt, "y_range", "y_whole", false, &out->range));
    return cvy_ckpt_real(ckpt, "y_scale", &out->scale);
}

cvy_status cvy_contract_load(const struct cvy_ckpt *ckpt, const struct cvy_dataset_spec *place,
                             struct cvy_contract *out) {
    *out = (struct cvy_contract){.stored = "", .place = *place, .known = cvy_ckpt_attribute(ckpt, "x_range") != NULL};
    if (!out->known) return CVY_OK;
    CVY_TRY(load_targets(ckpt, &out->targets));
    CVY_TRY(cvy_ckpt_text(ckpt, "x_type", &out->stored));
    const bool bytes = strcmp(out->stored, "uint8") == 0;
    CVY_TRY(load_range(ckpt, "x_range", "x_whole", bytes, &out->all));
    out->few = out->all; /* older checkpoints have one range */
    if (cvy_ckpt_attribute(ckpt, "x_probe_range") == NULL) return CVY_OK;
    return load_range(ckpt, "x_probe_range", "x_probe_whole", bytes, &out->few);
}

/* ---- Reading other files under it ---- */

static bool same_file(const char *a, const char *b) {
    return a && b && cvy_path_same(a, b);
}

/* 0 nhwc, 1 nchw; −1 unsaid. */
static cvy_status read_layout(const char *text, int *out) {
    static const char *const names[] = {"nhwc", "nchw"};
    *out = -1;
    for (int i = 0; text && i < 2; i++)
        if (strcmp(text, names[i]) == 0) *out = i;
    CVY_CHECK(text == NULL || *out >= 0, CVY_ERR_USAGE, "layout \"%s\": there are nhwc and nchw", text);
    return CVY_OK;
}

static cvy_status read_layouts(const struct cvy_data_form *form, struct cvy_dataset_spec *out) {
    int x, y;
    CVY_TRY(read_layout(form->layout, &x));
    CVY_TRY(read_layout(form->y_layout, &y));
    if (x >= 0) out->layout = x ? CVY_LAYOUT_NCHW : CVY_LAYOUT_NHWC;
    if (x >= 0) out->y_layout = CVY_Y_LAYOUT_AS_X;
    if (y >= 0) out->y_layout = y ? CVY_Y_LAYOUT_NCHW : CVY_Y_LAYOUT_NHWC;
    return CVY_OK;
}

cvy_status cvy_contract_place(const struct cvy_experiment *experiment, const char *file,
                              const struct cvy_data_form *form, struct cvy_dataset_spec *out) {
    *out = experiment ? experiment->train : (struct cvy_dataset_spec){0};
    if (experiment && !same_file(file, experiment->train.file) && same_file(file, experiment->test.file))
        *out = experiment->test;
    out->file = file;
    out->of_others = !form->x && !form->y;
    if (form->x) out->x = form->x;
    if (form->y) out->y = form->y;
    if (form->scale > 0) out->scale = form->scale;
    if (form->y_scale > 0) out->y_scale = form->y_scale;
    return read_layouts(form, out);
}

enum { BRIGHT = 128 }; /* of 255 */

/* Black and white in bytes of 0 and 1, where those of the training were as bright as bytes are: a set of nearly black
 * pictures is hardly without a single 2. Black ones alone may be of any set. */
static bool ones_for_white(const struct cvy_contract *contract, const struct cvy_range *given) {
    return given->bytes && given->low == 0 && given->high == 1 && contract->few.whole && contract->few.low >= 0 &&
           contract->few.high >= BRIGHT && contract->few.high <= 255;
}

/* What no sample of the training had a value of is no selection of the same kind, but for pictures, which may be dark.
 */
static bool like_none(const struct cvy_contract *contract, const struct cvy_range *given) {
    return cvy_scale_is_apart(&contract->all, given) && !cvy_scale_is_pictures(&contract->few, given);
}

/* Few are compared with few: a single extreme value among all would make another scale of them. But nothing is refused
 * that may be such extreme samples of the training itself. What the two would take differently is certain of neither.
 */
bool cvy_contract_scale(const struct cvy_contract *contract, const struct cvy_range *given, double *factor) {
    const bool like_few = cvy_scale_between(&contract->few, given, factor);
    double as_all;
    if (ones_for_white(contract, given) || like_none(contract, given)) return false;
    if (like_few && *factor == 1) return true;
    const bool among_all =
        cvy_range_holds(&contract->all, given) && cvy_scale_between(&contract->all, given, &as_all) && as_all == 1;
    if (!like_few) *factor = 1;
    return like_few != among_all;
}

static cvy_status refuse(const struct cvy_contract *contract, const struct cvy_range *given, const char *name,
                         const char *setting) {
    const struct cvy_range *trained = &contract->few;
    const bool ones = given->whole && given->low == 0 && given->high == 1;
    if (ones && trained->low >= 0 && trained->high >= BRIGHT && trained->high <= 255)
        return CVY_FAIL(CVY_ERR_DATA,
                        "%s: its inputs are 0 and 1 alone, those that the network was trained on from about "
                        "%g to %g; say with %s which they are: 255 where 1 stands for white, 1 where they are as dark "
                        "as that",
                        name, trained->low, trained->high, setting);
    if (!cvy_scale_has_factor(trained, given))
        return CVY_FAIL(CVY_ERR_DATA,
                        "%s: its inputs are from %g to %g, those that the network was trained on from about %g to %g, "
                        "which no factor makes of them; give them on that scale, in an HDF5 file, or say with %s that "
                        "they are right as they are (1)",
                        name, given->low, given->high, trained->low, trained->high, setting);
    return CVY_FAIL(
        CVY_ERR_DATA,
        "%s: its inputs are from %g to %g, those that the network was trained on from about %g to %g, which may be "
        "another scale; say with %s what they are to be multiplied by (1 where they are right as they are)",
        name, given->low, given->high, trained->low, trained->high, setting);
}

cvy_status cvy_contract_factor(const struct cvy_contract *contract, const struct cvy_range *given, double scale,
                               const char *name, const char *setting, struct cvy_log *log, double *factor) {
    const struct cvy_range *trained = &contract->few;
    *factor = scale > 0 ? scale : 1;
    if (scale > 0 || !contract->known) return CVY_OK;
    if (!cvy_contract_scale(contract, given, factor)) return refuse(contract, given, name, setting);
    if (*factor != 1)
        cvy_info(
            log,
            "%s: its inputs, %g to %g, are multiplied by %s, since the network was trained on about %g to %g; %s says "
            "otherwise",
            name, given->low, given->high, *factor > 1 ? "255" : "1/255", trained->low, trained->high, setting);
    return CVY_OK;
}

static struct cvy_range times(const struct cvy_range *range, double factor) {
    return (struct cvy_range){.low = factor * range->low, .high = factor * range->high};
}

/* Narrower than a selection of the training is told of a part of it, too; wider only beyond all of it. */
bool cvy_contract_is_unlike(const struct cvy_contract *contract, const struct cvy_range *given, double factor) {
    const struct cvy_range *few = &contract->few, *all = &contract->all, now = times(given, factor);
    const bool narrower = now.high - now.low < few->high - few->low;
    const bool beyond = now.low < all->low || now.high > all->high;
    return (narrower || beyond) && cvy_scale_is_unlike(few, &now);
}

cvy_status cvy_contract_scale_inputs(const struct cvy_contract *contract, const struct cvy_range *given, double scale,
                                     const char *name, const char *setting, struct cvy_log *log, double *factor) {
    CVY_TRY(cvy_contract_factor(contract, given, scale, name, setting, log, factor));
    if (scale > 0 || !contract->known || !cvy_contract_is_unlike(contract, given, *factor)) return CVY_OK;
    const struct cvy_range now = times(given, *factor);
    cvy_warn(log,
             "%s: its inputs are taken as %g to %g, but the network was trained on about %g to %g; where they are on "
             "another scale, results are wrong: %s says what they are to be multiplied by (1: right as they are)",
             name, now.low, now.high, contract->few.low, contract->few.high, setting);
    return CVY_OK;
}

double cvy_contract_full(const struct cvy_contract *contract) {
    return contract->all.bytes ? 255 : 1;
}
