#!/bin/sh
# symbols.sh NM SHARED STATIC: that both libraries define nothing for others but what the header declares.
set -eu
header=$(dirname "$(readlink -f "$0")")/../../../include/sippod/hyperstart_mock.h
declared=$(sed -n 's/^[a-z].*[ *]\(hyperstart_mock_[a-z_]*\)(.*/\1/p' "$header" | sort)
shown() {
    "$@" | awk '$2 ~ /^[A-Z]$/ && $2 != "A" && $2 != "U" { sub("@.*", "", $3); print $3 }' | sort
}

for shown in "$(shown "$1" -D --defined-only "$2")" "$(shown "$1" -g --defined-only "$3")"; do
    if [ "$shown" != "$declared" ]; then
        printf 'declared:\n%s\nshown:\n%s\n' "$declared" "$shown"
        exit 1
    fi
done
