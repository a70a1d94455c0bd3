#!/usr/bin/env -S python3 -B
"""What is printed, how much of it, and in which colours."""
import os
import pty
import re

import harness
import suites
from harness import Case, Run, StateLine, for_each_user

GREEN, RED, BLUE, RESET = "\033[32m", "\033[31m", "\033[34m", "\033[0m"


@for_each_user
class Output(Case):
    def setUp(self):
        super().setUp()
        suites.write_test(self.folder / "suite", "bad", suites.FAILING, before="echo hello\necho oops >&2\n")
        suites.write_test(self.folder / "suite", "good")
        suites.write_test(self.folder / "suite", "unready", before="exit 1\n")
        self.me.own(self.folder)

    def on_a_terminal(self, *arguments, env=None):
        """What a run prints there; its output and its errors both."""
        master, slave = pty.openpty()
        running = self.start("suite", *arguments, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        data = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the last process that had the terminal is gone
                break
            data += chunk
        os.close(master)
        run = running.wait()
        return Run(run.code, data.decode().replace("\r\n", "\n"), "", run.seconds)

    def test_plain_where_it_is_no_terminal(self):
        run = self.sippod("suite", "--verbose")
        self.assertExit(run, 1)
        self.assertNotIn("\033", run.out + run.err)

    def test_colours_on_a_terminal(self):
        run = self.on_a_terminal()
        self.assertExit(run, 1)
        lines = run.out.split("=" * 80)[0].splitlines()
        self.assertEqual(len(lines), 4 + 4 + 2, run)
        for line in lines:
            match = re.fullmatch("(\033\\[\\d+m)([^\033]*)(\033\\[0m)", line)
            self.assertIsNotNone(match, repr(line))
            state = StateLine(match[2])
            self.assertTrue(state.well_formed, repr(line))
            self.assertEqual(match[1], RED if state.state in ("FAIL", "NOT READY") else GREEN, repr(line))
            self.assertEqual(match[3], RESET)

    def test_no_color(self):
        for value, colours in (("1", False), ("false", False), ("", True), (None, True)):
            with self.subTest(NO_COLOR=value):
                run = self.on_a_terminal("--pattern-only", "good", env={"NO_COLOR": value})
                self.assertExit(run, 0)
                self.assertEqual("\033" in run.out, colours, run)

    def test_quiet(self):
        for option in ("-q", "--quiet"):
            run = self.sippod("suite", option)
            self.assertExit(run, 1)
            self.assertStates(run, "FAIL", "NOT READY")
            self.assertEqual(run.lines[-6:-1], ["=" * 80, "TOTAL: 3", "SUCCESS: 1", "FAILED: 2", "=" * 80])
            self.assertEqual(run.err, "")
        run = self.sippod("suite/good", "-q")
        self.assertStates(run)

    def test_verbose(self):
        run = self.sippod("suite", "--verbose")
        self.assertExit(run, 1)
        begin, end = ["CREATED", "PREPARING"], ["CLEANING", "CLEAN"]
        self.assertEqual([(line.test, line.state) for line in run.states], [
            *[("bad", state) for state in [*begin, "READY", "STARTING", "FAIL", *end]],
            *[("good", state) for state in [*begin, "READY", "STARTING", "SUCCESS", *end]],
            *[("unready", state) for state in [*begin, "NOT READY"]],
        ])
        # The same as in the test's own log, each line headed by the test.
        errors = run.err.splitlines()
        for line in ("bad: hello", "bad: oops", "good: SUCCESS", "good: ua1 ended with exit code 0"):
            self.assertIn(line, errors)
        test = self.results_by_name()["bad"]
        log = (self.run_folder(test) / "sipplauncher.log").read_text().splitlines()
        self.assertEqual([re.sub(r"^\S+ \S+ \S+ ", "bad: ", line) for line in log],
                         [line for line in errors if line.startswith("bad: ")])

    def test_lines_come_as_things_happen(self):
        """Not when a buffer is full: whoever reads along sees where a test is."""
        suites.write_test(self.folder / "slow", "one", before=suites.WAIT)
        self.me.own(self.folder)
        running = self.start("slow")
        self.assertIn("PREPARING", running.popen.stdout.readline())
        (self.wait_for("sippod-results/one/*/waiting", running).parent / "go").touch()
        self.assertIn("STARTING", running.popen.stdout.readline())
        self.assertExit(running.wait(), 0)

    def test_help_and_version(self):
        for arguments, words in ((["--help"], "Usage: sippod"), (["-h"], "Usage: sippod"), (["--version"], "sippod "),
                                 (["run", "--help"], "--keep"), (["run", "-h"], "--keep"), (["run", "-v"], "sippod ")):
            run = self.start_command([self.program, *arguments]).wait()
            self.assertExit(run, 0)
            self.assertIn(words, run.out)
            self.assertEqual(run.err, "")
        self.assertFalse((self.folder / "sippod-results").exists())


if __name__ == "__main__":
    harness.main()
