#include <stdio.h>

#include "commands.h"
#include "output.h"

struct settings {
    struct cli_list set, allow_change;
    const char *run, *trace;
    bool resume, dry_run;
    struct cli_int steps;
    double time_limit;
};
CLI_SETTINGS_FIT(struct settings);

#define MEMBER(name) offsetof(struct settings, name)
static const struct cli_option options[] = {
    {"set", "a.b=v", "replaces a value of the experiment; v is YAML; may be repeated", CLI_LIST, .offset = MEMBER(set)},
    {"run", "DIR", "the run folder; else runs/NAME", CLI_PATH, .offset = MEMBER(run)},
    {"resume", NULL, "goes on from the run's newest good checkpoint; starts afresh where there is none", CLI_FLAG,
     .offset = MEMBER(resume)},
    {"allow-change", "a.b", "with --resume: this value may differ from the run's; may be repeated", CLI_LIST,
     .offset = MEMBER(allow_change), .needs = "--resume"},
    {"steps", "N", "stops when the run's step reaches N; 0 writes the initial weights", CLI_INT,
     .offset = MEMBER(steps), .low = 0, .high = INT64_MAX},
    {"time-limit", "TIME", "writes a checkpoint and exits 75 after this time: 90s, 55m, 1h30m or H:MM:SS", CLI_TIME,
     .offset = MEMBER(time_limit)},
    {"trace", "FILE", "what each rank does with its time, as trace events in JSON: ui.perfetto.dev opens it", CLI_PATH,
     .offset = MEMBER(trace)},
    {"dry-run", NULL, "checks everything, says what it found, trains nothing", CLI_FLAG, .offset = MEMBER(dry_run)},
    {0},
};
static const struct cli_argument arguments[] = {
    {"EXPERIMENT.yaml", .help = "the experiment; a configuration to start from is under configs/"},
    {0},
};

static void print_text(const struct cvy_train_summary *s, bool stopped) {
    char figures[CVY_FIGURES_TEXT];
    if (!s->trained && stopped) {
        printf("stopped before a step was done; go on with --resume%s%s\n", s->run_folder[0] ? "\nrun folder " : "",
               s->run_folder);
        return;
    }
    if (!s->trained && s->step == 0) {
        printf("the initial weights are written, nothing was trained\nrun folder %s\n", s->run_folder);
        return;
    }
    if (!s->trained) {
        printf("nothing to train: already at step %s (%.2f epochs)\nrun folder %s\n", cli_count(s->step), s->epoch,
               s->run_folder);
        return;
    }
    printf("%s after step %s (%.2f epochs), %s, %s samples/s\n", stopped ? "stopped" : "trained", cli_count(s->step),
           s->epoch, cli_seconds(s->seconds), cli_rate(s->samples_per_s));
    printf("last loss %.4f", s->loss);
    if (s->validation.count) printf("; validation %s", cvy_figures_text(&s->validation, figures));
    if (s->test.count) printf("; test %s", cvy_figures_text(&s->test, figures));
    printf("\nrun folder %s%s\n", s->run_folder, stopped ? "; go on with --resume" : "");
}

static void write_figures(struct cvy_buf *json, const char *name, const struct cvy_figures *figures) {
    if (figures->count == 0) return;
    cvy_json_open(json, name, '{');
    for (int i = 0; i < figures->count; i++) cvy_json_real(json, figures->items[i].name, figures->items[i].value);
    cvy_json_close(json, '}');
}

static cvy_status print_json(struct cli *cli, const struct cvy_train_summary *s, bool stopped) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_text(&json, "run_folder", s->run_folder);
    cvy_json_int(&json, "step", s->step);
    cvy_json_real(&json, "epoch", s->epoch);
    if (s->trained) cvy_json_real(&json, "loss", s->loss);
    write_figures(&json, "validation", &s->validation);
    write_figures(&json, "test", &s->test);
    cvy_json_real(&json, "samples_per_s", s->samples_per_s);
    cvy_json_real(&json, "first_step_s", s->first_step_s);
    cvy_json_real(&json, "seconds", s->seconds);
    cvy_json_real(&json, "peak_rss_mib", s->peak_rss_mib);
    cvy_json_bool(&json, "stopped", stopped);
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

static cvy_status print_summary(struct cli *cli, const struct cvy_train_summary *summary, bool dry_run, bool stopped) {
    if (cli->common.json) return print_json(cli, summary, stopped);
    if (dry_run)
        printf("checked, nothing trained; run folder would be %s\n", summary->run_folder);
    else
        print_text(summary, stopped);
    return CVY_OK;
}

/* convoy-run learns from the first step how far a run has come. */
static bool tell_first_step(void *told, const struct cvy_step *step) {
    char word[32];
    if (*(bool *)told) return false;
    snprintf(word, sizeof word, "step %lld", (long long)step->step);
    cli_launcher_tell(word);
    *(bool *)told = true;
    return false;
}

static cvy_status run(struct cli *cli) {
    bool told = false;
    const struct settings *s = (const void *)cli->settings;
    struct cvy_train_summary summary = cvy_train_summary_default();
    const struct cvy_train_options how = {
        .size = sizeof how,
        .experiment = cli->arguments[0],
        .set = s->set.items,
        .set_count = s->set.count,
        .run_folder = s->run,
        .trace = s->trace,
        .resume = s->resume,
        .allow_change = s->allow_change.items,
        .allow_change_count = s->allow_change.count,
        .has_steps = s->steps.given,
        .steps = s->steps.value,
        .time_limit = s->time_limit,
        .dry_run = s->dry_run,
        .program = cli->program,
        .on_step = cli_launcher_listens() ? tell_first_step : NULL,
        .user = &told,
        .restarted = cli_launcher_reason(),
    };
    cvy_status status = cvy_train(cli->ctx, &how, &summary);
    cli_voice_rest();
    if (status != CVY_OK && status != CVY_STOPPED) return status;
    if (cvy_context_rank(cli->ctx) != 0) return status;
    cvy_status printed = print_summary(cli, &summary, s->dry_run, status == CVY_STOPPED);
    return status == CVY_OK ? printed : status;
}

static const struct cli_exit exits[] = {
    CLI_EXIT_DONE,
    CLI_EXIT_FAULT,
    CLI_EXIT_USAGE,
    CLI_EXIT_DATA,
    CLI_EXIT_CHECKPOINT,
    {"5", "diverged"},
    {"6", "a rank or the network was lost: run it again with --resume"},
    {"75", "stopped on request or by --time-limit, after a checkpoint: run it again with --resume (mpirun "
           "that gets the signal itself gives 1; convoy-run gives 75)"},
    {0}};
const struct cli_command cli_train = {
    .name = "train",
    .purpose = "Trains a network as an experiment file says.",
    .arguments = arguments,
    .options = options,
    .example = "mpirun -n 2 convoy train configs/lenet5-fashion.yaml --set train.epochs=2 --resume",
    .exits = exits,
    .all_ranks = true,
    .stoppable = true,
    .run = run,
};
