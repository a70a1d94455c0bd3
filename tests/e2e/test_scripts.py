#!/usr/bin/env -S python3 -B
"""before.sh and after.sh: when they are run, what becomes of their output, their failures and their children."""
import harness
import host
import suites
from harness import for_each_user
from life import LifeCase


@for_each_user
class Scripts(LifeCase):
    def test_before_that_fails(self):
        """No after.sh then; the other tests are still run."""
        suites.write_test(self.folder / "suite", "bad", before="echo fine\necho 'no such database' >&2\nexit 7\n",
                          after="touch after\n")
        suites.write_test(self.folder / "suite", "good")
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertEqual([line.state for line in run.states],
                         ["PREPARING", "NOT READY", "PREPARING", "STARTING", "SUCCESS", "CLEANING"])
        self.assertRegex(run.states[1].reason, "^before.sh ended with exit code 7: no such database$")
        self.assertIsNotNone(run.states[1].took)
        tests = self.results_by_name()
        bad = tests["bad"]
        self.assertEqual((bad["verdict"], bad["result"], bad["reason"]), ("fail", "NOT READY", run.states[1].reason))
        self.assertEqual(bad["states"], ["CREATED", "PREPARING", "NOT READY"])
        self.assertEqual([(ua["exit_code"], ua["signal"]) for ua in bad["uas"]], [(None, None)] * 2)
        self.assertFalse((self.run_folder(bad) / "after").exists(), "after.sh was run")
        self.assertEqual(tests["good"]["verdict"], "pass")
        self.assertEqual(run.lines[-6:-3], ["=" * 80, "TOTAL: 2", "SUCCESS: 1"], run)

    def test_before_that_is_killed(self):
        run = self.one(before="kill -TERM $$\n")
        self.assertExit(run, 1)
        self.assertLast(run, "NOT READY", "^before.sh was ended by SIGTERM$")

    def test_after_that_fails(self):
        """The call itself succeeded, and yet the test has failed."""
        run = self.one(after="echo 'rm: no' >&2\nexit 3\n")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "STARTING", "SUCCESS", "CLEANING", "DIRTY")
        self.assertLast(run, "DIRTY", "after.sh ended with exit code 3: rm: no$")
        test = self.result()
        self.assertEqual((test["result"], test["clean"], test["verdict"]), ("SUCCESS", False, "fail"))
        self.assertIn("after.sh ended with exit code 3", test["reason"])

    def test_both_fail(self):
        run = self.one(files=suites.FAILING, after="exit 3\n")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "STARTING", "FAIL", "CLEANING", "DIRTY")
        self.assertRegex(self.result()["reason"], "^ua1 .*; .*after.sh ended with exit code 3$")

    def test_after_is_run_after_a_failed_call(self):
        run = self.one(files=suites.FAILING, before="touch before\n", after="test -e before && touch after\n")
        self.assertExit(run, 1)
        self.assertTrue((self.run_folder() / "after").exists(), "after.sh was not run")

    def test_background_processes(self):
        """They hold nothing up although they keep the pipes open, live as long as the test, and no longer."""
        background = "sh -c 'while sleep 0.01; do echo still here; echo >>beats; done' &\n"
        run = self.one("--keep", "all", before=background + "sleep 600 &\n",
                       after="n=$(wc -l <beats); while [ $(wc -l <beats) -le $n ]; do sleep 0.01; done\n")
        self.assertExit(run, 0)
        self.assertQuick(run, 10)
        self.assertEqual([process for process in host.descendants() if process.name == "sleep"], [])

    def test_daemons(self):
        """A process that left its session and its parent is gone with the pod all the same."""
        run = self.one("--keep", "all", before="setsid sh -c 'setsid sh -c \"echo x >started; exec sleep 600\" &' &\n"
                       "while [ ! -s started ]; do sleep 0.01; done\n")
        self.assertExit(run, 0)
        self.assertQuick(run, 10)

    def test_output_is_logged(self):
        before = "echo out; echo err >&2; printf 'no end'\n"
        self.assertExit(self.one("--keep", "all", before=before, after="echo after\n"), 0)
        log = self.log()
        self.assertIn(("DEBUG", "out"), log)
        self.assertIn(("ERROR", "err"), log)
        self.assertIn(("DEBUG", "no end"), log)
        self.assertLess(log.index(("DEBUG", "no end")), log.index(("INFO", "STARTING")))
        self.assertLess(log.index(("INFO", "SUCCESS")), log.index(("DEBUG", "after")))

    def test_binary_output_is_escaped(self):
        run = self.one(before="printf 'a\\377\\000b\\033[31m\\tc\\r\\n\\303\\244\\n' >&2\n"
                       "head -c 100000 /dev/zero\nexit 1\n")
        self.assertExit(run, 1)
        log = self.log()
        self.assertIn(("ERROR", "a\\xff\\x00b\\x1b[31m\\x09c"), log)
        self.assertIn(("ERROR", "ä"), log)
        self.assertEqual(sum(text.count("\\x00") for level, text in log if level == "DEBUG"), 100000)
        # Neither does any of it reach the terminal raw.
        self.assertLast(run, "NOT READY", r"a\\xff\\x00b\\x1b\[31m\\x09c")
        self.assertNotIn("\033", run.out)
        self.assertNotIn("\\x00" * 100, self.result()["reason"])

    def test_much_output_is_complete(self):
        self.assertExit(self.one("--keep", "all", before="seq 1 20000\nseq 1 20000 | sed s/^/e/ >&2\n"), 0)
        log = self.log()
        self.assertEqual([text for level, text in log if level == "DEBUG" and text.isdigit()],
                         [str(number) for number in range(1, 20001)])
        self.assertEqual([text for level, text in log if level == "ERROR"],
                         [f"e{number}" for number in range(1, 20001)])

    def test_keywords_in_scripts(self):
        run = self.one("--keep", "all", before="echo {{test.name}} {{test.run_id}} {{ua0.host}} {{ua1.host}} "
                       "{{dut.host}} {{test.run_id_number}} '{{custom_transport}}'\n")
        self.assertExit(run, 0)
        text = [text for level, text in self.log() if level == "DEBUG"][0]
        self.assertRegex(text, rf"^one {self.result()['run_id']} 198.18.1.0 198.18.1.1 198.18.1.0 \d{{12}} $")

    def test_undefined_keyword(self):
        run = self.one(before="# one\n# two\necho {{ua7.host}}\n", after="touch after\n")
        self.assertExit(run, 1)
        self.assertLast(run, "NOT READY", r"^before\.sh:3: 'ua7' is undefined$")
        self.assertFalse((self.run_folder() / "after").exists())

    def test_files_that_are_no_text_for_templates(self):
        """Only scenarios and scripts are rendered; everything else is copied byte for byte."""
        data = bytes(range(256)) + b"{{ not.a.keyword }}\r\n"
        run = self.one("--keep", "all", files={**suites.CALL, "data.bin": data, "sub/folder/more.sh": "{{nothing}}"})
        self.assertExit(run, 0)
        self.assertEqual((self.run_folder() / "data.bin").read_bytes(), data)
        self.assertEqual((self.run_folder() / "sub" / "folder" / "more.sh").read_text(), "{{nothing}}")


if __name__ == "__main__":
    harness.main()
