#!/usr/bin/env -S python3 -B
"""SIGKILL, of each process of a run: nothing can be tidied up then, and yet nothing is left."""
import os
import random
import signal
import subprocess
import time

import harness
import host
import suites
import tracer
from harness import Case, for_each_user

SEED = int(os.environ.get("SIPPOD_TESTS_SEED") or random.SystemRandom().randrange(10 ** 6))
MOMENTS = int(os.environ.get("SIPPOD_TESTS_SOAK") or 10)


class KillCase(Case):
    def setUp(self):
        super().setUp()
        suites.write_test(self.folder / "short", "one", before="true\n", after="true\n")
        suites.write_test(self.folder / "short", "two")
        suites.write_test(self.folder / "long", "1-long", suites.ENDLESS, before="sleep 600 & setsid sleep 600 &\n",
                          after="touch after\n")
        suites.write_test(self.folder / "long", "2-next")
        self.me.own(self.folder)

    def assertNothingLeft(self, before):
        changes = before.wait_unchanged()
        host.kill_descendants()  # so that only this one fails
        if changes:
            self.fail("left behind:\n  " + "\n  ".join(changes))

    def assertOnlyRunFoldersLeft(self, results):
        """In the results: the file of an earlier run, one half written, the journal, and run folders."""
        for path in (self.folder / results).glob("*"):
            self.assertTrue(path.is_dir() or path.name in ("results.json", "results.json.new", ".sippod-running"), path)


