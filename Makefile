# Convoy. Words: make [all], demo, test, bench, lint, format, deps, golden, install, clean.
# Settings: DEBUG=1, SAN=address|undefined|thread, CC=clang, PREFIX=/usr/local, DESTDIR=, BUILD=folder, DATA=folder.

# ---- Settings ----------------------------------------------------------------------------------------------------
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX  ?= /usr/local
DATA    ?= /usr/share/datasets/fashion-mnist
BUILD   ?= build$(if $(SAN),-$(SAN))$(if $(DEBUG),-debug)
VERSION := 0.1.0
ARCH    := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
ROOT    := $(CURDIR)

# ---- Libraries ---------------------------------------------------------------------------------------------------
# Not evaluated for words that do not compile, so that these work on a bare machine.
ifneq ($(filter-out deps clean format,$(or $(MAKECMDGOALS),all)),)
PC       = $(shell pkg-config $(1) $(2) 2>/dev/null)
HDF5    := $(firstword $(foreach p,hdf5-serial hdf5,$(if $(call PC,--exists --print-errors,$(p) && echo yes),$(p))))
MPI_INC := $(or $(call PC,--cflags,ompi-c),$(shell mpicc --showme:compile 2>/dev/null))
MPI_LIB := $(or $(call PC,--libs,ompi-c),$(shell mpicc --showme:link 2>/dev/null))
INC     := $(call PC,--cflags,$(HDF5) openblas yaml-0.1 libxxhash zlib libpng libjpeg) $(MPI_INC)
LIBS    := $(call PC,--libs,$(HDF5)) $(call PC,--libs,openblas yaml-0.1 zlib libpng libjpeg) $(MPI_LIB) -lm -lpthread
endif

# ---- Flags -------------------------------------------------------------------------------------------------------
WARN    := -Wall -Wextra -Wmissing-prototypes -Wvla
# Bits must not depend on what a compiler finds clever: no contraction, no fast-math; fused multiply-adds are written.
NUMERIC := -ffp-contract=off -fno-math-errno
OPT     := $(if $(DEBUG),-O0 -g -DCVY_DEBUG,-O2 -g -DNDEBUG)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(filter undefined,$(SAN)),-fno-sanitize-recover=all))
CFLAGS  += -std=c11 $(OPT) $(WARN) $(NUMERIC) $(SANFLAG) -fPIC -pthread -fvisibility=hidden
CPPFLAGS += -Iinclude -Isrc $(INC) -DCVY_VERSION='"$(VERSION)"'
LDFLAGS += $(SANFLAG) -pthread
# Only the files that are named after an ISA level get its flags.
%_avx2.o:   ISAFLAGS := -mavx2 -mfma
%_avx512.o: ISAFLAGS := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mprefer-vector-width=512

# ---- Sources -----------------------------------------------------------------------------------------------------
FOREIGN := $(if $(filter x86_64,$(ARCH)),%_neon.c,%_avx2.c %_avx512.c $(if $(filter aarch64,$(ARCH)),,%_neon.c))
LIB_SRC := $(filter-out $(FOREIGN),$(wildcard $(patsubst %,src/%/*.c,core kernels io ops data comm graph optim train)))
CLI_SRC := $(wildcard src/cli/*.c)
TEST_SRC := $(wildcard tests/*.c tests/unit/*.c tests/mpi/*.c tests/e2e/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/%.o)

# ---- Building ----------------------------------------------------------------------------------------------------
.PHONY: all demo test unit bench lint format deps golden install clean
all: deps
	@$(MAKE) --no-print-directory $(BUILD)/convoy $(BUILD)/libconvoy.so

$(BUILD)/convoy: $(CLI_OBJ) $(BUILD)/libconvoy.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/libconvoy.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/libconvoy.so: $(LIB_OBJ)
	$(CC) $(LDFLAGS) -shared -Wl,-soname,libconvoy.so.0 -o $@ $^ $(LIBS)
$(BUILD)/convoy-tests: $(TEST_OBJ) $(BUILD)/libconvoy.a
	$(CC) $(LDFLAGS) -o $@ $^ -lcunit $(LIBS)
$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(ISAFLAGS) $(if $(filter tests/%,$<),-Itests -DCVY_TEST_ROOT='"$(ROOT)"') -MMD -MP -c -o $@ $<
-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_OBJ:.o=.d)

# ---- Packages ----------------------------------------------------------------------------------------------------
deps:
	@launch/deps.sh

# ---- Tests and checks --------------------------------------------------------------------------------------------
test: all
	@$(MAKE) --no-print-directory $(BUILD)/convoy-tests
	$(BUILD)/convoy-tests
unit: all
	@$(MAKE) --no-print-directory $(BUILD)/convoy-tests
	$(BUILD)/convoy-tests --unit

clean:
	rm -rf build build-*
