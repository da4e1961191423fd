#include "io/runs/run_folder.h"

#include <string.h>

#include "io/file.h"

static const char *const names[] = {[CVY_RUN_EXPERIMENT] = "experiment.yaml",
                                    [CVY_RUN_METRICS] = "metrics.jsonl",
                                    [CVY_RUN_LOG] = "log.txt",
                                    [CVY_RUN_LOCK] = CVY_FOLDER_LOCK,
                                    [CVY_RUN_CHECKPOINTS] = "checkpoints"};

const char *cvy_run_file_name(enum cvy_run_file file) {
    return names[file];
}

cvy_status cvy_run_file_path(const char *folder, enum cvy_run_file file, char out[CVY_PATH_MAX]) {
    return cvy_path_join(folder, names[file], out);
}

bool cvy_run_file_exists(const char *folder, enum cvy_run_file file) {
    char path[CVY_PATH_MAX];
    if (cvy_run_file_path(folder, file, path) != CVY_OK) return false;
    return file == CVY_RUN_CHECKPOINTS ? cvy_folder_exists(path) : cvy_file_exists(path);
}

bool cvy_run_keeps(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}
