#!/bin/bash
# Exposed communication of ResNet-20 across hosts: 64 samples, one rank and one thread a host, over links of a given rate.
# The hosts share this machine's processors: beyond as many hosts as there are, ranks wait for each other's time slices.
#
#   tests/hosts/measure.sh [BUILD [RATE [STEPS]]]     default: build, 10gbit, 40
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/tests/hosts}
build=$(cd "${1:-$root/build}" && pwd) || exit 2
. "$here/hosts.sh"
enter_world "$build" "${@:2}"
. "$here/job.sh"
rate=${2:-10gbit} steps=${3:-40}

start_hosts 4 && data_set train.h5 1 || exit 1
for h in h1 h2 h3 h4; do limit_rate $h "$rate"; done
row() { # "HOSTS" REDUCTION: means of the steps after the first quarter, as rank 0 saw them
    local run="runs/$2 $1"
    cat >mine.yaml <<EOF
model: {file: $root/configs/models/resnet20.yaml, size: 28, channels: 1}
data: {train: train.h5}
train: {epochs: 1000, batch: $(($(wc -w <<<"$1") * 64)), learning_rate: 0.01}
comm: {reduction: $2}
log: {every: 1 steps}
EOF
    across "$1" 1 --run "$run" --steps "$steps"
    wait_for_end 300
    [ "$code" = 0 ] || { tail -n 3 err >&2 && return 1; }
    grep '"step"' "$run/metrics.jsonl" | tail -n $((steps * 3 / 4)) | awk -v hosts="$(wc -w <<<"$1")" -v how="$2" '
        function field(name) { return match($0, "\"" name "\": *[0-9.e+-]+") ? substr($0, RSTART + length(name) + 3, RLENGTH) + 0 : 0 }
        { compute += field("compute_ms"); comm += field("comm_exposed_ms"); wait += field("data_wait_ms") + field("update_ms") }
        END { printf "| %d | %s | %.1f | %.1f | %.1f %% |\n", hosts, how, (compute + comm + wait) / NR, comm / NR, 100 * comm / (compute + comm + wait) }'
}
echo "| hosts | reduction | step ms | exposed communication ms | share |"
echo "|---|---|---|---|---|"
for hosts in h1 "h1 h2" "h1 h2 h3 h4"; do
    row "$hosts" exact
    [ "$hosts" = h1 ] || row "$hosts" fast
done
