"""IPv6 in the lab: on its LAN, which has a router that advertises itself, beside IPv4.

    dut ::5 (and a Kamailio), taken ::4, gateway ::1, host ::2, all of 2001:db8:22::/64
"""
import os
import re
import socket
import struct
from pathlib import Path

import harness
import host
import lab_case
from lab import policy
from lab_case import LabCase
from lab_machines import Service

NETWORK, HOST, ROUTER, DUT, OTHER = "2001:db8:22::/64", *(f"2001:db8:22::{end}" for end in (2, 1, 5, 4))
CALL = {name: re.sub(r"\{\{(ua\d)\.host\}\}", r"{{\1.uri_host}}", text) for name, text in lab_case.CALL.items()}
ADVERTISED = "fe80::1"
FORCE, TAG = "/proc/sys/net/ipv6/conf/lan0/force_forwarding", "/proc/sys/net/ipv4/conf/lan0/tag"


def ip6(machine, words):
    return machine.run(harness.require("ip"), "-6", "-o", *words.split())


def set_up_lab():
    """To be called by the setUpModule() of a test program."""
    lab_case.set_up_lab()
    lab = lab_case.lab
    if not lab.host.inside(lambda: os.path.exists(FORCE)):
        harness.skip("this kernel has no net.ipv6.conf.*.force_forwarding (Linux 6.17): no IPv6 over uplinks")
    for machine, device in ((lab.host, "lan0"), (lab.dut, "eth0"), (lab.gateway, "eth0"), (lab.taken, "eth0")):
        turn_on(machine, device)
    lab.host.ip(f"addr add {HOST}/64 dev lan0 nodad")
    lab.dut.ip(f"addr add {DUT}/64 dev eth0 nodad")
    lab.taken.ip(f"addr add {OTHER}/64 dev eth0 nodad")
    lab.gateway.ip(f"addr add {ADVERTISED}/64 dev eth0 nodad", f"addr add {ROUTER}/64 dev eth0 nodad")
    if not host.wait_until(lambda: "tentative" not in ip6(lab.host, "addr show dev lan0"), 10):
        raise RuntimeError("lan0 has no address of its link")
    start_proxy(lab, lab.dut, DUT)
    advertise(lab)


def turn_on(machine, device):
    machine.inside(lambda: [Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("0")
                            for which in ("all", "default", device)])


def start_proxy(lab, machine, *addresses):
    """Beside the one of IPv4 on the same machine."""
    runtime = lab.proxies.folder / f"{machine.name}6"
    runtime.mkdir()
    lab.proxies.own(runtime)
    listen = [word for address in addresses for word in ("-l", f"udp:[{address}]:5060")]
    lab.services.append(Service(machine, [
        harness.require("kamailio"), "-DD", "-E", "-f", lab.folder / "kamailio.cfg", *listen, "-w", runtime, "-Y", runtime,
        "-m", "16", "-M", "4"], lab.proxies, runtime / "log"))
    if not host.wait_until(lambda: machine.inside(
            lambda: ":13C4 " in Path("/proc/thread-self/net/udp6").read_text(encoding="ascii")), 10):
        raise RuntimeError(f"Kamailio does not start: {lab.services[-1].log.read_text()}")


def advertise(lab):
    """One advertisement of a router on the LAN: a default route for half an hour."""
    def send():
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sender:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            index = socket.if_nametoindex("eth0")
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            sender.bind((ADVERTISED, 0, 0, index))
            sender.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))
    lab.gateway.inside(send)
    if not host.wait_until(lambda: default_route(lab), 5):
        raise RuntimeError("the host does not take a default route from a router's advertisement")


def default_route(lab):
    """As far as it does not run down."""
    return re.sub(r"expires \d+sec", "expires", ip6(lab.host, "route show default proto ra")).strip()


class Lab6Case(LabCase):
    """The policy allows this network; at the end the host's IPv6 is as it was."""

    def setUp(self):
        super().setUp()
        self.set_policy(policy(networks='{"2001:db8:22::/64"}', uplinks='{"lan0"}'))
        lab = lab_case.lab
        self.route = default_route(lab)
        self.assertIn(f"via {ADVERTISED} dev lan0", self.route)
        self.assertIn("expires", self.route)
        self.before = self.state()
        self.addCleanup(self.check_host)

    def state(self):
        """What a run could leave of IPv6 on the host."""
        def read():
            # Groups of addresses of the host's own stay the same; those of pods have to go.
            return {path: Path(path).read_text() for path in (FORCE, TAG, "/proc/sys/net/ipv6/conf/all/forwarding",
                                                              "/proc/sys/net/ipv6/conf/lan0/forwarding",
                                                              "/proc/thread-self/net/igmp6")}
        lab = lab_case.lab
        state = lab.host.inside(read)
        state["igmp6"] = sorted(re.findall(r"lan0\s+(\w+)", state.pop("/proc/thread-self/net/igmp6")))
        return {**state, "rules": ip6(lab.host, "rule"), "nftables": lab.host.run("nft", "list", "tables"), "permanent": ip6(lab.host, "neigh show nud permanent"),
                "routes": ip6(lab.host, "route show table all proto 198")}

    def check_host(self):
        host.wait_until(lambda: self.state() == self.before)
        self.assertEqual(self.state(), self.before)
        self.assertEqual(default_route(lab_case.lab), self.route)

    def addresses(self):
        return [ua["address"] for test in self.results()["tests"] for ua in test["uas"]]
