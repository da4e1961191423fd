#!/bin/sh
# What Convoy needs of a system: silent where all is there; on Debian with root (or sudo that asks for no password)
# installs what is missing; elsewhere says what is missing, by the names used on Debian, RHEL-like systems, Spack and
# environment modules, and fails.
#
#   launch/deps.sh [build] [lint] [fuzz] [cross] [hosts] [scale] [data]     groups; none: build; `data` alone never fails
#
# A row: group | probe | Debian | RHEL-like (EPEL, CRB) | Spack | module. A probe is "kind:name,name": any one suffices.
set -u
CC=${CC:-gcc} CC=${CC%% *}
PACKAGED=/usr/share/datasets/fashion-mnist
DATA=${DATA:-$PACKAGED}

rows() {
    cat <<TABLE
build|compiler:-|$CC libc6-dev|$CC|$CC|$CC
build|program:make,gmake|make|make|gmake|-
build|program:pkg-config,pkgconf|pkg-config|pkgconf-pkg-config|pkgconf|-
build|program:mpirun|openmpi-bin|openmpi|openmpi|openmpi
build|mpi:-|libopenmpi-dev|openmpi-devel|openmpi|openmpi
build|library:hdf5-serial,hdf5|libhdf5-dev|hdf5-devel|hdf5 ~mpi|hdf5
build|library:openblas|libopenblas-openmp-dev|openblas-devel|openblas threads=openmp|openblas
build|library:cunit|libcunit1-dev|CUnit-devel|cunit|-
build|library:yaml-0.1|libyaml-dev|libyaml-devel|libyaml|-
build|library:libxxhash|libxxhash-dev|xxhash-devel|xxhash|-
build|library:zlib|zlib1g-dev|zlib-devel|zlib|-
build|library:libpng|libpng-dev|libpng-devel|libpng|-
build|library:libjpeg|libjpeg62-turbo-dev|libjpeg-turbo-devel|libjpeg-turbo|-
lint|program:clang-format|clang-format|clang-tools-extra|llvm +clang|llvm
lint|program:clang-tidy|clang clang-tidy|clang-tools-extra|llvm +clang|llvm
lint|program:cppcheck|cppcheck|cppcheck|cppcheck|-
cross|program:aarch64-linux-gnu-gcc|gcc-aarch64-linux-gnu libc6-dev-arm64-cross|gcc-aarch64-linux-gnu|-|-
fuzz|program:clang|clang|clang compiler-rt|llvm +clang|llvm
fuzz|fuzzer:-|libclang-rt-dev|compiler-rt|llvm +clang|llvm
hosts|program:ip|iproute2|iproute|-|-
hosts|program:tc|iproute2|iproute-tc|-|-
hosts|program:nft|nftables|nftables|-|-
scale|program:smpicc|libsimgrid-dev|-|simgrid +smpi|-
data|images:-|dataset-fashion-mnist|-|-|-
TABLE
}

# ---- Probes: the name of the kind, called with each of the row's names in turn ----

has_program() { command -v "$1" >/dev/null; }
has_library() { pkg-config --exists "$1" 2>/dev/null; }
has_compiler() { command -v "$CC" >/dev/null; }
has_mpi() { has_library ompi-c || mpicc --showme:compile >/dev/null 2>&1; }
# clang with its run-time libraries: a program of one empty function links.
has_fuzzer() {
    program=$(mktemp)
    echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
        clang -fsanitize=fuzzer,address -x c -o "$program" - 2>/dev/null
    linked=$?
    rm -f "$program"
    return $linked
}
# A folder that the user names is the user's.
has_images() { [ "$DATA" != "$PACKAGED" ] || [ -e "$DATA/train-images-idx3-ubyte.gz" ]; }

present() { # kind:name,name
    kind=${1%%:*} tried=${1#*:}
    IFS=,
    for name in $tried; do
        "has_$kind" "$name" && unset IFS && return 0
    done
    unset IFS
    return 1
}

# Rows of the wanted groups that are missing.
missing() {
    rows | while IFS='|' read -r group probe names; do
        case " $groups " in *" $group "*) present "$probe" || echo "$names" ;; esac
    done
}

# ---- Installing ----

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null && [ -e /etc/debian_version ] &&
        { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

install() {
    packages=$(echo "$lacking" | cut -d'|' -f1 | tr '\n' ' ')
    echo "installing: $packages" >&2
    # shellcheck disable=SC2086 # names, separated by blanks
    as_root apt-get update -qq >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
}

report() {
    {
        echo "These are missing, and cannot be installed from here:"
        { echo "Debian|RHEL-like|Spack|module" && echo "$lacking"; } |
            awk -F'|' '{ printf "  %-24s %-24s %-24s %s\n", $1, $2, $3, $4 }'
        echo "Install or load them by one of these names, then try again."
    } >&2
}

groups=${*:-build}
lacking=$(missing)
[ -z "$lacking" ] && exit 0
can_install && install && lacking=$(missing)
[ -z "$lacking" ] && exit 0
[ "$groups" = data ] && exit 0 # optional: launch/demo.sh says where the data is published
report
exit 2
