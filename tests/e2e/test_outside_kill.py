#!/usr/bin/env -S python3 -B
"""SIGKILL of sippod, of the router and of both, with a device outside: of what was done to the host the uplink's
forwarding flag may remain, and nothing else.

SIPPOD_TESTS_SOAK=N  so many random moments for each of them instead of a few
"""
import os
import random
import signal
import time

import harness
import host
import lab_case
import lab_machines
import suites
from lab import DUT, HOST
from lab_case import LabCase

setUpModule = lab_case.set_up_lab

SEED = int(os.environ.get("SIPPOD_TESTS_SEED") or random.SystemRandom().randrange(10 ** 6))
MOMENTS = int(os.environ.get("SIPPOD_TESTS_SOAK") or 4)
RUN_S = 0.35  # about as long as a run of two tests takes
FLAG = "/proc/sys/net/ipv4/conf/lan0/forwarding: "


class KillCase(LabCase):
    def setUp(self):
        super().setUp()
        self.before = lab_case.lab.host.state()
        self.make_suite("one", "two")
        suites.write_test(self.folder / "long", "one", lab_case.CALL, before="touch waiting; sleep 600\n")
        self.me.own(self.folder)
        self.addCleanup(lab_case.lab.host.set, {"conf/lan0/forwarding": 0})

    def start_run(self, suite="suite", *options):
        return self.start(suite, "--dut", DUT, "--jobs", "2", *options)

    def router_of(self, running):
        return next(iter(host.find("sippod-router", running.pid)), None)

    def kill(self, running, *names):
        """Those of "sippod" and "router" that there are, and waits for the end of both. Both means both at once: neither
        must have a moment to see the other go."""
        router = self.router_of(running)
        victims = ([running.pid] if "sippod" in names else []) + ([router.pid] if "router" in names and router else [])
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        running.wait()

    def assertLeft(self, *flags):
        """Soon nothing is left of the run but the flag, with one of these values."""
        def left():
            now = lab_case.lab.host.state()
            value = next(line for line in now if line.startswith(FLAG))[len(FLAG):]
            changes = [line for line in lab_machines.differences(self.before, now) if FLAG not in line]
            return changes + ([] if value in flags else [f"{FLAG}{value}"])
        host.wait_until(lambda: not left())
        changes = left()
        if changes:
            self.fail("left behind:\n  " + "\n  ".join(changes))
        return lab_case.lab.host.get("conf/lan0/forwarding")

    def check_next_run(self):
        self.assertExit(self.start_run().wait(), 0)
        self.assertEqual(self.results()["totals"]["pass"], 2)
        self.assertLeft("0")

    def sippod_command(self, name, *arguments, who="root"):
        who = lab_case.lab.people[who]
        return self.command(self.program, name, *arguments, who=who, cwd=who.home)


class RandomMoments(KillCase):
    def kill_at_moments(self, flags, *names):
        dice = random.Random(f"{SEED} {names}")
        for number in range(MOMENTS):
            delay = dice.uniform(0, RUN_S)
            with self.subTest(f"seed {SEED}, moment {number}: {delay * 1000:.1f} ms"):
                running = self.start_run()
                time.sleep(delay)
                self.kill(running, *names)
                flag = self.assertLeft(*flags)
                if flag == "198" or number % 4 == 3:
                    self.check_next_run()  # which also puts the flag back

    def test_of_sippod(self):
        """The router puts everything back."""
        self.kill_at_moments(("0",), "sippod")

    def test_of_the_router(self):
        self.kill_at_moments(("0", "198"), "router")

    def test_of_both(self):
        self.kill_at_moments(("0", "198"), "sippod", "router")


class RandomMomentsAsRoot(RandomMoments):
    who = "root"

    def setUp(self):
        super().setUp()
        self.set_policy(None)


class During(KillCase):
    def start_long(self, results="results"):
        running = self.start_run("long", "--results", results)
        self.wait_for(f"{results}/one/*/waiting", running)
        return running

    def test_the_router_is_missed(self):
        running = self.start_long()
        os.kill(self.router_of(running).pid, signal.SIGKILL)
        run = running.wait()
        self.assertExit(run, 1)
        self.assertIn("sippod-router has ended", run.err)
        self.assertEqual(self.assertLeft("198"), "198")

    def test_what_is_left_is_seen_and_undone(self):
        self.kill(self.start_long(), "sippod", "router")
        self.assertLeft("198")
        told = self.sippod_command("doctor").out
        self.assertRegex(told, r"lan0.*forwarding|forwarding.*lan0")
        self.assertRegex(told, "sippod cleanup")
        run = self.sippod_command("cleanup", who="alice")
        self.assertIn("sudo sippod cleanup", run.out)
        self.assertLeft("198")
        run = self.sippod_command("cleanup")
        self.assertExit(run, 0)
        self.assertIn("lan0: forwarding turned off", run.out)
        self.assertLeft("0")
        self.assertNotRegex(self.sippod_command("doctor").out, "sippod cleanup")
        self.assertNotIn("lan0", self.sippod_command("cleanup").out)

    def test_is_no_left_over_while_somebody_runs(self):
        """Of two runs one is killed with its router: the other one goes on, and puts the flag back at its end."""
        bob = lab_case.lab.people["bob"]
        folder = self.make_folder(bob)
        suites.write_test(folder / "suite", "one", lab_case.CALL, before=suites.WAIT)
        bob.own(folder)
        other = self.start("suite", "--dut", DUT, who=bob, cwd=folder)
        place = self.wait_for("sippod-results/one/*/waiting", other, folder=folder).parent
        self.kill(self.start_long(), "sippod", "router")
        run = self.sippod_command("cleanup")
        self.assertIn("in use by a live run", run.out)
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "198")
        (place / "go").touch()
        self.assertExit(other.wait(), 0)
        self.assertLeft("0")

    def test_by_the_next_run_of_anybody(self):
        for first, second in (("alice", "root"), ("root", "alice")):
            with self.subTest(f"{first}, then {second}"):
                self.me = lab_case.lab.people[first]
                self.me.own(self.folder)
                self.kill(self.start_long(f"results-{first}"), "sippod", "router")
                self.assertLeft("198")
                self.me = lab_case.lab.people[second]
                self.me.own(self.folder)
                self.check_next_run()

    def test_with_a_device_on_this_host(self):
        """Then there is no flag, and so nothing at all is left."""
        running = self.start("long", "--dut", HOST)
        self.wait_for("sippod-results/one/*/waiting", running)
        self.kill(running, "sippod", "router")
        self.assertLeft("0")

    def test_addresses_are_free_again(self):
        """A network of three: what killed runs have had is given to the next one."""
        taken = [f"10.22.22.{number}" for number in (7, 8, 10, 11, 13)]
        with lab_case.lab.taking(taken):
            for number, names in enumerate((("sippod",), ("router",), ("sippod", "router"))):
                results = f"results{number}"
                running = self.start("long", "--dut", DUT, "--network-mask", "28", "--results", results)
                self.wait_for(f"{results}/one/*/waiting", running)
                self.kill(running, *names)
                self.assertLeft("0", "198")
            self.assertExit(self.sippod("suite", "--dut", DUT, "--network-mask", "28"), 0)


if __name__ == "__main__":
    print(f"seed {SEED} (SIPPOD_TESTS_SEED repeats it)", flush=True)
    harness.main()
