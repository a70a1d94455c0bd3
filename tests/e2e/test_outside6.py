#!/usr/bin/env -S python3 -B
"""Devices under test outside with IPv6: --dut, as an ordinary user with a policy; and the host keeps the default route
that it has from a router's advertisements."""
import ipaddress
import os
import re
import signal
import socket
import struct
from pathlib import Path

import harness
import host
import lab_case
import suites
from lab import policy
from lab_case import OPTIONS, LabCase
from lab_machines import Service

NETWORK, HOST, ROUTER, DUT, OTHER = "2001:db8:22::/64", *(f"2001:db8:22::{end}" for end in (2, 1, 5, 4))
ADVERTISED = "fe80::1"
FORCE, TAG = "/proc/sys/net/ipv6/conf/lan0/force_forwarding", "/proc/sys/net/ipv4/conf/lan0/tag"
CALL = {name: re.sub(r"\{\{(ua\d)\.host\}\}", r"{{\1.uri_host}}", text) for name, text in lab_case.CALL.items()}


def ip6(machine, words):
    return machine.run(harness.require("ip"), "-6", "-o", *words.split())


def setUpModule():
    lab_case.set_up_lab()
    lab = lab_case.lab
    if not lab.host.inside(lambda: os.path.exists(FORCE)):
        harness.skip("this kernel has no net.ipv6.conf.*.force_forwarding (Linux 6.17): no IPv6 over uplinks")
    for machine, device in ((lab.host, "lan0"), (lab.dut, "eth0"), (lab.gateway, "eth0"), (lab.taken, "eth0")):
        machine.inside(lambda device=device: [Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("0")
                                              for which in ("all", "default", device)])
    lab.host.ip(f"addr add {HOST}/64 dev lan0 nodad")
    lab.dut.ip(f"addr add {DUT}/64 dev eth0 nodad")
    lab.taken.ip(f"addr add {OTHER}/64 dev eth0 nodad")
    lab.gateway.ip(f"addr add {ADVERTISED}/64 dev eth0 nodad", f"addr add {ROUTER}/64 dev eth0 nodad")
    if not host.wait_until(lambda: "tentative" not in ip6(lab.host, "addr show dev lan0"), 10):
        raise RuntimeError("lan0 has no address of its link")
    start_proxy(lab)
    advertise(lab)


def start_proxy(lab):
    """Beside the one of IPv4 on the same machine."""
    runtime = lab.proxies.folder / "dut6"
    runtime.mkdir()
    lab.proxies.own(runtime)
    lab.services.append(Service(lab.dut, [
        harness.require("kamailio"), "-DD", "-E", "-f", lab.folder / "kamailio.cfg", "-l", f"udp:[{DUT}]:5060", "-w",
        runtime, "-Y", runtime, "-m", "16", "-M", "4"], lab.proxies, runtime / "log"))
    if not host.wait_until(lambda: lab.dut.inside(
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


class Outside6(LabCase):
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
        return {**state, "rules": ip6(lab.host, "rule"), "permanent": ip6(lab.host, "neigh show nud permanent"),
                "routes": ip6(lab.host, "route show table all proto 198")}

    def check_host(self):
        host.wait_until(lambda: self.state() == self.before)
        self.assertEqual(self.state(), self.before)
        self.assertEqual(default_route(lab_case.lab), self.route)

    def during(self):
        """The host while a test runs, which waits for that."""
        return lab_case.lab.host.inside(lambda: (Path(FORCE).read_text(), Path(TAG).read_text()))

    def addresses(self):
        return [ua["address"] for test in self.results()["tests"] for ua in test["uas"]]

    def test_calls(self):
        self.make_suite("one", "two", "three", files=CALL)
        ip6(lab_case.lab.dut, "neigh flush all")
        run = self.sippod("suite", "--dut", DUT, "--jobs", "3")
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        found = self.addresses()
        self.assertEqual(len(set(found)), 6, found)
        for address in found:
            self.assertIn(ipaddress.ip_address(address), ipaddress.ip_network(NETWORK))

    def start_waiting(self):
        self.make_suite("one", files=OPTIONS, before=suites.WAIT)
        running = self.start("suite", "--dut", DUT)
        return running, self.wait_for("sippod-results/one/*/waiting", running)

    def test_the_default_route_survives(self):
        running, marker = self.start_waiting()
        self.assertEqual(self.during(), ("1\n", "198\n"))
        self.assertEqual(default_route(lab_case.lab), self.route)
        (marker.parent / "go").touch()
        self.assertExit(running.wait(), 0)

    def test_killed(self):
        """sippod alone: the router restores all, and neighbours are answered no more."""
        running, _ = self.start_waiting()
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        self.check_host()

    def test_both_killed(self):
        """What can be left is seen, and undone by root."""
        running, _ = self.start_waiting()
        router = host.find("sippod-router", running.pid)[0]
        for pid in (running.pid, router.pid):
            os.kill(pid, signal.SIGSTOP)
        for pid in (running.pid, router.pid):
            os.kill(pid, signal.SIGKILL)
        running.wait()
        self.assertEqual(self.during(), ("1\n", "198\n"))
        root = lab_case.lab.people["root"]
        told = self.command(self.program, "doctor", who=root, cwd=root.home)
        self.assertIn("lan0 forwards IPv6 packets (net.ipv4.conf.lan0.tag is 198)", told.out)
        self.assertExit(self.command(self.program, "cleanup", who=root, cwd=root.home), 0)
        self.check_host()

    def test_neighbours_are_answered_for_as_long_as_it_lasts(self):
        running, marker = self.start_waiting()
        address = re.search(r"(2001:db8:22:\S+) dev sipp-", ip6(lab_case.lab.host, "route show proto 198"))[1]
        self.assertTrue(self.is_answered(address))
        (marker.parent / "go").touch()
        self.assertExit(running.wait(), 0)
        self.assertFalse(self.is_answered(address))

    @staticmethod
    def is_answered(address):
        """Whether a machine of the LAN that forgot it finds the neighbour."""
        machine = lab_case.lab.taken

        def ask():
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
                asking.sendto(b"", (address, 9))
        ip6(machine, "neigh flush all")
        machine.inside(ask)
        host.wait_until(lambda: re.search(r"lladdr|FAILED", ip6(machine, f"neigh show {address}")), 5)
        return lab_case.lab.host.mac("lan0") in ip6(machine, f"neigh show {address}")


class Refused(LabCase):
    def test_by_the_policy(self):
        self.make_suite(files=OPTIONS)
        for changes, words in (({"networks": '{"10.22.22.0/24"}'}, "2001:db8:22::5 is in none of the networks"),
                               ({"networks": '{"2001:db8:22::/64"}', "allow_forwarding": "false"},
                                "lan0 does not forward")):
            self.set_policy(policy(**changes))
            run = self.sippod("suite", "--dut", DUT)
            self.assertExit(run, 3)
            self.assertIn(words, run.err)

    def test_networks_of_the_other_family(self):
        self.make_suite(files=OPTIONS)
        self.set_policy(policy(networks='{"2001:db8:22::/64", "10.0.0.0/8"}'))
        run = self.sippod("suite", "--dut", DUT, "--allow-net", "10.22.22.0/24")
        self.assertExit(run, 2)
        self.assertIn("only IPv6 networks", run.err)


if __name__ == "__main__":
    harness.main()
