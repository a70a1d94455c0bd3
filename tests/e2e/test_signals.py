#!/usr/bin/env -S python3 -B
"""A signal ends a run, and the run still ends properly: SIPp stopped, after.sh run, results written, nothing left."""
import os
import pty
import signal
import time

import harness
import host
import suites
from harness import Case, for_each_user

ENDING = ("INT", "TERM", "HUP", "QUIT", "PIPE", "USR1", "USR2", "ALRM")
MARKS = "touch after\n"


class SignalCase(Case):
    def begin(self, phase="calling", number=0, first=None, after=MARKS, **options):
        """Starts a run of two tests, of which the first one goes on until the marker file `phase` is there."""
        suite, results = self.folder / f"suite{number}", f"results{number}"
        before = suites.WAIT if phase == "waiting" else None
        scripts = {"after": after, **({"before": before} if before else {})}
        suites.write_test(suite, "1-long", suites.ENDLESS if phase == "calling" else suites.CALL, **scripts)
        suites.write_test(suite, "2-next", before="touch was-here\n")
        self.me.own(self.folder)
        running = (first or self.start)(suite, "--results", results, **options)
        marker = self.wait_for(f"{results}/1-long/*/{phase}", running)
        return running, marker.parent, results

    def assertEnded(self, running, signal_name, folder, results, state, after=True, seconds=3):
        """As a shell sees it, and as the results tell it."""
        began = time.monotonic()
        run = running.wait()
        self.assertLess(time.monotonic() - began, seconds, run)
        number = signal.Signals[f"SIG{signal_name}"].value
        self.assertExit(run, 128 + number)
        self.assertEqual((folder / "after").exists(), after, "after.sh was " + ("not " if after else "") + "run")
        everything = self.results(results)
        self.assertEqual((everything["partial"], everything["exit_code"]), (True, 128 + number))
        self.assertEqual([test["name"] for test in everything["tests"]], ["1-long"], "the next test was begun")
        test = everything["tests"][0]
        self.assertEqual((test["result"], test["verdict"]), ("INTERRUPTED", "fail"))
        self.assertIn(f"SIG{signal_name}", test["reason"])
        self.assertIn(state, test["states"])
        self.assertEqual(self.run_folder(test, results), folder)
        return run, test


@for_each_user
class EachSignal(SignalCase):
    def test_while_sipp_runs(self):
        for number, name in enumerate(ENDING):
            with self.subTest(name):
                running, folder, results = self.begin(number=number)
                running.signal(signal.Signals[f"SIG{name}"])
                run, test = self.assertEnded(running, name, folder, results, "FAIL")
                self.assertTrue(test["clean"], test)
                self.assertRegex(run.out, rf"FAIL +1-long .*: interrupted by SIG{name}\n")
                self.assertIn("\nTOTAL: 1\n", run.out)
                # What was captured until then is a whole file.
                self.assertGreater((folder / test["pcap"]).stat().st_size, 0)

    def test_while_before_sh_runs(self):
        """What it has begun is cleaned up by after.sh too."""
        for number, name in enumerate(ENDING):
            with self.subTest(name):
                running, folder, results = self.begin("waiting", number=number)
                running.signal(signal.Signals[f"SIG{name}"])
                self.assertEnded(running, name, folder, results, "NOT READY")

    def test_again_while_after_sh_runs(self):
        """Nothing more is waited for; the exit code is the first one's."""
        for number, (first, second) in enumerate((("TERM", "INT"), ("INT", "INT"), ("HUP", "TERM"))):
            with self.subTest(f"{first} {second}"):
                running, folder, results = self.begin(number=number, after="touch after\nsleep 600\n")
                running.signal(signal.Signals[f"SIG{first}"])
                self.wait_for(f"{results}/1-long/*/after", running)
                running.signal(signal.Signals[f"SIG{second}"])
                _, test = self.assertEnded(running, first, folder, results, "DIRTY")
                self.assertFalse(test["clean"])


