#!/usr/bin/env python3
"""`make coverage`: which lines of src/ the tests ran, folder by folder. tests/coverage.py BUILD [FOLDER]

gcov reads what the instrumented objects of BUILD left behind; a line counts once, however many objects hold it (a
template is compiled for each ISA level), and as run when any of them ran it. With FOLDER, its files one by one."""
import collections
import json
import os
import subprocess
import sys

ENOUGH = 85  # percent of a folder's lines


def results(build):
    """What gcov says of every object that ran, as (file, line, ran)."""
    data = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(build, "src"))
            for name in names if name.endswith(".gcno")]
    for at in range(0, len(data), 50):
        said = subprocess.run(["gcov", "--json-format", "--stdout", *data[at:at + 50]], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for text in said.splitlines():
            for file in json.loads(text)["files"]:
                for line in file["lines"]:
                    yield os.path.normpath(file["file"]), line["line_number"], line["count"] > 0


def main():
    ran = collections.defaultdict(dict)
    for file, line, was in results(sys.argv[1]):
        if file.startswith("src/"):
            ran[file][line] = ran[file].get(line, False) or was
    one = sys.argv[2].rstrip("/") if len(sys.argv) > 2 else None
    rows = collections.defaultdict(list)
    for file, lines in ran.items():
        if one is None or os.path.dirname(file) == one:
            rows[file if one else os.path.dirname(file)] += lines.values()
    print(f"{'folder' if one is None else 'file':28} {'lines':>7} {'run':>7}   share")
    for name, lines in sorted(rows.items()):
        share = 100 * sum(lines) / len(lines)
        print(f"{name:28} {len(lines):7} {sum(lines):7} {share:6.1f} %{'' if share >= ENOUGH else '   below'}")
    total = [was for lines in rows.values() for was in lines]
    print(f"{'all':28} {len(total):7} {sum(total):7} {100 * sum(total) / max(1, len(total)):6.1f} %")
    few = [name for name, lines in sorted(rows.items()) if 100 * sum(lines) < ENOUGH * len(lines)]
    print(f"below {ENOUGH} %: {', '.join(few) if few else 'none'}")


main()
