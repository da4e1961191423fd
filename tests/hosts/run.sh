#!/bin/bash
# Trains across several hosts over TCP, and lets hosts, links and ranks fail meanwhile. The hosts are namespaces of this
# machine (hosts.sh). Needs no network, leaves nothing behind.
#
#   tests/hosts/run.sh [BUILD [CASE…]]     all cases of the list at the end, or these
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/tests/hosts}
build=$(cd "${1:-$root/build}" && pwd) || exit 2
[ $# = 0 ] || shift
. "$here/hosts.sh"
enter_world "$build" "$@"
. "$here/job.sh"

# ---- The same bits ----

same_bits() {
    local layout
    for layout in "h1 h2:1" "h1 h2:2" "h1 h2 h3 h4:1" "h1 h2 h3 h4:2"; do
        across "${layout%:*}" "${layout#*:}" --run "runs/$layout"
        wait_for_end
        expect_code 0
        expect_same_weights "runs/$layout"
    done
}

slow_network_that_loses_packets() {
    local h
    for h in h1 h2; do limit_rate $h 100mbit && lose_packets $h 2 || fail "no limit or loss could be set"; done
    across "h1 h2" 1 --run runs/lossy
    wait_for_end
    expect_code 0
    expect_same_weights runs/lossy
    for h in h1 h2; do unlimit $h; done
}

# 4 MiB take 336 ms over a link of 100 Mbit/s, or 60 ms less where it lets bursts of 256 KB through at both ends; ranks of
# a host are not bound by it.
messages_are_measured() {
    local h
    for h in h1 h2; do limit_rate $h 100mbit || fail "no limit could be set"; done
    convoy_on "h1 h2" 2 bench --network --time 4s --json
    wait_for_end
    for h in h1 h2; do unlimit $h; done
    expect_code 0
    local times=$(grep -oE '"bytes":4194304,"us":[0-9.]+' out | sed 's/.*://' | tr '\n' ' ')
    awk '{ exit !($1 < 100e3 && $2 > 200e3) }' <<<"$times" || fail "4 MiB took $times µs"
    grep -q '{"ranks":4,"hosts":2,"node":{"pairs":2,.*"across":{"pairs":1,' out || fail "other pairs: $(cat out)"
}

# ---- What is not alike ----

other_data_on_one_host() {
    on h2 "mount --bind $HOSTS_FOLDER/other.h5 $HOSTS_FOLDER/train.h5"
    across "h1 h2 h3" 1 --run runs/other
    wait_for_end
    on h2 "umount $HOSTS_FOLDER/train.h5"
    expect_code 3
    expect_message "^convoy: error: rank 1 on h2: .*train.h5 has .*rank 0 \(h1\)"
    [ ! -s runs/other/metrics.jsonl ] || fail "it had begun to train"
}

# ---- What fails meanwhile ----

a_link_that_is_down_for_2_s() {
    across "h1 h2 h3" 1 --run runs/break
    wait_for_steps runs/break
    cut_link h3
    ! ended || fail "it had ended before the link was down"
    sleep 2
    mend_link h3
    wait_for_end 60
    expect_code 0
    expect_same_weights runs/break
}

cut_off() { # hK
    across "h1 h2 h3" 1 --run "runs/cut $1" "${for_ever[@]}"
    wait_for_steps "runs/cut $1"
    cut_link "$1"
    wait_for_end 10
    expect_code 6
    expect_message "^convoy.*$1 .*(silent|lost)"
    mend_link "$1" # what cannot be reached ends then at the latest
    expect_nobody_left 15
}
a_host_that_is_cut_off() { cut_off h2; }
the_host_of_rank_0_cut_off() { cut_off h1; }

a_host_that_dies() {
    across "h1 h2 h3" 1 --run runs/dies --set checkpoint.every="10 steps"
    wait_for_checkpoint runs/dies
    kill_host h2
    wait_for_end 10
    expect_code 6
    expect_message "^convoy.*h2 .*(silent|lost)"
    expect_nobody_left
    across "h1 h3" 2 --run runs/dies --resume # without it, to the same end
    wait_for_end 60
    expect_code 0
    expect_same_weights runs/dies
    start_host h2
}

a_host_that_is_frozen() {
    across "h1 h2 h3" 1 --run runs/frozen "${for_ever[@]}"
    wait_for_steps runs/frozen
    on h2 "kill -STOP -1"
    wait_for_end 10
    expect_code 6
    expect_message "^convoy: error: .*rank 1 on h2 has been silent"
    on h2 "kill -CONT -1"
    expect_nobody_left
}

a_rank_that_is_killed() {
    across "h1 h2 h3" 1 --run runs/killed "${for_ever[@]}"
    wait_for_steps runs/killed
    on h3 "kill -9 \$(grep -lx convoy /proc/[0-9]*/comm | sed s/[^0-9]//g)"
    wait_for_end 10
    expect_code 137
    expect_message "^convoy-run: rank 2 on h3 was killed"
    expect_nobody_left
}

mpirun_that_is_killed() {
    across "h1 h2 h3" 1 --run runs/mpirun "${for_ever[@]}"
    wait_for_steps runs/mpirun
    kill -9 "$(processes | sed -n 's/ mpirun//p')"
    wait_for_end 10
    expect_code 137
    expect_message "^convoy-run: mpirun was killed"
    expect_nobody_left
}

# ---- Requests, and starts after faults ----

requests_at_any_moment() { # before daemons, ranks and handlers are there, and after
    local ms
    for ms in 50 150 250 400 700 1200; do
        across "h1 h2 h3" 1 --run "runs/asked $ms" --resume
        sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
        kill -TERM "$job"
        wait_for_end 15
        expect_code 75
        expect_nobody_left
    done
    across "h1 h2 h3" 1 --run "runs/asked 1200" --resume
    wait_for_end
    expect_code 0
    expect_same_weights "runs/asked 1200"
}

the_launcher_that_is_killed() {
    across "h1 h2 h3" 1 --run runs/launcher "${for_ever[@]}"
    wait_for_steps runs/launcher
    kill -9 "$job"
    wait "$job" 2>/dev/null
    expect_nobody_left 10
}

restarts_without_a_host_and_with_it_again() {
    launcher=(--restarts 5 --away 2)
    across "h1 h2 h3" 1 --run runs/restarts --resume --set train.epochs=3000 --set checkpoint.every="100 steps"
    wait_for_checkpoint runs/restarts
    kill_host h2
    until_true 30 grep -q '"ranks":2' runs/restarts/metrics.jsonl || fail "it did not go on with two ranks"
    start_host h2
    until_true 60 grep -q "restart 2: a host is back" err || fail "it did not grow again"
    wait_for_end 120
    launcher=()
    expect_code 0
    [ "$(grep -c '"ranks":3' runs/restarts/metrics.jsonl)" = 2 ] || fail "it did not end on three ranks"
    [ "$(grep -c '"event":"restart"' runs/restarts/metrics.jsonl)" = 2 ] || fail "not two restarts in the metrics"
    across h1 1 --run runs/alone --set train.epochs=3000
    wait_for_end 120
    "$build/convoy" ckpt diff runs/alone runs/restarts >diff 2>&1 || fail "$(head -n 1 diff)"
}

# ---- The list ----

cases='same_bits slow_network_that_loses_packets messages_are_measured other_data_on_one_host a_link_that_is_down_for_2_s a_host_that_is_cut_off
the_host_of_rank_0_cut_off a_host_that_dies a_host_that_is_frozen a_rank_that_is_killed mpirun_that_is_killed
requests_at_any_moment the_launcher_that_is_killed restarts_without_a_host_and_with_it_again'
start_hosts 4 || exit 1
make_experiment
across h1 1 --run runs/one && wait_for_end 60
[ "$code" = 0 ] || { cat err >&2; exit 1; }
failed=0
for case in ${*:-$cases}; do run_case "$case" || failed=$((failed + 1)); done
[ "$failed" = 0 ] || echo "$failed failed"
exit $((failed > 0))
