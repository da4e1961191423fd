# Convoy. Words: make [all], demo, test, test-quick, test-slow, test-faults, test-hosts, fuzz, coverage, check-all, bench, bench-hosts, lint, format, deps, golden, install, clean.
# Settings: V=1 (show commands), DEBUG=1, SAN=address|undefined|thread, TARGET=, FUZZ_SECONDS=60, CC=clang, PREFIX=/usr/local, DESTDIR=, BUILD=folder, DATA=folder.

# ---- Settings ----------------------------------------------------------------------------------------------------
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX  ?= /usr/local
DATA    ?= /usr/share/datasets/fashion-mnist
BUILD   ?= build$(if $(SAN),-$(SAN))$(if $(DEBUG),-debug)
# The header says it: "0.1.0" of its three numbers.
VERSION := $(shell sed -n 's/^.define CVY_VERSION_M[A-Z]* *\([0-9]*\)$$/\1./p; s/^.define CVY_VERSION_PATCH *//p' include/convoy/version.h | tr -d '\n')
SONAME  := libconvoy.so.$(firstword $(subst ., ,$(VERSION)))
ARCH    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
ROOT    := $(CURDIR)
Q       := $(if $(V),,@)
# Our own calls of make: quiet, and on all processors unless the caller said otherwise.
AGAIN   := $(MAKE) --no-print-directory
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

# ---- Libraries ---------------------------------------------------------------------------------------------------
# Not evaluated for words that do not compile, so that these work on a bare machine.
ifneq ($(filter-out deps clean format,$(or $(MAKECMDGOALS),all)),)
PC       = $(shell { pkg-config $(1) $(2); } 2>/dev/null)
HDF5    := $(firstword $(foreach p,hdf5-serial hdf5,$(if $(call PC,--exists --print-errors,$(p) && echo yes),$(p))))
MPI_INC := $(or $(call PC,--cflags,ompi-c),$(shell mpicc --showme:compile 2>/dev/null))
MPI_LIB := $(or $(call PC,--libs,ompi-c),$(shell mpicc --showme:link 2>/dev/null))
INC     := $(call PC,--cflags,$(HDF5) openblas yaml-0.1 libxxhash zlib libpng libjpeg) $(MPI_INC)
LIBS    := $(call PC,--libs,$(HDF5)) $(call PC,--libs,openblas yaml-0.1 zlib libpng libjpeg) $(MPI_LIB) -lm -lpthread
endif

# ---- Flags -------------------------------------------------------------------------------------------------------
WARN    := -Wall -Wextra -Werror=implicit-function-declaration -Wmissing-prototypes -Wvla -Wpointer-arith
# Bits must not depend on what a compiler finds clever: no contraction, no fast-math; fused multiply-adds are written.
NUMERIC := -ffp-contract=off -fno-math-errno
# -Og beside a sanitizer or counters of lines: with more, the micro-kernels take minutes to compile.
OPT     := $(if $(DEBUG),-O0 -g -DCVY_DEBUG,$(if $(SAN)$(COVERAGE),-Og,-O2) -g -DNDEBUG)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=all)) $(if $(COVERAGE),--coverage)
CFLAGS  += -std=c11 $(OPT) $(WARN) $(NUMERIC) $(SANFLAG) -fPIC -pthread -fvisibility=hidden
override CPPFLAGS += -Iinclude -Isrc $(INC) -DCVY_VERSION='"$(VERSION)"'
LDFLAGS += $(SANFLAG) -pthread
export TSAN_OPTIONS ?= history_size=7 suppressions=$(ROOT)/tests/tsan.txt
# Only the folder of an ISA level gets its flags.
AVX512  := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mprefer-vector-width=512
SIMD    := src/kernels/simd
FLAGS_avx2       := -mavx2 -mfma
FLAGS_avx512     := $(AVX512)
FLAGS_avx512bf16 := $(AVX512) -mavx512bf16
FLAGS_amx        := $(AVX512) -mavx512bf16 -mamx-tile -mamx-bf16
$(foreach level,avx2 avx512 avx512bf16 amx,$(eval $(BUILD)/$(SIMD)/$(level)/%: ISAFLAGS := $(FLAGS_$(level))))

