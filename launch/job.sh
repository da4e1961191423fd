# One mpirun from start to end; sourced by convoy-run.
#
# All that mpirun and the ranks say on stderr is read here, line by line, and once a second it is seen to what is due. Of convoy four kinds of lines are meant for us ("convoy: launcher: …"):
#
#     here       rank 0 has begun to run and has its handlers     together   all ranks have
#     asked      a rank was asked to stop                         step N     the first step of this start is done
#
# Results: code; because (what was lost, in words; "" where all went well), lost (its host), first_step.

mark='convoy: launcher: '
rule=$(printf '%074d' 0 | tr 0 -)
silence=5      # s that convoy lets a rank be silent, and a link be down
end_within=10  # s that mpirun has once a rank of it has ended
say_within=3   # s that it has once convoy has said why
meet_within=75 # s in which ranks must have met; convoy itself speaks after 60
exec 4>&1      # the ranks' output

# Started before any job. Other children do not get its pipe (5).
start_guard() { exec 5> >(exec setsid bash "$here/guard.sh" $$ >/dev/null 2>&1 4>&-); }

# ---- What is said ----

hear_convoy() {
    case $1 in
    here | together) phase=$1 ours=1 ;;
    asked) answered=1 ;;
    step\ *) first_step=${1#step } ;;
    esac
}
# mpirun's own: blocks between lines of dashes, and lines that begin with [host.
hear() {
    case $inside$1 in
    ?"$mark"*) hear_convoy "${1#"$mark"}" ;;
    ?"$rule") inside=$((1 - inside)) ;;
    ?"convoy: error: "*)
        # Of one loss several may speak.
        [[ -n $said && $1 == *" start again with --resume"* ]] || printf '%s\n' "$1" >&2
        said=${said:-${1#convoy: error: }}
        ends_in "$say_within"
        ;;
    *"ORTE has lost communication"*) words+=$1$'\n' && ends_in "$say_within" ;;
    0) [ -n "$ends_at" ] || echo >&2 ;; # it is mpirun's, then
    1* | "0["*:*"] "* | "0mpirun: "*) words+=$1$'\n' ;;
    *) printf '%s\n' "$1" >&2 ;;
    esac
}

# ---- What is due ----

ends_in() { [ -n "$ends_at" ] || ends_at=$((SECONDS + $1)); }
end_now() {
    [ "$ending" = 0 ] || return
    ending=1
    end_session "$job"
}
give_up() { # WHY
    because=$1 late=1
    end_now
}

# Children of mpirun that are ranks of this host: their number, and one that is stopped.
look_at_ranks() {
    local list pid
    living=0 stopped=
    for list in /proc/"$job"/task/*/children; do
        { read -r -a list <"$list"; } 2>/dev/null
        for pid in "${list[@]}"; do
            read_facts "$pid" || continue
            case ${facts[0]} in
            Z | X) continue ;;
            T | t) stopped=$pid ;;
            esac
            living=$((living + 1))
        done
    done
    [ "$living" -le "$most" ] || most=$living
    [ "$living" = 0 ] || up_at=${up_at:-$SECONDS} family=${family:-$(family_of "$job")}
}
rank_of() { tr '\0' '\n' <"/proc/$1/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p'; }

# Ranks of convoy end together; and what MPI does not notice while they meet, nobody does.
watch_ranks() {
    [ "$living" -ge "$most" ] || ends_in "$end_within"
    [ "$phase" != together ] || return
    [ -n "$stopped" ] || stopped_since=$SECONDS
    [ $((SECONDS - stopped_since)) -lt "$silence" ] ||
        give_up "rank $(rank_of "$stopped") on $HOSTNAME (process $stopped) was stopped as it started"
    [ "$own_silence" = 1 ] || [ $((SECONDS - began)) -lt "$meet_within" ] ||
        give_up "the ranks have not met for $meet_within s: a host does not answer, or one does not reach another"
}

# Before the ranks have met there is nothing to save.
pass_request() {
    asked_at=${asked_at:-$SECONDS}
    [ "$asked" -lt 2 ] || { end_now && return; }
    case $ours$phase in
    ?together) [ "$answered" = 1 ] || kill -USR1 "$job" 2>/dev/null ;;
    0) [ -z "$up_at" ] || [ "$SECONDS" -le "$up_at" ] || { kill -USR1 "$job" && sent=1; } 2>/dev/null ;;
    1*) [ $((SECONDS - asked_at)) -lt 3 ] || end_now ;;
    esac
}

# Once a second, and at a request.
tick() {
    [ "$SECONDS $asked" != "$ticked" ] || return
    ticked="$SECONDS $asked"
    look_at_ranks
    [ "$ours" = 0 ] || watch_ranks
    [ "$asked" = 0 ] && [ "$growing" = 0 ] || pass_request
    [ -z "$ends_at" ] || [ "$SECONDS" -lt "$ends_at" ] || { late=1 && end_now; }
    look_for_hosts
}

# ---- The job ----

how_to_start() { # COMMAND…: how=(ARGUMENTS OF mpirun)
    # Binding is left to the threads themselves: mpirun would bind -n 1 and -n 2 to one core each.
    how=(--bind-to none -x OMP_NUM_THREADS -x CONVOY_LAUNCHER -n "$ranks_now" "$@")
    [ -z "${CONVOY_RESTARTED:-}" ] || how=(-x CONVOY_RESTARTED "${how[@]}")
    # A daemon that gives no answer for 4 to 5 s is lost: no sooner, for a link may be down as long as convoy lets a rank
    # be silent, and no later, for what ranks say of their end would lie unanswered in the connection, and such a one is
    # not probed but kept for minutes. With a --silence of its own convoy alone decides.
    [ "$own_silence" = 1 ] || how=(--mca oob_tcp_keepalive_time 1 --mca oob_tcp_keepalive_intvl 1
        --mca oob_tcp_keepalive_probes $((silence - 1)) "${how[@]}")
    how=("${where[@]}" "${how[@]}")
}

# Until all who could speak have ended, or mpirun has, and nothing that it said is left in the pipe.
listen() {
    local line part='' status over=0
    while :; do
        IFS= read -r -t 0.2 line <&3
        status=$?
        if [ "$status" -gt 128 ]; then
            part+=$line
            [ "$over" = 0 ] || break
            kill -0 "$job" 2>/dev/null || over=1
        else
            [ -z "$part$line" ] && [ "$status" != 0 ] || hear "$part$line"
            part=''
            [ "$status" = 0 ] || break
        fi
        tick
    done
    while kill -0 "$job" 2>/dev/null; do sleep 0.1 && tick; done
}

run_job() { # COMMAND…
    local how
    code=75 because='' lost='' first_step=''
    phase='' ours=0 answered=0 sent=0 said='' words='' inside=0 late=0 ending=0 living=0 most=0 stopped=''
    ends_at='' asked_at='' up_at='' family='' ticked='' began=$SECONDS stopped_since=$SECONDS
    case ${1##*/} in convoy) ours=1 ;; esac
    case " $* " in *" --silence"*) own_silence=1 ;; *) own_silence=0 ;; esac
    how_to_start "$@"
    remove_leftovers
    [ "$asked" = 0 ] || return
    # A session of its own: else Ctrl-C would reach mpirun as well, which then kills the ranks before they have saved.
    exec 3< <(exec setsid mpirun "${how[@]}" 2>&1 1>&4 </dev/null 4>&- 5>&-)
    job=$!
    echo "$job" >&5
    listen
    wait "$job" 2>/dev/null # the shell would say "Killed"
    code=$?
    exec 3<&-
    kill_session "$job" # whoever did not notice its end
    [ -z "$family" ] || remove_memory "$family"
    judge
}

