#!/usr/bin/env -S python3 -B
"""Which test comes when, and how often: groups, totals, random draws, loops; tests that test.conf marks."""
import signal
import time

import harness
import suites
from harness import Case, for_each_user

# Each script tells what it does and when, in one line of a file beside the suite, which the pod may write.
NOTE = 'echo "{what} {{{{test.name}}}} $(date +%s.%N)" >> {place}\n'


class Noting(Case):
    """A suite whose scripts leave a trail of what happened in which order."""

    def setUp(self):
        super().setUp()
        self.trail = self.folder / "trail"
        self.trail.mkdir()

    def write_test(self, name, files=None, before="", after=""):
        notes = {what: NOTE.format(what=what, place=self.trail / "notes") for what in ("before", "after")}
        suites.write_test(self.folder / "suite", name, files, before=notes["before"] + before,
                          after=notes["after"] + after)

    def run_suite(self, *arguments, **options):
        self.me.own(self.folder)
        return self.sippod("suite", "--no-pcap", "--writable", self.trail, *arguments, **options)

    def notes(self):
        return [line.split() for line in (self.trail / "notes").read_text().splitlines()]

    def order(self):
        return [f"{what} {test}" for what, test, _ in self.notes()]


@for_each_user
class Groups(Noting):
    def test_prepared_run_and_cleaned_together(self):
        """In order, then all at once, then in reverse order; the next group only after the pause."""
        for name in ("a", "b", "c", "d", "e"):
            self.write_test(name)
        run = self.run_suite("--group", "3", "--group-pause", "0.5")
        self.assertExit(run, 0)
        self.assertEqual(self.order(), ["before a", "before b", "before c", "after c", "after b", "after a",
                                        "before d", "before e", "after e", "after d"])
        times = [float(when) for _, _, when in self.notes()]
        self.assertGreaterEqual(times[6] - times[5], 0.5)
        self.assertLess(run.seconds, 5)
        starting = [line.test for line in run.states if line.state == "STARTING"]
        first_cleaning = next(i for i, line in enumerate(run.states) if line.state == "CLEANING")
        before_cleaning = [line.test for line in run.states[:first_cleaning] if line.state == "SUCCESS"]
        self.assertEqual(starting, ["a", "b", "c", "d", "e"])
        self.assertEqual(sorted(before_cleaning), ["a", "b", "c"])  # none is cleaned before all are over

    def test_a_test_that_is_not_ready_is_left_out(self):
        self.write_test("a")
        self.write_test("b", before="exit 1\n")
        self.write_test("c")
        run = self.run_suite("--group", "3")
        self.assertExit(run, 1)
        self.assertEqual(self.order(), ["before a", "before b", "before c", "after c", "after a"])
        self.assertEqual({name: test["verdict"] for name, test in self.results_by_name().items()},
                         {"a": "pass", "b": "fail", "c": "pass"})

    def test_waiting_for_the_group_costs_no_test_its_time(self):
        self.write_test("a")
        self.write_test("b", before="sleep 0.8\n")
        self.write_test("c", before="sleep 0.8\n")
        self.assertExit(self.run_suite("--group", "3", "--timeout", "1.4"), 0)

    def test_stop_at_the_first_failure(self):
        """The group is run to its end, but no other one begins."""
        self.write_test("a", suites.FAILING)
        for name in ("b", "c", "d"):
            self.write_test(name)
        run = self.run_suite("--group", "2", "--group-stop-first-fail")
        self.assertExit(run, 1)
        self.assertEqual([test["name"] for test in self.results()["tests"]], ["b", "a"])
        self.assertTrue(self.results()["partial"])
        self.assertIn("NOT RUN: 2", run.out)

    def test_interrupted(self):
        """What is prepared is cleaned, in reverse order, and each test has its after.sh."""
        self.write_test("a", suites.ENDLESS)
        self.write_test("b", suites.ENDLESS)
        self.write_test("c")
        self.me.own(self.folder)
        running = self.start("suite", "--no-pcap", "--writable", self.trail, "--group", "2")
        for name in ("a", "b"):
            self.wait_for(f"sippod-results/{name}/*/calling", running)
        running.signal(signal.SIGTERM)
        run = running.wait()
        self.assertExit(run, 128 + signal.SIGTERM)
        self.assertEqual(self.order(), ["before a", "before b", "after b", "after a"])
        self.assertQuick(run, 10)

    def test_interrupted_while_it_prepares(self):
        self.write_test("a")
        self.write_test("b", before=suites.WAIT)
        self.me.own(self.folder)
        running = self.start("suite", "--no-pcap", "--writable", self.trail, "--group", "2")
        self.wait_for("sippod-results/b/*/waiting", running)
        running.signal(signal.SIGINT)
        self.assertExit(running.wait(), 128 + signal.SIGINT)
        self.assertEqual(self.order(), ["before a", "before b", "after b", "after a"])
        self.assertEqual({test["result"] for test in self.results()["tests"]}, {"INTERRUPTED"})

    def test_interrupted_in_the_pause(self):
        self.write_test("a")
        self.write_test("b")
        self.me.own(self.folder)
        running = self.start("suite", "--no-pcap", "--writable", self.trail, "--group", "1", "--group-pause", "60")
        self.wait_for("trail/notes", running)
        deadline = time.monotonic() + 10
        while len(self.notes()) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        running.signal(signal.SIGINT)
        run = running.wait()
        self.assertExit(run, 128 + signal.SIGINT)
        self.assertQuick(run, 10)
        self.assertEqual(self.order(), ["before a", "after a"])


