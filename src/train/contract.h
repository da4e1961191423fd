/* The contract of a network's data: what a sample was when the network was trained. A checkpoint carries it, and other
 * files are read under it: by the same names and order of axes, and on the same scale. */
#ifndef CVY_TRAIN_CONTRACT_H
#define CVY_TRAIN_CONTRACT_H

#include "convoy/data.h"
#include "data/probe.h"
#include "data/scale.h"
#include "io/ckpt/ckpt.h"
#include "experiment/experiment.h"

/* Targets of values. */
struct cvy_contract_targets {
    bool known;   /* false: others, or a checkpoint of before this was kept */
    double scale; /* what a user's uint8 maps were multiplied by; 0: they were other numbers, taken as they are */
    struct cvy_range range; /* of the selection's, as the network was given them */
};

struct cvy_contract {
    const char *stored;            /* type of x in the file: "uint16"; "" for a program's own data */
    struct cvy_range few, all;     /* of inputs before any normalisation: a fixed selection of samples (data/probe.h),
                                      and all of them, as far as they were looked at */
    bool known;                    /* false: a checkpoint of before there were contracts */
    struct cvy_dataset_spec place; /* names and layout of the training data's file */
    struct cvy_contract_targets targets;
};

/* As attributes of /run. `attributes` point into `room`, and both into the contract. */
enum { CVY_CONTRACT_ATTRIBUTES = 12 }; /* at most */
struct cvy_contract_room {
    int64_t all_whole, few_whole, targets_whole;
    double all[2], few[2], targets[2];
    const char *texts[5];
};
/* Returns how many they are. */
int cvy_contract_save(const struct cvy_contract *contract, struct cvy_contract_room *room,
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
/* Whether inputs of this range, so multiplied, are clearly other than the training's, without being refused. */
bool cvy_contract_is_unlike(const struct cvy_contract *contract, const struct cvy_range *given, double factor);
/* As cvy_contract_factor; and warns where they are. Not of single pictures, whose range is what they might hold. */
cvy_status cvy_contract_scale_inputs(const struct cvy_contract *contract, const struct cvy_range *given, double scale,
                                     const char *name, const char *setting, struct cvy_log *log, double *factor);

/* Of targets from a file, as they were found and probed; other data's are what they are. */
struct cvy_contract_targets cvy_contract_targets_of(const struct cvy_dataset_info *info, const struct cvy_probe *probe);
/* What values in a file are multiplied by, to be like those that the network was trained on; false where that is not
 * certain. Only of uint8 maps it is a question, given or trained on: other numbers are taken as they are. */
bool cvy_contract_target_scale(const struct cvy_contract_targets *trained, const struct cvy_contract_targets *given,
                               double *scale);
/* Multiplies the source's targets by that, and tells where it is not what their file alone would have. Nothing to do
 * where the checkpoint does not know, `scale` is given, or they are in no file. */
cvy_status cvy_contract_scale_targets(const struct cvy_contract *contract, struct cvy_source *source,
                                      const struct cvy_probe *probe, double scale, const char *name,
                                      const char *setting, struct cvy_log *log);
/* What is 1 for targets that are the inputs: 255 for bytes. */
double cvy_contract_full(const struct cvy_contract *contract);

#endif
