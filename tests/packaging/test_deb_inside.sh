#!/bin/sh
# Run by test_deb.sh as root of a Debian of its own: the packages in /test/packages as its administrator and ordinary users have
# them: installed, used, removed and purged; then as an upgrade of those in /test/previous.
set -eu
# shellcheck source=tests/packaging/machine.sh
. /test/machine.sh

router=/usr/libexec/sippod/sippod-router
examples=/usr/share/doc/sippod/examples

# What there is: each file, with its mode, owner and size, and the groups. Logs, caches and backups grow by themselves.
state()
{
    find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /test -o -path /home -o -path /root \
        -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path '/etc/*-' \
        -o -path /var/backups -o -path /var/mail \) -prune -o -type d -printf '%p %m %u %g\n' -o -printf '%p %m %u %g %s %l\n' | sort
    find /var/lib/dpkg/info /var/cache /var/log /var/lib/apt | grep 'sippod\|hyperstart' || true
    sort /etc/group /etc/gshadow
}

# nothing_left_since FILE
nothing_left_since()
{
    state >/tmp/now
    diff "$1" /tmp/now || fail "purge leaves something (see above)"
}

as_user()
{
    su - user -c "set -e; $1"
}

# quietly COMMAND…: what it says is in /tmp/log, and shown if it fails.
quietly()
{
    "$@" >/tmp/log 2>&1 </dev/null || {
        cat /tmp/log
        fail "failed (see above): $*"
    }
}

install_packages()
{
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -q -y install "$@"
}

remove_packages()
{
    # shellcheck disable=SC2046 # a list of packages
    quietly dpkg --remove $(dpkg-query -W -f '${Package} ' '*sippod*' '*hyperstart*')
    [ ! -e /usr/bin/sippod ] || fail "the program is still there"
}

has_capabilities()
{
    [ "$(getcap $router)" = "$router cap_net_admin,cap_net_raw=p" ] || fail "sippod-router has not its capabilities"
    [ "$(stat -c '%a %U %G' $router)" = '755 root root' ] || fail "sippod-router has a wrong mode or owner"
}

quickstart_passes()
{
    as_user "sippod run -q $examples/quickstart --results /tmp/quickstart" >/tmp/log 2>&1 || {
        cat /tmp/log
        fail "the quickstart fails"
    }
}

# ---- what is installed ----

check_installed()
{
    has_capabilities
    quietly dpkg -V sippod libsippod-expect0 libhyperstart-mock0
    [ "$(getent group sippod | cut -d : -f 3)" -lt 1000 ] || fail "the group sippod is no system group"
    for file in policy.conf sippod.conf; do
        dpkg-query -W -f '${Conffiles}' sippod | grep -q "/etc/sippod/$file" || fail "$file is no conffile"
    done
    sed -n 's/^profile [^ ]* \([^ ]*\).*/\1/p' /usr/share/sippod/apparmor/sippod | while read -r program; do
        [ -x "$program" ] || fail "AppArmor's profile is about $program, which is not there"
    done
}

