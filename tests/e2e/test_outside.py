#!/usr/bin/env -S python3 -B
"""Devices under test outside, wherever they are: --dut, as an ordinary user with a policy, and as root without one."""
import ipaddress
import re
import signal
import subprocess

import harness
import lab_case
import suites
from lab import BEHIND, BEHIND_HOST, DUT, FAR, HOST, INNER, LOCAL, policy
from lab_case import OPTIONS, LabCase

setUpModule = lab_case.set_up_lab
TESTS = 6


class OutsideCase(LabCase):
    def setUp(self):
        super().setUp()
        if self.me.uid == 0:
            self.set_policy(None)

    def uas(self):
        """(name, address) of all UAs of the run, in the order of the results."""
        return [(ua["name"], ua["address"]) for test in self.results()["tests"] for ua in test["uas"]]

    def assertAddresses(self, network="10.22.22.0/24"):
        """Each UA has one of its own; none is a machine's."""
        found = [address for _, address in self.uas()]
        self.assertEqual(len(set(found)), len(found), found)
        for address in found:
            self.assertIn(ipaddress.ip_address(address), ipaddress.ip_network(network))
        self.assertFalse(set(found) & {"10.22.22.0", "10.22.22.255", "10.33.33.0", "10.33.33.255", BEHIND_HOST, BEHIND,
                                       *(f"10.22.22.{number}" for number in range(1, 7))})
        return found


