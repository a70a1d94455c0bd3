#!/usr/bin/env -S python3 -B
"""What test.conf expects of packets: judged while they pass, told with the test, and no time is lost over it."""
import os
import re
import signal
import xml.etree.ElementTree

import harness
import host
import suites
from harness import Case, for_each_user
from pcapng import Capture

TO_UA0 = 'filter = "udp dst port 5060 and dst host {{ua0.host}}"'
PASSING = f'expect "one request" {{ predicate = "packet_count_was(1)" {TO_UA0} }}\n'
FAILING = 'expect "no answer" { predicate = "saw_sip(200)" not = true }\n'
FAILED = ('expectation "no answer": saw_sip(200): saw it in packet 2 in T s, and was expected not to')
SEND = "{python} -I -c \"import socket; socket.socket(2, 2).sendto(b'{word}', ('127.0.0.1', {port}))\"\n"


def timeless(text):
    """How long it took is the machine's affair."""
    return re.sub(r"in \d+\.\d s", "in T s", text)


class ExpectationCase(Case):
    def make(self, conf, files=None, name="one", **scripts):
        folder = suites.write_test(self.folder / "suite", name, {**(suites.CALL if files is None else files)}, **scripts)
        suites.write(folder / "test.conf", conf)
        self.me.own(self.folder)
        return folder

    def expectations(self):
        return {entry["name"]: entry for entry in self.result()["expectations"]}

    def log(self):
        return timeless((self.run_folder() / "sipplauncher.log").read_text())

    def assertVerdicts(self, **verdicts):
        self.assertEqual({name: entry["verdict"] for name, entry in self.expectations().items()},
                         {name.replace("_", " "): verdict for name, verdict in verdicts.items()})


