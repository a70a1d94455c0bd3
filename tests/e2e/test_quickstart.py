#!/usr/bin/env -S python3 -B
"""The quickstart suite: what is printed, what is written, what is left."""
import os
import re

import harness
from harness import Case, for_each_user

TESTS = ["call", "cancel", "hold", "not-found", "options", "register", "rtp", "tcp"]
PRINTED = ["PREPARING", "STARTING", "SUCCESS", "CLEANING"]
ENTERED = ["CREATED", "PREPARING", "READY", "STARTING", "SUCCESS", "CLEANING", "CLEAN"]
RULE = "=" * 80


@for_each_user
class Quickstart(Case):
    def test_passes_and_says_so(self):
        run = self.sippod(harness.workspace.quickstart)
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        self.assertEqual([(line.test, line.state) for line in run.states],
                         [(test, state) for test in TESTS for state in PRINTED], str(run))
        for line in run.states:
            self.assertTrue(line.well_formed, f"not '%12s %24s (<index>-<run_id>)': {line}")
            self.assertEqual(line.index, str(TESTS.index(line.test) + 1), line)
            self.assertIsNone(line.reason, line)
            if line.state == "SUCCESS":
                self.assertRegex(line.text, r" - took \d\.\d\ds \(\d+\.\d cps\)$")
            else:
                self.assertTrue(line.text.endswith(")") and "took" not in line.text, line)
        # One test, one run id.
        self.assertEqual(len({line.run_id for line in run.states}), len(TESTS))
        self.assertEqual(run.lines[-6:-1], [RULE, "TOTAL: 8", "SUCCESS: 8", "FAILED: 0", RULE], str(run))
        self.assertRegex(run.lines[-1], r"^Total time elapsed \d+(\.\d\d)?s$")
        # Of clean passes nothing but the results is kept.
        self.assertEqual(os.listdir(self.folder), ["sippod-results"])
        self.assertEqual(os.listdir(self.folder / "sippod-results"), ["results.json"])

    def test_side_by_side(self):
        """Without --jobs, as users run it: the lines of different tests mix, those of one keep their order."""
        run = self.start_command([self.program, "run", harness.workspace.quickstart]).wait()
        self.assertExit(run, 0)
        states = {}
        for line in run.states:
            self.assertTrue(line.well_formed, line)
            states.setdefault(line.test, []).append(line.state)
        self.assertEqual(states, dict.fromkeys(TESTS, PRINTED))
        self.assertEqual(sorted((test["index"], test["name"]) for test in self.results()["tests"]),
                         list(enumerate(TESTS, 1)))

    def test_results_tell_it_all(self):
        run = self.sippod(harness.workspace.quickstart)
        results = self.results()
        self.assertEqual(results["suite"], str(harness.workspace.quickstart))
        self.assertEqual(f"sippod {results['sippod']}\n", self.me.run(self.program, "--version").stdout)
        self.assertEqual((results["exit_code"], results["partial"], results["dry_run"]), (0, False, False))
        self.assertEqual(results["totals"], {"total": 8, "pass": 8, "fail": 0, "flaky": 0, "skip": 0})
        self.assertEqual(results["host"]["uid"], self.me.uid)
        self.assertEqual(results["host"]["kernel"], os.uname().release)
        ids = {line.test: line.run_id for line in run.states}
        for number, test in enumerate(results["tests"], 1):
            self.assertEqual((test["name"], test["index"]), (TESTS[number - 1], number))
            self.assertEqual(test["run_id"], ids[test["name"]])
            self.assertEqual((test["verdict"], test["result"], test["clean"]), ("pass", "SUCCESS", True))
            self.assertEqual(test["states"], ENTERED)
            self.assertEqual((test["reason"], test["folder"], test["pcap"]), (None, None, None))
            self.assertEqual((test["dropped"], test["expectations"], test["dns"]), (0, [], []))
            # Each UA has an exit code of SIPp's, and there are packets: no test passes by doing nothing.
            self.assertEqual([(ua["name"], ua["role"], ua["part"], ua["address"], ua["exit_code"], ua["signal"])
                              for ua in test["uas"]],
                             [("ua0", "uas", "", "198.18.1.0", 0, None), ("ua1", "uac", "", "198.18.1.1", 0, None)])
            self.assertGreaterEqual(test["packets"], 2, test["name"])
            for phase in ("prepare_s", "run_s", "clean_s"):
                self.assertGreater(test[phase], 0)
        spent = sum(test[phase] for test in results["tests"] for phase in ("prepare_s", "run_s", "clean_s"))
        self.assertLessEqual(spent, results["duration_s"])
        self.assertLessEqual(results["duration_s"], run.seconds)

    def test_keeps_everything_when_told(self):
        for option in (["--keep", "all"], ["--leave-temp"]):
            with self.subTest(option):
                self.assertExit(self.sippod(harness.workspace.quickstart, *option, "--results", option[0]), 0)
                for test in self.results(option[0])["tests"]:
                    folder = self.run_folder(test, option[0])
                    self.assertEqual(folder, self.folder / option[0] / test["name"] / test["run_id"])
                    self.assertEqual(test["pcap"], f"sipp-{test['run_id']}.pcapng")
                    self.check_files(folder, test)

    def check_files(self, folder, test):
        names = os.listdir(folder)
        expected = {"sipplauncher.log", "sipp.launch.log", test["pcap"]}
        expected |= set(os.listdir(harness.workspace.quickstart / test["name"]))
        for scenario in ("uas_ua0", "uac_ua1"):
            expected |= {f"{scenario}_log_file", f"{scenario}_screen_file", f"{scenario}_trace.csv"}
            for name in (rf"{scenario}_\d+_messages\.log", rf"{scenario}_\d+_calldebug\.log",
                         rf"{scenario}_\d+_error_codes\.csv"):
                self.assertTrue(any(re.fullmatch(name, other) for other in names), f"{name} is not in {names}")
        self.assertLessEqual(expected, set(names))
        for name in names:
            self.assertEqual((folder / name).stat().st_uid, self.me.uid, name)
        # What SIPp got is the rendered scenario.
        self.assertNotIn("{{", (folder / "uac_ua1.xml").read_text())
        self.assertIn("-i 198.18.1.1 -t", (folder / "sipp.launch.log").read_text())

    def test_one_test_alone(self):
        run = self.sippod(harness.workspace.quickstart / "hold")
        self.assertExit(run, 0)
        self.assertEqual([line.test for line in run.states], ["hold"] * 4)
        self.assertEqual(self.result()["name"], "hold")
        self.assertEqual(self.results()["suite"], str(harness.workspace.quickstart))


if __name__ == "__main__":
    harness.main()
