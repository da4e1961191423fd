#!/bin/sh
# What mpirun starts its daemons with, in ssh's place: agent.sh HOST COMMAND…, on a host of hosts.sh.
while case ${1:-} in -*) true ;; *) false ;; esac; do shift; done
host=$1
shift
init=$(cat "$HOSTS_FOLDER/$host.init") || exit 255
exec nsenter -t "$init" --net --uts --ipc --mount --pid --time --wd=/ sh -c "$*"
