#!/bin/sh
# No lower floor includes an upper one; each foreign library is known to one folder; the shared library exports the
# public interface and nothing else; what a file shares, another one uses. tests/layers.sh [libconvoy.so, beside which
# are libconvoy.a and the program's objects]
set -u
cd "$(dirname "$0")/.." || exit 2
failed=0

complain() {
    echo "$1" >&2
    failed=1
}

# ---- Floors: folder, and what it may include besides itself, what stands in it alone, and the public convoy/… ----
floors='core:
core/tree: core
io: core core/tree
io/hdf5: core core/tree io
io/image: core core/tree io
io/ckpt: core core/tree io io/hdf5
io/runs: core core/tree io io/hdf5 io/ckpt
io/dataset: core core/tree io io/hdf5 io/runs
kernels/simd: core core/tree
kernels: core core/tree kernels/simd
kernels/conv: core core/tree kernels kernels/simd
ops: core core/tree kernels kernels/conv
ops/layers: core core/tree kernels kernels/conv ops
ops/losses: core core/tree kernels ops
data: core core/tree kernels io io/dataset
comm: core core/tree kernels
graph/model: core core/tree kernels ops ops/layers ops/losses
graph/run: core core/tree kernels ops ops/losses graph/model
optim: core core/tree kernels
experiment: core core/tree io io/dataset data ops ops/losses comm graph/model optim
train: core core/tree kernels io io/ckpt io/runs io/dataset ops ops/losses data comm graph/model graph/run optim experiment
train/record: core core/tree io io/ckpt io/runs comm experiment train
train/session: core core/tree io io/ckpt experiment comm graph/model train train/record
api: core core/tree kernels kernels/simd io io/ckpt io/runs io/dataset io/hdf5 io/image ops ops/layers ops/losses data comm graph/model graph/run optim experiment train train/session'

# Of two rooms at most one knows the other.
found=$(echo "$floors" | awk -F: '{ n = split($2, below, " "); for (i = 1; i <= n; i++) print $1, below[i] }' | tsort 2>&1 >/dev/null)
[ -z "$found" ] || complain "rooms may include each other in a circle:
$found"

