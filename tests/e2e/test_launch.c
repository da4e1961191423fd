/* launch/: convoy-run passes signals and exit codes, slurm.sh queues its job again, deps.sh says what is missing. */
#include <stdio.h>
#include <string.h>

#include "test.h"

static char output[8192];

static int occurrences(const char *word) {
    int count = 0;
    for (const char *p = output; (p = strstr(p, word)) != NULL; p++) count++;
    return count;
}

/* A stand-in for convoy: says that it is up, and exits 75 once all 3 ranks have been asked by USR1. */
static void write_stub(char path[4200]) {
    snprintf(path, 4200, "%s/stub.sh", test_folder());
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(
        "#!/bin/sh\n"
        "trap 'echo saved >>\"$0.saved\"; while [ $(wc -l <\"$0.saved\") -lt 3 ]; do sleep 0.05; done; exit 75' USR1\n"
        "echo up >>\"$0.up\"\n"
        "i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; exit 3\n",
        f);
    fclose(f);
}

/* Starts 3 ranks of the stub under convoy-run, sends the signal to convoy-run when all are up. */
static int signalled(const char *signal) {
    char stub[4200];
    write_stub(stub);
    return test_shell(
        output, sizeof output,
        "( '%s/launch/convoy-run' -n 3 sh '%s' & job=$!; i=0; "
        "while [ $i -lt 100 ] && [ \"$(cat '%s.up' 2>/dev/null | wc -l)\" != 3 ]; do sleep 0.1; i=$((i+1)); done; "
        "kill -%s $job; wait $job )",
        test_root(), stub, stub, signal);
}

static void signals_reach_all_ranks(void) {
    static const char *const signals[] = {"USR1", "TERM"};
    for (int i = 0; i < 2; i++) CU_ASSERT_EQUAL(signalled(signals[i]), 75);
}

/* mpirun is about to start its ranks: the signal waits for them. */
static void early_signals_wait(void) {
    char stub[4200];
    write_stub(stub);
    int code = test_shell(output, sizeof output,
                          "( '%s/launch/convoy-run' -n 3 sh '%s' & job=$!; sleep 0.05; kill -HUP $job; wait $job )",
                          test_root(), stub);
    CU_ASSERT_EQUAL(code, 75);
}

static void exit_codes_pass(void) {
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s/launch/convoy-run' -n 2 sh -c 'exit 5'", test_root()), 5);
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s/launch/convoy-run' -n 1 true", test_root()), 0);
}

/* What was lost is named once: by the rank that says it, else by convoy-run. */
static void a_killed_rank_is_named(void) {
    const char *killed = "sh -c '[ $OMPI_COMM_WORLD_RANK = 0 ] || { sleep 0.3; kill -9 $$; }; sleep 20'";
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s/launch/convoy-run' -n 2 %s", test_root(), killed), 137);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "convoy-run: rank 1 on "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, " was killed (signal 9)"));
    const char *said = "sh -c 'echo convoy: error: rank 1 is silent >&2; exit 6'";
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s/launch/convoy-run' -n 1 %s", test_root(), said), 6);
    CU_ASSERT_STRING_EQUAL(output, "convoy: error: rank 1 is silent\n");
}

/* mpirun's own words, where nothing else explains the code. */
static void a_job_that_cannot_start_is_explained(void) {
    int code = test_shell(output, sizeof output,
                          "OMPI_MCA_orte_default_hostfile=/no/such/file '%s/launch/convoy-run' -n 1 true", test_root());
    CU_ASSERT_NOT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "/no/such/file"));
}

