#!/usr/bin/env -S python3 -B
"""The lab itself: that its machines reach each other as they should, and that its tests would notice."""
import os
import re
import signal
import socket
import subprocess
import sys
import time

import harness
import host
import lab_case
import lab_machines
import suites
from lab import BEHIND, BEHIND_HOST, DUT, FAR, GATEWAY, HOST, INNER, LOCAL, SECOND
from lab_case import LabCase

setUpModule = lab_case.set_up_lab
PORT = 9999


def is_reached(source, target, address, text=b"hello"):
    """Whether a datagram from one machine arrives at the other."""
    with target.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
            source.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.bind(("", PORT))
        receiver.settimeout(1)
        try:
            sender.sendto(text, (address, PORT))
            return receiver.recv(100) == text
        except OSError:
            return False


class Machines(LabCase):
    def test_reach_each_other(self):
        lab = lab_case.lab
        for source, target, address in ((lab.host, lab.dut, DUT), (lab.host, lab.second, SECOND),
                                        (lab.second, lab.host, HOST), (lab.dut, lab.host, LOCAL),
                                        (lab.host, lab.gateway, GATEWAY), (lab.host, lab.far, FAR),
                                        (lab.far, lab.host, HOST), (lab.host, lab.behind, BEHIND),
                                        (lab.behind, lab.host, BEHIND_HOST)):
            self.assertTrue(is_reached(source, target, address), f"{source.name} {address}")

    def test_host_does_not_forward(self):
        lab = lab_case.lab
        self.assertEqual(lab.host.get("ip_forward"), "0")
        self.assertFalse(is_reached(lab.behind, lab.dut, DUT))

    def test_taken_addresses_are_answered_for(self):
        """Also to a probe as RFC 5227 has it: from no address."""
        lab = lab_case.lab
        probe = bytes.fromhex("ffffffffffff020000000001" "0806" "0001080006040001" "020000000001" "00000000"
                              "000000000000") + socket.inet_aton("10.22.22.77")
        with lab.taking(["10.22.22.77"]):
            tap = self.tap()
            with lab.host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
                lab.host.inside(lambda: sender.bind(("lan0", 0x0806)))
                sender.send(probe)
            self.assertTrue(host.wait_until(lambda: any(
                frame.kind == "arp" and frame.operation == 2 and frame.source == "10.22.22.77"
                for frame in tap.frames()), 1), tap.frames())
        self.assertFalse(is_reached(lab.host, lab.taken, "10.22.22.77"))

    def test_flushed_neighbours(self):
        lab = lab_case.lab
        self.assertTrue(is_reached(lab.dut, lab.host, HOST))
        self.assertIn(f"{HOST} dev", lab.dut.ip("neigh"))
        lab.dut.flush_neighbours()
        self.assertNotIn(f"{HOST} dev", lab.dut.ip("neigh"))

    def test_proxies_answer(self):
        (self.folder / "uac.xml").write_text(re.sub(r"{{dut\.host}}", "[remote_ip]", suites.uac()))
        tap = self.tap()
        for address in (DUT, FAR, BEHIND, HOST, LOCAL, BEHIND_HOST, INNER):
            run = self.command("sipp", "-sf", self.folder / "uac.xml", "-m", "1", "-r", "1000", "-nostdin", f"{address}:5060")
            self.assertExit(run, 0)
        self.assertEqual([(source, target) for source, target, _, _ in tap.requests("OPTIONS")], [(HOST, DUT), (HOST, FAR)])


class People(LabCase):
    def status(self, *words, who="alice"):
        who = lab_case.lab.people[who]
        run = self.command(*words, who=who, cwd=who.home)
        self.assertExit(run, 0)
        return run.out

    def test_are_who_they_are(self):
        self.assertEqual(self.status("id").split()[:3],
                         ["uid=64123(lab-alice)", "gid=64123", "groups=64123,64200(sippod)"])
        self.assertEqual(self.status("id", who="eve").split(), ["uid=64126(lab-eve)", "gid=64126", "groups=64126"])
        self.assertIn("lab-alice,lab-bob,lab-carol", self.status("cat", "/etc/group"))
        self.assertRegex(self.status("grep", "CapEff", "/proc/self/status"), r"\t0+\n")

    def test_live_in_the_initial_user_namespace(self):
        self.assertEqual(self.status("readlink", "/proc/self/ns/user").strip(), os.readlink("/proc/self/ns/user"))
        self.assertNotEqual(self.status("readlink", "/proc/self/ns/net").strip(), os.readlink("/proc/self/ns/net"))

    def test_the_router_has_its_capabilities(self):
        """What it is started with is seen in what it could do: a copy of it that reads its own status."""
        lab = lab_case.lab
        self.assertEqual(lab.host.run(harness.require("getcap"), lab.host.bin / "sippod-router").split()[-1],
                         "cap_net_admin,cap_net_raw=p")
        lab.host.run("cp", harness.require("grep"), lab.host.bin / "grep")
        self.addCleanup(lambda: lab.host.run("rm", lab.host.bin / "grep"))
        lab.host.run("setcap", "cap_net_admin,cap_net_raw=p", lab.host.bin / "grep")
        self.assertRegex(self.status(lab.host.bin / "grep", "CapPrm", "/proc/self/status"), r"\t0+3000\n")

    def test_the_router_is_for_sippod_only(self):
        run = self.command(lab_case.lab.host.bin / "sippod-router")
        self.assertExit(run, 2)
        self.assertIn("is started by sippod", run.err)

    def test_sippod_runs_on_both_hosts(self):
        """Without a DUT outside it needs nothing of them."""
        suites.write_test(self.folder / "suite", "one")
        self.me.own(self.folder)
        for machine in (lab_case.lab.host, lab_case.lab.second):
            self.assertExit(self.sippod("suite", machine=machine), 0)