# The room of a folder: the longest row of the table that it stands in (the folder of an ISA level stands in simd).
room_of() {
    room=$1
    until echo "$floors" | grep -q "^$room:"; do
        case $room in
        */*) room=${room%/*} ;;
        *) return 1 ;;
        esac
    done
    echo "$room"
}

for folder in $(find src -name '*.[ch]' -exec dirname {} + | sort -u); do
    [ "$folder" = src/cli ] && continue
    room=$(room_of "${folder#src/}") || {
        complain "$folder has no floor; give it one in tests/layers.sh and src/README.md"
        continue
    }
    row=$(echo "$floors" | grep "^$room:")
    allowed=$(echo "$room convoy ${row#*:}" | tr -s ' ' '|')
    found=$(grep -nE '^ *# *include *"' "$folder"/*.[ch] /dev/null | grep -vE "\"($allowed)/[^/]*\"|\"[^/]*\"|\"convoy\.h\"")
    [ -z "$found" ] || complain "$folder may include only $allowed:
$found"
done

# ---- No folder of more than 40 files of code ----
found=$(find src include tests -name '*.[ch]' -exec dirname {} + | sort | uniq -c | awk '$1 > 40')
[ -z "$found" ] || complain "too many files for one folder:
$found"

# ---- No circles within these rooms: x.c, x.h and a private x_parts.h are one ----
found=$(grep -rE '^ *# *include *"' src/core src/io src/data src/kernels src/ops src/graph src/optim src/experiment src/train src/api src/cli |
    sed -E 's|^src/([^.:]*)[.][ch]:.*"([^".]*)[.]h".*|\1 \2|; s,_parts( |$),\1,g' | awk '$1 != $2' | tsort 2>&1 >/dev/null)
[ -z "$found" ] || complain "files include each other in a circle:
$found"

# The program uses the public interface alone: convoy.h, convoy/…, and its own headers; and what is no part of that
# interface but need not be written twice, since it is linked with the archive: text, words and paths.
found=$(grep -nE '^ *# *include *"' src/cli/*.[ch] 2>/dev/null | grep -vE '"convoy\.h"|"convoy/|"[^/]*"|"(core/buf|core/text|io/path)\.h"')
[ -z "$found" ] || complain "src/cli may include only include/, core/buf.h, core/text.h and io/path.h:
$found"
found=$(grep -rnE '^ *# *include *"' include | grep -vE '"convoy/')
[ -z "$found" ] || complain "include/ must stand alone:
$found"

# ---- Foreign libraries: header, and the only folder of src/ that may know it ----
while read -r header folder; do
    found=$(grep -rnE "^ *# *include *<$header" src include | grep -v "^src/$folder/")
    [ -z "$found" ] || complain "<$header> belongs to src/$folder:
$found"
done <<'TABLE'
mpi.h comm
hdf5 io
yaml.h io
zlib.h io
png.h io
jpeglib.h io
cblas kernels
TABLE

# ---- Every public function says whether all ranks call it together ----
found=$(awk '/^ *$/ { said = 0 }
    /ollective/ { said = 1 }
    /^CVY_API/ && !said { print FILENAME ":" FNR ": " $0 }' include/convoy/*.h)
[ -z "$found" ] || complain "a comment above (Collective, Not collective) is missing:
$found"

# ---- Public calls leave the caller's thread as it was: the first line of each goes inside (core/inside.h) ----
for name in $(sed -n 's/^CVY_API cvy_status \(cvy_[a-z_0-9]*\)(.*/\1/p' include/convoy/*.h); do
    first=$(awk -v name="$name" 'index($0, "cvy_status " name "(") == 1 {found = 1}
        inside {print; exit}
        found && /{$/ {inside = 1}' $(find src -name '*.c'))
    case $first in
    *CVY_INSIDE\(\)* | *CVY_ENTER\(*) ;;
    *) complain "$name begins with \"$first\" where CVY_ENTER(ctx) or CVY_INSIDE() should be" ;;
    esac
done

# ---- Exports ----
if [ $# -gt 0 ]; then
    tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
    public=$(cat include/*.h include/convoy/*.h | grep -v '^ *#' | sed 's://.*$::' | tr '\n' ' ' | sed 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g' |
        tr ';{}' '\n\n\n' | sed -n 's/^.*CVY_API[^(]*[ *]\([a-z_0-9]*\)(.*$/\1/p' | sort -u)
    exported=$(nm -D --defined-only "$1" | awk '$2 ~ /[A-Z]/ { print $3 }' | sort -u)
    echo "$public" >"$tmp/public"
    echo "$exported" | grep -vE '^(_init|_fini|_edata|_end|__bss_start)$' >"$tmp/exported"
    found=$(comm -13 "$tmp/public" "$tmp/exported")
    [ -z "$found" ] || complain "$1 exports what include/ does not declare with CVY_API:
$found"
    found=$(comm -23 "$tmp/public" "$tmp/exported")
    [ -z "$found" ] || complain "include/ declares with CVY_API what $1 does not define:
$found"
    found=$(grep -v '^cvy_' "$tmp/exported")
    [ -z "$found" ] || complain "public symbols start with cvy_:
$found"

    # ---- What is shared is used: by another file; or by its own, while a test looks at it alone ----
    nm -P "${1%.so}.a" "${1%/*}"/src/cli/*.o 2>/dev/null >"$tmp/symbols"
    awk '$2 ~ /^[TDBR]$/ { print $1 }' "$tmp/symbols" | sort -u >"$tmp/shared"
    awk '$2 == "U" { print $1 }' "$tmp/symbols" | sort -u | cat - "$tmp/public" | sort -u >"$tmp/used"
    for name in $(comm -23 "$tmp/shared" "$tmp/used"); do
        case $name in
        main | cvy_memory_*) continue ;; # the counts of memory.h are kept for tests
        esac
        [ "$(cat $(find src -name '*.c') | grep -cw "$name")" -gt 1 ] || complain "$name is used by no file of src; delete it"
        grep -rqw "$name" tests || complain "$name is used by its own file alone; make it static"
    done
fi
exit "$failed"
