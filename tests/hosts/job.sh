# A job across hosts, and what is expected of its end; sourced by run.sh and measure.sh after hosts.sh.

cd "$HOSTS_FOLDER" || exit 1
export TMPDIR=$HOSTS_FOLDER OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Daemons by our agent in ssh's place, from mpirun itself and not from each other.
export OMPI_MCA_plm=rsh OMPI_MCA_plm_rsh_agent="$here/agent.sh" OMPI_MCA_plm_rsh_no_tree_spawn=1
export OMPI_MCA_orte_tmpdir_base=/dev/shm # each host its own
export OMPI_MCA_orte_default_hostfile="$HOSTS_FOLDER/hostfile"

# ---- The experiment ----

data_set() { # FILE FIRST: 256 pictures whose bytes are the digits of the numbers from FIRST on
    seq "$2" $(($2 + 100000)) | tr -d '\n' >digits
    { printf '\0\0\10\3\0\0\1\0\0\0\0\34\0\0\0\34' && head -c $((256 * 28 * 28)) digits; } >images
    { printf '\0\0\10\1\0\0\1\0' && head -c 256 digits | tr 0-9 '\0\1\2\3\4\5\6\7\10\11'; } >labels
    "$build/convoy" data pack --format idx images labels "$1" >/dev/null
}
make_experiment() {
    data_set train.h5 1 && data_set other.h5 2
    cat >mine.yaml <<EOF
model: $root/configs/models/lenet5.yaml
data: {train: train.h5}
train: {epochs: 40, batch: 64, leaf: 8, learning_rate: 0.01}
log: {every: 10 steps}
EOF
}
for_ever=(--set train.epochs=1000000)

# ---- A job: its exit is $code, its words are in the files out and err ----

launcher=() # options of convoy-run
convoy_on() { # "HOSTS" RANKS_A_HOST COMMAND…
    local hosts=$1 each=$2 h count=0
    shift 2
    : >hostfile
    for h in $hosts; do echo "$h slots=$each" >>hostfile && count=$((count + each)); done
    "$root/launch/convoy-run" -n "$count" -t 1 "${launcher[@]}" "$build/convoy" "$@" >out 2>err &
    job=$!
}
across() { # "HOSTS" RANKS_A_HOST ARGUMENTS_OF_TRAIN…
    convoy_on "$1" "$2" train mine.yaml "${@:3}"
}
has_steps() { grep -qs '"step"' "$1/metrics.jsonl"; }
has_checkpoint() { compgen -G "$1/checkpoints/*.h5" >/dev/null; }
wait_for_steps() { until_true 30 has_steps "$1" || fail "no step after 30 s"; }
wait_for_checkpoint() { until_true 30 has_checkpoint "$1" || fail "no checkpoint after 30 s"; }
ended() { ! kill -0 "$job" 2>/dev/null; }
wait_for_end() { # [SECONDS]
    until_true "${1:-60}" ended || { fail "not ended after ${1:-60} s" && kill -9 "$job"; }
    wait "$job" 2>/dev/null
    code=$?
}

# ---- What is expected ----

fail() { echo "    $*" >>failures; }
expect_code() { [ "$code" = "$1" ] || fail "exit code $code, not $1"; }
expect_same_weights() { # RUN
    "$build/convoy" ckpt diff runs/one "$1" >diff 2>&1 || fail "$1: $(head -n 1 diff)"
}
# Besides what a run says of itself there must be one line.
expect_message() { # PATTERN
    grep -vE '^(mine: |256 samples|epoch |gradients are summed|a message between)' err >message
    [ "$(wc -l <message)" = 1 ] && grep -qE "$1" message || fail "not the one message \"$1\" but: $(tail -n 5 message)"
}
nobody() { [ -z "$(processes)" ]; }
expect_nobody_left() { # [SECONDS]
    until_true "${1:-3}" nobody || fail "left behind: $(processes | tr '\n' ' ')"
}

# A case is a function; its name says it. The next begins with nothing of it left.
run_case() {
    local began=${EPOCHREALTIME/./} pid
    rm -f failures
    "$1"
    for pid in $(processes | cut -d' ' -f1); do kill -9 "$pid" 2>/dev/null; done
    local took=$((${EPOCHREALTIME/./} - began))
    printf '  %-40s %s (%d.%d s)\n' "${1//_/ }" "$([ -e failures ] && echo FAILED || echo passed)" \
        $((took / 1000000)) $((took / 100000 % 10))
    [ ! -e failures ] || { cat failures && tail -n 5 err | sed 's/^/    | /' && return 1; }
}
