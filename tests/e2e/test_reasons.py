#!/usr/bin/env -S python3 -B
"""Why a test failed, as its line, results.json and JUnit tell it: what SIPp complains of, and what a SIPp does that
does not behave."""
import re
import shutil
from xml.etree import ElementTree

import harness
import suites
from harness import for_each_user
from life import LifeCase

UA0, UA1 = r"ua0 \(uas_ua0\.xml\): ", r"ua1 \(uac_ua1\.xml\): "
FAILED, GAVE_UP = r"a call failed \(exit code 1\): ", r"SIPp gave up \(exit code 1\): "


def take(actions):
    """A caller that looks into the answer."""
    return suites.uac().replace('<recv response="200"/>', f'<recv response="200"><action>{actions}</action></recv>\n'
                                '  <Reference variables="found"/>')


def regexp(expression, place='search_in="msg"'):
    return f'<ereg regexp="{expression}" {place} check_it="true" assign_to="found"/>'


@for_each_user
class Complaints(LifeCase):
    def check(self, reason, *options, callee=suites.CALL["uas_ua0.xml"], caller=suites.CALL["uac_ua1.xml"], **files):
        run = self.one(*options, files={"uas_ua0.xml": callee, "uac_ua1.xml": caller, **files})
        self.assertExit(run, 1)
        line = self.assertLast(run, "FAIL", f"^{reason}$")
        self.assertEqual(self.result()["reason"], line.reason)
        return run

    def test_unexpected_answer(self):
        self.check(UA1 + FAILED + r"expected 180 \(step 1\), received SIP/2\.0 404 Not Found", "--junit", "junit.xml",
                   callee=suites.uas(answer="404 Not Found"), caller=suites.uac(expects=180))
        failure = ElementTree.parse(self.folder / "junit.xml").find(".//failure")
        self.assertIn("expected 180 (step 1), received SIP/2.0 404 Not Found", failure.get("message"))

    def test_unexpected_request(self):
        """Its own caller fails after it, and is not the reason."""
        self.check(UA0 + FAILED + r"expected INVITE \(step 0\), received OPTIONS sip:bob@198\.18\.1\.0:5060 SIP/2\.0",
                   callee=suites.uas(method="INVITE"))

    def test_answer_in_a_pause(self):
        self.check(UA1 + FAILED + r"received SIP/2\.0 200 OK while pausing \(step 1\)",
                   caller=suites.uac().replace('<recv response="200"/>', suites.pause(5) + '<recv response="200"/>'))

    def test_nothing_received(self):
        caller = suites.uac(options="", after='  <recv response="200"/>\n')
        self.check(UA1 + FAILED + r"nothing was received in time at step 2 \(receive timeout\)",
                   "--sipp-recv-timeout", "200", caller=caller)

    def test_retransmissions(self):
        """An address that nobody answers at; SIPp's first timer, halved, and one more attempt."""
        caller = suites.uac(options=' retrans="100"').replace(":[remote_port]", "")
        turn = '  <nop><action><setdest host="{{ua0.host}}" port="5999" protocol="udp"/></action></nop>\n'
        self.check(UA1 + FAILED + "no answer came, after all retransmissions", "--sipp-args",
                   "-max_non_invite_retrans 1", caller=caller.replace("  <send", turn + "  <send", 1))

    def test_regular_expressions(self):
        self.check(UA1 + FAILED +
                   r"the regular expression 'Foo: \(\.\*\)' does not match 'SIP/2\.0 200 OK' and what follows",
                   caller=take(regexp("Foo: (.*)")))

    def test_regular_expression_in_a_header(self):
        self.check(UA1 + FAILED + r"the regular expression 'INVITE' does not match ' 1 OPTIONS'",
                   caller=take(regexp("INVITE", 'search_in="hdr" header="CSeq:"')))

    def test_broken_scenario(self):
        self.check(UA1 + GAVE_UP + r"uac_ua1\.xml is not well-formed XML", caller="<scenario><send>")

    def test_unknown_element(self):
        """What sippod does not know is told as SIPp says it."""
        self.check(UA0 + GAVE_UP + "Unknown element 'nonsense' in xml scenario file",
                   callee=suites.uas().replace("<recv", "<nonsense"))

    def test_missing_media(self):
        play = '  <nop><action><exec play_pcap_audio="tone.pcap"/></action></nop>\n'
        self.check(UA1 + GAVE_UP + r"cannot open the media file tone\.pcap: No such file or directory",
                   caller=suites.uac(before=play))

    def test_file_of_users(self):
        self.check(UA1 + GAVE_UP + "No injection file was specified!", caller=suites.uac(subject="[field0]"))

    def test_empty_file_of_users(self):
        """SIPp writes this one where no scenario has a name yet: standard error tells it."""
        suites.write(self.folder / "suite" / "users.csv", "SEQUENTIAL\n")
        self.check(UA0 + GAVE_UP + r"Input file has zero lines: /.*/users\.csv")

    def test_port_in_use(self):
        before = ("python3 -c 'import socket, time; s = socket.socket(); s.bind((\"{{ua1.host}}\", 5060)); s.listen(); "
                  "open(\"taken\", \"w\"); time.sleep(60)' &\nwhile [ ! -e taken ]; do sleep 0.01; done\n")
        self.check(UA1 + r"fatal error \(exit code 25[45]\): cannot bind its SIP socket: Address already in use",
                   "--sipp-args", "-p 5060", "--sipp-transport", "t1", **{"before.sh": before})

    def test_nobody_at_the_port(self):
        self.check(UA1 + r"fatal error \(exit code 255\): no TCP connection: Connection refused",
                   "--sipp-transport", "t1", **{"test.conf": 'ua "ua0" { sipp_args = "-p 5070" }\n'})

    def test_unknown_argument(self):
        self.check(UA0 + GAVE_UP + r"Invalid argument: '-nonsense'\.", "--sipp-args", "-nonsense")


