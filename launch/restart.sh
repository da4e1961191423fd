# Starting again after a fault, and on which hosts; sourced by convoy-run.

# What is worth another start: the last checkpoint holds, and the next start may meet no such fault. All else is final:
# done, asked to stop, or what would come again (usage, data, no checkpoint, diverged).
declare -A passing=(
    [6]='a rank or the network was lost'
    [134]='a rank was aborted'
    [135]='a rank had no memory to map'
    [137]='a rank was killed'
    [139]='a rank met bad memory'
    [143]='a rank was terminated'
)
look_every=$((away < 30 ? away : 30)) # s between two looks for hosts that were left out
answer_within=10 # s in which such a one must answer
longest_pause=60 # s

# ---- Hosts that are left out ----

failed=() out_until=() # of each host: how often, and the second until which it is left out ("": it is in)
ranks_now='' growing=0 looked=0 looking=''

short() { echo "${1%%.*}"; }
index_of() { # HOST
    local i
    for i in "${!host[@]}"; do
        [ "$(short "${host[i]}")" != "$(short "$1")" ] || { echo "$i" && return; }
    done
}
answers() { # INDEX
    timeout -k 1 "$answer_within" mpirun -q --host "${host[$1]}:1" -n 1 true </dev/null >/dev/null 2>&1 5>&-
}
leave_out() { # INDEX SECONDS WHY
    out_until[$1]=$((SECONDS + $2))
    echo "$name: host ${host[$1]} is left out: $3" >&2
}
hosts_in() {
    local i
    for i in "${!host[@]}"; do [ -n "${out_until[i]:-}" ] || echo "$i"; done
}

# After a fault of a host. The last one is never left out.
blame() { # HOST
    local i
    i=$(index_of "$1")
    [ -n "$i" ] && [ "$(hosts_in | wc -l)" -gt 1 ] || return
    failed[i]=$((${failed[i]:-0} + 1))
    if ! answers "$i"; then
        leave_out "$i" 0 "it does not answer"
    elif [ "${failed[i]}" -ge 2 ]; then
        failed[i]=0
        leave_out "$i" "$away" "it failed twice; it is taken back in $away s"
    fi
}

# While a job runs on fewer hosts: once one is back, the job is asked for a checkpoint and starts again on more.
look_for_hosts() {
    local i
    if [ -n "$looking" ]; then
        kill -0 "$looking" 2>/dev/null && return
        wait "$looking" && growing=1
        looking=''
    elif [ "$growing" = 0 ] && [ $((SECONDS - looked)) -ge "$look_every" ] && [ "$phase" = together ]; then
        looked=$SECONDS
        for i in "${!out_until[@]}"; do
            if [ -n "${out_until[i]}" ] && [ "$SECONDS" -ge "${out_until[i]}" ]; then
                answers "$i" &
                looking=$!
                return
            fi
        done
    fi
}
take_back() {
    local i
    for i in "${!out_until[@]}"; do
        [ -n "${out_until[i]}" ] && [ "$SECONDS" -ge "${out_until[i]}" ] && answers "$i" || continue
        out_until[i]=''
        echo "$name: host ${host[i]} is back" >&2
    done
}

# ranks_now, and `where` with the hosts that are in.
place_ranks() {
    local i list='' in
    in=$(hosts_in)
    ranks_now=$ranks where=("${everywhere[@]}")
    [ "$(wc -w <<<"$in")" -lt ${#host[@]} ] || return
    # shellcheck disable=SC2086
    i=$(all_slots $in)
    [ "$i" -ge "$ranks" ] || ranks_now=$i
    for i in $in; do list+=${list:+,}${host[i]}:${slots[i]}; done
    where+=(--host "$list")
}

# ---- Until it is done ----

worth_another() { [ -n "${passing[$code]:-}" ] && [ "$asked" = 0 ] && [ "$row" -lt "$restarts" ]; }

# A start that came further than the one before begins a new row of faults.
count_fault() {
    [ -n "$first_step" ] && [ -n "$came_to" ] && [ "$first_step" -gt "$came_to" ] && row=0
    [ -z "$first_step" ] || came_to=$first_step
}
pause() { # none, 1 s, 2 s, 4 s …
    local left=$((row == 1 ? 0 : 1 << (row - 2)))
    [ "$left" -le "$longest_pause" ] && [ "$row" -lt 16 ] || left=$longest_pause
    while [ "$left" -gt 0 ] && [ "$asked" = 0 ]; do sleep 1 && left=$((left - 1)); done
}

# For log and metrics of the run, until a start has come so far as to write them.
note() { # TEXT
    [ -z "$first_step" ] || reasons=''
    reasons+=${reasons:+$'\n'}$1
    export CONVOY_RESTARTED=$reasons
    echo "$name: $1" >&2
}

say_limit() {
    [ "$row" = 0 ] || [ "$row" -lt "$restarts" ] || [ -z "${passing[$code]:-}" ] ||
        echo "$name: restarts in a row that came no further: $row, the limit; see what is said above" >&2
}

until_done() { # COMMAND…
    local row=0 count=0 came_to='' reasons=${CONVOY_RESTARTED:-} everywhere=("${where[@]}")
    while :; do
        growing=0
        place_ranks
        run_job "$@"
        if [ "$code" = 75 ] && [ "$growing" = 1 ] && [ "$asked" = 0 ]; then
            because='a host is back'
        else
            count_fault
            worth_another || { say_limit && break; }
            row=$((row + 1))
        fi
        count=$((count + 1))
        note "restart $count: ${because:-${passing[$code]:-}}"
        [ -z "$lost" ] || blame "$lost"
        pause
        take_back
    done
    say_end
}
