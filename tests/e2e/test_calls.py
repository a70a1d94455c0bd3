#!/usr/bin/env -S python3 -B
"""A test's SIPps: which are started and when, what is told when one fails, and what ends those that do not end."""
import harness
import suites
from harness import for_each_user
from life import LifeCase


@for_each_user
class Calls(LifeCase):
    def test_caller_that_fails(self):
        run = self.one(files=suites.FAILING)
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "STARTING", "FAIL", "CLEANING")
        line = self.assertLast(run, "FAIL", r"^ua1 \(uac_ua1\.xml\): a call failed \(exit code 1\): "
                               r"expected 200 \(step 1\), received SIP/2\.0 404 Not Found$")
        self.assertRegex(line.cps or "", r"^\*\d+\.\d$")
        test = self.result()
        self.assertEqual((test["result"], test["verdict"], test["clean"]), ("FAIL", "fail", True))
        self.assertEqual(test["reason"], line.reason)
        self.assertEqual({ua["name"]: ua["exit_code"] for ua in test["uas"]}["ua1"], 1)

    def test_broken_scenario(self):
        run = self.one(files={**suites.CALL, "uac_ua1.xml": "<scenario><send>"})
        self.assertExit(run, 1)
        self.assertLast(run, "FAIL", r"^ua1 \(uac_ua1\.xml\): SIPp gave up \(exit code \d+\): ")

    def test_callee_that_cannot_start(self):
        """The caller is not even started: nobody would answer."""
        run = self.one(files={**suites.CALL, "uas_ua0.xml": suites.uas().replace("<recv", "<nonsense")})
        self.assertExit(run, 1)
        self.assertLast(run, "FAIL", r"^ua0 \(uas_ua0\.xml\): SIPp gave up \(exit code \d+\): ")
        self.assertIsNone({ua["name"]: ua["exit_code"] for ua in self.result()["uas"]}["ua1"])

    def test_undefined_keyword_in_a_scenario(self):
        caller = suites.uac().replace("dut.uri_host", "dut.hots")
        run = self.one(files={**suites.CALL, "uac_ua1.xml": caller})
        self.assertExit(run, 1)
        line = caller[:caller.index("dut.hots")].count("\n") + 1
        self.assertLast(run, "NOT READY", rf"^uac_ua1\.xml:{line}: 'dict object' has no attribute 'hots'$")

    def test_nobody_to_call(self):
        for name in ("uac_ua1.xml", "02_uac_ua1.xml"):
            with self.subTest(name):
                files = {name: suites.uac().replace("{{dut.uri_host}}", "127.0.0.1"), "03_uas_ua0.xml": suites.uas()}
                suites.write_test(self.folder / "suite", name, files)
                self.me.own(self.folder)
                run = self.sippod(self.folder / "suite" / name)
                self.assertExit(run, 1)
                self.assertLast(run, "NOT READY", "^ua1 has nobody to call")

    def test_callee_alone_is_stopped_when_its_time_is_over(self):
        began = "touch before\n"
        run = self.one("--timeout", "1", files={"uas_ua0.xml": suites.uas()}, before=began)
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "STARTING", "FAIL", "CLEANING")
        self.assertLast(run, "FAIL", r"^not over after its time limit of 1 s; still running: ua0 \(uas_ua0\.xml\)$")
        self.assertQuick(run, 5)

    def test_parts_run_one_after_the_other(self):
        """In order of bytes: "" before "02" before "1"; a part is begun when the last one has ended."""
        files = {}
        for part in ("", "1_", "02_"):
            files[f"{part}uas_ua0.xml"] = suites.uas(after=suites.pause(0.1))
            files[f"{part}uac_ua1.xml"] = suites.uac(subject=f"part {part}")
        self.assertExit(self.one("--keep", "all", files=files), 0)
        self.assertEqual([(ua["part"], ua["name"], ua["role"], ua["exit_code"]) for ua in self.result()["uas"]],
                         [(part, name, role, 0) for part in ("", "02", "1")
                          for name, role in (("ua0", "uas"), ("ua1", "uac"))])
        started = self.stamps("sipp.launch.log", r"INFO ua\d: \S*sipp .* -sf (\S*)ua[cs]_ua\d\.xml")
        ended = self.stamps("sipplauncher.log", r"INFO ua\d (ended) with exit code 0")
        self.assertEqual([part for _, part in started], ["", "", "02_", "02_", "1_", "1_"])
        self.assertEqual(len(ended), 6)
        for part in (2, 4):
            self.assertGreaterEqual(started[part][0], ended[part - 1][0])

    def test_part_that_fails_is_the_last(self):
        files = {**suites.FAILING, "02_uas_ua0.xml": suites.uas(), "02_uac_ua1.xml": suites.uac()}
        run = self.one(files=files)
        self.assertExit(run, 1)
        self.assertEqual([ua["exit_code"] for ua in self.result()["uas"] if ua["part"] == "02"], [None, None])

    def test_callers_and_callees_of_one_part(self):
        """Three callees and two callers: a caller may call any of them."""
        files = {f"uas_ua{number}.xml": suites.uas() for number in (0, 2, 10)}
        to = "sip:bob@{{dut.uri_host}}"
        files["uac_ua1.xml"] = suites.uac()
        for number, callee in ((3, 2), (4, 10)):
            other = f"{{{{ua{callee}.host}}}}"
            turn = f'  <nop><action><setdest host="{other}" port="5060" protocol="udp"/></action></nop>\n'
            files[f"uac_ua{number}.xml"] = suites.uac(before=turn).replace(to, f"sip:bob@{other}")
        run = self.one("--keep", "all", files=files)
        self.assertExit(run, 0)
        self.assertEqual({ua["name"]: ua["address"] for ua in self.result()["uas"]},
                         {f"ua{number}": f"198.18.1.{number}" for number in (0, 1, 2, 3, 4, 10)})