@for_each_user
class Verdicts(ExpectationCase):
    def test_that_passes(self):
        self.make(PASSING + 'expect "an answer" { predicate = "saw_sip(200, \\"^To:.*bob\\")" }\n')
        run = self.sippod("suite", "--keep", "all")
        self.assertExit(run, 0)
        self.assertVerdicts(one_request="pass", an_answer="pass")
        one = self.expectations()["one request"]
        self.assertEqual(timeless(one["detail"]), "packet_count_was(1): saw 1 of 1 in T s")
        self.assertEqual(one["seen"], 1)
        self.assertGreaterEqual(one["elapsed_s"], 0.1)
        self.assertIn('INFO expectation "one request": pass: packet_count_was(1): saw 1 of 1 in T s\n', self.log())
        self.assertIn('INFO expectation "an answer": pass: ', self.log())
        self.assertEqual(len(Capture(self.run_folder() / self.result()["pcap"]).packets), 2)

    def test_that_fails_is_told_everywhere(self):
        self.make(FAILING + 'expect "two" { predicate = "packet_count_was(2)" ' + TO_UA0 + ' }\n' + PASSING)
        run = self.sippod("suite", "--junit", "junit.xml")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "STARTING", "FAIL", "CLEANING")
        reason = FAILED + '; expectation "two": packet_count_was(2): saw 1 of 2 in T s'
        self.assertEqual(timeless(run.states[2].reason), reason)
        self.assertEqual(timeless(self.result()["reason"]), reason)
        self.assertVerdicts(no_answer="fail", two="fail", one_request="pass")
        self.assertIn('ERROR expectation "two": fail: packet_count_was(2): saw 1 of 2 in T s\n', self.log())
        case = xml.etree.ElementTree.parse(self.folder / "junit.xml").find(".//testcase")
        self.assertEqual(timeless(case.find("failure").get("message")), reason)
        lines = timeless(case.find("system-out").text).splitlines()
        self.assertIn('expectation "one request": pass: packet_count_was(1): saw 1 of 1 in T s', lines)
        self.assertIn('expectation "two": fail: packet_count_was(2): saw 1 of 2 in T s', lines)

    def test_behind_a_scenario_that_fails(self):
        self.make(FAILING.replace("200", "404") + 'expect "one request" { predicate = "saw_sip(OPTIONS)" }\n',
                  suites.FAILING)
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertRegex(run.states[2].reason, r'^ua1 \(uac_ua1.xml\): .*; expectation "no answer": saw_sip\(404\): saw it ')
        self.assertVerdicts(no_answer="fail", one_request="pass")

    def test_expected_failure(self):
        self.make(FAILING + 'expect_failure = "BUG-7"\n')
        run = self.sippod("suite")
        self.assertExit(run, 0)
        self.assertEqual(timeless(self.result()["reason"]), "expected (BUG-7): " + FAILED)

    def test_nothing_waits_for_what_is_decided(self):
        """Ten seconds to settle are nobody's, and the kernel's 0.2 s for a block of the ring are not either."""
        self.make('expect "it" { predicate = "saw_sip(200)" settle = 10 }\n')
        took = []
        while len(took) < 5 and min(took, default=1) > 0.19:  # the machine may be busy
            run = self.sippod("suite")
            self.assertExit(run, 0)
            took.append(self.result()["run_s"])
        self.assertLess(min(took), 0.19)

    def test_settles(self):
        """What the callee sends after the caller's SIPp has ended is in time, or not."""
        self.make('expect "late" { predicate = "packet_count_was_at_least(1)" filter = "udp dst port 9" settle = 20 }\n'
                  'expect "too late" { predicate = "packet_count_was(0)" filter = "udp dst port 9" settle = 0 }\n',
                  before="(while ! grep -q 'ua1 ended' sipplauncher.log; do sleep 0.01; done; "
                         + SEND.format(python=harness.python_for(self.me), word="x", port=9).strip() + ") >&2 &\n")
        run = self.sippod("suite")
        self.assertExit(run, 0)
        self.assertQuick(run, 8)  # it is not waited for longer than that
        self.assertVerdicts(late="pass", too_late="pass")

    def test_timeout_before_the_end(self):
        """Only what came in time counts, however long the scenario goes on."""
        self.make('expect "the first only" { predicate = "packet_count_was(1)" timeout = 0.4 ' + TO_UA0 + ' }\n'
                  'expect "both" { predicate = "packet_count_was(2)" timeout = 60 ' + TO_UA0 + ' }\n',
                  {"01_uas_ua0.xml": suites.uas(), "01_uac_ua1.xml": suites.uac(after=suites.pause(0.6)),
                   "02_uas_ua0.xml": suites.uas(), "02_uac_ua1.xml": suites.uac()})
        run = self.sippod("suite")
        self.assertExit(run, 0)
        self.assertEqual(self.expectations()["the first only"]["elapsed_s"], 0.4)
        self.assertQuick(run, 10)

    def test_retransmissions(self):
        """The callee answers the second time only."""
        deaf = (suites.HEAD.format(name="deaf") + '  <recv request="OPTIONS"/>\n' + suites.pause(0.7) +
                suites.ANSWER.format(answer="200 OK") + "</scenario>\n")
        self.make(PASSING, {"uas_ua0.xml": deaf, "uac_ua1.xml": suites.uac()})
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertRegex(run.states[2].reason, r'^expectation "one request": packet_count_was\(1\): saw 2 of 1 in 0\.\d s$')

    def test_nothing_before_the_scenario_counts(self):
        """And each packet on lo counts once."""
        send = SEND.format(python=harness.python_for(self.me), word="early", port=5060)
        self.make(PASSING + 'expect "all" { predicate = "packet_count_was(2)" }\n', before=send * 2)
        self.assertExit(self.sippod("suite"), 0)

    def test_keywords(self):
        self.make('expect "to {{test.name}}" { predicate = "packet_count_was(1)" filter = "dst host {{ ua0.host }}" }\n'
                  'expect "by name" { predicate = "saw_sip(OPTIONS, \\"^Subject: {{subject}}$\\")" }\n')
        self.assertExit(self.sippod("suite", "--set", "subject=test"), 0)
        self.assertEqual(list(self.expectations()), ["to one", "by name"])
        run = self.sippod("suite", "--set", "subject=other")
        self.assertExit(run, 1)
        self.assertVerdicts(to_one="pass", by_name="fail")

    def test_one_interface(self):
        self.make('expect "lo" { predicate = "packet_count_was(2)" interface = lo }\n'
                  'expect "eth0" { predicate = "packet_count_was(0)" interface = eth0 }\n'
                  'expect "first" { predicate = "saw_sip(OPTIONS)" interface = lo limit = 1 }\n'
                  'expect "second" { predicate = "saw_sip(200)" interface = lo limit = 1 not = true }\n')
        self.assertExit(self.sippod("suite"), 0)

    def test_files_of_the_test(self):
        """Read from the test's folder, written to the run folder."""
        self.make('expect "saved" { predicate = "writer(saved.pcap, saw_sip(200))" }\n', name="save")
        self.assertExit(self.sippod("suite/save", "--keep", "all"), 0)
        saved = (self.run_folder() / "saved.pcap").read_bytes()
        self.assertFalse((self.folder / "suite" / "save" / "saved.pcap").exists())
        folder = self.make('expect "none like it" { predicate = "did_not_see_packet_equaling(saved.pcap#1)" }\n',
                           name="again")
        (folder / "saved.pcap").write_bytes(saved)
        self.assertExit(self.sippod("suite/again"), 0)

    def test_each_repetition_anew(self):
        self.make(PASSING)
        self.assertExit(self.sippod("suite", "--repeat", "3"), 0)
        for test in self.results()["tests"]:
            self.assertEqual([entry["seen"] for entry in test["expectations"]], [1])

    def test_without_a_capture(self):
        self.make(FAILING)
        run = self.sippod("suite", "--no-pcap")
        self.assertExit(run, 1)
        self.assertEqual(timeless(run.states[2].reason), FAILED)
        self.assertEqual((self.result()["pcap"], self.result()["packets"]), (None, 0))
        self.assertEqual(list(self.run_folder().glob("*pcap*")), [])

    def test_with_a_classic_capture(self):
        self.make(PASSING)
        self.assertExit(self.sippod("suite", "--pcap-format", "pcap", "--keep", "all"), 0)
        self.assertVerdicts(one_request="pass")
        self.assertEqual(self.result()["packets"], 2)

    def test_dry_run_evaluates_nothing(self):
        self.make(FAILING + 'expect "saved" { predicate = "writer(saved.pcap, saw_sip(200))" }\n')
        self.assertExit(self.sippod("suite", "--dry-run", "--keep", "all"), 0)
        self.assertVerdicts(no_answer="not evaluated", saved="not evaluated")
        self.assertFalse((self.run_folder() / "saved.pcap").exists())

    def test_of_a_test_that_is_not_ready(self):
        self.make(FAILING, before="exit 1\n")
        self.assertExit(self.sippod("suite"), 1)
        self.assertVerdicts(no_answer="not evaluated")

    def test_beside_scenarios_of_jinja2(self):
        """They may be rendered before the pod is there."""
        if self.me.run(harness.python_for(self.me), "-c", "import jinja2").returncode != 0:
            harness.skip("Jinja2 is not installed")
        files = {**suites.CALL, "uas_ua0.xml": "{% if true %}" + suites.uas() + "{% endif %}"}
        for number in range(12):
            self.make(PASSING, files, name=f"test{number}")
        self.assertExit(self.sippod("suite"), 0)
        for test in self.results()["tests"]:
            self.assertEqual([entry["verdict"] for entry in test["expectations"]], ["pass"])


