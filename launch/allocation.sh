# What the batch system gives, else this host; sourced by convoy-run.
#
# Sets ranks and threads where they were not given, and the hosts with their slots: host[], slots[] (none: not known).

host=() slots=()

add_slots() { # HOST SLOTS
    local i
    for i in "${!host[@]}"; do
        [ "${host[i]}" != "$1" ] || { slots[i]=$((slots[i] + $2)) && return; }
    done
    host+=("$1") slots+=("$2")
}
# A line a slot: PBS, LSF.
read_lines() { while read -r line _; do add_slots "$line" 1; done <"$1"; }
# "host slots queue processors": Grid Engine.
read_columns() { while read -r line count _; do add_slots "$line" "$count"; done <"$1"; }
# "host slots=2", as mpirun reads it.
read_hostfile() {
    while read -r line count _; do
        case $line in '' | '#'*) continue ;; esac
        case $count in slots=*) add_slots "$line" "${count#slots=}" ;; *) add_slots "$line" 1 ;; esac
    done <"$1"
}
# "2(x3),1": Slurm's tasks of each node.
read_slurm() {
    local node part times of=()
    for part in $(tr , ' ' <<<"${SLURM_TASKS_PER_NODE:-1}"); do
        times=1
        case $part in *x*) times=${part#*x} && times=${times%)} ;; esac
        while [ "$times" -gt 0 ]; do of+=("${part%%(*}") times=$((times - 1)); done
    done
    for node in $(scontrol show hostnames "${SLURM_JOB_NODELIST:-}" 2>/dev/null); do
        add_slots "$node" "${of[${#host[@]}]:-1}"
    done
}

all_slots() { # INDEX…
    local i sum=0
    for i; do sum=$((sum + slots[i])); done
    echo "$sum"
}

# where=(…): how mpirun learns of them.
find_allocation() {
    local line count given=${OMPI_MCA_orte_default_hostfile:-} on=1
    where=()
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        read_slurm
        ranks=${ranks:-${SLURM_NTASKS:-}}
        on=${SLURM_JOB_NUM_NODES:-1}
        threads=${threads:-${SLURM_CPUS_PER_TASK:-}}
    elif [ -n "${PBS_NODEFILE:-}" ]; then
        read_lines "$PBS_NODEFILE"
        where=(--hostfile "$PBS_NODEFILE") # for builds of Open MPI that do not speak to PBS
        ranks=${ranks:-$(all_slots "${!host[@]}")}
    elif [ -n "${LSB_DJOB_HOSTFILE:-}" ]; then
        read_lines "$LSB_DJOB_HOSTFILE"
        where=(--hostfile "$LSB_DJOB_HOSTFILE")
        ranks=${ranks:-$(all_slots "${!host[@]}")}
    elif [ -n "${PE_HOSTFILE:-}" ]; then
        read_columns "$PE_HOSTFILE" # mpirun reads it by itself
        ranks=${ranks:-$(all_slots "${!host[@]}")}
    else
        [ ! -r "$given" ] || read_hostfile "$given"
        where=(--oversubscribe) # slots are physical cores; ranks may share them
    fi
    [ ${#host[@]} -le "$on" ] || on=${#host[@]}
    if [ -z "$ranks" ]; then
        ranks=0
        for line in /sys/devices/system/node/node[0-9]*; do ranks=$((ranks + 1)); done
    fi
    [ "$on" -le "$ranks" ] || on=$ranks
    count=$(((ranks + on - 1) / on)) # of a host
    if [ -z "$threads" ]; then
        threads=$(($(nproc) / count))
        [ "$threads" -ge 1 ] || threads=1
    fi
}
