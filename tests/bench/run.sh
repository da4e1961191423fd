#!/bin/sh
# make bench: convoy's training step beside PyTorch's (Debian's python3-torch), alternating, medians of the rounds.
# Prints a table and writes it to tests/bench/RESULTS.md. usage: run.sh PROGRAM [ROUNDS]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
convoy=$1 rounds=${2:-5} threads=$(nproc) python=/usr/bin/python3
[ "$threads" -gt 2 ] && threads=2
if ! $python -c 'import torch' 2>/dev/null; then
    echo "python3-torch is not installed: no peer to compare with (apt-get install python3-torch)" >&2
    exit 2
fi
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
ours() { $convoy bench "$1" --batch "$2" --threads "$threads" --json | $python -c 'import json, sys; print(json.load(sys.stdin)["step"]["samples_per_s"])'; }

row() { # model batch
    a= b= r=
    for _ in $(seq "$rounds"); do
        x=$(ours "$here/../../configs/models/$1.yaml" "$2")
        y=$($python "$here/peer_torch.py" "$1" "$2" "$threads" 3)
        a="$a $x" b="$b $y" r="$r $(echo "$x $y" | awk '{print $1 / $2}')"
    done
    m() { echo "$1" | tr ' ' '\n' | sed '/^$/d' | median; }
    printf '| %s | %s | %.0f | %.0f | %.2f |\n' "$1" "$2" "$(m "$a")" "$(m "$b")" "$(m "$r")"
}

{
    echo '# Training steps beside PyTorch'
    echo
    echo "Samples/s on $threads threads, medians of $rounds alternating rounds, the ratio pair by pair; \`make bench\`."
    echo
    echo "$(date -u +%F), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), PyTorch $($python -c 'import torch; print(torch.__version__)'), convoy $($convoy --version | cut -d' ' -f2) $(git -C "$here" rev-parse --short HEAD 2>/dev/null || true)"
    echo
    echo '| model | batch | convoy | PyTorch | ratio |'
    echo '|---|---|---|---|---|'
    row lenet5 64
    row lenet5_relu 64
} | tee "$here/RESULTS.md"
