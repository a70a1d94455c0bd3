#!/bin/sh
# tests/lint.sh format: clang-format would change nothing in any C file.
# tests/lint.sh tidy BUILD: clang-tidy has nothing to say about programs, libraries and public headers; BUILD holds compile_commands.json.
# Both print what they find, and nothing otherwise. The reference is version 14; another may see things differently.
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."

case ${1-} in
format)
    find include src sandbox netns bench tests -name '*.[ch]' -print0 | xargs -0r clang-format --dry-run -Werror
    ;;
tidy)
    build=${2:?tests/lint.sh tidy BUILD}
    # One file at a time, so that what parallel runs print does not mix. Public headers have to stand alone, but for
    # those for cmocka, which is included first.
    # shellcheck disable=SC2016
    find include src sandbox netns bench \( -name '*.c' -o -path 'include/*.h' \) -print0 | sort -z |
        xargs -0r -n 1 -P "$(nproc)" sh -c '
            build=$0 file=$1
            set --
            case $file in *_cmocka.h)
                for header in setjmp.h stdarg.h stddef.h stdint.h cmocka.h; do
                    set -- "$@" --extra-arg=-include --extra-arg=$header
                done
                set -- "$@" --extra-arg=-Wno-unused-function ;;
            esac
            printed=$(clang-tidy --quiet -p "$build" "$@" "$file" 2>&1) || { printf "%s\n" "$printed"; exit 1; }' "$build"
    ;;
*)
    echo 'usage: tests/lint.sh format | tests/lint.sh tidy BUILD' >&2
    exit 2
    ;;
esac
