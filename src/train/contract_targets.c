/* The scale of targets of values. A user's uint8 maps become 0 … 1, or are masks of 0 and 1 and stay so: which it is, a
 * file alone says of itself; beside a network the training's say it. */
#include <math.h>
#include <stdio.h>

#include "train/contract.h"

struct cvy_contract_targets cvy_contract_targets_of(const struct cvy_dataset_info *info,
                                                    const struct cvy_probe *probe) {
    return (struct cvy_contract_targets){
        .known = probe->values.low <= probe->values.high, .scale = info->y_scale, .range = probe->values};
}

/* As they are stored. */
static struct cvy_range stored(const struct cvy_contract_targets *t) {
    if (t->scale == 0) return t->range;
    return (struct cvy_range){
        .low = round(t->range.low / t->scale), .high = round(t->range.high / t->scale), .whole = true, .bytes = true};
}

static bool masks(const struct cvy_range *r) {
    return r->whole && r->low >= 0 && r->high <= 1;
}

/* Masks are 0 and 1, whatever stands for white; other maps of bytes are what the training's were; and what is beside
 * numbers of another type is on their scale, where that is certain of inputs, too (data/scale.h). */
bool cvy_contract_target_scale(const struct cvy_contract_targets *trained, const struct cvy_contract_targets *given,
                               double *scale) {
    const struct cvy_range range = stored(given);
    *scale = given->scale != 0 ? given->scale : 1;
    if (given->scale == 0 && trained->scale == 0) return true;
    if (masks(&trained->range) && masks(&given->range)) return true;
    if (given->scale == 0 || trained->scale == 0 || trained->scale == 1)
        return cvy_scale_between(&trained->range, &range, scale);
    *scale = trained->scale;
    return true;
}

static const char *text_of(const struct cvy_contract_targets *t, char out[96]) {
    const struct cvy_range r = stored(t);
    snprintf(out, 96, "%s from %g to %g", t->scale != 0 ? "uint8 maps" : "numbers", r.low, r.high);
    return out;
}

cvy_status cvy_contract_scale_targets(const struct cvy_contract *contract, struct cvy_source *source,
                                      const struct cvy_probe *probe, double scale, const char *name,
                                      const char *setting, struct cvy_log *log) {
    const struct cvy_contract_targets given = cvy_contract_targets_of(&source->info, probe);
    char here[96], there[96];
    double found;
    if (!contract->targets.known || !given.known || scale > 0 || source->kind->scale_targets == NULL) return CVY_OK;
    CVY_CHECK(cvy_contract_target_scale(&contract->targets, &given, &found), CVY_ERR_DATA,
              "%s: its targets are %s, those that the network was trained on %s, which may be another scale; say with "
              "%s what they are to be multiplied by (1/255, or 1 where they are right as they are stored)",
              name, text_of(&given, here), text_of(&contract->targets, there), setting);
    if ((float)found == (float)(given.scale != 0 ? given.scale : 1)) return CVY_OK;
    cvy_info(log, "%s: its targets, %s, are multiplied by %s, since the network was trained on %s; %s says otherwise",
             name, text_of(&given, here), found == 1 ? "1" : "1/255", text_of(&contract->targets, there), setting);
    source->kind->scale_targets(source, found);
    return CVY_OK;
}
