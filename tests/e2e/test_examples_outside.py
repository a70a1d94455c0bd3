#!/usr/bin/env -S python3 -B
"""The example of a device outside that asks one resolver, always the same: on the lab's LAN, and with the script that comes with it."""
import shutil
from pathlib import Path

import harness
import host
import lab_case
import suites
from dns_listen import DnsListenCase
from lab import HOST
from lab_machines import Service

EXAMPLE = harness.SOURCE / "examples" / "dns-listen"
DEVICE = "10.22.22.4"  # the machine `taken`
TESTS = ("sales", "support")
# A file of its own in the place of resolv.conf, for the program behind it.
WITH_RESOLVER = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$1" /etc/resolv.conf; shift; exec "$@"', "sh"]


def setUpModule():
    lab_case.set_up_lab()
    lab = lab_case.lab
    root = lab.people["root"]
    resolver = root.folder / "resolv.conf"
    resolver.write_text((EXAMPLE / "resolv.conf").read_text(encoding="utf-8").replace("198.51.100.1", HOST), encoding="utf-8")
    lab.services.append(Service(lab.taken, [
        *WITH_RESOLVER, resolver, harness.require("kamailio"), "-DD", "-E", "-f", EXAMPLE / "kamailio.cfg", "-l",
        f"udp:{DEVICE}:5060", "-w", root.folder, "-Y", root.folder, "-m", "16", "-M", "4"], root, root.folder / "log"))
    if not host.wait_until(lambda: lab.taken.inside(is_listening), 10):
        raise RuntimeError(f"the device does not start: {lab.services[-1].log.read_text()}")


def is_listening():
    return ":13C4 " in Path("/proc/thread-self/net/udp").read_text(encoding="ascii")


class ExampleCase(DnsListenCase):
    def setUp(self):
        super().setUp()
        if self.me.run(harness.python_for(self.me), "-c", "import jinja2").returncode != 0:
            harness.skip("Jinja2 is not installed")
        shutil.copytree(EXAMPLE, self.folder / "suite")
        self.me.own(self.folder)

    def assertNames(self, device):
        """Each test passed, and the device asked for its names, in its log only."""
        tests = self.results_by_name()
        self.assertEqual({name: test["verdict"] for name, test in tests.items()}, dict.fromkeys(TESTS, "pass"))
        for name in TESTS:
            for kind, asked in (("SRV", f"_sip._udp.{name}"), ("A", f"phone.{name}")):
                line = f"dns: {kind} {asked}.example.com. from {device} (UDP): NOERROR, 1 answer\n"
                self.assertEqual([line in self.logs(test) for test in TESTS], [test == name for test in TESTS])


class Examples(ExampleCase):
    def test_side_by_side(self):
        for name in TESTS:
            suites.write(self.folder / "suite" / name / "before.sh", suites.WAIT)
        self.me.own(self.folder)
        with self.setting("ip_unprivileged_port_start", 53):
            running = self.start("suite", "--dut", DEVICE, "--dns-listen", HOST, "--jobs", "2", "--keep", "all")
            for go in [self.wait_for_test(name, running) for name in TESTS]:
                go.touch()
            run = running.wait()
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        self.assertNames(DEVICE)

    def test_one_run_after_the_other(self):
        """The device keeps no addresses of the run before."""
        for _ in range(2):
            with self.setting("ip_unprivileged_port_start", 53):
                self.assertExit(self.sippod("suite", "--dut", DEVICE, "--dns-listen", HOST, "--jobs", "2", "--keep", "all"), 0)
            self.assertNames(DEVICE)


class ExamplesAsRoot(Examples):
    who = "root"

    def test_lab_script(self):
        """As its README says it."""
        run = self.start_command(["sh", "suite/lab.sh", self.program, "run", "suite", "--dut", "198.51.100.5", "--dns-listen",
                                  "198.51.100.1", "--jobs", "2", "--keep", "all"]).wait()
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        self.assertNames("198.51.100.5")


del ExampleCase

if __name__ == "__main__":
    harness.main()