@for_each_user
class KillSippod(KillCase):
    def kill_at(self, delay_s, suite, results):
        before = host.Snapshot()
        running = self.start(suite, "--results", results)
        time.sleep(delay_s)
        running.signal(signal.SIGKILL)
        running.popen.wait()
        self.assertNothingLeft(before)
        running.wait()  # nobody keeps its output open
        self.assertOnlyRunFoldersLeft(results)

    def test_at_random_moments(self):
        """And the next run with the same results folder works as if nothing had been."""
        dice = random.Random(f"{SEED} {self.who}")
        for number in range(MOMENTS):
            delay = dice.uniform(0, 0.15)
            with self.subTest(f"seed {SEED}, moment {number}: {delay * 1000:.1f} ms"):
                self.kill_at(delay, "short", "results")
                if number % 4 == 3:
                    self.check_next_run("results")

    def start_traced(self):
        try:
            return self.start("short", "--results", "results", preexec_fn=tracer.trace_me)
        except (OSError, subprocess.SubprocessError) as problem:
            return harness.skip(f"this host does not let a process be traced: {problem}")

    def test_at_random_system_calls(self):
        """That finds what takes too little time to be hit by the clock."""
        running = self.start_traced()
        most = tracer.kill_at_system_call(running.pid)
        running.popen.returncode = 0  # waited for already
        dice = random.Random(f"{SEED} {self.who}")
        for number in sorted(dice.sample(range(1, most), MOMENTS // 2)):
            before = host.Snapshot()
            running = self.start_traced()
            tracer.kill_at_system_call(running.pid, number)
            running.popen.returncode = -signal.SIGKILL
            with self.subTest(f"seed {SEED}, system call {number / 2} of about {most / 2}"):
                self.assertNothingLeft(before)
                self.assertOnlyRunFoldersLeft("results")
                self.check_next_run("results")

    def test_right_after_it_made_a_folder(self):
        if not tracer.MKDIRAT:
            harness.skip("the number of mkdirat() on this machine is not known")
        for number in range(1, 5):  # the test's and the run's, of two tests
            running = self.start_traced()
            self.assertEqual(tracer.kill_at_system_call(running.pid, number, only=tracer.MKDIRAT), number)
            running.popen.returncode = -signal.SIGKILL
            with self.subTest(f"folder {number}"):
                self.check_next_run("results")

    def test_right_after_it_started_a_child(self):
        """Each of its children in turn: a helper process, the router, a pod, the sniffer."""
        child, number = True, 0
        while child and number < 12:
            number += 1
            before = host.Snapshot()
            running = self.start_traced()
            child = tracer.kill_at_start_of_child(running.pid, number)
            running.popen.returncode = -signal.SIGKILL  # waited for already
            with self.subTest(f"child {number}"):
                self.assertNothingLeft(before)
        # Two pods and two sniffers, the router; and for root one that writes the maps.
        self.assertEqual(number - 1, 6 if self.me.uid == 0 else 5)

    def test_during_a_long_call(self):
        for number in range(3):
            before = host.Snapshot()
            results = f"results{number}"
            running = self.start("long", "--results", results)
            self.wait_for(f"{results}/1-long/*/calling", running)
            names = {process.name for process in host.descendants(running.pid)}
            self.assertLessEqual({"sippod-router", "sippod-agent", "sleep", "sipp"}, names)
            running.signal(signal.SIGKILL)
            running.popen.wait()
            self.assertNothingLeft(before)
            running.wait()
            for folder in (self.folder / results / "1-long").iterdir():
                self.assertFalse((folder / "after").exists(), "after.sh was run by nobody")
        self.check_next_run(results)

    def check_next_run(self, results):
        self.assertExit(self.sippod("short", "--results", results), 0)
        self.assertEqual(self.results(results)["totals"]["pass"], 2)
        # It has also removed what the killed ones left.
        self.assertEqual(os.listdir(self.folder / results), ["results.json"])


@for_each_user
class KillOthers(KillCase):
    def victim(self, name, running):
        """The process of the run that was started under this name."""
        found = host.wait_until(lambda: host.find(name, running.pid))
        self.assertEqual(len(found), 1, f"{name}: {found}, of {host.descendants(running.pid)}")
        return found[0]

    def kill(self, name, phase="calling", suite="long", *options):
        before = host.Snapshot()
        running = self.start(suite, *options)
        marker = self.wait_for(f"sippod-results/1-long/*/{phase}", running)
        os.kill(self.victim(name, running).pid, signal.SIGKILL)
        began = time.monotonic()
        run = running.wait()
        self.assertLess(time.monotonic() - began, 10, run)
        self.assertNothingLeft(before)
        return run, marker.parent

    def test_router(self):
        """No more tests can be run; what has begun is cleaned up, and it is said once."""
        run, folder = self.kill("sippod-router")
        self.assertExit(run, 1)
        self.assertEqual(len(run.err.splitlines()), 1, run)
        self.assertIn("sippod-router has ended", run.err)
        results = self.results()
        self.assertEqual([test["name"] for test in results["tests"]], ["1-long"])
        self.assertIn("sippod-router has ended", results["tests"][0]["reason"])
        self.assertEqual((results["partial"], results["exit_code"]), (True, 1))
        self.assertTrue((folder / "after").exists(), "after.sh was not run")

    def test_router_is_named_once(self):
        run, _ = self.kill("sippod-router")
        self.assertEqual(run.err.count("has ended"), 1, run)

    def test_agent(self):
        """PID 1 of a pod: the test has failed, and says why; the next one is run."""
        run, _ = self.kill("sippod-agent")
        self.assertExit(run, 1)
        results = self.results_by_name()
        self.assertEqual(results["1-long"]["verdict"], "fail")
        self.assertEqual(results["2-next"]["verdict"], "pass")
        self.assertFalse(self.results()["partial"])
        # It takes after.sh along, which is told; and once is enough for everything.
        lines = [line for line in run.lines if "1-long" in line]
        self.assertEqual([line.split()[0] for line in lines],
                         ["PREPARING", "STARTING", "FAIL", "CLEANING", "DIRTY"], run)

    def test_one_agent_of_many(self):
        """The tests beside it do not notice."""
        for name in ("1-one", "2-two", "3-three"):
            suites.write_test(self.folder / "other", name, before=suites.WAIT)
        self.me.own(self.folder)
        before = host.Snapshot()
        running = self.start("other", "--jobs", "3")
        places = {name: self.wait_for(f"sippod-results/{name}/*/waiting", running).parent
                  for name in ("1-one", "2-two", "3-three")}
        victim = [agent for agent in host.find("sippod-agent", running.pid)
                  if f"--writable={places['2-two']}" in agent.arguments]
        self.assertEqual(len(victim), 1)
        os.kill(victim[0].pid, signal.SIGKILL)
        for place in places.values():
            (place / "go").touch()
        self.assertExit(running.wait(), 1)
        self.assertNothingLeft(before)
        self.assertEqual({name: test["verdict"] for name, test in self.results_by_name().items()},
                         {"1-one": "pass", "2-two": "fail", "3-three": "pass"})

    def test_agent_while_before_sh_runs(self):
        suites.write_test(self.folder / "other", "1-long", before="touch waiting; sleep 600\n", after="true\n")
        suites.write_test(self.folder / "other", "2-next")
        self.me.own(self.folder)
        run, _ = self.kill("sippod-agent", "waiting", "other")
        self.assertExit(run, 1)
        results = self.results_by_name()
        self.assertEqual(results["1-long"]["result"], "NOT READY")
        self.assertEqual(results["2-next"]["verdict"], "pass")

    def test_sniffer(self):
        """The call goes on; that its capture is not complete makes the test fail."""
        suites.write_test(self.folder / "other", "1-long", before=suites.WAIT)
        self.me.own(self.folder)
        before = host.Snapshot()
        running = self.start("other")
        marker = self.wait_for("sippod-results/1-long/*/waiting", running)
        os.kill(self.victim("sippod-sniffer", running).pid, signal.SIGKILL)
        (marker.parent / "go").touch()
        run = running.wait()
        self.assertExit(run, 1)
        self.assertNothingLeft(before)
        test = self.result()
        self.assertEqual((test["result"], test["clean"], test["verdict"]), ("SUCCESS", False, "fail"))
        self.assertIn("sniffer", test["reason"])

    def test_sipp(self):
        """Killed by somebody: the reason says by which signal."""
        before = host.Snapshot()
        running = self.start("long")
        self.wait_for("sippod-results/1-long/*/calling", running)
        os.kill(host.find_sipp("uac_ua1.xml", running.pid).pid, signal.SIGKILL)
        run = running.wait()
        self.assertExit(run, 1)
        self.assertNothingLeft(before)
        test = self.results_by_name()["1-long"]
        self.assertRegex(test["reason"], r"^ua1 \(uac_ua1\.xml\): SIPp was ended \(SIGKILL\)")
        ended = {ua["name"]: (ua["exit_code"], ua["signal"]) for ua in test["uas"]}
        self.assertEqual(ended["ua1"], (None, signal.SIGKILL))


class StoppedAgent(KillCase):
    def test_impatient_user(self):
        """A pod that does not answer any more: a second signal ends the run all the same."""
        running = self.start("long")
        self.wait_for("sippod-results/1-long/*/calling", running)
        os.kill(host.find("sippod-agent", running.pid)[0].pid, signal.SIGSTOP)
        running.signal(signal.SIGTERM)
        time.sleep(0.1)  # two signals at once would be one
        running.signal(signal.SIGINT)
        self.assertExit(running.wait(timeout=8), 143)


if __name__ == "__main__":
    print(f"seed {SEED} (SIPPOD_TESTS_SEED repeats it)", flush=True)
    harness.main()
