#!/bin/sh
# tests/packaging/clean_machine.sh FOLDER: the Debian packages in FOLDER on a Debian 12 with nothing else, as its administrator and an
# ordinary user have them: installed, used (by the tests that the package itself has, for autopkgtest), upgraded, removed, purged.
# The machine is made in FOLDER/machine by mmdebstrap, from the mirrors that this host uses, and entered by pivot_root: in a
# chroot no user namespace can be made. Once in it there is no network. Needs root.
set -eu

fail()
{
    printf 'clean_machine: %s\n' "$*" >&2
    exit 1
}

step()
{
    printf -- '--- %s\n' "$*"
}

# ---- outside ----

# The packages that those in FOLDER need, but for one another.
needed()
{
    for package in "$1"/*.deb; do
        dpkg-deb -f "$package" Depends Recommends | sed 's/^[A-Z][a-z]*: //' | tr ',' '\n'
    done | sed 's/[(|].*//; s/ //g; /sippod\|hyperstart/d; /^$/d' | sort -u
}

# The same packages as a later version.
make_next()
{
    for package in "$1"/*.deb; do
        dpkg-deb -R "$package" next
        version=$(dpkg-deb -f "$package" Version)
        sed -i "s/$version/$version+next/" next/DEBIAN/control
        dpkg-deb --root-owner-group -b next "$2" >/dev/null
        rm -r next
    done
}

make_machine()
{
    mkdir packages next-packages
    for package in ../*.deb; do
        case $package in
        *-dbgsym_*) ;;
        *) cp "$package" packages ;;
        esac
    done
    make_next packages next-packages
    sources=$(apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' |
        grep -E ' bookworm[a-z-]* ' || true)
    # shellcheck disable=SC2046 # a list of packages
    printf '%s\n' "$sources" | mmdebstrap --quiet --variant=minbase \
        --include="$(echo $(needed packages) kamailio iproute2 python3 | tr ' ' ',')" bookworm root ${sources:+-}
    mkdir root/test
    cp -R packages next-packages "$script" "$tests" root/test
}

enter()
{
    # shellcheck disable=SC2016
    unshare --mount --net --ipc --uts --pid --fork --kill-child sh -euc '
        mount --make-rprivate /
        mount --bind root root
        cd root
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
        mount -t tmpfs tmpfs dev/shm
        mount -t tmpfs tmpfs run
        mount -t tmpfs tmpfs tmp
        mkdir tmp/host
        pivot_root . tmp/host
        umount -l /tmp/host
        rmdir /tmp/host
        cd /
        ip link set lo up
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            sh /test/clean_machine.sh --inside'
}

# ---- inside ----

# What there is: each file, with its mode, owner and size, and the groups. Logs, caches and backups grow by themselves.
state()
{
    find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /test -o -path /home -o -path /root \
        -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path '/etc/*-' \
        -o -path /var/backups -o -path /var/mail \) -prune -o -type d -printf '%p %m %u %g\n' -o -printf '%p %m %u %g %s %l\n' | sort
    find /var/lib/dpkg/info | grep 'sippod\|hyperstart' || true
    sort /etc/group /etc/gshadow
}

as_user()
{
    su - user -c "$1"
}

has_capabilities()
{
    [ "$(getcap /usr/libexec/sippod/sippod-router)" = "/usr/libexec/sippod/sippod-router cap_net_admin,cap_net_raw=p" ] ||
        fail "sippod-router has not its capabilities"
    [ "$(stat -c '%a %U %G' /usr/libexec/sippod/sippod-router)" = '755 root root' ] || fail "sippod-router has a wrong mode or owner"
}

package_test()
{
    step "the test $1, as $2"
    rm -rf /tmp/work
    mkdir -m 777 /tmp/work
    case $2 in
    root) AUTOPKGTEST_TMP=/tmp/work "/test/tests/$1" ;;
    *) as_user "AUTOPKGTEST_TMP=/tmp/work /test/tests/$1" ;;
    esac || fail "$1 failed with $?"
}

install_packages()
{
    DEBIAN_FRONTEND=noninteractive apt-get -q -y install "$1"/*.deb >/tmp/log 2>&1 </dev/null || {
        cat /tmp/log
        fail "$1 cannot be installed"
    }
}

try_it()
{
    useradd -m -s /bin/sh user
    state >/tmp/before

    step "install"
    install_packages /test/packages
    has_capabilities
    dpkg -V sippod libsippod-expect0 libhyperstart-mock0 || fail "installed files differ"
    [ "$(getent group sippod | cut -d : -f 3)" -lt 1000 ] || fail "the group sippod is no system group"
    for file in policy.conf sippod.conf; do
        dpkg-query -W -f '${Conffiles}' sippod | grep -q "/etc/sippod/$file" || fail "$file is no conffile"
    done
    package_test rootless user
    package_test reports user
    package_test outside root

    step "upgrade, with a changed policy"
    echo '# ours' >>/etc/sippod/policy.conf
    install_packages /test/next-packages
    case $(dpkg-query -W -f '${Version}' sippod) in *+next) ;; *) fail "sippod was not upgraded" ;; esac
    grep -q ours /etc/sippod/policy.conf || fail "the policy was replaced"
    has_capabilities
    as_user 'sippod run -q /usr/share/doc/sippod/examples/quickstart' || fail "the quickstart failed after the upgrade"

    step "a file system without extended attributes"
    mkdir /tmp/bin
    printf '#!/bin/sh\nexit 1\n' >/tmp/bin/setcap
    chmod +x /tmp/bin/setcap
    PATH=/tmp/bin:$PATH /var/lib/dpkg/info/sippod.postinst configure 2>/tmp/said || fail "postinst fails there"
    grep -q 'only root reaches a device outside' /tmp/said || fail "postinst does not say what that means"

    step "remove"
    names=$(dpkg-query -W -f '${Package} ' '*sippod*' '*hyperstart*')
    # shellcheck disable=SC2086 # a list of packages
    apt-get -q -y remove $names >/dev/null || fail "cannot be removed"
    [ ! -e /usr/bin/sippod ] || fail "the program is still there"
    grep -q ours /etc/sippod/policy.conf || fail "the policy is gone"

    step "purge"
    dpkg --purge sippod >/dev/null || fail "cannot be purged"
    state >/tmp/after
    diff /tmp/before /tmp/after || fail "purge leaves something (see above)"
    step "all is well"
}

# ---- which ----

if [ "${1-}" = --inside ]; then
    try_it
    exit
fi
tests=$(cd "$(dirname "$0")/../../packaging/deb/tests" && pwd)
folder=${1:?tests/packaging/clean_machine.sh FOLDER}/machine
rm -rf "$folder"
mkdir "$folder"
script=$(readlink -f "$0")
cd "$folder"
step "a Debian of its own"
make_machine
enter
rm -rf "$folder"