static void ranks_and_threads_are_set(void) {
    const char *ask = "-n 3 -t 2 sh -c 'echo $OMPI_COMM_WORLD_SIZE ranks, $OMP_NUM_THREADS threads'";
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s/launch/convoy-run' %s", test_root(), ask), 0);
    CU_ASSERT_EQUAL(occurrences("3 ranks, 2 threads"), 3);
    const char *slurm = "SLURM_JOB_ID=1 SLURM_NTASKS=2 SLURM_JOB_NUM_NODES=1 SLURM_CPUS_PER_TASK=5";
    test_shell(
        output, sizeof output, /* a stand-in for mpirun, since there is no such job */
        "PATH=%s:$PATH; printf '#!/bin/sh\\necho $OMP_NUM_THREADS threads, \"$@\"\\n' >\"${PATH%%%%:*}/mpirun\"; "
        "chmod +x \"${PATH%%%%:*}/mpirun\"; env -u OMP_NUM_THREADS %s '%s/launch/convoy-run' true",
        test_folder(), slurm, test_root());
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "5 threads, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "-n 2 true"));
    CU_ASSERT_PTR_NULL(strstr(output, "--oversubscribe")); /* an allocation's slots are its own business */
}

/* Each batch system tells its hosts in its own way; two hosts with two slots each make four ranks. */
static void allocations_are_read(void) {
    static const struct {
        const char *file, *variable, *told;
    } systems[] = {
        {"a\\na\\nb\\nb\\n", "PBS_NODEFILE", "--hostfile "},
        {"a\\na\\nb\\nb\\n", "LSB_DJOB_HOSTFILE", "--hostfile "},
        {"a 2 all.q@a UNDEFINED\\nb 2 all.q@b UNDEFINED\\n", "PE_HOSTFILE", ""}, /* mpirun reads it by itself */
    };
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        const int code =
            test_shell(output, sizeof output,
                       "cd '%s' && printf '%s' >hosts && printf '#!/bin/sh\necho \"$OMP_NUM_THREADS threads, $*\"\n' "
                       ">mpirun && printf '#!/bin/sh\necho 8\n' >nproc && chmod +x mpirun nproc && export "
                       "PATH=$PWD:$PATH %s=$PWD/hosts && env -u OMP_NUM_THREADS '%s/launch/convoy-run' true",
                       test_folder(), systems[i].file, systems[i].variable, test_root());
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "4 threads, ")); /* of 8 processors, for two ranks of a host */
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "-n 4 true"));
        CU_ASSERT_PTR_NOT_NULL(strstr(output, systems[i].told));
        CU_ASSERT_PTR_NULL(strstr(output, "--oversubscribe"));
    }
}

/* What a link may be down for is one number with what a rank may be silent for: what the program says, and what
 * mpirun's probes of a daemon come to. */
static void a_link_may_be_down_as_long_as_a_rank_is_silent(void) {
    double silence = 0;
    int idle = 0, between = 0, probes = 0;
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s' train --help | tr '\n' ' ' | tr -s ' '", test_program()),
                    0);
    const char *option = strstr(output, "--silence"), *fallback = option ? strstr(option, "default") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(fallback);
    sscanf(fallback + strcspn(fallback, "0123456789"), "%lf", &silence);
    test_shell(output, sizeof output,
               "PATH=%s:$PATH; printf '#!/bin/sh\necho \"$@\"\n' >\"${PATH%%%%:*}/mpirun\"; chmod +x "
               "\"${PATH%%%%:*}/mpirun\"; '%s/launch/convoy-run' -n 1 true",
               test_folder(), test_root());
    const char *mca = strstr(output, "--mca oob_tcp_keepalive_time");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mca);
    sscanf(mca, "--mca oob_tcp_keepalive_time %d --mca oob_tcp_keepalive_intvl %d --mca oob_tcp_keepalive_probes %d",
           &idle, &between, &probes);
    CU_ASSERT(silence > 0);
    CU_ASSERT_EQUAL(idle + between * probes, (int)silence);
}

