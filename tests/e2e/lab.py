"""A lab: two hosts of sippod, and devices under test wherever they can be, as namespaces.

      far 10.44.44.5            dut .5   taken (addresses that somebody has)   second .3 (another host)
           |                      |        |                                     |
      gateway 10.22.22.1 ------- LAN 10.22.22.0/24 -----------------------------+
                                  |
                             host .2 (and .6) lan0
                             host 10.33.33.1  br0 ------ behind 10.33.33.5
                             host 10.55.55.1  lo

On dut, far, behind and host runs a Kamailio that answers OPTIONS itself, and relays everything else to whom the
request URI names.
"""
import contextlib
from pathlib import Path

import harness
import host
from frames import Tap
from lab_machines import GROUP, Host, Machine, Person, Service, connect

LAN, GATEWAY, HOST, LOCAL, SECOND, DUT = ("10.22.22." + end for end in ("0/24", "1", "2", "6", "3", "5"))
BEHIND, BEHIND_HOST = "10.33.33.5", "10.33.33.1"
FAR = "10.44.44.5"
INNER = "10.55.55.1"  # of the host, on no device that leads anywhere

POLICY = {
    "groups": '{"sippod"}',
    "networks": '{"10.22.22.0/24", "10.33.33.0/24", "10.44.44.0/24", "10.55.55.0/24"}',
    "uplinks": '{"lan0", "br0", "lo"}',
    "max_pods_per_user": 200,
    "max_addresses_per_user": 1000,
    "allow_forwarding": "true",
}

PROXY = """#!KAMAILIO
debug=1
children=2
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
    if (uri == myself && method == "OPTIONS") {
        sl_send_reply("200", "OK");
        exit;
    }
    t_check_trans();  # absorbs requests that are sent again
    t_relay();
}
"""


def policy(**changes):
    """The text of a policy; a setting that is None is left out."""
    return "".join(f"{name} = {value}\n" for name, value in {**POLICY, **changes}.items() if value is not None)


class Lab:
    def __init__(self):
        self.people = {who.name: who for who in (
            Person("root", 0, []), Person("alice", 64123, [GROUP]), Person("bob", 64124, [GROUP]),
            Person("carol", 64125, [GROUP]), Person("eve", 64126, []))}
        self.proxies = Person("proxies", 64127, [])
        self.machines, self.services = [], []
        self.folder = harness.workspace.base / "lab"

    def make(self):
        for who in (*self.people.values(), self.proxies):
            who.settle(harness.workspace.base / "lab-home")
        host.Snapshot.own_uids |= {who.uid for who in self.people.values() if who.uid}
        self._make_machines()
        self._connect()
        self._start_proxies()

    def _make_machines(self):
        def add(name, make=Machine, *arguments, **settings):
            self.machines.append(make(name, *arguments, **settings))
            return self.machines[-1]
        people = list(self.people.values())
        self.lan, self.dut, self.taken, self.far, self.behind = (
            add(name) for name in ("lan", "dut", "taken", "far", "behind"))
        self.gateway = add("gateway", ip_forward=1)
        # The kernel checks the source of what comes in as strictly as it can.
        self.host = add("host", Host, self.folder, people, **{"conf/all/rp_filter": 1, "conf/default/rp_filter": 1})
        self.second = add("second", Host, self.folder, people)

    def _connect(self):
        self.lan.ip("link add lan type bridge")
        for machine, device, address in ((self.host, "lan0", HOST), (self.second, "lan0", SECOND),
                                         (self.dut, "eth0", DUT), (self.taken, "eth0", "10.22.22.4"),
                                         (self.gateway, "eth0", GATEWAY)):
            connect((self.lan, machine.name), (machine, device))
            self.lan.ip(f"link set {machine.name} master lan")
            machine.ip(f"addr add {address}/24 dev {device}")
            if machine is not self.gateway:
                machine.ip(f"route add default via {GATEWAY}")
        self.host.ip(f"addr add {LOCAL}/24 dev lan0", f"addr add {INNER}/32 dev lo", "link add br0 type bridge",
                     f"addr add {BEHIND_HOST}/24 dev br0")
        connect((self.host, "behind"), (self.behind, "eth0"))
        self.host.ip("link set behind master br0")
        self.behind.ip(f"addr add {BEHIND}/24 dev eth0", f"route add default via {BEHIND_HOST}")
        connect((self.gateway, "eth1"), (self.far, "eth0"))
        self.gateway.ip("addr add 10.44.44.1/24 dev eth1")
        self.far.ip(f"addr add {FAR}/24 dev eth0", "route add default via 10.44.44.1")
        self.bridge_up(self.lan, "lan")
        self.bridge_up(self.host, "br0")

    @staticmethod
    def bridge_up(machine, device):
        """It takes a moment until the kernel says so."""
        machine.ip(f"link set {device} up")
        if not host.wait_until(lambda: " state UP " in machine.ip(f"link show {device}")):
            raise RuntimeError(f"{device} does not come up")

    def _start_proxies(self):
        config = self.folder / "kamailio.cfg"
        config.write_text(PROXY, encoding="ascii")
        kamailio = harness.require("kamailio")
        for machine, addresses in ((self.dut, [DUT]), (self.far, [FAR]), (self.behind, [BEHIND]),
                                   (self.host, [HOST, LOCAL, BEHIND_HOST, INNER])):
            runtime = self.proxies.folder / machine.name
            runtime.mkdir()
            self.proxies.own(runtime)
            listen = [word for address in addresses for word in ("-l", f"udp:{address}:5060")]
            self.services.append(Service(machine, [kamailio, "-DD", "-E", "-f", config, *listen, "-w", runtime,
                                                   "-Y", runtime, "-m", "16", "-M", "4"],
                                         self.proxies, runtime / "log"))
            self.services[-1].machine = machine
        for service in self.services:
            if not host.wait_until(lambda machine=service.machine: machine.inside(is_listening), 10):
                raise RuntimeError(f"{service.machine.name}: Kamailio does not start: {service.log.read_text()}")

    def tap(self):
        """A capture of all that goes over the LAN from now on."""
        return Tap(self.lan, "lan")

    @contextlib.contextmanager
    def taking(self, addresses):
        """Somebody on the LAN has these addresses."""
        self.taken.ip(*(f"addr add {address}/32 dev eth0" for address in addresses))
        try:
            yield
        finally:
            self.taken.ip(*(f"addr del {address}/32 dev eth0" for address in addresses))

    def close(self):
        for service in self.services:
            service.end()
        for machine in self.machines:
            machine.close()


def is_listening():
    return ":13C4 " in Path("/proc/thread-self/net/udp").read_text(encoding="ascii")
