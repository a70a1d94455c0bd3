#!/usr/bin/env -S python3 -B
"""The capture of a test: every packet, in order, from the first moment of before.sh to the last one of after.sh."""
import subprocess
import time

import harness
import suites
from harness import Case, for_each_user
from pcapng import Capture

# A datagram to a port where nobody listens: with the kernel's answer, two packets on lo.
SEND = "{python} -I -c \"import socket; socket.socket(2, 2).sendto(b'{word}' * {times}, ('127.0.0.1', 9))\"\n"


@for_each_user
class Captured(Case):
    def capture(self, test=None, dropped=0):
        test = test or self.result()
        capture = Capture(self.run_folder(test) / test["pcap"])
        # What holds for each capture: both interfaces, order, and the counters of the results.
        self.assertEqual(capture.interfaces, ["lo", "eth0"])
        times = [packet.time_ns for packet in capture.packets]
        self.assertEqual(times, sorted(times), "not in order of time")
        self.assertEqual(test["packets"], len(capture.packets))
        self.assertEqual(test["dropped"], dropped)
        self.assertEqual(capture.dropped, {"lo": dropped, "eth0": 0})
        for packet in capture.packets:
            self.assertEqual(packet.length, len(packet.data), "a packet is cut off")
        return capture

    def tshark(self, path, *arguments):
        """Wireshark's own opinion of the file."""
        done = subprocess.run([harness.require("tshark"), "-r", path, "-n", *arguments], capture_output=True,
                              text=True, check=True, env=self.environment())
        return [line.split("\t") for line in done.stdout.splitlines()]

    def test_holds_the_call_from_invite_to_bye(self):
        began = time.time_ns()
        self.assertExit(self.sippod(harness.workspace.quickstart / "call", "--keep", "all"), 0)
        capture = self.capture()
        self.assertGreaterEqual(capture.packets[0].time_ns, began)
        self.assertLessEqual(capture.packets[-1].time_ns, time.time_ns())
        fields = [word for name in ("frame.interface_name", "ip.src", "ip.dst", "sip.Method", "sip.Status-Code",
                                    "sip.CSeq.method", "sip.Call-ID", "_ws.malformed") for word in ("-e", name)]
        rows = self.tshark(self.run_folder() / self.result()["pcap"], "-T", "fields", *fields)
        alice, bob = "198.18.1.1", "198.18.1.0"
        self.assertEqual([row[:6] for row in rows], [
            ["lo", alice, bob, "INVITE", "", "INVITE"],
            ["lo", bob, alice, "", "100", "INVITE"],
            ["lo", bob, alice, "", "180", "INVITE"],
            ["lo", bob, alice, "", "200", "INVITE"],
            ["lo", alice, bob, "ACK", "", "ACK"],
            ["lo", alice, bob, "BYE", "", "BYE"],
            ["lo", bob, alice, "", "200", "BYE"],
        ])
        self.assertEqual(len({row[6] for row in rows}), 1, "one call, one Call-ID")
        self.assertEqual({row[7] for row in rows}, {""}, "malformed")

    def test_holds_a_connection_from_its_first_to_its_last_segment(self):
        self.assertExit(self.sippod(harness.workspace.quickstart / "tcp", "--keep", "all"), 0)
        self.capture()
        flags = self.tshark(self.run_folder() / self.result()["pcap"], "-T", "fields", "-e", "tcp.flags.syn",
                            "-e", "tcp.flags.ack", "-e", "tcp.flags.fin", "-e", "tcp.flags.reset")
        true = ("1", "True")
        self.assertTrue(flags[0][0] in true and flags[0][1] not in true, "it does not begin with a SYN")
        self.assertTrue(any(row[2] in true or row[3] in true for row in flags), "its end is not there")
        problems = self.tshark(self.run_folder() / self.result()["pcap"], "-Y", "tcp.analysis.lost_segment")
        self.assertEqual(problems, [], "segments are missing")

    def test_loses_nothing_at_the_start_or_at_the_end(self):
        """The scripts send at once, and end at once after it: twenty times, and each packet is there."""
        python = harness.python_for(self.me)
        first, last = (SEND.format(python=python, word=word, times=1) for word in ("first", "last"))
        for number in range(20):
            suites.write_test(self.folder / "suite", f"{number:02}", before=first, after=last)
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        for test in self.results()["tests"]:
            with self.subTest(test["name"]):
                udp = [packet.udp for packet in self.capture(test).packets if packet.udp]
                self.assertEqual([datagram[4].split()[0] for datagram in udp if datagram[3] in (9, 5060)],
                                 [b"first", b"OPTIONS", b"SIP/2.0", b"last"])

    def test_large_packets_are_whole(self):
        send = SEND.format(python=harness.python_for(self.me), word="x", times=60000)
        suites.write_test(self.folder / "suite", "large", before=send)
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        self.assertIn(b"x" * 60000, [packet.udp[4] for packet in self.capture().packets if packet.udp])

    def test_counts_what_it_cannot_keep_up_with(self):
        """More than the kernel's ring holds, as fast as a script can send: in the file, or told as dropped."""
        storm = ("import socket\n"
                 "s, data = socket.socket(2, 2), bytes(1000)\n"
                 "s.bind(('127.0.0.1', 0)); s.connect(s.getsockname())\n"
                 "for i in range(3000):\n    s.send(i.to_bytes(4, 'big') + data); s.recv(2000)\n")
        suites.write_test(self.folder / "suite", "storm", {**suites.CALL, "storm.py": storm},
                          before=f"exec {harness.python_for(self.me)} -I storm.py\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        dropped = self.result()["dropped"]
        seen = [packet.udp[4] for packet in self.capture(dropped=dropped).packets if packet.udp]
        numbers = [int.from_bytes(data[:4], "big") for data in seen if len(data) == 1004]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(seen) + dropped, 3000 + 2)
        log = (self.run_folder() / "sipplauncher.log").read_text()
        self.assertEqual(f"WARNING {dropped} packets were not captured" in log, dropped > 0, log)

    def test_of_tests_that_fail(self):
        """It is kept for these, and as complete."""
        suites.write_test(self.folder / "suite", "bad", suites.FAILING)
        send = SEND.format(python=harness.python_for(self.me), word="sent", times=1)
        suites.write_test(self.folder / "suite", "unready", before=f"{send}exit 1\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite"), 1)
        tests = self.results_by_name()
        self.assertEqual([packet.udp[4].split()[1] for packet in self.capture(tests["bad"]).packets
                          if packet.udp and packet.udp[4].startswith(b"SIP")], [b"404"])
        self.assertIn(b"sent", [packet.udp[4] for packet in self.capture(tests["unready"]).packets if packet.udp])

    def test_nothing_but_the_test(self):
        """No packet of the pod's own: no IPv6 chatter, and none of what the sniffer itself sends to come to an end."""
        suites.write_test(self.folder / "suite", "silent", before="sleep 0.3\n", after=":\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        self.assertEqual([(packet.interface, packet.udp[4].split()[0]) for packet in self.capture().packets],
                         [("lo", b"OPTIONS"), ("lo", b"SIP/2.0")])

    def test_none_when_told(self):
        self.assertExit(self.sippod(harness.workspace.quickstart / "call", "--keep", "all", "--no-pcap"), 0)
        test = self.result()
        self.assertEqual((test["pcap"], test["packets"], test["dropped"]), (None, 0, 0))
        self.assertEqual(list(self.run_folder().glob("*pcap*")), [])


if __name__ == "__main__":
    harness.main()
