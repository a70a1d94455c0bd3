#!/usr/bin/env -S python3 -B
"""The examples: a Kamailio in every pod, and RTP."""
import shutil
import subprocess

import harness
from harness import Case, for_each_user

KAMAILIO = ["cancel", "fork", "not-found", "options", "proxy-auth", "record-route", "register-call"]


def shown(capture, what, *options):
    """The frames of the capture that this display filter leaves."""
    return subprocess.run(["tshark", "-r", capture, *options, "-Y", what], capture_output=True, text=True,
                          check=True).stdout.splitlines()


@for_each_user
class Examples(Case):
    def example(self, name):
        shutil.copytree(harness.SOURCE / "examples" / name, self.folder / name)
        for place in [self.folder / name, *(self.folder / name).rglob("*")]:
            place.chmod(0o755 if place.is_dir() else 0o644)
        self.me.own(self.folder)
        return name

    def test_kamailio(self):
        if not shutil.which("kamailio", path="/usr/sbin:/usr/bin"):
            harness.skip("Kamailio is not installed")
        suite = self.example("kamailio")
        for jobs in ("1", "16", "16"):
            run = self.sippod(suite, "--jobs", jobs, "--keep", "all")
            self.assertExit(run, 0)
            tests = self.results_by_name()
            self.assertEqual(sorted(tests), KAMAILIO)
        # It is Kamailio that was in between.
        for name, what in (("proxy-auth", "sip.Status-Code == 407 && ip.src == 198.18.0.1"),
                           ("record-route", 'sip.Record-Route contains "198.18.0.1" && ip.src == 198.18.0.1'),
                           ("register-call", "sip.Method == REGISTER && ip.dst == 198.18.0.1"),
                           ("fork", "sip.Status-Code == 487 && ip.dst == 198.18.0.1"),
                           ("not-found", "sip.Status-Code == 404 && ip.src == 198.18.0.1")):
            with self.subTest(name):
                capture = self.run_folder(tests[name]) / tests[name]["pcap"]
                self.assertNotEqual(shown(capture, what), [])

    def test_rtp(self):
        suite = self.example("quickstart")
        for jobs in ("1", "16"):
            self.assertExit(self.sippod(suite, "--jobs", jobs, "--keep", "all"), 0)
            test = self.results_by_name()["rtp"]
            capture = self.run_folder(test) / test["pcap"]
            packets = shown(capture, "rtp.p_type == 101 && ip.src == 198.18.1.1", "-d", "udp.port==6000,rtp")
            self.assertGreaterEqual(len(packets), 10)


if __name__ == "__main__":
    harness.main()
