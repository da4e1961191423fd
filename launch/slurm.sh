#!/bin/bash
# A Slurm job that trains until it is done, however many jobs that takes: submit this one text once,
#
#     sbatch launch/slurm.sh my-experiment.yaml [--set train.batch=512 ...]
#
# Two minutes before the time limit (and at a pre-emption that warns) Slurm sends USR1 to this script; it passes it on,
# convoy writes a checkpoint and exits 75, and the job goes back into the queue; its next run goes on from there.
#
# Each task of an array is a run of its own: %a in an argument is the task's number, and the run's folder ends in it:
#
#     sbatch --array=1-5 launch/slurm.sh my-experiment.yaml --set seed=%a          runs/my-experiment-1 … -5
#
# ---- Change these to your allocation ----
#SBATCH --job-name=convoy
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
##SBATCH --partition=cpu
##SBATCH --account=project
# ---- These make the chain of jobs ----
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=convoy-%j.log

# The modules that convoy needs:
# module load openmpi hdf5 openblas

prefix= # make install puts its PREFIX here

early=0 # a request that comes before convoy-run is there is kept for it
trap 'early=1' USR1 TERM

if [ $# -lt 1 ]; then
    echo "usage: sbatch $0 EXPERIMENT.yaml [OPTIONS OF convoy train]" >&2
    exit 2
fi

# ---- Where convoy and convoy-run are: as CONVOY and CONVOY_RUN say, else installed, else in the clone of this script.
# What Slurm runs is a copy of it elsewhere; where it was submitted from, Slurm knows.
script=$0
job=${SLURM_JOB_ID:-}
# The last task of an array has the number of the whole: by that all of them would be queued again.
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
fact() { # of this job, as Slurm shows it
    [ -z "$job" ] || scontrol show job "$job" 2>/dev/null | sed -n "s/^.*\\b$1=\\([^ ]*\\).*/\\1/p" | head -n 1
}
submitted=$(fact Command)
[ ! -f "$submitted" ] || script=$submitted
here=$(cd "$(dirname "$script")" && pwd) || exit 2
cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
first_of() {
    for path; do [ ! -x "$path" ] || { echo "$path" && return; }; done
}
installed=${prefix:+$prefix/bin/convoy}
CONVOY=${CONVOY:-$(first_of "$installed" "$here/../../../bin/convoy" "$here/../build/convoy" build/convoy)}
CONVOY=${CONVOY:-$(command -v convoy)}
installed=${prefix:+$prefix/share/convoy/launch/convoy-run}
CONVOY_RUN=${CONVOY_RUN:-$(first_of "$installed" "$here/convoy-run" launch/convoy-run)}
if [ -z "$CONVOY" ] || [ -z "$CONVOY_RUN" ]; then
    echo "slurm.sh: no program convoy, or no convoy-run; set CONVOY and CONVOY_RUN to where they are" >&2
    exit 2
fi

# ---- What this task of an array trains ----

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    task=$SLURM_ARRAY_TASK_ID words=() folder=runs/$(basename "$1" .yaml)-%a
    while [ $# -gt 0 ]; do
        case $1 in
        --run) folder=${2:-} && shift ;;
        --run=*) folder=${1#*=} ;;
        *) words+=("${1//%a/$task}") ;;
        esac
        [ $# -eq 0 ] || shift
    done
    case $folder in *%a*) ;; *) folder=${folder%/}-%a ;; esac
    set -- "${words[@]}" --run "${folder//%a/$task}"
fi

# ---- Training ----

# A job that is shorter than the warning is warned as it starts: it works for half of its time before it is asked.
held=0
ends=$(date -d "$(fact EndTime)" +%s 2>/dev/null)
left=$((${ends:-0} - $(date +%s)))
[ -z "$job" ] || [ "$left" -le 0 ] || [ "$left" -ge 240 ] || held=$((SECONDS + left / 2))
ask() {
    asked=1
    kill -USR1 "$run" 2>/dev/null
}
timer=
warned() {
    asked=1
    if [ "$SECONDS" -ge "$held" ]; then
        ask
    elif [ -z "$timer" ]; then
        { sleep $((held - SECONDS)) && kill -USR1 $$; } >/dev/null 2>&1 &
        timer=$!
    fi
}

# Lost ranks and hosts are first met within this job, which needs no place in the queue.
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || export CONVOY_RESTARTED="requeue $SLURM_RESTART_COUNT of job $job"

# --resume starts afresh where there is no checkpoint yet, so the first job and the last are the same.
"$CONVOY_RUN" --restarts 3 "$CONVOY" train "$@" --resume &
run=$!
trap warned USR1
trap ask TERM
[ "$early" = 0 ] || warned
while :; do
    asked=0
    wait "$run"
    code=$?
    [ "$asked" = 1 ] || break # else the wait was interrupted by the trap: convoy is still saving
done
[ -z "$timer" ] || kill "$timer" 2>/dev/null

# 75: stopped on request, saved. 6, 137, 143, 205: a process, a node or the network was lost; the last checkpoint holds.
# 138: the request came before convoy-run could take it.
case $code in
6 | 75 | 137 | 138 | 143 | 205)
    # At most 100 times: a job that fails at once must not come back for ever.
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ] && [ -n "$job" ]; then
        echo "$(date '+%F %T') exit $code: back into the queue"
        scontrol requeue "$job" && exit 0
        exit 85 # sites that list it in RequeueExit queue the job again by that alone
    fi
    ;;
esac
exit "$code"
