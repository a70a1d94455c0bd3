#!/bin/sh
# What is tested here stands in for a device that forwards and rewrites packets: this pod's own kernel, between two
# cables. The test holds their ends lan0 and wan0, the device has lan1 and wan1.
#
#   lan0 ═ lan1  10.1.0.1 │ udp port 5070 becomes 5060, DSCP becomes EF, port 9 is dropped │ 10.2.0.1  wan1 ═ wan0
set -eu
PATH=$PATH:/usr/sbin:/sbin # of ordinary users it often lacks them, and nft is there
ip link add lan0 type veth peer name lan1
ip link add wan0 type veth peer name wan1
ip link set lan1 address 02:00:00:00:00:01
ip addr add 10.1.0.1/24 dev lan1
ip addr add 10.2.0.1/24 dev wan1
for device in lan0 lan1 wan0 wan1; do
    echo 1 >"/proc/sys/net/ipv6/conf/$device/disable_ipv6" # it would send packets of its own
    ip link set "$device" up
done
ip neigh add 10.2.0.2 lladdr 02:00:00:00:00:22 dev wan1 nud permanent
for device in lan1 wan1; do
    echo 1 >"/proc/sys/net/ipv4/conf/$device/forwarding"
done
nft -f - <<'RULES'
table ip rewriter {
    chain forward {
        type filter hook forward priority 0
        udp dport 9 drop
        udp dport 5070 udp dport set 5060
        ip dscp set ef
    }
}
RULES
