# Before the first test: starts the exchange, at the address that all tests call, and waits until it can be talked to.
# Its control socket lies in the folder that all tests share.
PATH=$PATH:/usr/sbin
if ! command -v kamailio kamcmd; then
    echo "the exchange is a Kamailio, which is not installed (Debian: apt install kamailio)" >&2
    exit 1
fi
kamailio -DD -E -f "$PWD/exchange.cfg" -l udp:{{dut.host}}:5060 -l tcp:{{dut.host}}:5060 \
         -w "$SIPPOD_SHARED" -Y . -m 16 -M 4 >exchange.log 2>&1 &
echo $! >exchange.pid

until (cd "$SIPPOD_SHARED" && kamcmd -s unix:exchange.ctl core.uptime) >/dev/null 2>&1; do
    if ! kill -0 $! 2>/dev/null; then
        cat exchange.log >&2
        exit 1
    fi
    sleep 0.02
done
