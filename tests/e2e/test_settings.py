#!/usr/bin/env -S python3 -B
"""Settings below the command line, logs, captures in the classic format, and sippod as `sipplauncher`."""
import shutil
import subprocess
from pathlib import Path

import harness
import suites
from harness import Case, for_each_user, require


@for_each_user
class Settings(Case):
    def setUp(self):
        super().setUp()
        for name in ("a", "b"):
            suites.write_test(self.folder / "suite", name, before="echo said; echo cried >&2\n")
        self.me.own(self.folder)

    def write(self, path, text):
        suites.write(self.folder / path, text)
        self.me.own(self.folder)

    def run_with_home(self, *arguments):
        """With a home that has a configuration of its own."""
        return self.sippod(*arguments, env={"HOME": str(self.folder / "home"), "XDG_CONFIG_HOME": None})

    def test_precedence(self):
        """The command line, then the suite's file, then the user's."""
        self.write("home/.config/sippod/sippod.conf", 'no_pcap = true\nkeep = all\nresults = "users"\n')
        self.write("suite/sippod.conf", 'results = "suites"  # beside this file\n')
        self.assertExit(self.run_with_home("suite"), 0)
        results = self.results("suite/suites")  # which is no test of the suite
        self.assertEqual(results["totals"]["total"], 2)
        self.assertEqual({test["pcap"] for test in results["tests"]}, {None})
        self.assertTrue((self.folder / "suite" / "suites" / results["tests"][0]["folder"]).is_dir())
        self.assertExit(self.run_with_home("suite", "--results", "line", "--keep", "none"), 0)
        self.assertIsNone(self.results("line")["tests"][0]["folder"])

    def test_home_of_somebody_else(self):
        """It cannot even be looked into: its settings are another's."""
        (self.folder / "home").mkdir(mode=0)
        self.me.own(self.folder)
        self.assertExit(self.run_with_home("suite"), 0)

    def test_faults_name_file_and_line(self):
        for text, words in (("jobs = 4\n\nspeed = 7\n", ":3: no such option 'speed'"),
                            ("jobs = many\n", ":1: jobs many: it is a number from 1"),
                            ("fail_fast = perhaps\n", ":1: "),
                            ("pattern_only = {\"(\"}\n", "--pattern-only \"(\""),
                            ("jobs = \"4\n", ":1: what begins here is never closed")):
            with self.subTest(text):
                self.write("suite/sippod.conf", text)
                run = self.sippod("suite", "--group", "2")
                self.assertExit(run, 2)
                self.assertIn(words, run.err)
                self.assertFalse((self.folder / "sippod-results").exists())

    def test_arguments_of_a_ua(self):
        """sipp_args of the run, then those of the UA; quoted as in a shell."""
        self.write("suite/a/test.conf", 'ua "ua1" { sipp_args = "-key greeting \'hello there\'" }\n')
        run = self.sippod("suite/a", "--keep", "all", "--sipp-args", "-nd -key name \"a value\"")
        self.assertExit(run, 0)
        lines = (self.run_folder() / "sipp.launch.log").read_text().splitlines()
        uac = next(line for line in lines if "uac_ua1.xml" in line and " -sf " in line)
        uas = next(line for line in lines if "uas_ua0.xml" in line and " -sf " in line)
        self.assertIn("-nd -key name", uac)
        self.assertIn("-nd -key name", uas)
        self.assertIn("-key greeting hello there", uac)
        self.assertNotIn("greeting", uas)

    def test_logs(self):
        run = self.sippod("suite", "--keep", "all", "--log-file", "all.log", "--log-level", "warning",
                          "--log-format", "[%(levelname)s] %(name)s <%(message)s>")
        self.assertExit(run, 0)
        self.assertEqual((self.folder / "all.log").read_text(), "[ERROR] a <cried>\n[ERROR] b <cried>\n")
        for test in self.results()["tests"]:
            self.assertEqual((self.run_folder(test) / "sipplauncher.log").read_text(),
                             f"[ERROR] {test['name']} <cried>\n")
        run = self.sippod("suite/a", "--keep", "all")
        log = (self.run_folder() / "sipplauncher.log").read_text()
        self.assertRegex(log, r"(?m)^\S+ \S+ DEBUG said$")
        self.assertRegex(log, r"(?m)^\S+ \S+ ERROR cried$")

    def test_log_that_cannot_be_written(self):
        run = self.sippod("suite", "--log-file", "nowhere/all.log")
        self.assertExit(run, 2)
        self.assertIn("--log-file: cannot open the log nowhere/all.log", run.err)

    def test_classic_capture(self):
        capinfos = require("capinfos")
        run = self.sippod("suite/a", "--keep", "all", "--pcap-format", "pcap")
        self.assertExit(run, 0)
        test = self.result()
        self.assertRegex(test["pcap"], r"^sipp-[a-z]{6}\.pcap$")
        told = subprocess.run([capinfos, "-ctE", self.run_folder() / test["pcap"]], capture_output=True, text=True,
                              check=True).stdout
        self.assertRegex(told, r"File type: +Wireshark/tcpdump/... - pcap\n")
        self.assertRegex(told, rf"Number of packets: +{test['packets']}\n")
        self.assertGreaterEqual(test["packets"], 2)


@for_each_user
class Sipplauncher(Case):
    """A link of that name: the old command line, names and places."""

    OLD_FOLDER, OLD_LOG = Path("/var/tmp/sipplauncher"), Path("/tmp/sipplauncher.log")

    def setUp(self):
        super().setUp()
        if self.OLD_FOLDER.exists() or self.OLD_LOG.exists():
            harness.skip(f"{self.OLD_FOLDER} or {self.OLD_LOG} is somebody's")
        self.addCleanup(self.remove)
        suites.write_test(self.folder / "tmp-testsuite", "call")
        (self.folder / "sipplauncher").symlink_to(self.program)
        self.me.own(self.folder)

    def remove(self):
        shutil.rmtree(self.OLD_FOLDER, ignore_errors=True)
        self.OLD_LOG.unlink(missing_ok=True)

    def test_places_and_names(self):
        run = self.start_command([self.folder / "sipplauncher", "--leave-temp", "--pattern-o", "call", "--sipp-max", "1"]).wait()
        self.assertExit(run, 0)
        self.assertEqual([line.state for line in run.states], ["PREPARING", "STARTING", "SUCCESS", "CLEANING"])
        folder = next(self.OLD_FOLDER.glob("call/??????"))
        names = {path.name for path in folder.iterdir()}
        self.assertLessEqual({"sipplauncher.log", "pysipp.launch.log", f"sipp-{folder.name}.pcap", "uac_ua1_log_file",
                              "uac_ua1_screen_file", "uac_ua1_trace.csv"}, names)
        self.assertIn("READY", self.OLD_LOG.read_text())

    def test_version_and_errors(self):
        run = self.start_command([self.folder / "sipplauncher", "-v"]).wait()
        self.assertExit(run, 0)
        run = self.start_command([self.folder / "sipplauncher", "--pattern", "x"]).wait()
        self.assertExit(run, 2)
        self.assertIn("it could be --pattern-only or --pattern-exclude", run.err)


if __name__ == "__main__":
    harness.main()
