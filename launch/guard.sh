#!/bin/bash
# guard.sh PID OF convoy-run
#
# Sees to it that nothing of a job outlives its convoy-run, should that be killed: it reads the session of each mpirun
# from a pipe whose other end convoy-run alone holds, and so sleeps until there is one, or convoy-run is gone.
. "$(dirname "$0")/processes.sh"
trap '' USR1 USR2 XCPU TERM INT HUP
session=
while read -r line; do session=$line; done
[ -z "$session" ] || end_session "$session"
