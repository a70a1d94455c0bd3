#!/bin/bash
# libsippod-expect beside a bare loop over libpcap, and beside tcpdump -w on a veth pair.
# bench/expect.sh BUILD; needs tcpdump. README.md beside this file says more.
set -euo pipefail
build=$(readlink -f "${1:?usage: bench/expect.sh BUILD}") packets=${PACKETS:-1000000}
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-1}
PATH=$PATH:/usr/sbin:/sbin

if [ "${2-}" != inside ]; then
  command -v tcpdump >/dev/null || { echo "expect.sh: tcpdump is missing: apt-get install tcpdump" >&2; exit 3; }
  cmake --build "$build" --target bench-expect >/dev/null
  # not as root there: tcpdump would want to be another user then
  exec unshare --user --map-user=65534 --map-group=65534 --keep-caps --net bash "$0" "$build" inside
fi
bench=$build/bench/bench-expect
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
ip link add name sender type veth peer name receiver
for link in lo sender receiver; do
  echo 1 >/proc/sys/net/ipv6/conf/$link/disable_ipv6 # whose packets nobody has counted
  ip link set "$link" up
done

echo "$packets packets in a file:"
"$bench" file "$work/packets.pcap" "$packets" "$rounds"
rm "$work/packets.pcap"
echo; echo "one packet on a veth that is quiet:"
"$bench" latency sender receiver 500

# tcpdump RATE: what `bench-expect rate` prints, for tcpdump -w. It is told to end when it has written all.
tcpdump_rate() {
  tcpdump -i receiver -w "$work/out.pcap" 2>"$work/said" & pid=$!
  until grep -q 'listening on' "$work/said"; do
    kill -0 "$pid" 2>/dev/null || { cat "$work/said" >&2; exit 1; }
    sleep 0.05
  done
  local sent speed
  read -r sent speed _ < <("$bench" rate sender receiver "$1" "$seconds" 0)
  sleep 1.2 # tcpdump's blocks are a second old at most
  kill -INT "$pid"; wait "$pid" || true
  echo "$sent $speed $(sed -n 's/ packets\? dropped by kernel//p' "$work/said")"
}

echo; echo "packets a second on a veth, as sent, and how many were lost:"
echo "     asked        1 future        10 futures        tcpdump -w"
rates=${RATES:-50000 100000 200000 300000 400000 500000 600000 800000 1000000}
for rate in $rates; do
  for ((trial = 0; trial < ${TRIALS:-3}; trial++)); do
    one=$("$bench" rate sender receiver "$rate" "$seconds" 1)
    ten=$("$bench" rate sender receiver "$rate" "$seconds" 10)
    dump=$(tcpdump_rate "$rate")
    echo "$rate $one $ten $dump" | tee -a "$work/rates" |
      awk '{ printf "%10d %9d %7d %9d %7d %9d %7d\n", $1, $3, $4, $6, $7, $9, $10 }'
  done
done

# The highest step at which, as at all below it, nothing was lost in any trial.
awk '
  {
    if ($3 > sent) sent = $3
    for (i = 0; i < 3; i++) if ($(4 + 3 * i) > 0) bad[i] = 1; else if (!bad[i]) best[i] = $1
  }
  END {
    printf "steps without loss: %d with 1 future, %d with 10, %d with tcpdump -w; the sender reached %d\n", best[0], best[1], best[2], sent
    if (best[2]) printf "ratio to tcpdump -w: %.2f with 1 future, %.2f with 10\n", best[0] / best[2], best[1] / best[2]
  }' "$work/rates"
