#!/bin/sh
# One test cycle while one works (`make test-quick`): unit suites, a process each, as many at a time as there are
# processors. Those that take seconds wait until something in the rooms that they look at changed since the last cycle
# that passed; the rest, a tenth of a second each, always run. tests/quick.sh BUILD
set -u
build=$1
passed=$build/quick.passed
cd "$(dirname "$0")/.." || exit 2

# Suites of more than a second, the longest first, and the rooms whose changes wake them.
slow='kernels: core kernels
bf16: core kernels
leaves: ops graph
io_dataset: io
io_ckpt: io
io_hdf5: io
ops: kernels ops
guest: api train comm'

changed() { # ROOM…
    [ -e "$passed" ] || return 0
    for room in "$@"; do
        [ -z "$(find "src/$room" "tests/unit/$room" -newer "$passed" -name '*.[ch]' | head -1)" ] || return 0
    done
    return 1
}

all=$(sed -n '/define UNIT_SUITES/,/define MPI_SUITES/s/^ *X(\([a-z0-9_]*\)).*/\1/p' tests/suites.h)
chosen() {
    echo "$slow" | while IFS=: read -r suite rooms; do
        # shellcheck disable=SC2086 # names, separated by blanks
        if changed $rooms; then echo "$suite"; fi
    done
    for suite in $all; do
        echo "$slow" | grep -q "^$suite:" || echo "$suite"
    done
}

run() { # SUITE: silent where it passes
    if said=$("$build/convoy-tests" "$1" 2>&1); then return 0; fi
    echo "$said"
    echo "  $1 failed; again: $build/convoy-tests $1"
    return 1
}

[ $# -gt 1 ] && { run "$2"; exit; }
begun=$build/quick.begun
touch "$begun"
suites=$(chosen)
echo "$suites" | xargs -n 1 -P "$(nproc)" tests/quick.sh "$build" || exit 1
mv "$begun" "$passed"
echo "  $(echo "$suites" | wc -l) of $(echo "$all" | wc -l) unit suites passed (make unit: all of them)"
