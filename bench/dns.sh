#!/bin/bash
# Questions a second that the DNS of a test answers, beside dnsmasq with the same names in the same pod.
# bench/dns.sh SIPPOD [NAMES]; needs dnsperf and dnsmasq. README.md beside this file says more.
set -euo pipefail
sippod=${1:?usage: bench/dns.sh SIPPOD [NAMES]} names=${2:-1000}
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-2}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
PATH=$PATH:/usr/sbin

for program in dnsperf dnsmasq; do
  command -v "$program" >/dev/null || { echo "dns.sh: $program is missing: apt-get install dnsperf dnsmasq-base" >&2; exit 3; }
done

# A call, so that it is a test, and the measurement in its before.sh.
test=$work/suite/dns; mkdir -p "$test"
cp "$here"/../examples/quickstart/options/*.xml "$test"
for i in $(seq "$names"); do
  address=10.0.$((i / 250)).$((i % 250 + 1))
  echo "host$i.example.com A $address" >>"$test/dns.txt"
  echo "$address host$i.example.com" >>"$test/hosts"
  echo "host$i.example.com A" >>"$test/questions"
done
cat >"$test/before.sh" <<END
set -eu
servers=
for port in 5301 5302; do
  log=; [ \$port = 5301 ] || log=--log-queries
  # --no-daemon: it would change its user otherwise, which root cannot do in a pod either. It logs to standard error then.
  dnsmasq --no-daemon --conf-file=/dev/null --port=\$port --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts \\
    --addn-hosts="\$PWD/hosts" --log-facility=/dev/null \$log 2>dnsmasq.\$port &
  servers="\$servers \$!"
done
# ask PORT SECONDS: questions answered a second.
ask() {
  dnsperf -s 127.0.0.1 -p \$1 -d questions -l \$2 -c 1 -T 1 >dnsperf.out 2>&1 || { cat dnsperf.out; exit 1; }
  grep -q 'Response codes: *NOERROR [0-9]* (100.00%)' dnsperf.out || { cat dnsperf.out; exit 1; }
  sed -n 's/.*Queries per second: *//p' dnsperf.out
}
for port in 53 5301 5302; do
  until echo "host1.example.com A" | dnsperf -s 127.0.0.1 -p \$port -n 1 -t 1 2>/dev/null | grep -q NOERROR; do
    [ \$((tries = \${tries-0} + 1)) -lt 50 ] || { cat dnsmasq.*; exit 1; }
    sleep 0.1
  done
done
for round in \$(seq $rounds); do
  echo "\$(ask 53 $seconds) \$(ask 5301 $seconds) \$(ask 5302 $seconds)" >>"$work/rates"
done
kill \$servers
END

"$sippod" run "$work/suite" --results "$work/results" --writable "$work" --keep all -q >"$work/out" 2>&1 || {
  cat "$work/out"; cat "$work"/results/dns/*/sipplauncher.log | tail -n 30; exit 1
}
echo "queries/s:    sippod     dnsmasq  dnsmasq with log-queries"
awk '{ printf "           %9.0f   %9.0f   %9.0f\n", $1, $2, $3 }' "$work/rates"
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
echo "median ratio to dnsmasq: $(awk '{ print $1 / $2 }' "$work/rates" | median)"
echo "median ratio to dnsmasq with log-queries: $(awk '{ print $1 / $3 }' "$work/rates" | median)"
echo "in the first round, where sippod still logs: $(awk 'NR == 1 { printf "%.2f and %.2f", $1 / $2, $1 / $3 }' "$work/rates")"
