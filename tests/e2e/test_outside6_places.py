#!/usr/bin/env -S python3 -B
"""Devices under test with IPv6 behind a gateway and on this host, on older kernels, and several users at once."""
import ipaddress
import re
from pathlib import Path

import harness
import lab6
import lab_case
import suites
from lab import policy
from lab6 import CALL, DUT, FORCE, HOST, NETWORK, TAG, default_route, ip6
from lab_case import OPTIONS

FAR, FAR_NETWORK, FAR_GATEWAY = "2001:db8:44::5", "2001:db8:44::/64", "2001:db8:44::1"


def setUpModule():
    lab6.set_up_lab()
    lab = lab_case.lab
    lab6.turn_on(lab.far, "eth0")
    lab6.turn_on(lab.gateway, "eth1")
    lab.gateway.ip(f"addr add {FAR_GATEWAY}/64 dev eth1 nodad")
    lab.far.ip(f"addr add {FAR}/64 dev eth0 nodad")
    ip6(lab.far, f"route add default via {FAR_GATEWAY}")
    lab.gateway.inside(lambda: Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1"))
    lab6.start_proxy(lab, lab.far, FAR)
    lab6.start_proxy(lab, lab.host, HOST)


class PlacesCase(lab6.Lab6Case):
    def setUp(self):
        super().setUp()
        self.set_policy(policy(networks=f'{{"{NETWORK}", "{FAR_NETWORK}"}}', uplinks='{"lan0"}'))

    def start_waiting(self, dut, who="alice", *options):
        who = lab_case.lab.people[who]
        folder = self.make_folder(who)
        suites.write_test(folder / "suite", "one", CALL, before=suites.WAIT)
        who.own(folder)
        running = self.start("suite", "--dut", dut, *options, who=who, cwd=folder)
        return running, self.wait_for("sippod-results/one/*/waiting", running, folder=folder).parent / "go", folder

    def end(self, running, go, folder):
        """The addresses that it had."""
        go.touch()
        self.assertExit(running.wait(), 0)
        found = {ua["address"] for test in self.results(folder / "sippod-results")["tests"] for ua in test["uas"]}
        self.assertEqual(len(found), 2, found)
        for address in found:
            self.assertIn(ipaddress.ip_address(address), ipaddress.ip_network(NETWORK))
        return found

    @staticmethod
    def flags():
        return lab_case.lab.host.inside(lambda: (Path(FORCE).read_text(), Path(TAG).read_text()))


class Places(PlacesCase):
    def test_behind_a_gateway_of_its_link(self):
        """Known from its advertisement: it has no other address there that the host knows of."""
        self.assertIn(f"via {lab6.ADVERTISED} ", ip6(lab_case.lab.host, f"route get {FAR}"))
        self.end(*self.start_waiting(FAR))

    def test_behind_a_gateway(self):
        route = f"{FAR_NETWORK} via {lab6.ROUTER} dev lan0"
        ip6(lab_case.lab.host, f"route add {route}")
        self.addCleanup(ip6, lab_case.lab.host, f"route del {route}")
        self.end(*self.start_waiting(FAR))

    def test_on_this_host(self):
        """There is nothing to forward."""
        run = self.start_waiting(HOST)
        self.assertEqual(self.flags(), ("0\n", "0\n"))
        self.end(*run)

    def test_over_an_uplink_without_an_address_of_its_link(self):
        """The kernel could ask for no neighbour: that is told, where calls would fail without a word."""
        lab = lab_case.lab
        own = re.search(r"inet6 (fe80::\S+)", ip6(lab.host, "addr show dev lan0 scope link"))[1]
        ip6(lab.host, f"addr del {own} dev lan0")
        self.addCleanup(ip6, lab.host, f"addr add {own} dev lan0 nodad")
        self.make_suite(files=OPTIONS)
        run = self.sippod("suite", "--dut", DUT)
        self.assertExit(run, 3)
        self.assertIn("lan0 has no address of its link", run.err)
        self.end(*self.start_waiting(HOST))


class OlderKernel(PlacesCase):
    """One before Linux 6.17: there is no force_forwarding."""

    def setUp(self):
        super().setUp()
        machine, settings = lab_case.lab.host, Path(FORCE).parent
        flags = self.flags()

        def put_back():
            machine.run("umount", settings)
            self.assertEqual(self.flags(), flags)
        machine.run("mount", "-t", "tmpfs", "none", settings)
        # Before what looks at the host at the end.
        self.addCleanup(put_back)

    def test_uplink(self):
        self.make_suite(files=OPTIONS)
        for dut in (DUT, FAR):
            run = self.sippod("suite", "--dut", dut)
            self.assertExit(run, 3)
            self.assertIn("lan0: this kernel forwards IPv6 for all devices or none", run.err)
            self.assertIn("Linux 6.17", run.err)

    def test_on_this_host(self):
        self.end(*self.start_waiting(HOST))

    def test_in_the_suite(self):
        self.make_suite(files={"uac_ua1.xml": suites.uac(), "test.conf": 'family = "ipv6"\n', "uas_ua0.xml": suites.uas()})
        self.assertExit(self.sippod("suite"), 0)
        self.assertTrue(all(":" in address for address in self.addresses()))


class Together(PlacesCase):
    def test_users(self):
        """None loses anything with the end of another."""
        runs = [self.start_waiting(DUT, who) for who in ("alice", "bob", "root")]
        found = set()
        for count, run in enumerate(runs, 1):
            self.assertEqual(self.flags(), ("1\n", "198\n"))
            self.assertEqual(default_route(lab_case.lab), self.route)
            found |= self.end(*run)
            self.assertEqual(len(found), 2 * count, found)

    def test_addresses_of_others(self):
        """Of ::1 to ::6 two are nobody's."""
        for _ in range(3):
            self.assertEqual(self.end(*self.start_waiting(DUT, "alice", "--network-mask", "125")),
                             {"2001:db8:22::3", "2001:db8:22::6"})

    def test_addresses_of_others_only(self):
        lab = lab_case.lab
        for end in (3, 6):
            lab.taken.ip(f"addr add 2001:db8:22::{end}/128 dev eth0 nodad")
            self.addCleanup(lab.taken.ip, f"addr del 2001:db8:22::{end}/128 dev eth0")
        self.make_suite(files=OPTIONS)
        run = self.sippod("suite", "--dut", DUT, "--network-mask", "125")
        self.assertExit(run, 1)
        self.assertIn("2001:db8:22::/125 has not enough free addresses for 1 UA", run.states[-1].reason)


if __name__ == "__main__":
    harness.main()
