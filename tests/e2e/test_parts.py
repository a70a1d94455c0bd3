#!/usr/bin/env -S python3 -B
"""SIPp's command lines: parts and calls, the file of users, what a run and a test add, third party call control."""
import shutil

import harness
import suites
from harness import for_each_user
from life import LifeCase

TWO_PARTS = {f"{part}_{name}": text for part in ("01", "02") for name, text in suites.CALL.items()}


@for_each_user
class Parts(LifeCase):
    def commands(self):
        """The words of each SIPp's command line, in the order of their starts: [(ua, words)]."""
        return [(text.split(": ", 1)[0], text.split(": ", 1)[1].split())
                for _, text in self.log(name="sipp.launch.log") if " -sf " in text]

    def value(self, words, option):
        return words[words.index(option) + 1]

    def test_parts_once_for_each_call(self):
        self.assertExit(self.one("--sipp-max-calls", "3", "--keep", "all", files=TWO_PARTS), 0)
        started = [(ua, self.value(words, "-sf")[:2], self.value(words, "-m")) for ua, words in self.commands()]
        self.assertEqual(started, [(ua, part, "1") for _ in range(3) for part in ("01", "02")
                                   for ua in ("ua0", "ua1")])
        told = [text for _, text in self.log() if text.startswith("part ")]
        self.assertEqual(told, [f"part {part}, call {call} of 3" for call in (1, 2, 3) for part in ("01", "02")])
        self.assertEqual([(ua["part"], ua["name"], ua["exit_code"]) for ua in self.result()["uas"]],
                         [(part, ua, 0) for part in ("01", "02") for ua in ("ua0", "ua1")])

    def test_parts_and_calls_over_tcp(self):
        """A callee that was there a moment ago is bound again at once."""
        self.assertExit(self.one("--sipp-max-calls", "3", files={**TWO_PARTS, "test.conf": 'transport = "t1"\n'}), 0)

    def test_calls_of_one_part(self):
        """SIPp makes them itself: at its own rate, which is one a second, or as it is told."""
        run = self.one("--sipp-max-calls", "20", "--sipp-call-rate", "200", "--sipp-concurrent-calls-limit", "4",
                       "--keep", "all")
        self.assertExit(run, 0)
        commands = self.commands()
        self.assertEqual([(ua, self.value(words, "-m"), self.value(words, "-r"), self.value(words, "-l"))
                          for ua, words in commands], [("ua0", "20", "200", "4"), ("ua1", "20", "200", "4")])

    def test_call_of_several_that_fails(self):
        """The second call of part 02: nothing is started after it."""
        sipp = suites.write(self.folder / "sipp", f"""#!/bin/sh
            case "$*" in *02_uac_ua1.xml*) [ -e again ] && exit 1; touch again;; esac
            exec {shutil.which("sipp")} "$@"\n""")
        sipp.chmod(0o755)
        run = self.one("--sipp", sipp, "--sipp-max-calls", "3", files=TWO_PARTS)
        self.assertExit(run, 1)
        self.assertLast(run, "FAIL", r"^part 02, call 2 of 3: ua1 \(02_uac_ua1\.xml\): "
                                     r"a call failed \(exit code 1\)$")
        self.assertEqual(len(self.commands()), 8)
        codes = {(ua["part"], ua["name"]): ua["exit_code"] for ua in self.result()["uas"]}
        self.assertEqual([codes["01", "ua0"], codes["01", "ua1"], codes["02", "ua1"]], [0, 0, 1])

    def test_users(self):
        """users.csv beside the tests: both see its fields, the n-th call those of the n-th line."""
        suites.write(self.folder / "suite" / "users.csv", "SEQUENTIAL\nalice;wonder\nbob;builder\n")
        callee = suites.uas(before='<nop><action><log message="[field0] [field1]"/></action></nop>')
        run = self.one("--sipp-max-calls", "2", "--sipp-call-rate", "100", "--keep", "all", files={
            "uas_ua0.xml": callee, "uac_ua1.xml": suites.uac(subject="[field0]")})
        self.assertExit(run, 0)
        folder = self.run_folder()
        messages = next(folder.glob("uas_ua0_*_messages.log")).read_text()
        self.assertEqual([line for line in messages.splitlines() if line.startswith("Subject:")],
                         ["Subject: alice", "Subject: bob"])
        self.assertEqual((folder / "uas_ua0_log_file").read_text().split("\n")[:2], ["alice wonder", "bob builder"])
        for _, words in self.commands():
            self.assertEqual(self.value(words, "-inf"), str(self.folder / "suite" / "users.csv"))

    def test_users_of_another_place(self):
        """The option wins; a relative path, and one below /tmp, where a pod has a folder of its own."""
        suites.write(self.folder / "suite" / "users.csv", "SEQUENTIAL\nwrong;\n")
        suites.write(self.folder / "elsewhere" / "others.csv", "SEQUENTIAL\nright;\n")
        run = self.one("--sipp-info-file", "elsewhere/others.csv", "--keep", "all",
                       files={**suites.CALL, "uac_ua1.xml": suites.uac(subject="[field0]")})
        self.assertExit(run, 0)
        self.assertIn("Subject: right", next(self.run_folder().glob("uac_ua1_*_messages.log")).read_text())

    def test_users_that_are_no_file(self):
        (self.folder / "suite" / "users.csv").mkdir(parents=True)
        run = self.one()
        self.assertExit(run, 2)
        self.assertRegex(run.err, r"users\.csv: not a file")

    def test_arguments_of_the_run_and_of_the_test(self):
        """They come last, the test's after the run's; the callee's other port is the one that is waited for."""
        conf = 'ua "ua0" {\n  sipp_args = "-p 5070"\n}\n'
        turn = turn_to("ua0").replace("5060", "5070")
        run = self.one("--sipp-args", "-key greeting 'good day'", "--keep", "all", files={
            "uas_ua0.xml": suites.uas(), "uac_ua1.xml": suites.uac(before=turn, subject="[greeting]"),
            "test.conf": conf})
        self.assertExit(run, 0)
        ends = [" ".join(words[words.index("-nostdin"):]) for _, words in self.commands()]
        self.assertEqual(ends, ["-nostdin -key greeting good day -p 5070", "-nostdin -key greeting good day"])
        self.assertIn("Subject: good day", next(self.run_folder().glob("uas_ua0_*_messages.log")).read_text())

    def test_rate_of_all_parts(self):
        """The mean of the first caller's; (X cps)."""
        run = self.one("--keep", "all", files=TWO_PARTS)
        self.assertExit(run, 0)
        rates = []
        for part in ("01", "02"):
            rows = (self.run_folder() / f"{part}_uac_ua1_trace.csv").read_text().splitlines()
            rates.append(float(rows[-1].split(";")[rows[0].split(";").index("CallRate(C)")]))
        shown = next(line.cps for line in run.states if line.state == "SUCCESS")
        self.assertAlmostEqual(float(shown), sum(rates) / 2, delta=0.06)


