#!/usr/bin/env -S python3 -B
"""`sippod expect` on live interfaces: of a network namespace of root's, and of a pod that an ordinary user has."""
import json
import re

import harness
from harness import Case, for_each_user

PORT = "udp dst port 9"
SEND = "echo packet >/dev/udp/127.0.0.1/9"  # for bash
READ = "while ! read x <pipe; do :; done"  # not the end of who wrote the line before


class ExpectCase(Case):
    def inside(self, *command, **options):
        """Runs a command where there is nobody else's packet, and the right to capture; the folder is writable."""
        if self.who == "root":
            words = ["unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]
        else:
            words = [self.program, "exec", "--script-caps", "net_raw,net_admin", "--writable", ".", "--"]
        return self.start_command([*words, *command], **options).wait()

    def expect(self, *words, **options):
        return self.inside(self.program, "expect", *words, **options)

    def assertRefused(self, run, code, *words):
        self.assertExit(run, code)
        self.assertEqual(run.out, "", run)
        for line in run.err.splitlines():
            self.assertTrue(line.startswith("sippod: "), run)
        for word in words:
            self.assertIn(word, run.err)
        self.assertEqual(list(self.folder.iterdir()), [], "something was started or written")


@for_each_user
class Expect(ExpectCase):
    def test_verdicts(self):
        run = self.expect("-i", "lo", "--timeout", "0.5", "received_packet", "saw_vlan")
        self.assertExit(run, 1)
        self.assertEqual(sorted(run.out.splitlines()),
                         ["false: received_packet(): saw none among 0 packets in 0.5 s on lo",
                          "false: saw_vlan(): saw none among 0 packets in 0.5 s on lo"])
        self.assertEqual(run.err, "")
        self.assertGreater(run.seconds, 0.5)
        self.assertExit(self.expect("-i", "lo", "--timeout", "0.1", "--not", "received_packet", "saw_vlan"), 0)
        self.assertExit(self.expect("-i", "lo", "--timeout", "0.1", "--not", "received_packet", "timed_out"), 1)

    def test_command(self):
        """Its output is its own, and it is waited for after the verdict."""
        run = self.expect("-i", "lo", "--filter", PORT, "saw_filter(udp)", "--", "bash", "-c",
                          f"echo begin; {SEND}; cat; echo end", stdin=None)
        self.assertExit(run, 0)
        self.assertEqual(run.out, "begin\nend\n")
        self.assertRegex(run.err, r"^true: saw_filter\(udp\): saw it in packet 1 in \d\.\d s on lo\n$")

    def test_first_packet(self):
        """Capture is up when the command starts, each time."""
        script = (f"for i in $(seq 50); do \"$0\" expect -i lo --filter '{PORT}' --timeout 3 "
                  f"'packet_count_was_at_least(1)' -- bash -c '{SEND}' || exit 9; done")
        run = self.inside("sh", "-c", script, self.program)
        self.assertExit(run, 0)
        self.assertEqual(run.err.count("true: packet_count_was_at_least(1): saw it in packet 1 "), 50, run)

    def test_command_that_fails(self):
        for script, words in (("exit 3", "sippod: bash ended with exit code 3"), ("kill -9 $$", "sippod: bash was ended by SIGKILL")):
            run = self.expect("-i", "lo", "received_packet", "--", "bash", "-c", f"{SEND}; {script}")
            self.assertExit(run, 1)
            self.assertIn("true: received_packet()", run.err)
            self.assertIn(words, run.err)

    def test_command_that_is_none(self):
        self.assertRefused(self.expect("-i", "lo", "saw_vlan", "--", "./nothing"), 2, "cannot run ./nothing: No such file")

    def test_ends(self):
        """Of what is not decided: the timeout, the command's end and a while, a number of packets."""
        count = ["-i", "lo", "--filter", PORT, "packet_count"]
        for words, least, most in ((["--timeout", "1", *count, "--", "bash", "-c", SEND], 1, 3),
                                   (["--timeout", "30", "--settle", "0.2", *count, "--", "bash", "-c", SEND], 0.2, 5),
                                   (["--timeout", "0", "--count", "1", *count, "--", "bash", "-c", SEND], 0, 5)):
            run = self.expect(*words)
            with self.subTest(words):
                self.assertExit(run, 0)
                self.assertIn("true: packet_count(): saw 1 packet in", run.err)
                self.assertGreater(run.seconds, least)
                self.assertQuick(run, most)

    def test_settle_counts_packets_until_then(self):
        run = self.expect("-i", "lo", "--filter", PORT, "--settle", "0.5", "packet_count_was(2)", "--", "bash", "-c",
                          f"{SEND}; (sleep 0.1; {SEND}) &")
        self.assertExit(run, 0)
        self.assertIn("true: packet_count_was(2): saw 2 of 2", run.err)

    def test_direction(self):
        """One packet, out of v0 and into v1."""
        script = ("ip link add v0 type veth peer name v1 && ip addr add 10.9.9.1/24 dev v0 && ip link set v0 up && "
                  "ip link set v1 up && ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev v0 && "
                  "exec \"$0\" expect --filter \"$1\" -i $2 --direction $3 --settle 0.2 packet_count --json -- "
                  "bash -c 'echo packet >/dev/udp/10.9.9.2/9'")
        for interface, direction, count in (("v0", "out", 1), ("v0", "in", 0), ("v1", "in", 1), ("v1", "out", 0),
                                            ("v1", "both", 1)):
            run = self.inside("sh", "-c", script, self.program, PORT, interface, direction)
            with self.subTest(interface, direction=direction):
                self.assertEqual(json.loads(run.out)["expectations"][0]["value"], count, run)

    def test_any(self):
        run = self.expect("-i", "any", "--filter", PORT, "saw_filter(udp)", "--", "bash", "-c", SEND)
        self.assertExit(run, 0)
        self.assertIn(" on any\n", run.err)

    def test_json(self):
        run = self.expect("-i", "lo", "--filter", PORT, "--json", "--settle", "0.1", "packet_count", "saw_vlan", "--",
                          "bash", "-c", f"echo out; {SEND}; exit 3")
        self.assertExit(run, 1)
        self.assertEqual(run.err, "out\nsippod: bash ended with exit code 3\n")
        told = json.loads(run.out)
        self.assertEqual({name: told[name] for name in ("schema", "verdict", "file", "command")},
                         {"schema": 1, "verdict": "fail", "file": None, "command": {"exit_code": 3, "signal": None}})
        count, vlan = told["expectations"]
        self.assertEqual({name: count[name] for name in count if name not in ("detail", "elapsed_s")},
                         {"predicate": "packet_count", "interface": "lo", "wanted": True, "state": "true", "value": 1, "seen": 1})
        self.assertRegex(count["detail"], r"^packet_count\(\): saw 1 packet in \d\.\d s on lo$")
        self.assertGreater(count["elapsed_s"], 0.1)
        self.assertEqual((vlan["state"], vlan["value"], vlan["seen"]), ("false", False, 1))
        told = json.loads(self.expect("-i", "lo", "--json", "--not", "--timeout", "0.1", "saw_vlan").out)
        self.assertEqual((told["verdict"], told["command"], told["expectations"][0]["wanted"]), ("pass", None, False))

    def test_interface_that_vanishes(self):
        script = ("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
                  "exec \"$0\" expect -i v0 $1 received_packet 'packet_count_was(0)' --filter vlan -- ip link del v0")
        run = self.inside("sh", "-c", script, self.program)
        self.assertExit(run, 3)
        self.assertEqual(len(re.findall(r"^error: on v0: (received_packet\(\): saw none among|"
                                        r"packet_count_was\(0\): saw 0 of) 0( packets)?; the capture broke off: .*disappeared",
                                        run.err, re.MULTILINE)), 2, run)
        run = self.inside("sh", "-c", script, self.program, "--json")
        told = json.loads(run.out)
        self.assertEqual((run.code, told["verdict"]), (3, "error"))
        self.assertEqual([(each["state"], each["value"]) for each in told["expectations"]], [("error", None)] * 2)

    def test_bad_input(self):
        """Nothing is started, and no file is written."""
        tail = ["saw_vlan", "--", "touch", "begun"]
        for words, word in (
                (["-i", "nope"], "-i nope: there is no such interface; there is: lo"),
                (["-i", "lo", "writer(made.pcap, saw_vlan)", "saw_vlna"], "did you mean saw_vlan?"),
                (["-i", "lo", "--filter", "udp prot 9"], "--filter: filter \"udp prot 9\""),
                (["-i", "lo", "--timeout", "-1"], "--timeout -1"), (["-i", "lo", "--count", "0"], "--count 0"),
                (["-i", "lo", "--direction", "up"], "--direction up"), (["-i", "lo", "-i", "lo"], "--interface lo"),
                ([], "either -i IFACE or -r FILE"), (["-i", "lo", "-r", "x.pcap"], "either -i IFACE or -r FILE"),
                (["-r", "x.pcap"], "a command goes with -i"), (["-x"], "-x: there is no such option"),
                (["-i", "lo", "writer(no/where.pcap, saw_vlan)"], "cannot write no/where.pcap"),
        ):
            with self.subTest(words):
                self.assertRefused(self.expect(*words, *tail), 2, word)
        for words, word in ((["-i", "lo"], "which predicate?"), (["-i", "lo", "saw_vlan", "--"], "which command?"),
                            (["-i", "lo", "saw_vlan", "--settle", "1"], "--settle"),
                            (["-r", "x.pcap", "saw_vlan", "--direction", "in"], "--direction"),
                            (["-r", "x.pcap", "saw_vlan"], "-r x.pcap: No such file or directory"),
                            (["-i", "lo", "saw_filter(x\x1b[31m)"], "saw_filter(x\\x1b[31m)")):
            with self.subTest(words):
                self.assertRefused(self.expect(*words), 2, word)

    def test_interface_that_is_down(self):
        run = self.inside("sh", "-c", "ip link add v0 type veth peer name v1 && exec \"$0\" expect -i v0 saw_vlan -- touch begun",
                          self.program)
        self.assertRefused(run, 3, "v0", "not up")

    # ---- signals ----

    def signalled(self, on_term, script=""):
        """SIGTERM when the command is under way, which then calls `on_term`; then the script, $! being sippod."""
        command = (f"import os, signal\ndef say(*_): open('pipe', 'w').write('.\\n')\n"
                   f"signal.signal(signal.SIGTERM, lambda *_: {on_term})\nsay()\nwhile True: signal.pause()")
        run = self.inside("sh", "-c", "mkfifo pipe; \"$0\" expect -i lo saw_vlan --json -- \"$1\" -c \"$2\" & "
                          f"{READ}; kill -TERM $!; {script} wait $!; echo \"code $?\"", self.program,
                          harness.python_for(self.me), command)
        self.assertExit(run, 0)
        told, code = run.out.rsplit("code ", 1)
        self.assertEqual(code, "143\n")
        return json.loads(told)

    def test_signal(self):
        """It is passed to the command, which has its own way to end, and is waited for."""
        told = self.signalled("os._exit(5)")
        self.assertEqual((told["verdict"], told["command"]), ("cancelled", {"exit_code": 5, "signal": None}))
        self.assertEqual((told["expectations"][0]["state"], told["expectations"][0]["value"]), ("cancelled", None))

    def test_second_signal(self):
        """It kills the command."""
        self.assertEqual(self.signalled("say()", f"{READ}; kill -HUP $!;")["command"], {"exit_code": None, "signal": 9})

    def test_signal_without_a_command(self):
        run = self.inside("timeout", "-s", "INT", "0.5", self.program, "expect", "-i", "lo", "--timeout", "0", "saw_vlan")
        self.assertExit(run, 124)
        self.assertEqual(run.out, "cancelled: saw_vlan\n")

    # ---- what it says of itself ----

    def test_list(self):
        run = self.start_command([self.program, "expect", "--list"]).wait()
        self.assertExit(run, 0)
        names = re.findall(r"^(\w+)(?:\(.*\))? +\S", run.out.split("\n\n")[0], re.MULTILINE)
        header = (harness.SOURCE / "include" / "sippod" / "predicate.h").read_text()
        made = re.findall(r"^struct sippod_predicate sippod_(\w+)\(", header, re.MULTILINE)
        self.assertEqual(sorted(names), sorted({*made} - {"predicate_parse"}))


class WithoutTheRight(ExpectCase):
    """An ordinary user, on the host."""

    def test_says_what_to_do(self):
        run = self.start_command([self.program, "expect", "-i", "lo", "saw_vlan", "--", "touch", "begun"]).wait()
        self.assertRefused(run, 3, "CAP_NET_RAW", "be root", "sippod exec --script-caps net_raw -- sippod expect")
        self.assertQuick(run, 2)


if __name__ == "__main__":
    harness.main()
