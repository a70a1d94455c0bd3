#!/usr/bin/env -S python3 -B
"""Devices under test outside with IPv6: --dut, as an ordinary user with a policy; and the host keeps the default route
that it has from a router's advertisements."""
import ipaddress
import os
import re
import signal
import socket
from pathlib import Path

import harness
import host
import lab6
import lab_case
import suites
from lab import policy
from lab6 import CALL, DUT, FORCE, NETWORK, TAG, default_route, ip6
from lab_case import OPTIONS, LabCase

setUpModule = lab6.set_up_lab


class Outside6(lab6.Lab6Case):
    def during(self):
        """The host while a test runs, which waits for that."""
        return lab_case.lab.host.inside(lambda: (Path(FORCE).read_text(), Path(TAG).read_text()))

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
