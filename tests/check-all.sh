#!/bin/sh
# Everything that takes too long for every change, one step after the other; a step that fails does not end it. What each
# said is in build-check/STEP.txt. About an hour on two processors. tests/check-all.sh [STEP…]
set -u
cd "$(dirname "$0")/.." || exit 2
said=build-check
mkdir -p "$said"
jobs=-j$(nproc)

# Each step is a function of this name.
steps='address undefined threads clang portable avx2 aarch64'

built() { # BUILD, settings of make
    build=$1
    shift
    make "$jobs" BUILD="$build" "$@" "$build/convoy-tests"
}
address() { built build-address SAN=address && build-address/convoy-tests --unit; }
undefined() { built build-undefined SAN=undefined && build-undefined/convoy-tests --unit; }
# Whatever has threads or messages: the pool, the loader, the writer of metrics, the exchange.
threads() {
    built build-thread SAN=thread &&
        TSAN_OPTIONS="history_size=7 suppressions=$PWD/tests/tsan.txt" build-thread/convoy-tests core data_sampler \
            data_augment data_loader data_split tree partials norm guest metrics comm exchange exchange_passes
}
clang() { make "$jobs" CC=clang BUILD=build-clang built build-clang/convoy-tests && build-clang/convoy-tests core ops graph golden; }
level() { # of the instruction set: what the processor at hand would never take
    built build && CONVOY_ISA=$1 build/convoy-tests kernels kernels_loops bf16 ops convolution golden_ops native
}
portable() { level portable; }
avx2() { level avx2; }
# Compiled, not linked: the libraries' headers are the host's.
aarch64() {
    launch/deps.sh cross &&
        make "$jobs" CC=aarch64-linux-gnu-gcc BUILD=build-aarch64 objects \
            CPPFLAGS="-idirafter /usr/include -idirafter /usr/include/$(gcc -dumpmachine)"
}

failed=
for step in ${*:-$steps}; do
    begun=$(date +%s)
    if "$step" >"$said/$step.txt" 2>&1; then
        echo "  $step: ok, $(($(date +%s) - begun)) s"
    else
        echo "  $step: FAILED, see $said/$step.txt"
        failed="$failed $step"
    fi
done
if [ -n "$failed" ]; then
    echo "failed:$failed"
    exit 1
fi
echo "all ok"
