#!/bin/bash
# A Slurm job that trains until it is done, however many jobs that takes: submit this one text once,
#
#     sbatch launch/slurm.sh my-experiment.yaml [--set train.batch=512 ...]
#
# Two minutes before the time limit (and at a pre-emption that warns) Slurm sends USR1 to this script; it passes it on,
# convoy writes a checkpoint and exits 75, and the job goes back into the queue; its next run goes on from there.
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

if [ $# -lt 1 ]; then
    echo "usage: sbatch $0 EXPERIMENT.yaml [OPTIONS OF convoy train]" >&2
    exit 2
fi

# ---- Where convoy and convoy-run are: as CONVOY and CONVOY_RUN say, else installed, else in the clone of this script.
# What Slurm runs is a copy of it elsewhere; where it was submitted from, Slurm knows.
script=$0
if [ -n "${SLURM_JOB_ID:-}" ]; then
    submitted=$(scontrol show job "$SLURM_JOB_ID" 2>/dev/null | sed -n 's/^ *Command=\([^ ]*\).*/\1/p')
    [ ! -f "$submitted" ] || script=$submitted
fi
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

# --resume starts afresh where there is no checkpoint yet, so the first job and the last are the same.
"$CONVOY_RUN" "$CONVOY" train "$@" --resume &
run=$!
forwarded=0
trap 'forwarded=1; kill -USR1 "$run" 2>/dev/null' USR1 TERM
while :; do
    forwarded=0
    wait "$run"
    code=$?
    [ "$forwarded" = 1 ] || break # else the wait was interrupted by the trap: convoy is still saving
done

# 75: stopped on request, saved. 6, 137, 143, 205: a process, a node or the network was lost; the last checkpoint holds.
case $code in
6 | 75 | 137 | 143 | 205)
    # At most 100 times: a job that fails at once must not come back for ever.
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
        echo "$(date '+%F %T') exit $code: back into the queue"
        scontrol requeue "$SLURM_JOB_ID" && exit 0
        exit 85 # sites that list it in RequeueExit queue the job again by that alone
    fi
    ;;
esac
exit "$code"
