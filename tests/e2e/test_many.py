#!/usr/bin/env -S python3 -B
"""Many tests at once: the window, the limits of the host, and how such a run ends."""
import resource
import signal
import xml.etree.ElementTree as ElementTree

import harness
import host
import suites
from harness import Case, for_each_user


class ManyCase(Case):
    def make_suite(self, count, files=None, **scripts):
        for number in range(count):
            suites.write_test(self.folder / "suite", f"test-{number:03}", files, **scripts)
        self.me.own(self.folder)

    def assertNothingLeft(self, before):
        changes = before.wait_unchanged()
        host.kill_descendants()
        self.assertEqual(changes, [])


def most_at_once(run):
    """From the states: how many tests were alive side by side."""
    alive = most = 0
    for line in run.states:
        alive += line.state == "PREPARING"
        most = max(most, alive)
        alive -= line.state in ("CLEAN", "DIRTY", "NOT READY")
    return most


@for_each_user
class Window(ManyCase):
    def test_size(self):
        self.make_suite(12, before="sleep 0.1\n")
        run = self.sippod("suite", "--jobs", "4", "--verbose", "--no-pcap")
        self.assertExit(run, 0)
        self.assertEqual(most_at_once(run), 4)
        self.assertEqual(self.results()["totals"]["pass"], 12)

    def test_auto(self):
        self.make_suite(3, before="sleep 0.3\n")
        run = self.sippod("suite", "--jobs", "auto", "--verbose")
        self.assertExit(run, 0)
        self.assertEqual(most_at_once(run), 3)

    def test_failure_stops_no_other(self):
        suites.write_test(self.folder / "suite", "bad", suites.FAILING)
        self.make_suite(4)
        run = self.sippod("suite", "--jobs", "5")
        self.assertExit(run, 1)
        self.assertEqual((self.results()["totals"]["pass"], self.results()["totals"]["fail"]), (4, 1))

    def test_fail_fast(self):
        suites.write_test(self.folder / "suite", "bad", suites.FAILING)
        self.make_suite(4)
        run = self.sippod("suite", "--jobs", "1", "--fail-fast")
        self.assertExit(run, 1)
        results = self.results()
        self.assertEqual([test["name"] for test in results["tests"]], ["bad"])
        self.assertTrue(results["partial"])
        self.assertIn("\nNOT RUN: 4\n", run.out)

    def test_bad_values(self):
        self.make_suite(1)
        for value in ("0", "-1", "x", "1.5", "100000"):
            with self.subTest(value):
                run = self.sippod("suite", "--jobs", value)
                self.assertExit(run, 2)
                self.assertIn(f"--jobs {value}", run.err)


@for_each_user
class Limits(ManyCase):
    def run_limited(self, what, value, jobs):
        return self.start("suite", "--jobs", str(jobs), "--verbose",
                          preexec_fn=lambda: resource.setrlimit(what, (value, value))).wait()

    def test_descriptors(self):
        self.make_suite(20)
        run = self.run_limited(resource.RLIMIT_NOFILE, 200, 20)
        self.assertExit(run, 0)
        self.assertIn("limit of descriptors", run.err)
        self.assertLess(most_at_once(run), 20)

    def test_processes(self):
        """A user has a limit of his own; root has none."""
        if self.me.uid == 0:
            return
        self.make_suite(20)
        run = self.run_limited(resource.RLIMIT_NPROC, 60, 20)
        self.assertExit(run, 0)
        self.assertIn("limit of processes", run.err)
        self.assertLess(most_at_once(run), 20)