static void bad_usage_is_explained(void) {
    static const struct {
        const char *arguments, *message;
    } bad[] = {{"", "no command"},
               {"-n 0 true", "-n takes a number of 1 or more, not \"0\""},
               {"-x true", "unknown option -x"},
               {"-n 2 no-such-program", "no program \"no-such-program\"\n"},
               {"-n 2 train x.yaml", "it is a command of convoy: convoy-run … convoy train x.yaml"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int code = test_shell(output, sizeof output, "'%s/launch/convoy-run' %s", test_root(), bad[i].arguments);
        CU_ASSERT_EQUAL(code, 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(output, bad[i].message));
    }
}

/* The script in a job of stand-ins: what exits with the code, and Slurm's scontrol, which says that it was asked. */
static int slurm_job(int code) {
    return test_shell(
        output, sizeof output,
        "cd '%s' && printf '#!/bin/sh\\nexit %d\\n' >run && printf '#!/bin/sh\\necho asked to $1 $2\\n' "
        ">scontrol && chmod +x run scontrol && PATH=$PWD:$PATH CONVOY=true CONVOY_RUN=./run SLURM_JOB_ID=7 bash "
        "'%s/launch/slurm.sh' any.yaml",
        test_folder(), code, test_root());
}

/* Slurm runs a copy of the script: what it was submitted as is asked of Slurm. Here a clone of stand-ins. */
static void slurm_finds_the_clone(void) {
    int code = test_shell(
        output, sizeof output,
        "cd '%s' && mkdir -p clone/launch clone/build spool project && cp '%s/launch/slurm.sh' clone/launch/ && cp "
        "clone/launch/slurm.sh spool/script && printf '#!/bin/sh\necho \"it is $@\"\n' >clone/launch/convoy-run && "
        "printf '#!/bin/sh\n' >clone/build/convoy && printf '#!/bin/sh\necho \"   "
        "Command='$PWD'/clone/launch/slurm.sh\"\n' "
        ">spool/scontrol && chmod +x clone/*/convoy* spool/scontrol && cd project && PATH=$OLDPWD/spool:/usr/bin:/bin "
        "SLURM_JOB_ID=7 bash ../spool/script any.yaml --steps 3",
        test_folder(), test_root());
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "it is "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "/clone/launch/../build/convoy train any.yaml --steps 3 --resume"));
    code = test_shell(output, sizeof output,
                      "cd '%s' && cp '%s/launch/slurm.sh' alone && PATH=/usr/bin:/bin bash ./alone any.yaml",
                      test_folder(), test_root());
    CU_ASSERT_EQUAL(code, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "set CONVOY and CONVOY_RUN"));
}

/* Runs the script with a stand-in for convoy-run of this text, and Slurm's scontrol, which knows of the job that it
 * ends in `left` seconds; under these settings and arguments. */
static int slurm_stand_in(const char *run, int left, const char *settings, const char *arguments) {
    return test_shell(output, sizeof output,
                      "cd '%s' && printf '%%s\n' '#!/bin/sh' '%s' >run && { echo '#!/bin/sh'; echo 'case $1 in show) "
                      "echo \"   StartTime=x EndTime='$(date -d '%d sec' +%%FT%%T)' Deadline=N/A\" ;; *) echo asked to "
                      "$1 $2 ;; esac'; } >scontrol && chmod +x run scontrol && export PATH=$PWD:$PATH CONVOY=true "
                      "CONVOY_RUN=./run %s && bash '%s/launch/slurm.sh' %s",
                      test_folder(), run, left, settings, test_root(), arguments);
}