# ---- Sources -----------------------------------------------------------------------------------------------------
X86     := avx2 avx512 avx512bf16 amx
FOREIGN := $(if $(filter x86_64,$(ARCH)),neon,$(X86) $(if $(filter aarch64,$(ARCH)),,neon))
ROOMS   := $(filter-out src/cli/,$(wildcard src/*/ src/*/*/ src/*/*/*/))
LIB_SRC := $(filter-out $(FOREIGN:%=$(SIMD)/%/%),$(wildcard $(ROOMS:%=%*.c)))
CLI_SRC := $(wildcard src/cli/*.c)
TEST_SRC := $(wildcard tests/*.c tests/unit/*/*.c tests/mpi/*.c tests/e2e/*.c tests/slow/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/%.o)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz-%,$(filter-out tests/fuzz/fuzz.c,$(FUZZ_SRC)))

# ---- Building ----------------------------------------------------------------------------------------------------
.PHONY: all built objects demo test unit test-quick test-slow test-faults test-hosts fuzz fuzzers coverage check-all bench bench-conv bench-comm bench-scaling bench-hosts scale lint format deps golden install clean
.PHONY: lint-format lint-layers lint-tidy lint-cppcheck
all: deps
	@$(AGAIN) $(PARALLEL) built
built: $(BUILD)/convoy $(BUILD)/libconvoy.so
	@:
objects: $(LIB_OBJ) $(CLI_OBJ)

$(BUILD)/convoy: $(CLI_OBJ) $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/libconvoy.a: $(LIB_OBJ)
	@rm -f $@
	@echo "  archive $@"
	$(Q)ar rcs $@ $^
$(BUILD)/libconvoy.so: $(LIB_OBJ)
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -o $@ $^ $(LIBS)
$(BUILD)/convoy-tests: $(TEST_OBJ) $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcunit $(LIBS)
$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  compile $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(ISAFLAGS) $(if $(filter tests/%,$<),-Itests -DCVY_TEST_ROOT='"$(ROOT)"') -MMD -MP -c -o $@ $<
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(FUZZ_SRC:%.c=$(BUILD)/%.d)

# ---- Packages ----------------------------------------------------------------------------------------------------
deps:
	@CC='$(CC)' launch/deps.sh

# ---- The demonstration -------------------------------------------------------------------------------------------
demo: all
	@DATA='$(DATA)' launch/deps.sh data
	@DATA='$(DATA)' CONVOY='$(BUILD)/convoy' launch/demo.sh

# ---- Tests and checks --------------------------------------------------------------------------------------------
test: all
	@$(AGAIN) $(PARALLEL) $(BUILD)/convoy-tests
	$(BUILD)/convoy-tests
unit: all
	@$(AGAIN) $(PARALLEL) $(BUILD)/convoy-tests
	$(BUILD)/convoy-tests --unit
# While one works: the quick unit suites, and those of the rooms that changed since it last passed.
test-quick: deps
	@$(AGAIN) $(PARALLEL) $(BUILD)/convoy-tests
	@tests/quick.sh $(BUILD)
# Minutes and gigabytes: every network of configs/models at its real size; MODELS="vgg16 unet" picks some.
test-slow: all
	@$(AGAIN) $(PARALLEL) $(BUILD)/convoy-tests
	MODELS='$(MODELS)' $(BUILD)/convoy-tests --slow

# A quarter of an hour: kills and requests at every moment, under convoy-run.
test-faults: all
	@$(AGAIN) $(PARALLEL) $(BUILD)/convoy-tests
	$(BUILD)/convoy-tests faults

# Across hosts, which are namespaces of this machine: links and hosts fail meanwhile. CASES="same_bits": these alone.
test-hosts: all
	@launch/deps.sh hosts
	tests/hosts/run.sh $(BUILD) $(CASES)

# Readers of files against bytes of all kinds, FUZZ_SECONDS each: those of tests/fuzz/, or TARGET="yaml image" alone.
fuzz: deps
	@launch/deps.sh fuzz
	@$(AGAIN) $(PARALLEL) CC=clang BUILD=build-fuzz SAN=fuzzer-no-link,address,undefined fuzzers
	@tests/fuzz/run.sh build-fuzz $(TARGET)
fuzzers: $(FUZZERS)
$(FUZZERS): $(BUILD)/fuzz-%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/fuzz.o $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
# No file reaches them, and clang takes minutes to instrument them.
ifneq ($(findstring fuzzer,$(SAN)),)
$(BUILD)/src/kernels/%: SANFLAG :=
endif

# Lines of src that the tests run, folder by folder. SUITES="--unit", or names of suites: by these alone.
COVERED := build-coverage
coverage: deps
	@[ ! -d $(COVERED) ] || find $(COVERED) -name '*.gcda' -delete
	@$(AGAIN) $(PARALLEL) BUILD=$(COVERED) COVERAGE=1 built $(COVERED)/convoy-tests
	-$(COVERED)/convoy-tests $(SUITES)
	@tests/coverage.py $(COVERED)

# What takes too long for every change: sanitizers, clang, lower ISA levels, aarch64. STEPS="address clang": these alone.
check-all: deps
	@tests/check-all.sh $(STEPS)

# Steps beside PyTorch's (needs python3-torch and python3-torchvision); writes tests/bench/RESULTS.md. ROWS="lenet5 resnet50* …", ROUNDS=5.
bench: all
	tests/bench/run.py $(BUILD)/convoy $(if $(ROWS),--rows "$(ROWS)") $(if $(ROUNDS),--rounds $(ROUNDS))

# Exposed communication of ResNet-20 over 1, 2 and 4 such hosts; prints a table (that of the last time: tests/bench/HOSTS.md).
bench-hosts: all
	@launch/deps.sh hosts
	tests/hosts/measure.sh $(BUILD)

# Convolutions layer by layer, beside oneDNN where libdnnl-dev is installed. LAYERS: parts of their names; else all.
ONEDNN := $(wildcard /usr/include/dnnl.h)
bench-conv: $(BUILD)/bench-conv
	$(BUILD)/bench-conv $(LAYERS)
$(BUILD)/bench-conv: tests/bench/conv.c tests/bench/conv_peer.c tests/bench/conv_peer.h $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(ONEDNN),-DHAVE_ONEDNN -fopenmp) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(if $(ONEDNN),-ldnnl) $(LIBS)

# One bucket's sum over the ranks of this host by each reduction, beside MPI_Allreduce. RANKS="2 3 4"; ARGS="--json --rounds 31".
bench-comm: $(BUILD)/bench-comm
	@for n in $(or $(RANKS),2 3 4); do mpirun -q --oversubscribe --bind-to none -n $$n $(BUILD)/bench-comm $(ARGS) || exit; done
$(BUILD)/bench-comm: tests/bench/comm.c $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libconvoy.a $(LIBS)

# Weak scaling of whole steps over the ranks of this host. RANKS="2"; ROUNDS=31; SCALING="MODEL:BATCH …"; ARGS="--json".
SCALING ?= configs/models/lenet5_relu.yaml:32 {file:configs/models/resnet20.yaml,size:28,channels:1}:64
bench-scaling: $(BUILD)/bench-scaling
	@for n in $(or $(RANKS),2); do mpirun -q --bind-to core -n $$n $(BUILD)/bench-scaling --rounds $(or $(ROUNDS),15) $(ARGS) $(SCALING:%='%') || exit; done
$(BUILD)/bench-scaling: tests/bench/scaling.c $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libconvoy.a $(LIBS)

# The communication of 2 to 1,024 simulated nodes: src/comm as it is, on SimGrid's SMPI, layers taking measured times (hours;
# PARTS="digest scaling": these alone). That of the last time: tests/bench/SCALE.md.
SCALE_OBJ := $(patsubst src/comm/%.c,$(BUILD)/scale/%.o,$(wildcard src/comm/*.c))
SCALE_FLAGS := -std=gnu11 -O2 -DNDEBUG -ffp-contract=off -fPIC -Iinclude -Isrc -Itests/scale
scale: all
	@launch/deps.sh scale || echo "make scale is skipped: without SimGrid's smpicc nothing is simulated"
	@! command -v smpicc >/dev/null || { $(AGAIN) $(PARALLEL) $(BUILD)/scale/scale && tests/scale/run.py $(BUILD)/scale/scale $(PARTS); }
$(BUILD)/scale/%.o: src/comm/%.c tests/scale/stand.h $(wildcard src/comm/*.h)
	@mkdir -p $(@D)
	@echo "  compile $< for simulated ranks"
	$(Q)smpicc $(SCALE_FLAGS) -include tests/scale/stand.h -c -o $@ $<
$(BUILD)/scale/scale: tests/scale/scale.c tests/scale/stand.c $(SCALE_OBJ) $(BUILD)/libconvoy.a
	@echo "  link $@"
	$(Q)smpicc $(SCALE_FLAGS) -o $@ $^ -lxxhash -lpthread

# What another framework computes (needs python3-torch and python3-h5py; the files are committed).
golden:
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_lenet5.py
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_trajectories.py
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_conv.py
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_elements.py
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_norm.py
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_optim.py
	$(or $(PYTHON),/usr/bin/python3) tests/golden/make_losses.py

# All C that is ours, and what the checks below read.
C_FILES := $(wildcard $(ROOMS:%=%*.[ch]) src/cli/*.[ch] include/*.h include/*/*.h tests/*.[ch] tests/*/*.[ch] tests/unit/*/*.[ch])
TIDY    := $(patsubst %.c,$(BUILD)/%.tidy,$(LIB_SRC) $(CLI_SRC))

lint: deps
	@launch/deps.sh lint
	@$(AGAIN) $(PARALLEL) lint-format lint-layers lint-cppcheck lint-tidy
lint-format:
	@echo "  clang-format"
	$(Q)clang-format --dry-run --Werror $(C_FILES)
lint-layers: $(BUILD)/libconvoy.so $(BUILD)/convoy
	tests/layers.sh $<
lint-cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	@echo "  cppcheck"
	$(Q)cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -DNDEBUG \
	    --suppressions-list=tests/cppcheck.txt --cppcheck-build-dir=$(BUILD)/cppcheck -I include -I src -I tests src tests
lint-tidy: $(TIDY)
# A stamp a file, so that only what changed is read again. (stderr only counts the warnings of system headers.)
$(BUILD)/%.tidy: %.c .clang-tidy $(filter %.h,$(C_FILES))
	@mkdir -p $(@D)
	@echo "  clang-tidy $<"
	@clang-tidy --quiet $< -- $(CPPFLAGS) $(CFLAGS) $(ISAFLAGS) 2>/dev/null
	@touch $@
format:
	@launch/deps.sh lint
	clang-format -i $(C_FILES)

# ---- Installing --------------------------------------------------------------------------------------------------
TO := $(DESTDIR)$(PREFIX)
define PKGCONFIG
prefix=$(PREFIX)
libdir=$${prefix}/lib
includedir=$${prefix}/include

Name: convoy
Description: Convolutional networks trained on clusters of CPU nodes
Version: $(VERSION)
Libs: -L$${libdir} -lconvoy
Libs.private: $(LIBS)
Cflags: -I$${includedir}
endef
export PKGCONFIG
install: all
	install -d $(TO)/bin $(TO)/lib/pkgconfig $(TO)/include/convoy $(TO)/share/convoy/launch $(TO)/share/convoy/configs/models
	install $(BUILD)/convoy $(TO)/bin/convoy
	install -m 644 $(BUILD)/libconvoy.a $(TO)/lib/libconvoy.a
	install $(BUILD)/libconvoy.so $(TO)/lib/$(SONAME)
	ln -sf $(SONAME) $(TO)/lib/libconvoy.so
	install -m 644 include/convoy.h $(TO)/include/
	install -m 644 include/convoy/*.h $(TO)/include/convoy/
	@echo "$$PKGCONFIG" >$(TO)/lib/pkgconfig/convoy.pc
	install launch/convoy-run launch/guard.sh launch/slurm.sh $(TO)/share/convoy/launch/
	install -m 644 launch/processes.sh launch/leftovers.sh launch/job.sh launch/allocation.sh launch/restart.sh $(TO)/share/convoy/launch/
	sed -i 's|^prefix= .*|prefix="$(abspath $(PREFIX))"|' $(TO)/share/convoy/launch/slurm.sh
	install -m 644 launch/README.md $(TO)/share/convoy/launch/
	install -m 644 configs/*.yaml $(TO)/share/convoy/configs/
	install -m 644 configs/models/*.yaml $(TO)/share/convoy/configs/models/

clean:
	rm -rf build build-*