@for_each_user
class TimeLimits(LifeCase):
    def test_before_that_takes_too_long(self):
        run = self.one("--timeout", "0.5", before="echo waiting >&2\nsleep 600\n", after="touch after\n")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertLast(run, "NOT READY", "not over after its time limit of 0.5 s")
        self.assertEqual(self.result()["result"], "NOT READY")
        self.assertFalse((self.run_folder() / "after").exists(), "after.sh was run")
        self.assertQuick(run, 5)

    def test_call_that_takes_too_long(self):
        """By the option, and by test.conf, which wins; after.sh is run, and the next test too."""
        files = {**suites.ENDLESS, "test.conf": "timeout = 0.5\n"}
        suites.write_test(self.folder / "suite", "long", files, after="touch after\n")
        suites.write_test(self.folder / "suite", "next")
        self.me.own(self.folder)
        run = self.sippod("suite", "--timeout", "60")
        self.assertExit(run, 1)
        self.assertQuick(run, 10)
        failed = next(line for line in run.states if line.state == "FAIL")
        self.assertRegex(failed.reason, "^not over after its time limit of 0.5 s; still running: .*ua1 ")
        tests = self.results_by_name()
        self.assertEqual(tests["long"]["result"], "FAIL")
        self.assertTrue((self.run_folder(tests["long"]) / "after").exists(), "after.sh was not run")
        self.assertEqual(tests["next"]["verdict"], "pass")
        self.assertFalse(self.results()["partial"], "each test was run to its end")

    def test_limit_does_not_count_the_cleaning(self):
        self.assertExit(self.one("--timeout", "1.5", after="sleep 2\n"), 0)


class Stubborn(LifeCase):
    """Slow ones: root's and the user's run go on at the same time."""

    def both(self, files, *options):
        """[(identity, folder, run)] of runs that were started together."""
        running = []
        for name, who in harness.IDENTITIES.items():
            if name == "second user":
                continue
            folder = self.make_folder(who)
            suites.write_test(folder / "suite", "one", files)
            who.own(folder)
            running.append((who, folder, self.start("suite", *options, who=who, cwd=folder)))
        return [(who, folder, process.wait()) for who, folder, process in running]

    def test_callee_that_goes_on_after_the_caller_failed(self):
        """It is asked, and after 5 s made, to end; the reason is the caller's."""
        waits = suites.uas(answer="404 Not Found", before=suites.pause(600))
        fails = suites.uac(options="").replace('<recv response="200"/>', '<recv response="200" timeout="200"/>')
        for who, folder, run in self.both({"uas_ua0.xml": waits, "uac_ua1.xml": fails}):
            with self.subTest(who.name):
                self.assertExit(run, 1)
                self.assertQuick(run, 12)
                test = self.result(folder / "sippod-results")
                self.assertEqual(test["result"], "FAIL")
                self.assertRegex(test["reason"], r"^ua1 \(uac_ua1\.xml\)")

    def test_callee_that_never_gets_its_call(self):
        """The caller fails at once; the callee, which waits, ends when it is asked to."""
        for who, folder, run in self.both({"uas_ua0.xml": suites.uas(), "uac_ua1.xml": "<scenario>"}):
            with self.subTest(who.name):
                self.assertExit(run, 1)
                self.assertQuick(run, 4)
                test = self.result(folder / "sippod-results")
                self.assertRegex(test["reason"], r"^ua1 \(uac_ua1\.xml\): SIPp gave up \(exit code \d+\): ")
                self.assertEqual([ua["signal"] for ua in test["uas"]], [None, None])


if __name__ == "__main__":
    harness.main()
