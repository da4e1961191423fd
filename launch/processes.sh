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

# At most so many tenths of a second.
wait_for_members_to_end() { # SESSION TENTHS
    local i
    for ((i = 0; i < $2; i++)); do
        find_members "$1"
        [ ${#members[@]} -gt 0 ] || return 0
        sleep 0.1
    done
    return 1
}

# mpirun is asked first, since it alone reaches the other hosts.
end_session() { # SESSION
    kill -TERM "$1" 2>/dev/null && wait_for_members_to_end "$1" 20 && return
    kill_session "$1"
}
kill_session() { # SESSION: one that forks meanwhile is met at the second look
    local again
    for again in 1 2; do
        find_members "$1"
        [ ${#members[@]} -eq 0 ] || kill -KILL "${members[@]}" 2>/dev/null
    done
}

remove_leftovers() { :; }
