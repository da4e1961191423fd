# Processes of this host; sourced by convoy-run and its guard. mpirun is started as first of a session of its own, and
# its ranks stay in it, whoever their parent is: so none is missed.

# State, parent, group and session of a process: ${facts[0]} … ${facts[3]}.
read_facts() { # PID
    local line
    { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return
    line=${line##*) }
    read -r -a facts <<<"${line:-X}"
}

# Those of a session that are not dead: ${members[@]}.
find_members() { # SESSION
    local folder
    members=()
    for folder in /proc/[0-9]*; do
        read_facts "${folder#/proc/}" || continue
        [ "${facts[3]:-}" != "$1" ] || [ "${facts[0]}" = Z ] || members+=("${folder#/proc/}")
    done
}

# mpirun is asked first, since it alone reaches the other hosts; it has 2 s.
end_session() { # SESSION
    local i
    kill -TERM "$1" 2>/dev/null
    for ((i = 0; i < 20; i++)); do
        read_facts "$1" && [ "${facts[0]}" != Z ] || break
        sleep 0.1
    done
    kill_session "$1"
}

# Returns when they are dead: what they hold, as the lock of a run, is free then. (One in the middle of a read from a
# disk that does not answer cannot die: after 10 s it is left.)
kill_session() { # SESSION
    local i
    for ((i = 0; i < 200; i++)); do
        find_members "$1"
        [ ${#members[@]} -gt 0 ] || return
        kill -KILL "${members[@]}" 2>/dev/null
        sleep 0.05
    done
}
