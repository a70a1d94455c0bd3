#!/bin/sh
# sh lab.sh COMMAND…, as root: runs the command on a host, 198.51.100.1, beside which is a device under test, 198.51.100.5, a
# Kamailio with the resolv.conf that lies here. Both are network namespaces, which are gone when the command ends;
# the machine's own network is not touched.
set -eu
PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")

case ${LAB-} in
'')
    LAB=host exec unshare --net sh "$0" "$@"
    ;;
host)
    unset LAB
    ip link set lo up
    LAB=device setpriv --pdeathsig TERM unshare --net --mount sh "$0" $$ &
    device=$!
    until nsenter --net="/proc/$device/ns/net" grep -q ':13C4 ' /proc/net/udp; do # it listens: 0x13C4 is 5060
        kill -0 $device
        sleep 0.1
    done
    ip addr add 198.51.100.1/24 dev lab0
    ip link set lab0 up
    "$@"
    ;;
device)
    mount --bind "$here/resolv.conf" /etc/resolv.conf
    ip link set lo up
    ip link add eth0 type veth peer name lab0 netns "$1"
    ip addr add 198.51.100.5/24 dev eth0
    ip link set eth0 up
    exec kamailio -DD -E -f "$here/kamailio.cfg" -l udp:198.51.100.5:5060 -w / -Y /tmp -m 16 -M 4 >/dev/null
    ;;
esac