def scenario(*steps):
    return suites.HEAD.format(name="twin") + "".join(steps) + "</scenario>\n"


def send_command(to, sender):
    return (f'  <sendCmd dest="{to}"><![CDATA[\n    Call-ID: [call_id]\n    From: {sender}\n    Subject: go on\n'
            "  ]]></sendCmd>\n")


def take_command(sender):
    return f'  <recvCmd src="{sender}"/>\n'


def turn_to(ua):
    return (f'  <nop><action><setdest host="{{{{{ua}.host}}}}" port="5060" protocol="udp"/></action></nop>\n')


CALLS = suites.REQUEST.format(method="OPTIONS", subject="3pcc", options="") + '  <recv response="200"/>\n'
ANSWERS = '  <recv request="OPTIONS"/>\n' + suites.ANSWER.format(answer="200 OK")
# Whoever ends makes his twins end: slaves outlive the master.
LAST = suites.pause(0.3)


@for_each_user
class ThirdParty(LifeCase):
    def order(self):
        return [text.split(":")[0] for _, text in self.log(name="sipp.launch.log") if " -sf " in text]

    def twins(self):
        """What each UA was told of its part, e.g. {"ua1": ["-master", "m", "-slave_cfg", "3pcc.txt"]}."""
        found = {}
        for _, text in self.log(name="sipp.launch.log"):
            words = text.split()
            if "-slave_cfg" in words:
                place = words.index("-slave_cfg")
                found[words[0].rstrip(":")] = words[place - 2:place + 2]
        return found

    def talk(self, files):
        """SIPp 3.6.1 crashes once in a while when a twin ends that commands went both ways with: an assertion of its
        own, `sock' in its poll loop. That is told, and tried again."""
        run = self.one("--keep", "all", files=files)
        for _ in range(3):
            if "SIPp crashed" in run.out:
                self.assertExit(run, 1)
                run = self.sippod("suite", "--keep", "all")
        return run

    def test_two(self):
        """The master has its slave call first, then calls itself. By name it would be started first."""
        run = self.talk({
            "uas_ua0.xml": suites.uas(), "uas_ua10.xml": suites.uas(),
            "uac_ua1.xml": scenario(send_command("s1", "m"), take_command("s1"), CALLS),
            "uac_ua2.xml": scenario(take_command("m"), turn_to("ua10"), CALLS, send_command("m", "s1"), LAST),
            "3pcc.txt": "m;{{ua1.host}}:6001\ns1;{{ua2.host}}:6002\n",
        })
        self.assertExit(run, 0)
        self.assertEqual(self.order(), ["ua10", "ua0", "ua2", "ua1"])
        self.assertEqual(self.twins(), {"ua1": ["-master", "m", "-slave_cfg", "3pcc.txt"],
                                        "ua2": ["-slave", "s1", "-slave_cfg", "3pcc.txt"]})
        self.assertIn("TCP control message received",
                      next(self.run_folder().glob("uac_ua1_*_messages.log")).read_text())

    def test_three(self):
        def slave(name, callee):
            return scenario(take_command("m"), turn_to(callee), CALLS, send_command("m", name), take_command("m"),
                            LAST)
        both = [step for name in ("s1", "s2") for step in (send_command(name, "m"), take_command(name))]
        run = self.talk({
            "uas_ua0.xml": suites.uas(), "uas_ua10.xml": suites.uas(), "uas_ua11.xml": suites.uas(),
            "uac_ua1.xml": scenario(*both, CALLS, send_command("s1", "m"), send_command("s2", "m")),
            "uac_ua2.xml": slave("s1", "ua10"), "uac_ua3.xml": slave("s2", "ua11"),
            "3pcc.txt": "m;{{ua1.host}}:6001\ns1;{{ua2.host}}:6002\ns2;{{ua3.host}}:6003\n",
        })
        self.assertExit(run, 0)
        self.assertEqual(self.order()[3:], ["ua2", "ua3", "ua1"])
        self.assertEqual([words[1] for words in map(self.twins().get, ("ua1", "ua2", "ua3"))], ["m", "s1", "s2"])

    def test_slave_that_is_a_callee(self):
        run = self.talk({
            # The call waits for the answer to the command, or it may be there before the command.
            "uas_ua0.xml": scenario(take_command("m"), turn_to("ua1"), send_command("m", "s1"), ANSWERS, LAST),
            "uac_ua1.xml": scenario(send_command("s1", "m"), take_command("s1"), CALLS),
            "3pcc.txt": "s1;{{ua0.host}}:6000\nm;{{ua1.host}}:6001\n",
        })
        self.assertExit(run, 0)
        self.assertEqual(self.order(), ["ua0", "ua1"])

    def test_socket_that_is_taken(self):
        """SIPp binds it on every address: two slaves cannot have one port."""
        slave = scenario(take_command("m"), CALLS)
        run = self.one(files={
            "uas_ua0.xml": suites.uas(), "uac_ua2.xml": slave, "uac_ua3.xml": slave,
            "3pcc.txt": "s1;{{ua2.host}}:6000\ns2;{{ua3.host}}:6000\n",
        })
        self.assertExit(run, 1)
        self.assertLast(run, "FAIL", r"^ua[23] \(uac_ua[23]\.xml\): fatal error \(exit code 254\): "
                                     r"cannot bind its 3PCC socket: Address already in use$")

    def test_bad_lines(self):
        """Whatever is wrong makes the test NOT READY, with the line."""
        for name, text, reason in (
                ("form", "\nm,{{ua1.host}}:6001\n", r"3pcc\.txt:2: not of the form id;address:port"),
                ("address", "m;localhost:6001\n", r"3pcc\.txt:1: not an address: localhost"),
                ("port", "m;{{ua1.host}}:65536\n", r"3pcc\.txt:1: not a port: 65536"),
                ("stranger", "m;192.0.2.1:6001\n", r"3pcc\.txt:1: no UA of this test has the address: 192\.0\.2\.1"),
                ("masters", "m;{{ua1.host}}:6001\nm;{{ua0.host}}:6002\n", r"3pcc\.txt:2: a second master"),
                ("keyword", "m;{{ua7.host}}:6001\n", r"3pcc\.txt:1: .*ua7"),
        ):
            suites.write_test(self.folder / name, "one", {**suites.CALL, "3pcc.txt": text})
            self.me.own(self.folder)
            run = self.sippod(name, "--results", f"results-{name}")
            self.assertExit(run, 1)
            self.assertLast(run, "NOT READY", reason)


if __name__ == "__main__":
    harness.main()
