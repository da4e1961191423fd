#!/bin/sh
# make demo: Fashion-MNIST from its published files to a trained and evaluated LeNet-5. Called by the Makefile, which has
# built the program; works in the project's folder and writes data/ and runs/demo/.
#
#   DATA    folder of the four IDX files, plain or gzip
#   CONVOY  the program
set -eu
DATA=${DATA:-/usr/share/datasets/fashion-mnist}
CONVOY=${CONVOY:-build/convoy}
RUN=runs/demo
RANKS=2
cd "$(dirname "$0")/.."

fail() {
    echo "demo: $1" >&2
    exit "${2:-3}"
}

# The path of an IDX file in $DATA, plain or gzip.
idx() {
    for path in "$DATA/$1" "$DATA/$1.gz"; do
        [ -e "$path" ] && echo "$path" && return
    done
    fail "no $1(.gz) in $DATA; Fashion-MNIST is published at https://github.com/zalandoresearch/fashion-mnist \
(MIT licence): put its four files into a folder and run  make demo DATA=folder"
}

pack() { # images labels output
    [ -e "$3" ] && return
    images=$(idx "$1")
    labels=$(idx "$2")
    mkdir -p "$(dirname "$3")"
    "$CONVOY" data pack --format idx --classes "$CLASSES" "$images" "$labels" "$3"
}

# The number under the first such key of JSON on stdin.
number() {
    grep -o "\"$1\": *[-0-9.e+]*" | head -n 1 | sed 's/.*: *//'
}

CLASSES='t-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot'
pack train-images-idx3-ubyte train-labels-idx1-ubyte data/fashion-mnist/train.h5
pack t10k-images-idx3-ubyte t10k-labels-idx1-ubyte data/fashion-mnist/test.h5

# Each demo is a fresh run; only what is one of ours is removed.
if [ -e "$RUN" ]; then
    [ -e "$RUN/experiment.yaml" ] && [ -d "$RUN/checkpoints" ] ||
        fail "$RUN is there, and is no run folder of convoy; move it away" 2
    rm -rf "$RUN"
fi

trained=$(launch/convoy-run -n $RANKS "$CONVOY" train configs/lenet5-fashion.yaml --run "$RUN" --json)
evaluated=$("$CONVOY" eval "$RUN" --json)

accuracy=$(echo "$evaluated" | number top1 | awk '{ printf "%.2f", 100 * $1 }')
images=$(echo "$evaluated" | number samples)
rate=$(echo "$trained" | number samples_per_s | awk '{ printf "%.0f", $1 }')
cat <<SUMMARY

LeNet-5 on Fashion-MNIST, $RANKS ranks: $accuracy % of the $images test images right, $rate samples/s in training.
The run is in $RUN: experiment.yaml, metrics.jsonl, log.txt, checkpoints/.
Next:
  $CONVOY predict $RUN data/fashion-mnist/test.h5:0-4      what it sees in five test images
  $CONVOY describe configs/lenet5-fashion.yaml            its layers
  launch/convoy-run -n 2 $CONVOY train configs/lenet5-fashion.yaml --run runs/mine --set train.batch=128
SUMMARY