class Reach(OutsideCase):
    def run_calls(self, dut, *options):
        self.make_suite(*(f"call{number}" for number in range(TESTS)))
        lab = lab_case.lab
        for machine in (lab.dut, lab.far, lab.behind):
            machine.flush_neighbours()
        run = self.sippod("suite", "--dut", dut, "--jobs", str(TESTS), *options)
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        self.assertEqual(self.results()["totals"]["pass"], TESTS)

    def assertEachOnce(self, tap):
        """What the LAN has seen of the calls: each INVITE once on its way there, from its UA's address and from this
        host's device, and once on its way back."""
        sent = tap.requests("INVITE")
        self.assertEqual(len(sent), 2 * TESTS, sent)
        self.assertEqual(len(set(sent)), len(sent), "sent twice")
        uas = self.uas()
        callers = sorted(address for name, address in uas if name == "ua1")
        self.assertEqual(sorted(source for source, target, _, _ in sent if target == DUT), callers)
        self.assertEqual(sorted(target for source, target, _, _ in sent if source == DUT),
                         sorted(address for name, address in uas if name == "ua0"))
        macs = {frame.mac for frame in tap.frames() if frame.source in callers}
        self.assertEqual(macs, {lab_case.lab.host.mac("lan0")})

    def test_a_machine_on_the_lan(self):
        tap = self.tap()
        self.run_calls(DUT)
        self.assertAddresses()
        self.assertEachOnce(tap)

    def test_calls_differ_from_pod_to_pod(self):
        """A device that has had a call from the same address a moment ago must not take the next one for it: SIPp makes
        branches and Call-IDs of its pid and its address."""
        tap = self.tap()
        self.run_calls(DUT)
        pids = [call.split("@")[0] for source, target, _, call in tap.requests("INVITE") if target == DUT]
        self.assertGreater(len(set(pids)), TESTS - 2, pids)

    def test_with_neighbours_forgotten_before_each_test(self):
        """The device has to ask for each UA anew; the answer has come before it needs it."""
        lab = lab_case.lab
        self.make_suite(*(f"call{number}" for number in range(TESTS)),
                        before=suites.WAIT)
        tap = self.tap()
        running = self.start("suite", "--dut", DUT)
        for number in range(TESTS):
            marker = self.wait_for(f"sippod-results/call{number}/*/waiting", running)
            lab.dut.flush_neighbours()
            (marker.parent / "go").touch()
        self.assertExit(running.wait(), 0)
        self.assertEachOnce(tap)

    def test_shell(self):
        """It has the addresses that it tells, and reaches the device from there."""
        self.make_suite("call", files=OPTIONS)
        running = self.start_command([self.program, "shell", "suite/call", "--dut", DUT], stdin=subprocess.PIPE)
        told = ""
        while not (line := re.search(r"(?m)^  (\S+ -i (\S+) .* -sf uac_ua0\.xml .*)\n", told)):
            told += running.popen.stderr.readline() or self.fail(f"{told}\n{running.wait()}")
        running.popen.stdin.write(f"{line[1]} >/dev/null && echo called\n")
        run = running.wait()
        self.assertEqual((run.code, run.out), (0, "called\n"), run)
        self.assertRegex(told, rf"dut +{re.escape(DUT)} \(outside\)")
        self.assertIn(ipaddress.ip_address(line[2]), ipaddress.ip_network("10.22.22.0/24"))

    def test_expectations(self):
        """Keywords in them are the addresses that the UAs have got; the packets pass eth0."""
        self.make_suite(*(f"call{number}" for number in range(TESTS)))
        invites = 'predicate = "packet_count_was(1)" filter = "udp[8:4] == 0x494e5649 and'
        for number in range(TESTS):
            suites.write(self.folder / "suite" / f"call{number}" / "test.conf",
                         f'expect "out" {{ {invites} src host {{{{ua1.host}}}} and dst host {{{{dut.host}}}}" }}\n'
                         f'expect "in" {{ {invites} src host {{{{dut.host}}}} and dst host {{{{ua0.host}}}}" }}\n'
                         'expect "nothing else" { predicate = "packet_count_was(0)" interface = lo }\n')
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--dut", DUT, "--jobs", str(TESTS)), 0)
        for test in self.results()["tests"]:
            self.assertEqual([entry["verdict"] for entry in test["expectations"]], ["pass"] * 3)

    def test_behind_a_gateway(self):
        tap = self.tap()
        self.run_calls(FAR)
        self.assertAddresses()
        self.assertEqual(len(tap.requests("INVITE")), len(set(tap.requests("INVITE"))))
        self.assertEqual(len(tap.requests("INVITE")), 2 * TESTS)

    def test_behind_a_bridge(self):
        self.run_calls(BEHIND)
        self.assertAddresses("10.33.33.0/24")

    def test_on_this_host(self):
        before = lab_case.lab.host.state()
        for number, (dut, network) in enumerate(((HOST, "10.22.22.0/24"), (LOCAL, "10.22.22.0/24"),
                                                 (BEHIND_HOST, "10.33.33.0/24"),
                                                 (INNER, "10.55.55.0/24"))):
            with self.subTest(dut):
                folder = self.folder / str(number)
                self.make_suite("one", folder=folder, before=suites.WAIT)
                running = self.start("suite", "--dut", dut, cwd=folder)
                marker = self.wait_for("sippod-results/one/*/waiting", running, folder=folder)
                # There is nothing to forward.
                now = lab_case.lab.host.state()
                self.assertEqual({line for line in before if "forwarding" in line},
                                 {line for line in now if "forwarding" in line and "sipp-" not in line})
                (marker.parent / "go").touch()
                self.assertExit(running.wait(), 0)
                for ua in self.results(folder / "sippod-results")["tests"][0]["uas"]:
                    self.assertIn(ipaddress.ip_address(ua["address"]), ipaddress.ip_network(network))

    def test_allowed_networks(self):
        """Scripts reach them: here devices behind a bridge and behind a gateway. Without the option they do not."""
        ask = "".join(f"sipp -sf ask.xml -i {{{{ua0.host}}}} -p 5070 -m 1 -r 1000 -nostdin {address}:5060 -recv_timeout 1000"
                      f" >sipp.log 2>&1 && echo {address} >>answered\n" for address in (BEHIND, FAR, LOCAL))
        self.make_suite("one", files={**OPTIONS, "ask.xml": suites.uac().replace("{{dut.uri_host}}", "[remote_ip]")
                                      .replace(' retrans="500"', "")}, before=f"{ask}true\n")
        for options, answered in (((), []), (("--allow-net", "10.33.33.0/24", "--allow-net", f"{FAR}/32"), [BEHIND, FAR]),
                                  (("--allow-net", "10.22.22.0/29"), [LOCAL])):
            run = self.sippod("suite", "--dut", DUT, "--keep", "all", *options)
            self.assertExit(run, 0)
            file = self.run_folder() / "answered"
            self.assertEqual(file.read_text().split() if file.exists() else [], answered)

    def test_keywords_and_mask(self):
        """{{dut.host}} is the device, and UAs are in its network as --network-mask has it."""
        self.make_suite("one", files=OPTIONS, before='echo "{{dut.host}} {{ua0.host}}" >hosts\n')
        self.assertExit(self.sippod("suite", "--dut", DUT, "--network-mask", "27", "--keep", "all"), 0)
        dut, ua = (self.run_folder() / "hosts").read_text().split()
        self.assertEqual(dut, DUT)
        self.assertIn(ipaddress.ip_address(ua), ipaddress.ip_network("10.22.22.0/27"))
        self.assertEqual(self.uas(), [("ua0", ua)])


