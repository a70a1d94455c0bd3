#!/usr/bin/env -S python3 -B
"""A device under test that the suite starts: one for each test, in its pod."""
import re

import harness
import suites
from harness import Case, for_each_user

SIPP = "exec sipp -i {{dut.host}} -sf uas.xml -nostdin\n"
CALL = {"uac_ua1.xml": suites.uac()}


class DutCase(Case):
    def make_suite(self, script, files=None, tests=("one",), conf=None, **scripts):
        suite = self.folder / "suite"
        suites.write(suite / "DUT" / "dut.sh", script)
        suites.write(suite / "DUT" / "uas.xml", suites.uas())
        if conf is not None:
            suites.write(suite / "sippod.conf", conf)
        for name in tests:
            suites.write_test(suite, name, CALL if files is None else files, **scripts)
        self.me.own(self.folder)

    def log(self):
        return (self.run_folder() / "dut.log").read_text()


@for_each_user
class Dut(DutCase):
    def test_each_test_has_its_own(self):
        self.make_suite("echo {{test.name}} {{test.run_id}}\n" + SIPP, tests=("one", "two", "three"),
                        before='echo "{{dut.host}}" >dut-host\n')
        run = self.sippod("suite", "--jobs", "3", "--keep", "all")
        self.assertExit(run, 0)
        for test in self.results()["tests"]:
            folder = self.run_folder(test)
            self.assertIn(f"INFO {test['name']} {test['run_id']}\n", (folder / "dut.log").read_text())
            self.assertEqual((folder / "dut-host").read_text(), "198.18.0.1\n")
            self.assertTrue((folder / "dut" / "uas.xml").exists())

    def test_wildcard_and_port(self):
        python = harness.python_for(self.me)
        server = (f"exec {python} -c 'import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "time.sleep(0.2)\ns.bind((\"0.0.0.0\", 5099))\nopen(\"../bound\", \"w\")\ntime.sleep(60)'\n")
        self.make_suite(server, suites.CALL, conf="# where it is\ndut_port = 5099\n", before="test -e bound\n",
                        tests=())
        suites.write_test(self.folder / "suite", "one", {"uas_ua0.xml": suites.uas(), "uac_ua1.xml": "<broken"},
                          before="test -e bound\n")
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertExit(run, 1)  # before.sh was run, and only once the DUT was bound
        self.assertStates(run, "PREPARING", "STARTING", "FAIL", "CLEANING")

    def test_tcp(self):
        python = harness.python_for(self.me)
        self.make_suite(f"exec {python} -c 'import socket, time\ns = socket.create_server((\"{{{{dut.host}}}}\", 5060))\n"
                        "time.sleep(60)'\n", {"uac_ua1.xml": "<broken"})
        self.assertStates(self.sippod("suite"), "PREPARING", "STARTING", "FAIL", "CLEANING")

    def test_that_ends_at_once(self):
        self.make_suite("echo first\necho bad configuration >&2\nexit 7\n")
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertRegex(run.states[-1].reason, "DUT ended with exit code 7.*bad configuration")

    def test_that_ends_while_it_is_needed(self):
        self.make_suite("sipp -i {{dut.host}} -sf uas.xml -nostdin &\nsleep 0.7\nkill -9 $!\nexit 9\n",
                        {"uac_ua1.xml": suites.uac(before=suites.pause(600))})
        run = self.sippod("suite")
        self.assertStates(run, "PREPARING", "STARTING", "FAIL", "CLEANING")
        self.assertIn("the DUT ended with exit code 9", run.states[2].reason)
        self.assertQuick(run, 6)

    def test_that_ends_during_before_sh(self):
        self.make_suite("sipp -i {{dut.host}} -sf uas.xml -nostdin &\nsleep 0.5\nkill -9 $!\nexit 9\n",
                        before="sleep 60\n")
        run = self.sippod("suite")
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertIn("the DUT ended with exit code 9", run.states[-1].reason)

    def test_that_does_not_answer(self):
        self.make_suite("echo still thinking\nsleep 600\n")
        run = self.sippod("suite")
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertEqual(run.states[-1].reason,
                         "the DUT was not bound to 198.18.0.1:5060 (UDP or TCP) after 10 s: still thinking")

    def test_that_does_not_stop(self):
        self.make_suite("trap '' TERM\nsipp -i {{dut.host}} -sf uas.xml -nostdin &\nwhile :; do wait; sleep 0.1; done\n")
        run = self.sippod("suite")
        self.assertExit(run, 0)
        self.assertQuick(run, 9)

    def test_template_error(self):
        self.make_suite("true\necho {{nonsense}}\n" + SIPP)
        run = self.sippod("suite")
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertRegex(run.states[-1].reason, r"dut.*dut\.sh:2: .*nonsense")

    def test_bad_suites(self):
        self.make_suite(SIPP, conf="\ndut_port = 70000\n")
        (self.folder / "suite" / "DUT" / "dut.sh").unlink()
        run = self.sippod("suite")
        self.assertExit(run, 2)
        self.assertTrue(re.search(r"suite/sippod\.conf:2: dut_port 70000", run.err), run.err)
        (self.folder / "suite" / "sippod.conf").unlink()
        run = self.sippod("suite")
        self.assertExit(run, 2)
        self.assertIn("suite/DUT/dut.sh: No such file", run.err)
        self.assertEqual(run.out, "")


if __name__ == "__main__":
    harness.main()
