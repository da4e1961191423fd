/* The contract of a network's data: what a sample was when the network was trained. A checkpoint carries it, and other
 * files are read under it: by the same names and order of axes, and on the same scale. */
#ifndef CVY_TRAIN_CONTRACT_H
#define CVY_TRAIN_CONTRACT_H

#include "convoy/data.h"
#include "data/scale.h"
#include "io/ckpt/ckpt.h"
#include "experiment/experiment.h"

struct cvy_contract {
    const char *stored;            /* type of x in the file: "uint16"; "" for a program's own data */
    struct cvy_range few, all;     /* of inputs before any normalisation: a fixed selection of samples (data/probe.h),
                                      and all of them, as far as they were looked at */
    bool known;                    /* false: a checkpoint of before there were contracts */
    struct cvy_dataset_spec place; /* names and layout of the training data's file */
};

/* As attributes of /run. `attributes` point into `room`, and both into the contract. */
enum { CVY_CONTRACT_ATTRIBUTES = 9 };
struct cvy_contract_room {
    int64_t all_whole, few_whole;
    double all[2], few[2];
    const char *texts[5];
};
void cvy_contract_save(const struct cvy_contract *contract, struct cvy_contract_room *room,
                       struct cvy_ckpt_attribute attributes[CVY_CONTRACT_ATTRIBUTES]);
/* Texts stay the checkpoint's. `place`: the training data of the run's experiment. */
cvy_status cvy_contract_load(const struct cvy_ckpt *ckpt, const struct cvy_dataset_spec *place,
                             struct cvy_contract *out);

/* How `file` is to be read: as `form` says where it says something; else as the experiment says of that very file; else
 * as its training data are; without an experiment (NULL), by the defaults. CVY_ERR_USAGE for a layout that is none. */
cvy_status cvy_contract_place(const struct cvy_experiment *experiment, const char *file,
                              const struct cvy_data_form *form, struct cvy_dataset_spec *out);

/* What inputs, of whose samples the selection has this range, are multiplied by to be like the training's; false where
 * that is not certain. */
bool cvy_contract_scale(const struct cvy_contract *contract, const struct cvy_range *given, double *factor);
/* What inputs of this range are multiplied by: `scale` unless it is 0, else as cvy_contract_scale finds; one that was
 * found and is not 1 is told. `name` is theirs, `setting` what scale is set by, for the messages. */
cvy_status cvy_contract_factor(const struct cvy_contract *contract, const struct cvy_range *given, double scale,
                               const char *name, const char *setting, struct cvy_log *log, double *factor);
/* What is 1 for targets that are the inputs: 255 for bytes. */
double cvy_contract_full(const struct cvy_contract *contract);

#endif