@for_each_user
class Turns(Noting):
    def setUp(self):
        super().setUp()
        for name in ("a", "b", "c"):
            suites.write_test(self.folder / "suite", name)
        self.me.own(self.folder)

    def ran(self, *arguments):
        run = self.sippod("suite", "--no-pcap", *arguments)
        self.assertExit(run, 0)
        tests = self.results()["tests"]
        self.assertEqual([test["index"] for test in tests], list(range(1, len(tests) + 1)))
        return "".join(test["name"] for test in tests)

    def test_total_and_repeat(self):
        self.assertEqual(self.ran("--total", "2"), "ab")
        self.assertEqual(self.ran("--total", "7"), "abcabca")
        self.assertEqual(self.ran("--total", "0"), "abc")
        self.assertEqual(self.ran("--repeat", "2"), "abcabc")

    def test_random(self):
        """The seed that a run prints draws the same tests again."""
        run = self.sippod("suite", "--no-pcap", "--random", "--total", "12")
        self.assertExit(run, 0)
        drawn = "".join(test["name"] for test in self.results()["tests"])
        seed = self.results()["seed"]
        self.assertIn(f"SEED: {seed}\n", run.out)
        self.assertEqual(self.ran("--random", "--total", "12", "--seed", str(seed)), drawn)
        self.assertEqual(len(self.ran("--random")), 3)
        run = self.sippod("suite", "--seed", str(seed))
        self.assertExit(run, 2)
        self.assertIn(f"--seed {seed}: it goes with --random", run.err)
        suites.write(self.folder / "suite" / "sippod.conf", "random = true\n")
        self.assertExit(self.sippod("suite", "--seed", str(seed)), 0)
        (self.folder / "suite" / "sippod.conf").unlink()
        several = {self.ran("--random", "--total", "12", "--seed", str(seed)) for seed in range(4)}
        self.assertGreater(len(several), 1)

    def test_loop(self):
        """Pass after pass, until one fails: here the third."""
        counter = self.folder / "trail" / "count"
        counter.write_text("")
        self.me.own(self.folder)
        suites.write(self.folder / "suite" / "b" / "before.sh",
                     f'echo >> {counter}\n[ "$(wc -l < {counter})" -lt 3 ]\n')
        run = self.sippod("suite", "--no-pcap", "--loop", "--keep", "all", "--writable", counter.parent)
        self.assertExit(run, 1)
        self.assertEqual(run.out.count("TOTAL: 3"), 3)
        results = self.results()
        self.assertEqual(results["loop"], 3)
        self.assertEqual([test["verdict"] for test in results["tests"]], ["pass", "fail", "pass"])
        self.assertEqual(len(results["earlier"]), 6)
        for folder in results["earlier"]:
            self.assertTrue((self.folder / "sippod-results" / folder).is_dir())
        # The next run removes what the passes have left.
        self.assertExit(self.sippod("suite/a", "--no-pcap"), 0)
        self.assertEqual([path.name for path in (self.folder / "sippod-results").iterdir()], ["results.json"])

    def test_loop_interrupted(self):
        running = self.start("suite", "--no-pcap", "--loop")
        self.wait_for("sippod-results/results.json", running)
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(), 128 + signal.SIGTERM)

    def test_dry_run(self):
        """All is prepared and rendered; no script and no SIPp is run."""
        suites.write_test(self.folder / "suite", "bad", {**suites.CALL, "x.sh": "{{ua9.host}}"})
        suites.write(self.folder / "suite" / "a" / "before.sh", "exit 1\n")
        suites.write(self.folder / "suite" / "a" / "after.sh", "exit 1\n")
        self.me.own(self.folder)
        run = self.sippod("suite", "--dry-run", "--pattern-exclude", "bad", "--keep", "all")
        self.assertExit(run, 0)
        self.assertIn("TOTAL: 3\n", run.out)
        self.assertNotIn("SUCCESS:", run.out)
        self.assertEqual([line.state for line in run.states if line.test == "a"],
                         ["PREPARING", "DRY-RUNNING", "SUCCESS", "CLEANING"])
        test = self.results_by_name()["a"]
        self.assertTrue(self.results()["dry_run"])
        self.assertIn("198.18.1.0", (self.run_folder(test) / "uac_ua1.xml").read_text())
        self.assertFalse(list(self.run_folder(test).glob("*_log_file")))
        run = self.sippod("suite", "--dry-run")
        self.assertExit(run, 1)
        self.assertEqual(self.results_by_name()["bad"]["result"], "NOT READY")

    def test_fail_expected(self):
        suites.write_test(self.folder / "suite", "bad", suites.FAILING)
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--fail-expected"), 0)
        self.assertEqual(self.results(inverted=True)["totals"]["fail"], 1)
        self.assertExit(self.sippod("suite/a", "--fail-expected"), 1)
        # What was not completed is not turned round.
        self.assertExit(self.sippod("nowhere", "--fail-expected"), 2)
        self.assertExit(self.sippod("suite", "--fail-expected", "--sipp", "/nonexistent"), 3)


