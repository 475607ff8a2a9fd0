#!/bin/sh
# Every fuzz target takes every file of its corpus; a crash or a failed check ends it.
set -eu
: "${targets:?}" "${corpus:?}"
for target in $targets; do
    set -- "$corpus/$target"/*
    [ -f "$1" ] || { echo "replay: no corpus for $target" >&2; exit 1; }
    "./$target" "$@"
done
