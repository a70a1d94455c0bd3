"""Runs with --dns-listen in the lab, and machines that ask."""
import contextlib
import ipaddress

import dns_client
import lab_case
import suites
from lab import DUT, HOST
from lab_case import OPTIONS, LabCase

PORT = 5353
NXDOMAIN = 3


class DnsListenCase(LabCase):
    dut, resolver = DUT, HOST

    def add_test(self, name, zone, *, before=suites.WAIT, files=None):
        suites.write_test(self.folder / "suite", name, {**OPTIONS, "dns.txt": zone, **(files or {})}, before=before)
        self.me.own(self.folder)

    def start_run(self, *options, listen=None, jobs=4):
        if listen is None:
            listen = f"[{self.resolver}]:{PORT}" if ":" in self.resolver else f"{self.resolver}:{PORT}"
        if "--group" not in options:
            options = ("--jobs", str(jobs), *options)
        return self.start("suite", "--dut", self.dut, "--dns-listen", listen, "--keep", "all", *options)

    def ask(self, name, kind="A", how="udp", machine=None, port=PORT, patience=5):
        """The response code, and of an A or AAAA record its address."""
        machine = machine or lab_case.lab.dut
        rcode, count, _, _, answer = machine.inside(
            lambda: dns_client.query(kind, name, how, self.resolver, port=port, patience=patience))
        size = {"A": 4, "AAAA": 16}.get(kind, 0)
        return rcode, str(ipaddress.ip_address(answer[-size:])) if size and count else None

    def wait_for_test(self, name, running):
        """Until the test is in its before.sh; the file that ends that."""
        return self.wait_for(f"sippod-results/{name}/*/waiting", running).parent / "go"

    def wait_for_line(self, running, text):
        """Reads what sippod prints up to a line with this text in it."""
        for line in running.popen.stdout:
            if text in line:
                return line
        return self.fail(f"no line has {text}\n{running.wait()}")

    def logs(self, name):
        return "".join(file.read_text() for file in self.folder.glob(f"sippod-results/{name}/*/sipplauncher.log"))

    def assertNothingStarted(self, run, expression):
        self.assertExit(run, 2)
        self.assertRegex(run.err, expression)
        self.assertEqual(run.out, "")
        self.assertFalse((self.folder / "sippod-results").exists(), run)

    @contextlib.contextmanager
    def setting(self, name, value):
        """Of the host's network."""
        machine = lab_case.lab.host
        before = machine.get(name)
        machine.set({name: value})
        try:
            yield
        finally:
            machine.set({name: before})
