/* −w_y·x_y, x being log-probabilities and w class weights. */
#include <string.h>

#include "ops/losses/loss.h"

static double row(const struct cvy_loss_rule *rule, const struct cvy_loss_row *r) {
    const double weight = cvy_loss_weight_of_class(rule, r);
    if (r->dx) {
        memset(r->dx, 0, (size_t)r->outputs * sizeof *r->dx);
        r->dx[r->label] = (float)-weight;
    }
    return -weight * r->x[r->label];
}

static const struct cvy_key keys[] = {CVY_LOSS_KEY("class_weights", weights, "a number a class"),
                                      CVY_LOSS_KEY("ignore_label", unlabeled, "what does not count"), CVY_KEY_END};

#define NO_LOG  "this loss takes log-probabilities, and of probabilities it is minus the label's, which learns slowly"
#define ENDLESS "this loss takes log-probabilities, and of plain scores it falls without end"
static const struct cvy_loss_trap traps[] = {
    {"softmax", true, NO_LOG, "put log_softmax in the place of", ", or leave it out and take softmax_cross_entropy"},
    {"sigmoid", true, NO_LOG, "put log_softmax in the place of", ""},
    {"dense", true, ENDLESS, "put log_softmax behind", ", or take softmax_cross_entropy"},
    {"conv", true, ENDLESS, "put log_softmax behind", ", or take softmax_cross_entropy"},
    {0}};

const struct cvy_loss_kind cvy_loss_nll = {
    .name = "nll",
    .purpose = "minus the label's score; give it log-probabilities",
    .keys = keys,
    .state_size = sizeof(struct cvy_loss),
    .form = {row, cvy_loss_weight_of_class, CVY_ALONE_SURE},
    .wants = CVY_WANTS_CLASSES,
    .measure = CVY_MEASURE_CLASSES,
    .likelihood = true,
    .traps = traps,
    .infer = cvy_loss_check_classes,
    .describe = cvy_loss_describe_classes,
};
