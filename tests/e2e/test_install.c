/* make install, and a program of a user's own built against what it left, found through pkg-config. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "e2e.h"

static char root[1024]; /* where DESTDIR points */

#define PREFIX "/opt/convoy"

static int shell(const char *words) {
    return test_shell(e2e_output, sizeof e2e_output, "cd '%s' && D='%s' && P=$D" PREFIX " && %s", e2e_home(), root,
                      words);
}

static void expect(const char *words) {
    e2e_expect_exit(0, shell(words), words, 0);
}

static const char *build_folder(void) {
    static char build[1024];
    snprintf(build, sizeof build, "%.1023s", test_program());
    *strrchr(build, '/') = '\0';
    return build;
}

static void install(void) {
    if (!root[0]) snprintf(root, sizeof root, "%.1023s", test_folder());
    int code = test_shell(e2e_output, sizeof e2e_output,
                          "env -u MAKEFLAGS -u MAKELEVEL make -C '%s' install BUILD='%s' DESTDIR='%s' PREFIX=" PREFIX,
                          test_root(), build_folder(), root);
    e2e_expect_exit(0, code, __FILE__, __LINE__);
}

static void program_is_complete(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    install();
    expect("$P/bin/convoy --version");
    E2E_SAID("convoy ");
    expect("$P/bin/convoy describe $P/share/convoy/configs/models/lenet5.yaml --json");
    E2E_SAID("\"params\":61706");
    expect("$P/share/convoy/launch/convoy-run -n 2 $P/bin/convoy train tiny.yaml --run installed --steps 3");
}

/* The job script as it is installed, and the copy of it that Slurm runs elsewhere. */
static void slurm_script_finds_its_program(void) {
    char command[2048];
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    install();
    expect(
        "env -u CONVOY -u CONVOY_RUN SLURM_NTASKS=2 $P/share/convoy/launch/slurm.sh tiny.yaml --run slurm --steps 3");
    CU_ASSERT_EQUAL(e2e_newest_step("slurm"), 3);
    snprintf(command, sizeof command,
             "env -u MAKEFLAGS -u MAKELEVEL make -s -C '%s' install BUILD='%s' PREFIX=$D/real && cp "
             "$D/real/share/convoy/launch/slurm.sh spooled && env "
             "-u CONVOY -u CONVOY_RUN bash ./spooled tiny.yaml --run spooled-run --steps 3",
             test_root(), build_folder());
    expect(command);
    CU_ASSERT_EQUAL(e2e_newest_step("spooled-run"), 3);
}

/* A program against what is installed; `source` is quoted for the shell, which knows $T as tests/install. */
static const char shared[] = "$($K --libs convoy) -Wl,-rpath,$P/lib";
static void build(const char *compiler, const char *source, const char *link, const char *out) {
    char command[2048];
    snprintf(command, sizeof command,
             "export PKG_CONFIG_PATH=$P/lib/pkgconfig && K=\"pkg-config --define-variable=prefix=$P\" && "
             "T='%s/tests/install' && %s -Wall -Wextra -pedantic -Werror %s $($K --cflags convoy) "
             "$(mpicc --showme:compile) %s $(mpicc --showme:link) -lm -o %s",
             test_root(), compiler, source, link, out);
    expect(command);
}

/* By the shared library, and by the static one with the libraries that it needs. */
static void own_program(void) {
    static const char *const links[] = {
        shared,
        "$P/lib/libconvoy.a $($K --static --libs convoy | sed 's/-lconvoy//')",
    };
    char command[2048], program[16];
    E2E_EXIT(0, 0, "train tiny.yaml --run own-like --steps 3");
    for (size_t i = 0; i < COUNT(links); i++) {
        snprintf(program, sizeof program, "own%zu", i);
        build("cc -std=c11", "\"$T/program.c\"", links[i], program);
        snprintf(command, sizeof command, "%s ./own%zu tiny.yaml own-run%zu 3", test_mpirun(2), i, i);
        expect(command);
        E2E_SAID("2 ranks: step 3");
        CU_ASSERT_FALSE(e2e_said("steps were seen"));
        E2E_EXIT(0, 0, "ckpt diff own-like own-run%zu", i);
    }
}

/* What the README shows is what it says: the C that stands in it is compiled as it says there, and trains. */
static void readme(void) {
    char command[1024];
    e2e_write_experiment("mine.yaml", NULL, NULL);
    snprintf(command, sizeof command,
             "awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' '%s/README.md' >watch.c && test -s watch.c",
             test_root());
    expect(command);
    snprintf(
        command, sizeof command,
        "awk '/^export PKG_CONFIG_PATH/ { on = 1 } /^```/ { on = 0 } on' '%s/README.md' >watch.sh && rm -rf runs/tiny",
        test_root()); /* other suites train under this name, too */
    expect(command);
    /* It was installed aside: the prefix that the file names is there later. */
    expect("sed 's|pkg-config|& --define-variable=prefix=$P|g' watch.sh >aside.sh && PREFIX=$P && . ./aside.sh");
    E2E_SAID("step 18: loss ");
    E2E_SAID("18 steps in ");
}

