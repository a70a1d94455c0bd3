#!/bin/sh
# tests/packaging/test_clone.sh FOLDER: what README.md says of a clone, on a Debian 12 with nothing but git and sudo, by an ordinary user
# who may use sudo: demo and test, and a build of the source tarball. Cloned is what is committed here. The machine is
# made in FOLDER/machine. It has this host's network until all packages are there, and none afterwards. Needs root.
set -eu
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/packaging/machine.sh
. "$here/machine.sh"

as_user()
{
    su - user -c "set -e; $1"
}

# README's "Try it", with all that it takes: packages by sudo, from the mirrors.
with_network()
{
    useradd -m -s /bin/sh user
    echo 'user ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/user
    chown -R user: /test/sippod.git
    as_user 'git clone -q /test/sippod.git sippod'

    step "./bootstrap demo"
    as_user 'cd sippod && ./bootstrap demo' >/tmp/log 2>&1 || {
        cat /tmp/log
        fail "./bootstrap demo failed"
    }
    grep '^==>\|^TOTAL\|^SUCCESS\|^FAILED' /tmp/log
    as_user 'test -s sippod/sippod-results/results.json' || fail "./bootstrap demo left no results"

    step "the packages that the tests need"
    as_user 'cd sippod && ./bootstrap deps test'
    rm /etc/sudoers.d/user
}

# Nothing is missing now: neither a network nor root is needed.
without_network()
{
    step "the source tarball"
    as_user 'cd sippod && ./bootstrap dist && mkdir ../unpacked && tar -x -C ../unpacked -f build-dist/*.tar.gz --strip-components 1
        cd ../unpacked && ./bootstrap build >/dev/null && DESTDIR=$HOME/installed cmake --install build --prefix /usr >/dev/null
        build/sippod run -q examples/quickstart --results results' || fail "the source tarball does not build"
    for file in bin/sippod libexec/sippod/sippod-router share/man/man1/sippod.1 share/doc/sippod/tutorial.md; do
        [ -e "/home/user/installed/usr/$file" ] || fail "cmake --install does not install $file"
    done

    step "./bootstrap test"
    as_user 'cd sippod && ./bootstrap test'
    [ -z "$(as_user 'cd sippod && git status --porcelain')" ] || fail "a clone is changed by its tests"
    step "all is well"
}

case $1 in
--with-network | --without-network)
    action=${1#--}
    "$(echo "$action" | tr - _)"
    exit
    ;;
esac
folder=$1/machine
rm -rf "$folder"
mkdir -p "$1"
step "a Debian of its own"
make_machine "$folder" 'git sudo ca-certificates iproute2'
git -C "$here" rev-parse --git-dir >/dev/null || fail "this is no clone"
git clone -q --bare --no-local "$(git -C "$here" rev-parse --show-toplevel)" "$folder/test/sippod.git"
cp "$here/machine.sh" "$here/test_clone.sh" "$folder/test"
enter "$folder" host sh /test/test_clone.sh --with-network
enter "$folder" none sh /test/test_clone.sh --without-network
rm -rf "$folder"
