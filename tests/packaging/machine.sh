# shellcheck shell=sh
# Sourced by the tests beside it: a Debian of their own, made by mmdebstrap from the mirrors that this host uses. It is entered by
# pivot_root: in a chroot no user namespace can be made. Needs root.

fail()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

step()
{
    printf -- '--- %s\n' "$*"
}

# make_machine FOLDER PACKAGES: a Debian 12 with nothing else.
make_machine()
{
    sources=$(apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' |
        grep -E ' bookworm[a-z-]* ' || true)
    # shellcheck disable=SC2086 # a list of packages
    printf '%s\n' "$sources" | mmdebstrap --quiet --variant=minbase --include="$(echo $2 | tr ' ' ',')" bookworm "$1" ${sources:+-}
    # Nobody starts services there: they would be this host's.
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod +x "$1/usr/sbin/policy-rc.d"
    mkdir "$1/test"
}

# enter FOLDER none|host COMMAND…: runs a command there, without a network or with that of this host.
enter()
{
    folder=$1
    network=--net
    [ "$2" = none ] || network=
    shift 2
    # shellcheck disable=SC2016,SC2086
    unshare --mount $network --ipc --uts --pid --fork --kill-child sh -euc '
        mount --make-rprivate /
        mount --bind "$0" "$0"
        cd "$0"
        mount -t proc proc proc
        mount -t sysfs -o ro sysfs sys
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
        for place in dev/shm run tmp; do mount -t tmpfs -o mode=1777 tmpfs $place; done
        mkdir tmp/host
        pivot_root . tmp/host
        umount -l /tmp/host
        rmdir /tmp/host
        cd /
        ip link set lo up
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"' "$folder" "$@"
}