/* Trains with ./layer, which knows the layer; the loss of the last step. */
static double train_layer(const char *experiment, const char *run, int ranks) {
    char command[1024];
    snprintf(command, sizeof command, "%s ./layer %s %s", test_mpirun(ranks), experiment, run);
    expect(command);
    return e2e_json_number(e2e_output, "loss");
}

/* One of the program's own: the same bits on any number of ranks; with its weights frozen at 1 the library's silu,
 * which its gradients have to be right for; with weights that learn, something else. `convoy` itself does not know it.
 */
static void own_layer(void) {
    static const char *const layers[][2] = {{"own.yaml", "- swish_beta: 1.5\n    - maxpool"},
                                            {"frozen.yaml", "- {swish_beta: {start: 1}, frozen: true}\n    - maxpool"},
                                            {"silu.yaml", "- silu\n    - maxpool"}};
    build("cc -std=c11", "\"$T/layer.c\"", shared, "layer");
    for (size_t i = 0; i < COUNT(layers); i++)
        e2e_write_experiment(layers[i][0], "- relu\n    - maxpool", layers[i][1]);
    const double learned = train_layer("own.yaml", "layer1", 1), frozen = train_layer("frozen.yaml", "layer-frozen", 1);
    const double silu = train_layer("silu.yaml", "layer-silu", 1);
    for (int ranks = 2; ranks <= 3; ranks++) {
        char run[32];
        snprintf(run, sizeof run, "layer%d", ranks);
        CU_ASSERT_EQUAL(train_layer("own.yaml", run, ranks), learned);
        E2E_EXIT(0, 0, "ckpt diff layer1 %s", run);
        E2E_SAID("bit-identical");
    }
    CU_ASSERT_DOUBLE_EQUAL(frozen, silu, 1e-5);
    CU_ASSERT(fabs(learned - silu) > 1e-4);
    E2E_EXIT(1, 0, "ckpt diff layer1 layer-silu");
    E2E_SAID("/param/swish_beta1/beta");
    E2E_EXIT(2, 0, "describe own.yaml");
    E2E_SAID("unknown layer \"swish_beta\"");
}

/* On two ranks, which the launcher tells the library of, whoever initialises MPI. */
static void guest(void) {
    char command[2048];
    build("cc -std=c11", "\"$T/guest.c\"", shared, "guest");
    for (int mine = 0; mine < 2; mine++) {
        snprintf(command, sizeof command, "%s ./guest %d", test_mpirun(2), mine);
        expect(command);
        E2E_SAID("rank 1 of 2");
    }
}

/* The library needs no C++ compiler; where there is none, this is not tried. */
static bool knows_cplusplus(void) {
    if (shell("command -v c++ >c++.txt") == 0) return true;
    puts("no c++ here: C++ is not tried");
    return false;
}

/* Each header by itself, and all of them, as C and as C++ of 2011; the version is the library's. */
static void headers(void) {
    static const char *const compilers[] = {"cc -std=c11 -x c", "c++ -std=c++11 -x c++"};
    char command[2048];
    for (size_t i = 0; i < (knows_cplusplus() ? COUNT(compilers) : 1); i++) {
        snprintf(command, sizeof command,
                 "for h in convoy.h $(cd $P/include && ls convoy/*.h); do "
                 "{ echo \"#include <$h>\"; echo 'extern int one;'; } >alone && " /* formats.h has macros alone */
                 "%s -Wall -Wextra -Wmissing-declarations -pedantic -Werror -I$P/include -fsyntax-only alone || exit "
                 "1; done",
                 compilers[i]);
        expect(command);
    }
    expect("ls $P/include/convoy/status.h && ! ls $P/include/convoy/buf.h");
}

static void own_cplusplus(void) {
    if (!knows_cplusplus()) return;
    build("c++ -std=c++11", "\"$T/version.cpp\"", shared, "cplusplus");
    expect("./cplusplus $(PKG_CONFIG_PATH=$P/lib/pkgconfig pkg-config --modversion convoy)");
}

static const struct test_case cases[] = {
    {"what is installed is complete", program_is_complete},
    {"the installed slurm.sh finds its program", slurm_script_finds_its_program},
    {"every public header alone, in C and C++", headers},
    {"a C++ program: one version in headers, library and pkg-config", own_cplusplus},
    {"a program of one's own, found through pkg-config", own_program},
    {"the example of the README", readme},
    {"a layer of one's own", own_layer},
    {"a program that is there first", guest},
    {0},
};
const struct test_suite suite_e2e_install = {"e2e_install", cases, NULL};