/* Two tasks must not write into one folder, and one that goes back into the queue takes no other with it. */
static void array_tasks_are_runs_of_their_own(void) {
    static const char task[] = "SLURM_JOB_ID=12 SLURM_ARRAY_JOB_ID=9 SLURM_ARRAY_TASK_ID=3";
    static const struct {
        const char *arguments, *become;
    } calls[] = {
        {"exp/net.yaml --set seed=%a", "train exp/net.yaml --set seed=3 --run runs/net-3 --resume"},
        {"net.yaml --run 'my runs/b/'", "train net.yaml --run my runs/b-3 --resume"},
        {"net%a.yaml --run=of-%a/x --steps 3", "train net3.yaml --steps 3 --run of-3/x --resume"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        CU_ASSERT_EQUAL(slurm_stand_in("echo \"$@\"; exit 75", 9999, task, calls[i].arguments), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(output, calls[i].become));
        CU_ASSERT_PTR_NOT_NULL(strstr(output, "asked to requeue 9_3\n"));
    }
    CU_ASSERT_EQUAL(slurm_stand_in("echo \"$@\"", 9999, "SLURM_JOB_ID=12", "net.yaml --set name=%a"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "train net.yaml --set name=%a --resume")); /* no array, nothing changed */
}

/* Slurm warns a job that is shorter than the warning as it starts: that one works for half of its time. */
static void short_jobs_are_not_stopped_at_once(void) {
    static const char stub[] = "trap \"echo asked; exit 75\" USR1; echo up; (sleep 0.2; kill -USR1 $PPID) & i=0; "
                               "while [ $i -lt 12 ]; do sleep 0.25; i=$((i+1)); done; echo worked on";
    CU_ASSERT_EQUAL(slurm_stand_in(stub, 9999, "SLURM_JOB_ID=7", "net.yaml"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "up\nasked\n"));
    CU_ASSERT_EQUAL(slurm_stand_in(stub, 100, "SLURM_JOB_ID=7", "net.yaml"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "up\nworked on\n"));
    CU_ASSERT_EQUAL(slurm_stand_in(stub, 4, "SLURM_JOB_ID=7", "net.yaml"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "up\nasked\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "asked to requeue 7\n"));
}

/* What another job may mend goes back into the queue; what it cannot ends with its code. */
static void lost_jobs_are_queued_again(void) {
    static const int again[] = {6, 75, 137, 138, 143, 205}, final[] = {0, 1, 2, 3, 4, 5};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        CU_ASSERT_EQUAL(slurm_job(again[i]), 0);
        CU_ASSERT_EQUAL(occurrences("asked to requeue 7"), 1);
    }
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        CU_ASSERT_EQUAL(slurm_job(final[i]), final[i]);
        CU_ASSERT_EQUAL(occurrences("asked to requeue"), 0);
    }
}

/* A system with a shell, awk and nothing else: neither the libraries nor apt-get are found. */
static void missing_packages_are_named(void) {
    int code = test_shell(output, sizeof output,
                          "bin='%s'; for f in sh awk cut tr cat id; do ln -s \"$(command -v $f)\" \"$bin/\"; done; "
                          "PATH=$bin '%s/launch/deps.sh'",
                          test_folder(), test_root());
    CU_ASSERT_EQUAL(code, 2);
    static const char *const names[] = {"libhdf5-dev", "hdf5-devel", "hdf5 ~mpi", "libcunit1-dev", "openblas-devel"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) CU_ASSERT_PTR_NOT_NULL(strstr(output, names[i]));
}

static void nothing_missing_is_silent(void) {
    CU_ASSERT_EQUAL(test_shell(output, sizeof output, "'%s/launch/deps.sh' build", test_root()), 0);
    CU_ASSERT_STRING_EQUAL(output, "");
}

static const struct test_case cases[] = {
    {"signals reach all ranks as USR1", signals_reach_all_ranks},
    {"a signal before the ranks are there reaches them", early_signals_wait},
    {"exit codes pass through", exit_codes_pass},
    {"a rank that is killed is named, once", a_killed_rank_is_named},
    {"a job that cannot start is explained", a_job_that_cannot_start_is_explained},
    {"ranks and threads are set", ranks_and_threads_are_set},
    {"a Slurm job that was stopped or lost is queued again", lost_jobs_are_queued_again},
    {"tasks of an array are runs of their own", array_tasks_are_runs_of_their_own},
    {"a job shorter than the warning works for half of its time", short_jobs_are_not_stopped_at_once},
    {"slurm.sh finds its clone from a copy of itself", slurm_finds_the_clone},
    {"hosts and slots of PBS, LSF and Grid Engine are read", allocations_are_read},
    {"a link may be down as long as a rank may be silent", a_link_may_be_down_as_long_as_a_rank_is_silent},
    {"bad usage is explained", bad_usage_is_explained},
    {"missing packages are named four ways", missing_packages_are_named},
    {"nothing missing is silent", nothing_missing_is_silent},
    {0},
};
const struct test_suite suite_launch = {"launch", cases, NULL};
