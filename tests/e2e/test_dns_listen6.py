#!/usr/bin/env -S python3 -B
"""--dns-listen at an IPv6 address, for a device outside with IPv6."""
import dns_client
import harness
import host
import lab
import lab6
import lab_case
from dns_listen import NXDOMAIN, DnsListenCase
from lab6 import Lab6Case

setUpModule = lab6.set_up_lab


class Names(Lab6Case, DnsListenCase):
    dut, resolver = lab6.DUT, lab6.HOST

    def test_of_all_that_run(self):
        for name in "ab":
            self.add_test(name, f"{name}.example.com AAAA {{{{ua0.host}}}}\n*.{name}.example.com A 192.0.2.1\n")
        running = self.start_run()
        go = {name: self.wait_for_test(name, running) for name in "ab"}
        for how in ("udp", "tcp"):
            found = {name: self.ask(f"{name}.example.com", "AAAA", how) for name in "ab"}
            self.assertEqual(self.ask("any.b.example.com", how=how), (0, "192.0.2.1"))
            self.assertEqual(self.ask("nix.example.com", "AAAA", how), (NXDOMAIN, None))
        self.assertEqual(self.ask("a.example.com", "AAAA", machine=lab_case.lab.host), found["a"])
        go["a"].touch()
        self.assertTrue(host.wait_until(lambda: self.ask("a.example.com", "AAAA")[0] == NXDOMAIN))
        go["b"].touch()
        run = running.wait()
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        for name, test in self.results_by_name().items():
            self.assertEqual((0, test["uas"][0]["address"]), found[name])
            self.assertIn(f"dns: AAAA {name}.example.com. from {lab6.DUT} (TCP): NOERROR, 1 answer\n", self.logs(name))

    def test_strangers(self):
        self.add_test("one", "one.example.com AAAA {{ua0.host}}\n")
        running = self.start_run()
        go = self.wait_for_test("one", running)
        for how in ("udp", "tcp"):
            with self.assertRaises((OSError, dns_client.struct.error)):
                self.ask("one.example.com", "AAAA", how, machine=lab_case.lab.taken, patience=0.3)
        self.assertEqual(self.ask("one.example.com", "AAAA")[0], 0)
        go.touch()
        run = running.wait()
        self.assertExit(run, 0)
        self.assertEqual(run.err, f"sippod: --dns-listen: {lab6.OTHER} asks and is not answered: it is neither the DUT nor "
                                  "in --allow-net\n")


class NamesAsRoot(Names):
    who = "root"


class Mixed(Lab6Case, DnsListenCase):
    """A device with both families, which is tested over one and asks over the other."""

    def check_asking(self, kind, asker, *options):
        self.add_test("one", f"one.example.com {kind} {{{{ua0.host}}}}\n")
        running = self.start_run("--allow-net", asker, *options)
        go = self.wait_for_test("one", running)
        rcode, address = self.ask("one.example.com", kind)
        go.touch()
        run = running.wait()
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        self.assertEqual((rcode, address), (0, self.result()["uas"][0]["address"]))

    def test_tested_over_ipv6(self):
        self.dut, self.resolver = lab6.DUT, lab.HOST
        self.check_asking("AAAA", f"{lab.DUT}/32")

    def test_tested_over_ipv4(self):
        self.dut, self.resolver = lab.DUT, lab6.HOST
        self.set_policy(lab.policy())
        self.check_asking("A", f"{lab6.DUT}/128")

    def test_no_way_there_for_tests(self):
        """It is the asking that is allowed; what is not asked over is refused as ever."""
        self.dut, self.resolver = lab6.DUT, lab6.HOST
        self.add_test("one", "")
        run = self.start_run("--allow-net", f"{lab.DUT}/32").wait()
        self.assertExit(run, 2)
        self.assertIn("only IPv6 networks", run.err)


if __name__ == "__main__":
    harness.main()
