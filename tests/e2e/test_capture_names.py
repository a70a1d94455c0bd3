#!/usr/bin/env -S python3 -B
"""What a capture brings along beside its packets: the names of those who speak."""
import subprocess

import harness
import pcapng
import suites
from harness import Case, for_each_user


@for_each_user
class Names(Case):
    def capture(self):
        return pcapng.Capture(self.run_folder() / self.result()["pcap"])

    def tshark(self, *arguments):
        done = subprocess.run([harness.require("tshark"), "-r", self.run_folder() / self.result()["pcap"], *arguments],
                              capture_output=True, text=True, check=True, env=self.environment())
        return [line.split("\t") for line in done.stdout.splitlines()]

    def run_suite(self, *options):
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all", *options), 0)

    def test_a_ua_is_called_by_its_name(self):
        suites.write_test(self.folder / "suite", "call")
        self.run_suite()
        columns = ("-T", "fields", "-e", "_ws.col.Source", "-e", "_ws.col.Destination")
        self.assertEqual(self.tshark("-N", "n", *columns), [["ua1", "ua0"], ["ua0", "ua1"]])
        # Wireshark shows names only to those who want them.
        for options in ([], ["-n"]):
            self.assertEqual(self.tshark(*options, *columns),
                             [["198.18.1.1", "198.18.1.0"], ["198.18.1.0", "198.18.1.1"]])

    def test_names_stand_in_front_of_the_packets(self):
        suites.write_test(self.folder / "suite", "call")
        self.run_suite()
        capture = self.capture()
        self.assertEqual(capture.names, [("198.18.1.0", "dut"), ("198.18.1.0", "ua0"), ("198.18.1.1", "ua1")])
        self.assertEqual(capture.blocks[:4], [pcapng.SECTION, pcapng.INTERFACE, pcapng.INTERFACE, pcapng.NAMES])
        self.assertEqual(capture.blocks.count(pcapng.NAMES), 1)
        self.assertEqual(capture.secrets, [])

    def test_the_suites_dut_has_a_name(self):
        suites.write_test(self.folder / "suite", "call", {"uac_ua1.xml": suites.uac()})
        suites.write(self.folder / "suite/DUT/uas.xml", suites.uas())
        suites.write(self.folder / "suite/DUT/dut.sh",
                     "exec sipp -i {{dut.host}} -p 5060 -sf uas.xml -nostdin >/dev/null 2>&1\n")
        self.run_suite()
        self.assertEqual(self.capture().names, [("198.18.0.1", "dut"), ("198.18.1.1", "ua1")])

    def test_none_in_the_classic_format(self):
        suites.write_test(self.folder / "suite", "call")
        self.run_suite("--pcap-format", "pcap")
        path = self.run_folder() / self.result()["pcap"]
        self.assertEqual(path.read_bytes()[:4], b"\xd4\xc3\xb2\xa1")
        self.assertNotIn(b"ua0", path.read_bytes())

    def test_none_of_a_command(self):
        run = self.start_command([self.program, "exec", "--pcap", "exec.pcapng", "--", "true"]).wait()
        self.assertExit(run, 0)
        self.assertEqual(pcapng.Capture(self.folder / "exec.pcapng").names, [])


if __name__ == "__main__":
    harness.main()