# The package's own tests, as Debian runs them. There is no machine around this one, so they are told that there is.
run_autopkgtest()
{
    code=0
    PYTHONDONTWRITEBYTECODE=1 autopkgtest --user=user --ignore-restrictions=isolation-machine --no-built-binaries --summary-file=/tmp/summary \
        /test/packages/*.deb /test/source/ -- null >/tmp/log 2>&1 || code=$?
    [ $code -eq 0 ] || cat /tmp/log
    cat /tmp/summary
    [ $code -eq 0 ] || fail "autopkgtest ends with $code"
    for test in $(sed -n 's/^Tests: //p' /test/source/debian/tests/control); do
        grep -q "^$test  *PASS$" /tmp/summary || fail "autopkgtest's $test did not pass"
    done
}

# ---- programs of users ----

# use_library NAME FUNCTION HEADER…: a program in C, and one in C++, with the shared library and with the static one.
use_library()
{
    name=$1 function=$2
    shift 2
    for header; do echo "#include <sippod/$header.h>"; done >use.h
    for language in c cc; do
        printf '#include "use.h"\nint main() { void *volatile used = (void *)&%s; return !used; }\n' "$function" >use.$language
    done
    flags="-Wall -Wextra -Werror $(pkg-config --cflags "$name")"
    # With others' shared ones below the static one: Debian has no static library of all that libpcap names.
    # shellcheck disable=SC2046
    others=$(pkg-config --libs $(pkg-config --print-requires-private "$name"))
    for kind in shared static; do
        libraries=$(pkg-config --libs "$name")
        [ $kind = shared ] || libraries="-l:lib$name.a $others -pthread"
        # shellcheck disable=SC2086
        {
            cc $flags -o "c-$kind" use.c $libraries
            c++ $flags -o "c++-$kind" use.cc $libraries
        }
        for program in "c-$kind" "c++-$kind"; do
            "./$program" || fail "$program with $name ends with $?"
        done
    done
    readelf -d c-shared | grep -q "NEEDED.*\[lib$name.so.0\]" || fail "the program is not linked with $name"
    ! readelf -d c-static | grep -q "NEEDED.*\[lib$name" || fail "the static program needs $name"
}

# Run as the user: what is installed as example is built and run, as its README says.
use_libraries()
{
    set -eu
    folder=$(mktemp -d)
    cd "$folder"
    use_library sippod-expect sippod_context_new expect packet predicate verdict
    use_library hyperstart-mock hyperstart_mock_new hyperstart_mock
    cp -R "$examples/expect" "$examples/mock-agent" .
    make -s -C expect CFLAGS=-Werror
    make -s -C mock-agent CFLAGS=-Werror
    (cd expect && sippod exec --script-caps net_admin,net_raw -- ./test_rewriter)
    (cd expect && sippod exec --script-caps net_admin,net_raw -- python3 -B -m unittest test_rewriter)
    (cd mock-agent && ./test_client)
    (cd mock-agent && python3 -B -m unittest test_client)
    rm -r "$folder"
}

# ---- where file capabilities cannot be, or do not count ----

# on_mount TYPE OPTIONS: the package is installed once more, with its programs on a mount of that kind.
on_mount()
{
    mount -t "$1" -o "$2" none /usr/libexec/sippod
    install_packages --reinstall /test/packages/sippod_*.deb
    cp /tmp/log /tmp/said
    quickstart_passes
    as_user 'sippod doctor' >/tmp/doctor || fail "sippod doctor finds no way to run tests"
    umount /usr/libexec/sippod
}

without_file_capabilities()
{
    step "programs on a file system without extended attributes"
    on_mount ramfs mode=755
    grep '^sippod: ' /tmp/said || fail "the installation does not say that the capabilities could not be set"
    grep -q 'Operation not supported' /tmp/said || fail "the installation does not say why"
    grep -q 'dpkg-reconfigure sippod' /tmp/said || fail "the installation does not say what to do"
    grep -q 'is on a file system without extended attributes' /tmp/doctor || fail "sippod doctor does not say it"

    step "programs on a file system that is mounted nosuid"
    on_mount tmpfs nosuid,mode=755
    grep -q 'is on a file system that is mounted nosuid' /tmp/doctor || fail "sippod doctor does not say it"
    install_packages --reinstall /test/packages/sippod_*.deb
    has_capabilities
}

# ---- AppArmor ----

# This kernel may have none, and Debian 12's is too old: what the package does with a newer one is seen from what it calls.
with_apparmor()
{
    profile=/etc/apparmor.d/sippod
    [ ! -e $profile ] || fail "the profile is given to an AppArmor that does not know its rules"
    mkdir -p /tmp/bin /tmp/newer/DEBIAN /tmp/newer/etc/apparmor.d/abi
    printf '#!/bin/sh\nexit 0\n' >/tmp/bin/aa-enabled
    printf '#!/bin/sh\necho "$*" >>/tmp/loaded\n' >/tmp/bin/apparmor_parser
    chmod +x /tmp/bin/*
    : >/tmp/newer/etc/apparmor.d/abi/4.0
    printf '%s\n' 'Package: newer' 'Version: 1' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' 'Description: x' \
        >/tmp/newer/DEBIAN/control
    quietly dpkg-deb --root-owner-group -b /tmp/newer /tmp/newer.deb
    (PATH=/tmp/bin:$PATH && quietly dpkg -i /tmp/newer.deb)
    [ "$(readlink $profile)" = /usr/share/sippod/apparmor/sippod ] || fail "no profile when a newer AppArmor comes"
    grep -q -- "-r .*$profile" /tmp/loaded || fail "the profile is not loaded"
    mkdir -p /var/cache/apparmor/0.0
    touch /var/cache/apparmor/0.0/sippod # as AppArmor's service does when the machine starts
    touch /etc/apparmor.d/local/sippod # an administrator's
}

without_apparmor()
{
    [ ! -L $profile ] || fail "the profile is still there"
    grep -q -- "-R $profile" /tmp/loaded || fail "the profile is still loaded"
    quietly dpkg --purge newer
}

# ---- the lives of packages ----

first_life()
{
    state >/tmp/before
    step "install"
    install_packages /test/packages/*.deb
    check_installed
    step "the package's own tests"
    run_autopkgtest
    step "programs of users, with the libraries"
    quietly as_user "sh /test/test_deb_inside.sh --use-libraries"
    without_file_capabilities
    step "AppArmor"
    with_apparmor
    step "remove, purge"
    (PATH=/tmp/bin:$PATH && remove_packages)
    without_apparmor
    [ -e /etc/sippod/policy.conf ] || fail "the policy is gone when the package is removed"
    quietly dpkg --purge sippod
    nothing_left_since /tmp/before
}

second_life()
{
    step "upgrade, with a policy and a member"
    install_packages /test/previous/*.deb
    has_capabilities
    grep -q '^# previous' /etc/sippod/sippod.conf || fail "this is not the previous version"
    usermod -aG sippod user
    group=$(getent group sippod)
    echo '# ours' >>/etc/sippod/policy.conf
    install_packages /test/packages/*.deb
    [ "$(dpkg-query -W -f '${Version}' sippod)" = "$(dpkg-deb -f /test/packages/sippod_*.deb Version)" ] || fail "sippod was not upgraded"
    grep -q '^# ours' /etc/sippod/policy.conf || fail "the policy was replaced"
    ! grep -q '^# previous' /etc/sippod/sippod.conf || fail "sippod.conf, which nobody changed, was not replaced"
    [ "$(getent group sippod)" = "$group" ] || fail "the group has changed"
    has_capabilities
    quickstart_passes
    step "remove, install again, purge"
    remove_packages
    grep -q '^# ours' /etc/sippod/policy.conf || fail "the policy is gone when the package is removed"
    install_packages /test/packages/*.deb
    grep -q '^# ours' /etc/sippod/policy.conf || fail "the policy was replaced when the package came back"
    has_capabilities
    quickstart_passes
    quietly apt-get -q -y purge sippod
    remove_packages
    nothing_left_since /tmp/before
}

case ${1-} in
--use-libraries) use_libraries ;;
*)
    useradd -m -s /bin/sh user
    first_life
    second_life
    step "all is well"
    ;;
esac