class Policy(LabCase):
    def test_is_the_lab_s_own(self):
        lab = lab_case.lab
        before = os.path.exists("/etc/sippod/policy.conf")
        lab.host.set_policy("host's\n", mode=0o640)
        lab.second.set_policy(None)
        self.assertEqual(lab.host.run("cat", "/etc/sippod/policy.conf"), "host's\n")
        self.assertEqual(lab.host.run("stat", "-c", "%a %u", "/etc/sippod/policy.conf"), "640 0\n")
        self.assertFalse(lab.second.inside(lambda: os.path.exists("/etc/sippod/policy.conf")))
        self.assertEqual(os.path.exists("/etc/sippod/policy.conf"), before)


class Differences(LabCase):
    def test_are_seen(self):
        machine = lab_case.lab.host
        before = machine.state()
        self.assertEqual(machine.state(), before)
        for undo, *change in (("link del veth7", "link add veth7 type veth peer name veth8"),
                              ("route del 10.22.22.9/32", "route add 10.22.22.9/32 dev lan0 proto 198 metric 198"),
                              ("rule del pref 77", "rule add pref 77 table 77"),
                              ("neigh del 10.22.22.9 dev lan0",
                               "neigh add 10.22.22.9 lladdr 02:00:00:00:00:01 dev lan0 nud permanent"),
                              ("neigh del proxy 10.22.22.9 dev lan0", "neigh add proxy 10.22.22.9 dev lan0"),
                              ("addr del 10.22.22.9/32 dev lan0", "addr add 10.22.22.9/32 dev lan0")):
            machine.ip(*change)
            self.assertTrue(lab_machines.differences(before, machine.state()), change)
            machine.ip(undo)
            self.assertEqual(lab_machines.differences(before, machine.state()), [])

    def test_of_settings_are_seen(self):
        machine = lab_case.lab.host
        before = machine.state()
        for name, value, old in (("conf/lan0/forwarding", 198, 0), ("conf/lan0/rp_filter", 2, 1),
                                 ("conf/br0/proxy_arp", 1, 0)):
            machine.set({name: value})
            self.assertEqual(len(lab_machines.differences(before, machine.state())), 2, name)
            machine.set({name: old})
        machine.run("tc", "qdisc", "add", "dev", "lan0", "clsact")
        self.assertIn("clsact", lab_machines.differences(before, machine.state())[0])
        machine.run("tc", "qdisc", "del", "dev", "lan0", "clsact")
        self.assertEqual(machine.state(), before)


class Killed(LabCase):
    def test_with_its_test_program(self):
        """Nothing of a lab outlives SIGKILL of the program that made it."""
        self.assertGreater(len(host.lasting), 3)
        program = subprocess.Popen([sys.executable, "-B", __file__, "--idle"], stdout=subprocess.PIPE, text=True)
        host.own_children.add(program.pid)
        try:
            place = program.stdout.readline().strip()  # what it made in /tmp; told once the lab is up
            self.assertTrue(place)
            self.addCleanup(harness.remove_tree, place)
            self.assertGreater(len(host.find("kamailio", program.pid)), 3)
        finally:
            program.send_signal(signal.SIGKILL)
            program.wait()
            program.stdout.close()
            host.own_children.discard(program.pid)
        # What is left, if anything, is found by what every test is followed by.


def idle():
    """A lab that waits to be killed."""
    harness.workspace = harness.Workspace()
    harness.workspace.make()
    lab_case.set_up_lab()
    print(harness.workspace.base, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    if sys.argv[1:] == ["--idle"]:
        idle()
    harness.main()
