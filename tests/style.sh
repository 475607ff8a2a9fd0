#!/bin/sh
# Lines of C up to 100 columns, functions up to 60 lines: style.sh [FILE]..., default: all of ours.
set -u
if [ $# = 0 ]; then
    cd "${top_srcdir:-$(dirname "$0")/..}" || exit 1
    # shellcheck disable=SC2046 # names of ours: no blanks in them
    set -- $(find wire producer discover mod_kafkacam demo bench tests -name '*.[ch]')
fi
# Bytes, then without those that only continue a character: every awk counts the same.
LC_ALL=C exec awk '
    FNR == 1 { begin = 0; name = "" }
    {
        text = $0
        gsub(/[\200-\277]/, "", text)
        if (length(text) > 100) { say(length(text) " columns, at most 100") }
    }
    /^[A-Za-z_]/ && /\(/ && !begin { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
    /^{$/ { begin = FNR }
    /^}/ && begin {
        if (FNR - begin - 1 > 60) { say(name "() has " FNR - begin - 1 " lines, at most 60") }
        begin = 0
    }
    function say(what) { print "style: " FILENAME ":" FNR ": " what; bad = 1 }
    END { exit bad }' "$@"