@for_each_user
class BadSipp(LifeCase):
    """Programs in the place of SIPp."""

    def with_sipp(self, script, *options, files=None):
        """A run whose SIPp is this shell script; $sipp is the real one, `uac` and `uas` tell who calls."""
        sipp = suites.write(self.folder / "sipp", f"""#!/bin/sh
sipp={shutil.which("sipp")}
uac() {{ case "$*" in *-sf\\ uac_*) true;; *) false;; esac; }}
uas() {{ case "$*" in *-sf\\ uas_*) true;; *) false;; esac; }}
{script}
exec $sipp "$@"
""")
        sipp.chmod(0o755)
        run = self.one("--sipp", sipp, *options, files=files)
        self.assertExit(run, 1)
        return run

    def test_crash(self):
        run = self.with_sipp('uac "$@" && { echo "*** stack smashing detected ***" >&2; kill -SEGV $$; }')
        self.assertLast(run, "FAIL", rf"^{UA1}SIPp crashed \(SIGSEGV\): \*\*\* stack smashing detected \*\*\*$")
        ua1 = {ua["name"]: ua for ua in self.result()["uas"]}["ua1"]
        self.assertEqual((ua1["exit_code"], ua1["signal"]), (None, 11))

    def test_killed(self):
        run = self.with_sipp('uac "$@" && kill -KILL $$')
        self.assertLast(run, "FAIL", rf"^{UA1}SIPp was ended \(SIGKILL\)$")

    def test_exit_before_it_is_bound(self):
        run = self.with_sipp('uas "$@" && exit 0')
        self.assertLast(run, "FAIL", rf"^{UA0}SIPp ended before its socket was bound$")
        self.assertIsNone({ua["name"]: ua for ua in self.result()["uas"]}["ua1"]["exit_code"])

    def test_bad_arguments(self):
        run = self.with_sipp('echo "unknown option: -i" >&2; exit 255')
        self.assertLast(run, "FAIL", rf"^{UA0}fatal error \(exit code 255\): unknown option: -i$")

    def test_other_exit_code(self):
        run = self.with_sipp('uac "$@" && exit 42')
        self.assertLast(run, "FAIL", rf"^{UA1}SIPp failed \(exit code 42\)$")

    def test_sigusr1_is_ignored(self):
        """After 5 s it is killed; the reason remains the other's."""
        run = self.with_sipp('uac "$@" && exit 1\ntrap "" USR1\n$sipp "$@" &\nwhile :; do sleep 0.1; done')
        self.assertLast(run, "FAIL", rf"^{UA1}a call failed \(exit code 1\)$")
        self.assertGreater(run.seconds, 5)
        self.assertQuick(run, 9)
        self.assertEqual({ua["name"]: ua for ua in self.result()["uas"]}["ua0"]["signal"], 9)

    def test_endless_standard_error(self):
        """The log takes 10 MiB of it; that the test's time is over is noticed all the same."""
        run = self.with_sipp('uac "$@" && exec yes "something is wrong $(printf %01000d 7)" >&2',
                             "--timeout", "2", "--no-pcap")
        self.assertLast(run, "FAIL", r"^not over after its time limit of 2 s; still running: .*ua1 \(uac_ua1\.xml\)$")
        self.assertQuick(run, 9)
        log = self.run_folder() / "sipp.launch.log"
        self.assertLess(log.stat().st_size, 40 * 1024 * 1024)
        text = log.read_text()
        self.assertEqual(len(re.findall("the rest is left out", text)), 1)
        self.assertIn("ERROR ua1: something is wrong", text)

    def test_long_words(self):
        """A reason is bounded, and printable."""
        run = self.with_sipp("uac \"$@\" && { printf '\\033[2J%05000d\\n' 7 >&2; exit 1; }")
        line = self.assertLast(run, "FAIL", rf"^{UA1}SIPp gave up \(exit code 1\): \\x1b\[2J0+\.\.\.$")
        self.assertLess(len(line.reason), 400)


@for_each_user
class Scripts(LifeCase):
    def test_script_that_prints_a_lot(self):
        """100 MB: the log takes 10 MiB, the last lines are still the reason."""
        before = "head -c 100000000 /dev/zero | tr '\\0' x | fold -w 99\necho last >&2; exit 3\n"
        run = self.one("--no-pcap", before=before)
        self.assertExit(run, 1)
        self.assertLast(run, "NOT READY", r"^before\.sh ended with exit code 3: last$")
        log = self.run_folder() / "sipplauncher.log"
        self.assertLess(log.stat().st_size, 20 * 1024 * 1024)
        self.assertEqual(len(re.findall("the rest is left out", log.read_text())), 1)
        self.assertEqual(self.log()[-1], ("ERROR", "before.sh ended with exit code 3: last"))


if __name__ == "__main__":
    harness.main()