@for_each_user
class AllAtOnce(ManyCase):
    def test_many(self):
        """300 pods that are alive together; the ordinary user is who has to be able to."""
        count = 300 if self.me.uid else 60
        self.make_suite(count, before="echo before\n", after="echo after\n")
        run = self.start("suite", "--jobs", str(count), "-q").wait(200)
        self.assertExit(run, 0)
        self.assertEqual(self.results()["totals"]["pass"], count)
        self.assertEqual(run.err, "")

    def test_five_hundred(self):
        """A big suite, with as many at once as sippod sees fit."""
        if not self.me.uid:
            return  # root is no harder
        self.make_suite(500)
        run = self.start("suite", "--jobs", "auto", "--no-pcap", "-q").wait(200)
        self.assertExit(run, 0)
        self.assertEqual(self.results()["totals"], {"total": 500, "pass": 500, "fail": 0, "flaky": 0, "skip": 0})
        self.assertEqual(run.err, "")

    def begin_fifty(self):
        self.make_suite(50, suites.ENDLESS, after="touch after\n")
        running = self.start("suite", "--jobs", "50", "--results", "results")
        for number in range(50):
            self.wait_for(f"results/test-{number:03}/*/calling", running, deadline_s=60)
        return running

    def test_kill(self):
        before = host.Snapshot()
        running = self.begin_fifty()
        running.signal(signal.SIGKILL)
        running.popen.wait()
        self.assertNothingLeft(before)
        running.wait()

    def test_interrupt(self):
        before = host.Snapshot()
        running = self.begin_fifty()
        running.signal(signal.SIGINT)
        run = running.wait(30)
        self.assertExit(run, 130)
        self.assertNothingLeft(before)
        results = self.results("results")
        self.assertEqual([test["result"] for test in results["tests"]], ["INTERRUPTED"] * 50)
        self.assertEqual(len(list((self.folder / "results").glob("*/*/after"))), 50)

    def test_interrupt_twice(self):
        before = host.Snapshot()
        running = self.begin_fifty()
        running.signal(signal.SIGINT)
        running.signal(signal.SIGTERM)
        run = running.wait(30)
        self.assertExit(run, 130)
        self.assertNothingLeft(before)
        self.assertEqual(len(self.results("results")["tests"]), 50)


class TwoUsers(Case):
    who = "user"

    def test_fifty_pods_each(self):
        people = [harness.identity(name) for name in ("user", "second user")]
        started = []
        for who in people:
            folder = self.make_folder(who)
            for number in range(50):
                suites.write_test(folder / "suite", f"test-{number:03}")
            who.own(folder)
            started.append((folder, self.start("suite", "--jobs", "50", "-q", who=who, cwd=folder)))
        for folder, running in started:
            self.assertExit(running.wait(120), 0)
            self.assertEqual(self.results(folder / "sippod-results")["totals"]["pass"], 50)


@for_each_user
class JUnit(ManyCase):
    def test_file(self):
        suites.write_test(self.folder / "suite", "good")
        suites.write_test(self.folder / "suite", "bad <&\">", suites.FAILING)
        suites.write_test(self.folder / "suite", "unready", before="echo 'no < way' >&2; exit 1\n")
        suites.write_test(self.folder / "suite", "untidy", after="exit 3\n")
        self.me.own(self.folder)
        run = self.sippod("suite", "--junit", "junit.xml")
        self.assertExit(run, 1)
        suite = ElementTree.parse(self.folder / "junit.xml").getroot().find("testsuite")
        self.assertEqual([suite.get(name) for name in ("tests", "failures", "errors", "skipped")], ["4", "1", "2", "0"])
        cases = {case.get("name"): case for case in suite.iter("testcase")}
        self.assertEqual(set(cases), {"good", "bad <&\">", "unready", "untidy"})
        self.assertIsNone(cases["good"].find("failure"))
        self.assertIsNone(cases["good"].find("error"))
        self.assertIn("404", cases["bad <&\">"].find("failure").get("message"))
        self.assertEqual(cases["unready"].find("error").get("type"), "NOT READY")
        self.assertIn("no < way", cases["unready"].find("error").get("message"))
        self.assertEqual(cases["untidy"].find("error").get("type"), "DIRTY")

    def test_file_that_cannot_be_written(self):
        suites.write_test(self.folder / "suite", "good")
        self.me.own(self.folder)
        run = self.sippod("suite", "--junit", "nowhere/junit.xml")
        self.assertExit(run, 2)
        self.assertIn("--junit nowhere/junit.xml", run.err)
        self.assertEqual(run.out, "")


if __name__ == "__main__":
    harness.main()