@for_each_user
class Marks(Case):
    """What test.conf says about when and how a test counts."""

    def setUp(self):
        super().setUp()
        self.write("plain", "")
        self.write("smoke", 'tags = {"smoke", "fast"}\n')
        self.write("slow", 'tags = {"slow"}\n')
        self.me.own(self.folder)

    def write(self, name, conf, files=None):
        suites.write_test(self.folder / "suite", name, {**(files or suites.CALL), "test.conf": conf})

    def names(self):
        return [test["name"] for test in self.results()["tests"]]

    def test_tags(self):
        for arguments, expected in ((["--tag", "smoke"], ["smoke"]),
                                    (["--tag", "slow", "--tag", "fast"], ["slow", "smoke"])):
            with self.subTest(arguments):
                self.assertExit(self.sippod("suite", *arguments), 0)
                self.assertEqual(self.names(), expected)
        run = self.sippod("suite", "--tag", "nonesuch")
        self.assertExit(run, 2)
        self.assertIn("tags leave no test", run.err)

    def test_skip(self):
        self.write("zz", 'skip = "waits for the new firmware"\n', suites.FAILING)
        self.me.own(self.folder)
        run = self.sippod("suite", "--junit", "junit.xml")
        self.assertExit(run, 0)
        self.assertIn("SKIPPED: 1\n", run.out)
        line = next(line for line in run.states if line.state == "SKIPPED")
        self.assertEqual((line.test, line.reason), ("zz", "waits for the new firmware"))
        self.assertEqual(self.results()["totals"], {"total": 4, "pass": 3, "fail": 0, "flaky": 0, "skip": 1})
        self.assertIn('<skipped message="waits for the new firmware"/>', (self.folder / "junit.xml").read_text())

    def test_expected_failure(self):
        self.write("known", 'expect_failure = "BUG-7"\n', suites.FAILING)
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertExit(run, 0)
        test = self.results_by_name()["known"]
        self.assertEqual((test["verdict"], test["result"], test["expected"]), ("pass", "FAIL", True))
        self.assertRegex(test["reason"], r"expected \(BUG-7\): .*404")

    def test_expected_failure_that_succeeds(self):
        self.write("mended", 'expect_failure = "BUG-7"\n')
        self.me.own(self.folder)
        run = self.sippod("suite/mended")
        self.assertExit(run, 1)
        self.assertIn("succeeded, but test.conf expects it to fail: BUG-7", run.out)
        self.assertEqual(self.result()["result"], "FAIL")

    def test_expected_failure_is_none_of_the_scripts(self):
        """A test that was not even READY has not failed as it should."""
        self.write("unready", 'expect_failure = "BUG-7"\n')
        suites.write(self.folder / "suite" / "unready" / "before.sh", "exit 3\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite/unready"), 1)


if __name__ == "__main__":
    harness.main()
