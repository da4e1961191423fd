# What Open MPI leaves where it is killed: a folder for each mpirun, named by its PID, and 4 MiB a rank in /dev/shm, named
# by the job, whose number the folder tells. Removed is what is this user's, of this host, and of an mpirun that is dead.
# Sourced by convoy-run.

sessions=${OMPI_MCA_orte_tmpdir_base:-${TMPDIR:-${TEMP:-${TMP:-/tmp}}}}/ompi.$HOSTNAME.$UID

# "741933056.0;tcp://…" → 2c39, by which the names of all its jobs begin; nothing where there is no such file.
family_of() { # PID OF mpirun
    local number
    { IFS=. read -r number _ <"$sessions/pid.$1/contact.txt"; } 2>/dev/null || return
    case $number in '' | *[!0-9]*) ;; *) printf '%x' $((number >> 16)) ;; esac
}
remove_memory() { # FAMILY
    local file
    for file in /dev/shm/vader_segment."$HOSTNAME.$UID.$1"????.* /dev/shm/osc_sm."$HOSTNAME.$1"????.*; do
        [ ! -O "$file" ] || rm -f "$file"
    done
}
remove_leftovers() {
    local folder pid family
    for folder in "$sessions"/pid.[0-9]*; do
        pid=${folder##*.}
        [ -O "$folder" ] && [ ! -L "$folder" ] && [ ! -e "/proc/$pid" ] || continue
        family=$(family_of "$pid")
        [ -z "$family" ] || remove_memory "$family"
        rm -rf "$folder"
    done
}
