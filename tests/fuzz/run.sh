#!/bin/sh
# Each fuzz target for FUZZ_SECONDS (60), from its committed corpus and what earlier runs kept in BUILD/fuzz/TARGET. What
# it finds is in BUILD/fuzz/found, to be run again with BUILD/fuzz-TARGET FILE. tests/fuzz/run.sh BUILD [TARGET…]
set -u
build=$1
shift
cd "$(dirname "$0")/../.." || exit 2
[ $# -gt 0 ] || set -- $(basename -s .c tests/fuzz/*.c | grep -v '^fuzz$')
found=$build/fuzz/found
# Thousands of files a second are written: to memory where there is such a folder.
[ -d /dev/shm ] && export TMPDIR="${TMPDIR:-/dev/shm}"
mkdir -p "$found"

# Words that the readers know: every name between quotes in what checks experiments and models.
grep -rhoE '"[a-z][a-z_0-9]{2,24}"' src/core src/ops src/graph src/experiment src/optim src/data | sort -u >"$build/fuzz/words"

failed=0
for target in "$@"; do
    kept=$build/fuzz/$target
    mkdir -p "$kept"
    case $target in
    yaml | experiment | model) words="-dict=$build/fuzz/words" ;;
    *) words= ;;
    esac
    # shellcheck disable=SC2086 # an option or none
    if "$build/fuzz-$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=2048 -max_len=16384 -len_control=0 $words \
        -artifact_prefix="$found/$target-" "$kept" "tests/fuzz/corpus/$target" >"$build/fuzz/$target.txt" 2>&1; then
        echo "  $target: ok, $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$build/fuzz/$target.txt")"
    else
        echo "  $target: FAILED, see $build/fuzz/$target.txt:"
        grep -m 3 -E 'ERROR|SUMMARY|does not hold|runtime error' "$build/fuzz/$target.txt"
        failed=1
    fi
done
exit $failed