@for_each_user
class Moments(SignalCase):
    def test_many_at_once(self):
        """The second one counts although the first one's work has hardly begun. (Signals of one kind would merge.)"""
        running, _, results = self.begin(after="touch after\nsleep 600\n")
        for name in ENDING:
            running.signal(signal.Signals[f"SIG{name}"])
        began = time.monotonic()
        run = running.wait()
        self.assertLess(time.monotonic() - began, 3, run)
        self.assertIn(run.code, {128 + signal.Signals[f"SIG{name}"] for name in ENDING})
        self.assertEqual(self.results(results)["exit_code"], run.code)
        self.assertIn("DIRTY", self.result(results)["states"])

    def test_while_after_sh_runs(self):
        """A first signal lets it end."""
        suites.write_test(self.folder / "suite", "1-one", after=suites.WAIT + MARKS)
        suites.write_test(self.folder / "suite", "2-next")
        self.me.own(self.folder)
        running = self.start("suite", "--keep", "all")
        folder = self.wait_for("sippod-results/1-one/*/waiting", running).parent
        running.signal(signal.SIGTERM)
        time.sleep(0.1)  # nothing is to happen now, and that has no event
        self.assertIsNone(running.popen.poll())
        (folder / "go").touch()
        run = running.wait()
        self.assertExit(run, 143)
        self.assertTrue((folder / "after").exists())
        results = self.results()
        self.assertEqual([(test["name"], test["verdict"]) for test in results["tests"]], [("1-one", "pass")])
        self.assertTrue(results["partial"])

    def test_at_any_moment_of_the_start(self):
        """Whatever has been reached: exit code, and nothing left (which is checked for every test)."""
        suites.write_test(self.folder / "suite", "one", suites.ENDLESS)
        self.me.own(self.folder)
        for number in range(20):
            delay = number * 0.004
            with self.subTest(delay=delay):
                running = self.start("suite")
                time.sleep(delay)
                running.signal(signal.SIGTERM)
                run = running.wait(timeout=10)
                # Before it has begun to care for signals it is ended by it like any program.
                self.assertIn(run.code, (143, -signal.SIGTERM), run)
                self.assertQuick(run, 5)

    def test_sippod_that_ignores_a_signal(self):
        """As under nohup: it stays ignored, and the run goes to its end."""
        def ignoring(*arguments, **options):
            return self.start_command(["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh",
                                       *self.run_words(*arguments)], **options)
        running, folder, results = self.begin("waiting", first=ignoring)
        running.signal(signal.SIGHUP)
        running.signal(signal.SIGINT)
        time.sleep(0.1)  # nothing is to happen now, and that has no event
        (folder / "go").touch()
        run = running.wait()
        self.assertExit(run, 0)
        self.assertEqual(self.results(results)["totals"]["pass"], 2)
        self.assertFalse(self.results(results)["partial"])

    def test_signals_of_scripts_are_not_ignored(self):
        """What sippod blocks or ignores is none of the scripts' business."""
        suites.write_test(self.folder / "suite", "one", before="grep -E '^Sig(Blk|Ign):' /proc/self/status >signals\n"
                          "sh -c 'kill -TERM $$; echo still alive >alive'\ntest ! -e alive\n")
        self.me.own(self.folder)
        run = self.start_command(["sh", "-c", "trap '' HUP INT TERM; exec \"$@\"", "sh",
                                  *self.run_words("suite", "--keep", "all")]).wait()
        self.assertExit(run, 0)
        for line in (self.run_folder() / "signals").read_text().splitlines():
            self.assertEqual(int(line.split()[1], 16), 0, line)

    def run_with_reader_that_goes_away(self):
        """`sippod run … | head -1`"""
        for name in ("1-one", "2-two", "3-three", "4-four", "5-five"):
            suites.write_test(self.folder / "suite", name, after="sleep 0.2\ntouch after\n")
        self.me.own(self.folder)
        pipeline = '"$0" run --jobs 1 suite | head -1; echo ${PIPESTATUS[0]}'
        return self.start_command(["bash", "-c", pipeline, self.program]).wait()

    def test_reader_that_goes_away(self):
        run = self.run_with_reader_that_goes_away()
        lines = run.out.splitlines()
        self.assertRegex(lines[0], r"^ +PREPARING +1-one ")
        self.assertEqual(lines[1:], ["141"], run)
        self.assertEqual(run.err, "")
        results = self.results()
        self.assertTrue(results["partial"])
        self.assertNotIn("5-five", [test["name"] for test in results["tests"]])
        self.assertEqual(results["tests"][-1]["result"], "INTERRUPTED")

    def test_reader_that_goes_away_is_no_hurry(self):
        """Each further line that is written is a SIGPIPE again, but no second signal of an impatient user."""
        self.run_with_reader_that_goes_away()
        interrupted = self.results()["tests"][-1]
        self.assertEqual(interrupted["reason"], "interrupted by SIGPIPE")
        self.assertTrue((self.run_folder(interrupted) / "after").exists(), "after.sh was not run to its end")

@for_each_user
class Terminal(SignalCase):
    def begin_on_terminal(self):
        """A run that leads a session whose controlling terminal is a new one; the terminal's other end, too."""
        master, slave = pty.openpty()

        def start(*arguments, **options):
            running = self.start_command(["setsid", "--ctty", *self.run_words(*arguments)], stdin=slave,
                                         stdout=slave, stderr=slave, **options)
            os.close(slave)
            return running
        running, folder, results = self.begin(first=start)
        self.assertEqual(os.getsid(running.pid), running.pid)
        return running, folder, results, master

    def test_ctrl_c(self):
        """The terminal sends it to every process of its foreground group; only sippod acts on it."""
        running, folder, results, master = self.begin_on_terminal()
        os.write(master, b"\x03")
        output = b""
        while True:
            try:
                output += os.read(master, 65536)
            except OSError:  # the last process that had the terminal is gone
                break
        os.close(master)
        self.assertEnded(running, "INT", folder, results, "FAIL")
        self.assertIn(b"interrupted by SIGINT", output)

    def test_closed_terminal(self):
        """The terminal's window is closed: HUP comes, and nobody reads any more."""
        running, folder, results, master = self.begin_on_terminal()
        os.close(master)
        running.popen.wait(timeout=10)
        self.assertTrue(host.wait_until(lambda: (self.folder / results / "results.json").exists()))
        self.assertTrue((folder / "after").exists(), "after.sh was not run")
        self.assertEqual(self.results(results)["exit_code"], 128 + signal.SIGHUP)


if __name__ == "__main__":
    harness.main()