@for_each_user
class Interrupted(ExpectationCase):
    def test_in_the_scenario(self):
        self.make(FAILING, suites.ENDLESS)
        running = self.start("suite")
        self.wait_for("sippod-results/one/*/calling", running)
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(), 128 + signal.SIGTERM)
        self.assertVerdicts(no_answer="not evaluated")
        self.assertIn('INFO expectation "no answer": not evaluated\n', self.log())

    def wait_for_the_end_of_sipp(self, running, results="sippod-results"):
        log = self.wait_for(f"{results}/one/*/sipplauncher.log", running)
        self.assertTrue(host.wait_until(lambda: "ua1 ended" in log.read_text() and "ua0 ended" in log.read_text(), 10))

    def test_while_it_settles(self):
        self.make('expect "nothing" { predicate = "packet_count_was(2)" settle = 600 }\n', after="touch after\n")
        running = self.start("suite")
        self.wait_for_the_end_of_sipp(running)
        running.signal(signal.SIGINT)
        run = running.wait()
        self.assertExit(run, 128 + signal.SIGINT)
        self.assertQuick(run, 20)
        self.assertVerdicts(nothing="not evaluated")
        self.assertEqual(self.result()["result"], "INTERRUPTED")
        self.assertTrue((self.run_folder() / "after").exists())

    def test_time_limit_while_it_settles(self):
        self.make('timeout = 1\nexpect "nothing" { predicate = "packet_count_was(2)" settle = 600 }\n')
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertEqual(run.states[2].reason, "not over after its time limit of 1 s; expectations were not settled")
        self.assertQuick(run, 10)

    def test_the_sniffer_is_killed(self):
        """In the scenario, or while it settles: an error, and nobody waits for it."""
        for name, files, settle in (("scenario", suites.ENDLESS, 0), ("settle", suites.CALL, 600)):
            with self.subTest(name):
                suite = self.folder / f"suite-{name}"
                folder = suites.write_test(suite, "one", files)
                suites.write(folder / "test.conf",
                             f'expect "nothing" {{ predicate = "packet_count_was(7)" settle = {settle} }}\ntimeout = 15\n')
                self.me.own(self.folder)
                running = self.start(suite.name, "--results", name)
                if files is suites.ENDLESS:
                    self.wait_for("scenario/one/*/calling", running)
                else:
                    self.wait_for_the_end_of_sipp(running, name)
                (sniffer,) = host.find("sippod-sniffer", running.pid)
                os.kill(sniffer.pid, signal.SIGKILL)
                if files is suites.ENDLESS:
                    os.kill(host.find_sipp("uac_ua1.xml", running.pid).pid, signal.SIGKILL)
                run = running.wait()
                self.assertExit(run, 1)
                self.assertQuick(run, 12)
                self.assertIn('expectation "nothing": the sniffer has ended unexpectedly', run.states[2].reason)
                (entry,) = self.result(name)["expectations"]
                self.assertEqual(entry["verdict"], "error")