# ---- What became of it ----

ended_by_ranks() { [[ $words == *"Primary job  terminated normally"* || $words == *"Primary job terminated normally"* ]]; }
# What was lost, as far as convoy and mpirun know.
explain() {
    local who='' by_name='(^|: )rank [0-9]+ on ([^ ,]+) (has been silent|was lost)'
    if [[ $words =~ "Remote daemon: "[^$'\n']*" on node "([^ $'\n']+) ]]; then
        lost=${BASH_REMATCH[1]} because="host $lost was lost: it is down, or its link; look there"
    elif [[ $words =~ "process "(rank [0-9]+)" "[^$'\n']*" on node "([^ $'\n']+)" exited on signal" ]]; then
        lost=${BASH_REMATCH[2]} who="${BASH_REMATCH[1]} on $lost"
    elif ended_by_ranks; then
        who='a rank'
    fi
    if [[ $said =~ $by_name ]]; then lost=${BASH_REMATCH[2]}; fi
    [ -z "$said" ] || because=${said%%; look there*}
    [ -z "$because" ] || return
    case $code in
    137) because="${who:-mpirun} was killed (signal 9)${who:+: out of memory, or by hand}" ;;
    13[0-9] | 14[0-9] | 15[0-9]) because="${who:-mpirun} ended by signal $((code - 128))" ;;
    205) because="a host or its link was lost" ;;
    esac
}
# A job that was asked to stop and had nothing to save ends in many ways: 138 and 143 are ranks that had no handlers yet,
# 244 and 1 mpirun, 0 mpirun while it started its daemons.
was_stopped() {
    [ "$asked" -gt 0 ] || [ "$growing" = 1 ] || return
    [ "$late" = 0 ] && [ "$ending" = 1 ] && return
    case $phase:$code in
    together:0 | *:[1-6]) return 1 ;;
    *:0) [ "$ours$sent" != 00 ] ;;
    esac
}
judge() {
    if was_stopped; then
        code=75
        return
    fi
    [ "$code" = 75 ] || explain
    if [ "$code" = 205 ] || [ "$late" = 1 ]; then code=6; fi
}
say_end() {
    if [ "$code" = 75 ]; then
        [ "$ours" = 0 ] || [ "$phase" = together ] ||
            echo "$name: stopped before a step was done; go on with the same command" >&2
    elif [ -z "$said" ] && [ -n "$because" ]; then
        echo "$name: $because; go on with --resume" >&2
    elif [ -z "$said" ] && [ "$code" != 0 ] && ! ended_by_ranks; then
        printf '%s' "$words" >&2
    fi
}