class ReachAsRoot(Reach):
    who = "root"


class Forwarding(OutsideCase):
    """Of the device that leads to the DUT, for as long as it is needed by anybody."""

    def start_waiting(self, name, who="alice", *options):
        who = lab_case.lab.people[who]
        folder = self.make_folder(who)
        suites.write_test(folder / "suite", name, OPTIONS, before=suites.WAIT)
        who.own(folder)
        running = self.start("suite", "--dut", DUT, *options, who=who, cwd=folder)
        return running, self.wait_for(f"sippod-results/{name}/*/waiting", running, folder=folder).parent / "go"

    def end(self, running, go):
        go.touch()
        self.assertExit(running.wait(), 0)

    def flags(self):
        state = lab_case.lab.host.state()
        return {line.split("/")[6]: line.split(": ")[1] for line in state if "/forwarding: " in line}

    def test_is_on_for_uplink_and_pods_only(self):
        running, go = self.start_waiting("one")
        flags = self.flags()
        self.assertEqual(lab_case.lab.host.get("ip_forward"), "0")
        self.assertEqual(flags.pop("lan0"), "198")
        pods = [flags.pop(name) for name in list(flags) if name.startswith("sipp-")]
        self.assertEqual(len(pods), 1)
        self.assertNotEqual(pods[0], "0")
        self.assertEqual(set(flags.values()), {"0"}, flags)
        self.end(running, go)
        self.assertEqual(self.flags()["lan0"], "0")

    def test_is_restored_by_the_last(self):
        for people in (("alice", "alice"), ("alice", "bob"), ("alice", "root"), ("root", "bob")):
            with self.subTest(people):
                first, second = (self.start_waiting(f"of-{who}", who) for who in people)
                self.end(*first)
                self.assertEqual(self.flags()["lan0"], "198")
                self.end(*second)
                self.assertEqual(self.flags()["lan0"], "0")

    def test_is_not_lost_with_a_new_policy(self):
        """Editors put a new file in the place of the old one."""
        first, _ = self.start_waiting("one")
        self.set_policy(policy())
        self.end(*self.start_waiting("two"))
        flag = self.flags()["lan0"]
        first.signal(signal.SIGTERM)
        first.wait()
        self.assertEqual(flag, "198")

    def test_of_an_administrator_stays(self):
        host_ = lab_case.lab.host
        host_.set({"conf/lan0/forwarding": 1})
        self.addCleanup(host_.set, {"conf/lan0/forwarding": 0})
        running, go = self.start_waiting("one")
        self.assertEqual(self.flags()["lan0"], "1")
        self.end(running, go)
        self.assertEqual(self.flags()["lan0"], "1")

    def test_of_a_run_that_is_interrupted(self):
        running, _ = self.start_waiting("one")
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(), 143)
        self.assertEqual(self.flags()["lan0"], "0")


if __name__ == "__main__":
    harness.main()