@for_each_user
class Wrong(ExpectationCase):
    def assertRefused(self, conf, words, line=1):
        suites.write(self.folder / "suite" / "one" / "test.conf", conf)
        for options in ((), ("--dry-run",)):
            run = self.sippod("suite", *options)
            self.assertExit(run, 2)
            self.assertEqual(run.out, "")
            self.assertIn(f"suite/one/test.conf:{line}: {words}", run.err)

    def test_sections(self):
        self.make("")
        for conf, words in {
            "predicate = packet_cuont": "predicate: there is no predicate packet_cuont; did you mean packet_count?",
            "predicate = 'saw_packet_equaling(no.pcap#0)'": "predicate: saw_packet_equaling: cannot open ",
            "predicate = 'writer(/etc/passwd, timed_out)'": "predicate: writer: /etc/passwd does not lie in ",
            "predicate = timed_out filter = 'port'": 'filter "port": ',
            "predicate = timed_out filter = 'host {{ua9.host}}'": "filter: {{ua9.host}} is no keyword of this test",
            "predicate = timed_out interface = eth7": 'interface "eth7": it can be lo or eth0',
            "predicate = timed_out timeout = 0": "timeout 0: it is in seconds, more than 0 and at most 86400",
            "predicate = timed_out settle = -1": "settle -1: it is in seconds, 0 to 3600",
            "predicate = timed_out interface = lo limit = 0": "limit 0: it is a number of packets, at least 1",
            "predicate = timed_out limit = 1": 'expect "x": a limit takes an interface',
            "predicate = timed_out colour = red": "no such option 'colour'",
            "filter = udp": 'expect "x": it has no predicate',
        }.items():
            with self.subTest(conf):
                self.assertRefused(f'expect "x" {{ {conf} }}\n', words)
        self.assertRefused('expect "x" {\n  predicate = timed_out\n}\nexpect "x" {\n predicate = timed_out }\n',
                           "found duplicate title 'x'", 4)

    def test_once_it_is_rendered(self):
        """What a template makes of it is looked at again."""
        self.make('expect "x" { predicate = timed_out filter = "port {{port}}" }\n')
        self.assertExit(self.sippod("suite", "--set", "port=5060"), 0)
        self.assertRefused('expect "x" { predicate = timed_out filter = "port {{port}}" }\n',
                           "filter: {{port}} is no keyword of this test")

    def test_of_global(self):
        self.make("")
        suites.write(self.folder / "suite" / "GLOBAL" / "test.conf", 'expect "x" { predicate = timed_out }\n')
        suites.write(self.folder / "suite" / "GLOBAL" / "before.sh", ":\n")
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertExit(run, 2)
        self.assertRegex(run.err, r"GLOBAL/test\.conf:1: expect \"x\": expectations are for tests: GLOBAL has no UAs")
        self.assertEqual(run.states, [])


@for_each_user
class Devices(ExpectationCase):
    """With a device under test between the UAs."""

    def test_in_the_suite(self):
        """A proxy of SIPp's own kind: the packets pass lo, each once."""
        suites.write(self.folder / "suite" / "DUT" / "dut.sh", "exec sipp -i {{dut.host}} -sf uas.xml -nostdin\n")
        suites.write(self.folder / "suite" / "DUT" / "uas.xml", suites.uas())
        self.make('expect "one to the DUT" { predicate = "packet_count_was(1)" filter = "dst host {{dut.host}}" }\n'
                  'expect "two in all" { predicate = "packet_count_was(2)" interface = lo }\n',
                  {"uac_ua1.xml": suites.uac()})
        self.assertExit(self.sippod("suite"), 0)

    def test_in_global(self):
        """The packets pass eth0."""
        suite = self.folder / "suite"
        suites.write(suite / "GLOBAL" / "uas.xml", suites.uas())
        suites.write(suite / "GLOBAL" / "before.sh",
                     "sipp -i {{dut.host}} -sf uas.xml -nostdin >/dev/null 2>&1 &\n"
                     "while ! grep -q 010012C6:13C4 /proc/net/udp; do sleep 0.01; done\n")
        conf = ('expect "out" { predicate = "packet_count_was(1)" filter = "src host {{ua1.host}}" interface = eth0 }\n'
                'expect "back" { predicate = "saw_sip(200)" filter = "src host {{dut.host}} and dst host {{ua1.host}}" }\n'
                'expect "inside" { predicate = "packet_count_was(0)" interface = lo }\n')
        for name in ("one", "two"):
            self.make(conf, {"uac_ua1.xml": suites.uac()}, name=name)
        self.assertExit(self.sippod("suite", "--jobs", "2"), 0)
        for test in self.results()["tests"]:
            self.assertEqual([entry["verdict"] for entry in test["expectations"]], ["pass"] * 3)


if __name__ == "__main__":
    harness.main()
