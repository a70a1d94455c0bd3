#!/usr/bin/env -S python3 -B
"""Addresses of UAs in the network of a device outside: nobody's, and nobody else's as long as they are used."""
import harness
import lab_case
import suites
from lab import DUT, INNER
from lab_case import LabCase

setUpModule = lab_case.set_up_lab

# With --network-mask 28: what is left of it when the machines of the lab and these have theirs.
TAKEN = [f"10.22.22.{number}" for number in (7, 8, 10, 11, 13)]
FREE = {"10.22.22.9", "10.22.22.12", "10.22.22.14"}


def many_uas(count):
    """A test that needs so many addresses, and calls the DUT from the last one."""
    return {f"uac_ua{number}.xml": suites.uac() for number in range(count)}


class AddressCase(LabCase):
    def addresses(self, folder=None):
        tests = self.results((folder or self.folder) / "sippod-results")["tests"]
        return [ua["address"] for test in tests for ua in test["uas"]]

    def start_waiting(self, who="alice", tests=3, machine=None, options=(), dut=DUT):
        """A run whose tests hold their addresses until their file `go` is there: (run, folder)."""
        who = lab_case.lab.people[who]
        folder = self.make_folder(who)
        for number in range(tests):
            suites.write_test(folder / "suite", f"call{number}", lab_case.CALL, before=suites.WAIT)
        who.own(folder)
        return self.start("suite", "--dut", dut, "--jobs", str(tests), *options, who=who, cwd=folder,
                          machine=machine), folder

    def wait_until_ready(self, running, folder, tests):
        """All of its tests have their addresses: the files that let them go on."""
        return [self.wait_for(f"sippod-results/call{number}/*/waiting", running, folder=folder).parent / "go"
                for number in range(tests)]


class Taken(AddressCase):
    def test_are_never_used(self):
        self.make_suite(*(f"call{number}" for number in range(5)))
        with lab_case.lab.taking(TAKEN):
            run = self.sippod("suite", "--dut", DUT, "--network-mask", "28")
        self.assertExit(run, 0)
        self.assertLessEqual(set(self.addresses()), FREE)
        self.assertEqual(len(self.addresses()), 10)

    def test_nor_those_with_a_route(self):
        """Whatever it is: somebody had a reason for it."""
        machine = lab_case.lab.host
        routes = [f"blackhole {TAKEN[0]}/32", f"{TAKEN[1]}/32 dev br0", f"{TAKEN[2]}/32 via 10.33.33.5",
                  "10.22.22.10/31 dev br0", f"{TAKEN[4]}/32 dev lan0 metric 5"]
        machine.ip(*(f"route add {route}" for route in routes))
        self.addCleanup(machine.ip, *(f"route del {route}" for route in routes))
        self.make_suite(*(f"call{number}" for number in range(4)))
        self.assertExit(self.sippod("suite", "--dut", DUT, "--network-mask", "28"), 0)
        self.assertLessEqual(set(self.addresses()), FREE)

    def test_that_are_too_many(self):
        """The figures are told, and soon."""
        self.make_suite("many", files=many_uas(4))
        with lab_case.lab.taking(TAKEN):
            run = self.sippod("suite", "--dut", DUT, "--network-mask", "28")
        self.assertExit(run, 1)
        self.assertEqual([line.state for line in run.states], ["PREPARING", "NOT READY"])
        # .3 and .4 are machines', too; the gateway's, the DUT's and two of the host's are not asked for.
        self.assertRegex(run.states[-1].reason, r"10\.22\.22\.0/28 has not enough free addresses for 4 UAs: of 14, "
                                                r"7 are other machines', 0 other tests', 4 cannot be used")
        self.assertQuick(run, 3)

    def test_all(self):
        with lab_case.lab.taking([f"10.22.22.{number}" for number in range(7, 255)]):
            self.make_suite("one", "two", files=many_uas(1))
            run = self.sippod("suite", "--dut", DUT)
            self.assertExit(run, 1)
            self.assertEqual([line.state for line in run.states], ["PREPARING", "NOT READY"] * 2)
            self.assertRegex(run.states[-1].reason, r"10\.22\.22\.0/24 has not enough free addresses for 1 UA: of 254, "
                                                    r"250 are other machines'")
            self.assertQuick(run, 5)

    def test_by_other_tests(self):
        """Three are free and each of four tests needs two: one goes on after the other, and it is told once."""
        self.make_suite(*(f"call{number}" for number in range(4)))
        with lab_case.lab.taking(TAKEN):
            run = self.sippod("suite", "--dut", DUT, "--network-mask", "28", "--jobs", "4")
        self.assertExit(run, 0)
        self.assertEqual(self.results()["totals"]["pass"], 4)
        self.assertLessEqual(run.err.count("\n"), 1)

    def test_tiny_network(self):
        self.make_suite("one", files=many_uas(2))
        run = self.sippod("suite", "--dut", DUT, "--network-mask", "30")  # 4 to 7: the DUT's, the host's, the broadcast
        self.assertExit(run, 1)
        self.assertRegex(run.states[-1].reason, r"10\.22\.22\.4/30 has not enough free addresses for 2 UAs: of 2, ")


class Together(AddressCase):
    def check_all(self, runs, tests=3):
        """All at once have addresses of their own; then they pass."""
        for go in [go for running, folder in runs for go in self.wait_until_ready(running, folder, tests)]:
            go.touch()
        found = []
        for running, folder in runs:
            self.assertExit(running.wait(), 0)
            self.assertEqual(self.results(folder / "sippod-results")["totals"]["pass"], tests)
            found += self.addresses(folder)
        self.assertEqual(len(found), 2 * tests * len(runs))
        self.assertEqual(len(set(found)), len(found), sorted(found))

    def test_ten_runs_of_three_users(self):
        """60 addresses of the 120 that there are, so that they do want the same ones."""
        people = ("alice", "bob", "carol") * 3 + ("alice",)
        self.check_all([self.start_waiting(who, options=("--network-mask", "25")) for who in people])

    def test_ten_runs_without_a_lan(self):
        """With a device on this host nobody answers ARP: what is claimed is known by the routes alone."""
        people = ("alice", "bob", "carol") * 3 + ("root",)
        self.check_all([self.start_waiting(who, options=("--network-mask", "25"), dut=INNER) for who in people])

    def test_two_hosts(self):
        """On one LAN, 20 addresses of 56: the routers defend theirs, also against those that ask at the same moment."""
        lab = lab_case.lab
        self.check_all([self.start_waiting("alice", 5, machine, ("--network-mask", "26"))
                        for machine in (lab.host, lab.second)], 5)

    def test_later_runs(self):
        """What a run has had is free again at once."""
        self.make_suite("one", files=many_uas(3))
        with lab_case.lab.taking(TAKEN):
            for _ in range(3):
                self.assertExit(self.sippod("suite", "--dut", DUT, "--network-mask", "28"), 0)
                self.assertEqual(set(self.addresses()), FREE)


if __name__ == "__main__":
    harness.main()
