#!/bin/sh
# usage: embed.sh DIRECTORY FILE... >kc_web.c
# Writes the files as C arrays. From scripts and styles it leaves out comment lines and indentation:
# they are for those who read them here. POSIX shell, awk, od and cksum, nothing else.
set -eu
directory=$1
shift

lean()
{
    case $1 in
    *.js | *.css)
        awk '{ sub(/^[ \t]+/, "") }
            comment { if (/\*\/$/) comment = 0; next }
            /^\/\*/ { if (!/\*\//) comment = 1; if (!comment && !/\*\/$/) print; next }
            { sub(/[ \t]+\/\* [^*]*\*\/$/, "") }
            $0 != ""' "$directory/$1" ;;
    *) cat "$directory/$1" ;;
    esac
}

type_of()
{
    case $1 in
    *.js) echo "text/javascript; charset=utf-8" ;;
    *.css) echo "text/css; charset=utf-8" ;;
    *.html) echo "text/html; charset=utf-8" ;;
    *.svg) echo "image/svg+xml" ;;
    *) echo "embed.sh: $1: what type is that?" >&2; exit 1 ;;
    esac
}

echo "/* Made by web/embed.sh: change the files there. */"
echo '#include "kc_web.h"'
table='' number=0
for name in "$@"; do
    type=$(type_of "$name")
    echo "static const char file_${number}[] ="
    lean "$name" | od -An -v -tx1 | awk '{ gsub(/ /, "\\x"); print "    \"" $0 "\"" }'
    echo "    ;"
    table="$table    {\"$name\", \"$type\", file_$number, sizeof(file_$number) - 1},
"
    number=$((number + 1))
done
version=$(for name in "$@"; do lean "$name"; done | cksum | awk '{ print $1 "-" $2 }')
echo "const kc_web_file_t kc_web_files[] = {"
printf '%s' "$table"
echo "    {0}"
echo "};"
echo "const char kc_web_version[] = \"$version\";"
