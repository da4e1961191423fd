# Hosts out of namespaces, to be sourced by a bash script that begins with `enter_world "$@"`:
#
#     login ── eth0 (a bridge, 10.91.0.1) ──┬── to-h1 ═ eth0 of h1 (10.91.0.11)
#     the script, mpirun                    ├── to-h2 ═ eth0 of h2 (10.91.0.12)  …
#
# A host has its own name, address, processes, /dev/shm, mounts and monotonic clock; disks are shared, as over NFS.
# All of it, the login host too, lies in one outer namespace: when its first process ends, however that comes about,
# the kernel ends every other one and drops links and mounts. Nothing of it is seen from outside.

export HOSTS_FOLDER

# Runs the script anew as first process of a world of its own, in an empty folder that is gone with it.
enter_world() {
    if [ -n "${HOSTS_FOLDER:-}" ]; then
        trap 'exit 130' INT TERM HUP # the first process has no default action
        mount -t tmpfs tmpfs "$HOSTS_FOLDER"
        mount -t tmpfs tmpfs /dev/shm
        hostname login
        ip link set lo up
        ip link add eth0 address 02:00:0a:5b:00:fe type bridge # else that of its lowest port
        ip addr add 10.91.0.1/24 dev eth0
        ip link set eth0 up
        return
    fi
    local world=(unshare --net --mount --pid --uts --ipc --fork --kill-child --mount-proc)
    [ "$(id -u)" = 0 ] || world+=(--user --map-root-user)
    local why
    why=$("${world[@]}" unshare --time true 2>&1) || {
        echo "skipped: this system lets us make no namespaces ($why); root may, where the kernel has them"
        exit 0
    }
    HOSTS_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/convoy-hosts.XXXXXX")
    "${world[@]}" "$0" "$@" &
    local first=$!
    trap 'kill -9 $first 2>/dev/null; wait $first 2>/dev/null; rmdir "$HOSTS_FOLDER"' EXIT
    trap 'exit 130' INT TERM HUP
    wait $first
    exit
}

until_true() { # SECONDS COMMAND…
    local until=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$until" ] || return 1
        sleep 0.05
    done
}

start_host() { # hK
    local h=$1 k=${1#h}
    rm -f "$HOSTS_FOLDER/$h.ready"
    unshare --net --uts --ipc --mount --pid --time --monotonic $((86400 * k)) --fork --kill-child sh -c '
        hostname "$1" && mount -t proc proc /proc && mount -t tmpfs tmpfs /dev/shm && ip link set lo up && : >"$2"
        while :; do sleep 1; done' sh "$h" "$HOSTS_FOLDER/$h.ready" 2>/dev/null & # it complains when its child is killed
    local outer=$!
    disown
    until_true 5 test -e "$HOSTS_FOLDER/$h.ready" || return
    local init
    read -r init <"/proc/$outer/task/$outer/children"
    echo "$init" >"$HOSTS_FOLDER/$h.init"
    ip link add "to-$h" type veth peer name eth0 address "02:00:0a:5b:00:0$k" netns "$init" # as before, where it starts again
    ip link set "to-$h" master eth0 up
    on "$h" "ip addr add 10.91.0.$((10 + k))/24 dev eth0 && ip link set eth0 up"
}

start_hosts() { # COUNT
    local k
    {
        echo 127.0.0.1 localhost
        echo 10.91.0.1 login
        for k in $(seq "$1"); do echo "10.91.0.$((10 + k)) h$k"; done
    } >"$HOSTS_FOLDER/hosts"
    mount --bind "$HOSTS_FOLDER/hosts" /etc/hosts
    for k in $(seq "$1"); do start_host "h$k" || return; done
}

on() { "${BASH_SOURCE%/*}/agent.sh" "$@"; }                  # hK "COMMAND": on that host
cut_link() { ip link set "to-$1" down; }                     # hK
mend_link() { ip link set "to-$1" up && until_true 5 reaches_login "$1"; } # hK
# A host that has just come back may still hold that there is no way to the login host, where no one listens at port 9.
reaches_login() { on "$1" "bash -c ': >/dev/tcp/10.91.0.1/9' 2>&1 | grep -q refused"; }
kill_host() { kill -9 "$(cat "$HOSTS_FOLDER/$1.init")"; }    # hK: all that runs there goes with it
limit_rate() { # hK RATE: 10gbit, both ways
    tc qdisc replace dev "to-$1" root tbf rate "$2" burst 1mb latency 50ms
    on "$1" "tc qdisc replace dev eth0 root tbf rate $2 burst 1mb latency 50ms"
}
lose_packets() { # hK PERCENT, of those that it sends
    nft add table netdev loss
    nft add chain netdev loss "$1" "{ type filter hook ingress device \"to-$1\" priority 0; }"
    nft flush chain netdev loss "$1"
    nft add rule netdev loss "$1" numgen random mod 100 lt "$2" drop
}
unlimit() { # hK: neither rate nor loss
    tc qdisc del dev "to-$1" root
    on "$1" "tc qdisc del dev eth0 root"
    nft flush chain netdev loss "$1"
}

# Processes of a job, on all hosts, that are not dead: "PID name" each.
processes() {
    local file name state
    for file in /proc/[0-9]*/stat; do
        read -r name state < <(sed -n 's/^[0-9]* (\(.*\)) \(.\).*/\1 \2/p' "$file" 2>/dev/null)
        case $name:$state in *:Z) ;; convoy:* | orted:* | mpirun:*) echo "${file//[!0-9]/} $name" ;; esac
    done
}
