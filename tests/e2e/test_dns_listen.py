#!/usr/bin/env -S python3 -B
"""--dns-listen: the names of all running tests, for a device outside that asks one resolver only; as an ordinary user with
a policy, and as root."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import dns_client
import harness
import host
import lab_case
import suites
from dns_listen import NXDOMAIN, PORT, DnsListenCase
from lab import DUT, HOST

setUpModule = lab_case.set_up_lab
NOBODY = "10.22.22.4"  # an address of the machine `taken`


class Names(DnsListenCase):
    def test_of_all_that_run(self):
        """They are served before before.sh, to the device and on this host, and no more when their test has ended."""
        for name in "abc":
            self.add_test(name, f"{name}.example.com A {{{{ua0.host}}}}\n*.{name}.example.com A 192.0.2.1\n")
        running = self.start_run()
        go = {name: self.wait_for_test(name, running) for name in "abc"}
        for how in ("udp", "tcp"):
            found = {name: self.ask(f"{name}.example.com", how=how) for name in "abc"}
            self.assertEqual([rcode for rcode, _ in found.values()], [0, 0, 0])
            self.assertEqual(len({address for _, address in found.values()}), 3)
            self.assertEqual(self.ask("any.b.example.com", how=how), (0, "192.0.2.1"))
            self.assertEqual(self.ask("nix.example.com", how=how), (NXDOMAIN, None))
        self.assertEqual(self.ask("a.example.com", machine=lab_case.lab.host), found["a"])
        go["a"].touch()
        self.assertTrue(host.wait_until(lambda: self.ask("a.example.com")[0] == NXDOMAIN))
        self.assertEqual(self.ask("b.example.com"), found["b"])
        go["b"].touch()
        go["c"].touch()
        run = running.wait()
        self.assertExit(run, 0)
        self.assertEqual(run.err, "")
        for name, test in self.results_by_name().items():
            self.assertEqual(test["uas"][0]["address"], found[name][1])
            asked = {(entry["name"], entry["rcode"]): entry["count"] for entry in test["dns"]}
            self.assertGreaterEqual(asked[f"{name}.example.com.", "NOERROR"], 2)
            self.assertEqual(asked["nix.example.com.", "NXDOMAIN"], 2)
            self.assertIn(f"dns: A {name}.example.com. from {DUT} (TCP): NOERROR, 1 answer\n", self.logs(name))
        with self.assertRaises(ConnectionRefusedError):
            self.ask("a.example.com")

    def test_many(self):
        """More than one message to the helper, and one packet to who asks, has room for."""
        self.add_test("many", "".join(f"n{i}.{'long.' * 20}example.com A 192.0.2.{i % 250 + 1}\n" for i in range(5000)))
        self.add_test("empty", "# no name\n")
        running = self.start_run()
        go = [self.wait_for_test(name, running) for name in ("many", "empty")]
        for number in (0, 2500, 4999):
            self.assertEqual(self.ask(f"n{number}.{'long.' * 20}example.com"), (0, f"192.0.2.{number % 250 + 1}"))
        for file in go:
            file.touch()
        self.assertExit(running.wait(), 0)

    def test_by_configuration(self):
        self.add_test("one", "one.example.com A 192.0.2.1\n")
        suites.write(self.folder / "suite" / "sippod.conf", f'dut = "{DUT}"\ndns_listen = "{HOST}:{PORT}"\n')
        running = self.start("suite")
        go = self.wait_for_test("one", running)
        self.assertEqual(self.ask("one.example.com"), (0, "192.0.2.1"))
        go.touch()
        self.assertExit(running.wait(), 0)

    def test_in_a_shell(self):
        self.add_test("one", "one.example.com A 192.0.2.1\n", before="")
        words = [self.program, "shell", "suite/one", "--dut", DUT, "--dns-listen", f"{HOST}:{PORT}"]
        running = self.start_command(words, stdin=subprocess.PIPE)
        running.popen.stdin.write("echo ready\n")
        running.popen.stdin.flush()
        self.wait_for_line(running, "ready")
        self.assertEqual(self.ask("one.example.com"), (0, "192.0.2.1"))
        self.assertExit(running.wait(), 0)

    def ask_as_stranger(self, ask, *options):
        """What sippod has printed on standard error."""
        self.add_test("one", "one.example.com A 192.0.2.1\n")
        with lab_case.lab.taking([NOBODY]):
            running = self.start_run(*options)
            go = self.wait_for_test("one", running)
            for how in ("udp", "tcp", "udp", "tcp"):
                ask(lambda how=how: self.ask("one.example.com", how=how, machine=lab_case.lab.taken, patience=0.3))
            self.assertEqual(self.ask("one.example.com"), (0, "192.0.2.1"))
            go.touch()
            run = running.wait()
        self.assertExit(run, 0)
        return run.err

    def test_strangers(self):
        """They are not answered, and told of once."""
        def ask(function):
            with self.assertRaises((OSError, dns_client.struct.error)):
                function()
        self.assertEqual(self.ask_as_stranger(ask), f"sippod: --dns-listen: {NOBODY} asks and is not answered: it is "
                                                    "neither the DUT nor in --allow-net\n")

    def test_who_is_allowed_is_no_stranger(self):
        told = self.ask_as_stranger(lambda function: self.assertEqual(function(), (0, "192.0.2.1")),
                                    "--allow-net", f"{NOBODY}/32")
        self.assertEqual(told, "")

    def test_malformed_questions(self):
        self.add_test("one", "one.example.com A 192.0.2.1\n")
        running = self.start_run("--log-file", "log")
        go = self.wait_for_test("one", running)
        with lab_case.lab.dut.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"nonsense", (HOST, PORT))
        self.assertEqual(self.ask("one.example.com"), (0, "192.0.2.1"))
        go.touch()
        self.assertExit(running.wait(), 0)
        self.assertIn("dns: 1 malformed packet was dropped", (self.folder / "log").read_text())

    def test_port_53(self):
        self.add_test("one", "one.example.com A 192.0.2.1\n")
        with self.setting("ip_unprivileged_port_start", 1024 if self.me.uid == 0 else 53):
            running = self.start_run(listen=HOST)
            go = self.wait_for_test("one", running)
            self.assertEqual(self.ask("one.example.com", port=53), (0, "192.0.2.1"))
            go.touch()
            self.assertExit(running.wait(), 0)


class NamesAsRoot(Names):
    who = "root"


class Conflicts(DnsListenCase):
    ZONES = {"a": "www.example.com A 192.0.2.1\na.example.com A 192.0.2.1\n",
             "b": "*.example.com A 192.0.2.2\n"}

    def start_two(self, *options):
        """The first that has the names, the other one, and what lets the first go on."""
        for name, zone in self.ZONES.items():
            self.add_test(name, zone)
        running = self.start_run(*options)
        go = self.wait_for_test("*", running)
        first = go.parent.parent.name
        return running, first, "b" if first == "a" else "a", go

    def test_second_is_not_ready(self):
        running, first, second, go = self.start_two()
        line = self.wait_for_line(running, "NOT READY")
        go.touch()
        self.assertExit(running.wait(), 1)
        results = self.results_by_name()
        self.assertEqual(results[first]["verdict"], "pass")
        self.assertEqual(results[second]["result"], "NOT READY")
        test = results[first]
        self.assertRegex(results[second]["reason"],
                         rf"^dns\.txt: (www|a)\.example\.com\. is a name of the test {first} "
                         rf"\({test['index']}-{test['run_id']}\), too, which is running; with --dns-wait ")
        self.assertIn(results[second]["reason"], line)

    def test_second_waits(self):
        running, first, second, go = self.start_two("--dns-wait")
        answers = {"a": (0, "192.0.2.1"), "b": (0, "192.0.2.2")}
        self.assertTrue(host.wait_until(lambda: f"waits for the test {first} (" in self.logs(second)))
        self.assertEqual(self.ask("www.example.com"), answers[first])
        self.assertFalse(list(self.folder.glob(f"sippod-results/{second}/*/waiting")))
        go.touch()
        go = self.wait_for_test(second, running)
        self.assertEqual(self.ask("www.example.com"), answers[second])
        go.touch()
        self.assertExit(running.wait(), 0)
        self.assertEqual(self.results()["totals"]["pass"], 2)

    def test_second_is_held_back_to_the_next_group(self):
        """To wait in its own group, which goes on when all of it is READY, would be to wait for ever."""
        for name, zone in {**self.ZONES, "c": "c.example.org A 192.0.2.3\n"}.items():
            self.add_test(name, zone, before="")
        run = self.start_run("--dns-wait", "--group", "3").wait()
        self.assertExit(run, 0)
        self.assertEqual([f"{line.state} {line.test}" for line in run.states][:6],
                         ["PREPARING a", "PREPARING b", "STARTING a", "SUCCESS a", "CLEANING a", "PREPARING b"])
        self.assertEqual([line.test for line in run.states if line.state == "STARTING"], ["a", "b", "c"])
        self.assertRegex(run.err, r"\Asippod: the test b is left to the next group: dns\.txt: (www|a)\.example\.com\. is a "
                                  r"name of the test a \(1-\w+\), too, which is running\n\Z")
        self.assertEqual([(test["name"], test["index"]) for test in self.results()["tests"]],
                         [("a", 1), ("c", 3), ("b", 2)])
        first = self.results()["earlier"]
        self.assertEqual(len(first), 1)
        self.assertEqual(set(self.folder.glob("sippod-results/b/*")) - {self.run_folder(self.results_by_name()["b"])},
                         {self.folder / "sippod-results" / first[0]})

    def test_second_of_a_group_is_not_ready(self):
        """Unless it is told to wait."""
        for name, zone in self.ZONES.items():
            self.add_test(name, zone, before="")
        run = self.start_run("--group", "2").wait()
        self.assertExit(run, 1)
        self.assertEqual([line.test for line in run.states if line.state == "NOT READY"], ["b"])

    def test_to_wait_takes_no_time(self):
        """What a test waits for others does not count for its time limit."""
        self.add_test("a", "www.example.com A 192.0.2.1\n")
        self.add_test("b", "")
        self.add_test("c", "www.example.com A 192.0.2.3\n", before="", files={"test.conf": "timeout = 1\n"})
        running = self.start_run("--dns-wait", jobs=2)
        go = self.wait_for_test("a", running)
        self.wait_for_test("b", running).touch()
        self.assertTrue(host.wait_until(lambda: "waits for the test a (" in self.logs("c")))
        time.sleep(1.2)
        go.touch()
        self.assertExit(running.wait(), 0)

    def test_who_waits_can_be_interrupted(self):
        running, first, second, _ = self.start_two("--dns-wait")
        self.assertTrue(host.wait_until(lambda: f"waits for the test {first} (" in self.logs(second)))
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(), 143)
        self.assertEqual({test["result"] for test in self.results()["tests"]}, {"INTERRUPTED"})

    def test_global_lasts(self):
        """Its names are served, too; there is no end that a test could wait for."""
        self.add_test("GLOBAL", "www.example.com A 192.0.2.1\n", before="")
        self.add_test("one", "one.example.com A 192.0.2.2\n")
        self.add_test("two", "www.example.com A 192.0.2.3\n")
        running = self.start_run("--dns-wait")
        go = self.wait_for_test("one", running)
        self.assertEqual(self.ask("www.example.com"), (0, "192.0.2.1"))
        self.wait_for_line(running, "NOT READY")
        go.touch()
        self.assertExit(running.wait(), 1)
        results = self.results_by_name()
        self.assertEqual(results["one"]["verdict"], "pass")
        self.assertIn("www.example.com. is a name of GLOBAL, too, which has it to the end", results["two"]["reason"])


class Refused(DnsListenCase):
    """Before anything is started."""

    def refused(self, listen, expression, *options):
        with self.subTest(listen):
            self.assertNothingStarted(self.start_run(*options, listen=listen).wait(), expression)

    def test_bad_addresses(self):
        self.add_test("one", "")
        for listen in ("10.22.22", "10.22.22.2:", f"{HOST}:0", f"{HOST}:65536", f"{HOST}:dns", "localhost", "2001:db8::1",
                       "[::1", "[::1]5", "[10.22.22.2]", ""):
            self.refused(listen, r"^sippod: --dns-listen.*: it is ADDRESS or ADDRESS:PORT, an IPv6 ")
        for listen in ("0.0.0.0", "[::]:53", "224.0.0.1"):
            self.refused(listen, "it is one address of this host")
        suites.write(self.folder / "suite" / "sippod.conf", "\ndns_listen = nowhere\n")
        self.assertNothingStarted(self.sippod("suite", "--dut", DUT), r"sippod\.conf:2: .*it is ADDRESS or ADDRESS:PORT")

    def test_what_goes_with_what(self):
        self.add_test("one", "")
        for options, expression in ((("--dns-listen", HOST), f"--dns-listen {HOST}: it goes with --dut"),
                                    (("--dns-wait",), "--dns-wait: it goes with --dns-listen")):
            self.assertNothingStarted(self.sippod("suite", *options), expression)

    def test_another_hosts_address(self):
        self.add_test("one", "")
        self.refused(f"10.22.22.99:{PORT}", r"this host has no such address; `ip address` lists those")
        self.refused(f"[2001:db8::99]:{PORT}", r"this host has no such address|cannot listen there")

    def test_port_is_taken(self):
        self.add_test("one", "", before="")
        for kind, name in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
            with lab_case.lab.host.socket(socket.AF_INET, kind) as taken:
                taken.bind((HOST, PORT))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                self.refused(f"{HOST}:{PORT}", rf"another program has this port \({name}\); `ss -lnp sport = :{PORT}` ")
                # Who runs nothing does not listen.
                self.assertExit(self.start_run("--dry-run").wait(), 0)
                for file in self.folder.glob("sippod-results"):
                    subprocess.run(["rm", "-r", file], check=True)

    def test_port_of_root(self):
        if self.me.uid == 0:
            self.skipTest("root may have it")
        self.add_test("one", "")
        with self.setting("ip_unprivileged_port_start", 1024):
            self.refused(HOST, r"this port is for root. Name a higher one .*sysctl -w net\.ipv4\.ip_unprivileged_port_"
                               r"start=53")


class RefusedAsRoot(Refused):
    who = "root"


class Helper(DnsListenCase):
    def start_one(self):
        self.add_test("one", "one.example.com A 192.0.2.1\n")
        running = self.start_run()
        go = self.wait_for_test("one", running)
        helpers = host.find("sippod-dns")
        self.assertEqual(len(helpers), 1)
        return running, helpers[0].pid, go

    def is_gone(self, pid):
        return host.wait_until(lambda: pid not in [process.pid for process in host.descendants()])

    def test_has_no_power(self):
        running, pid, go = self.start_one()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        self.assertEqual({status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")}, {"0" * 16})
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(status["Uid"].split()[0], str(self.me.uid))
        go.touch()
        self.assertExit(running.wait(), 0)
        self.assertTrue(self.is_gone(pid))

    def ends_with(self, number):
        running, pid, _ = self.start_one()
        running.signal(number)
        running.wait()
        self.assertTrue(self.is_gone(pid))
        with self.assertRaises(ConnectionRefusedError):
            self.ask("one.example.com")

    def test_ends_with_a_signal(self):
        self.ends_with(signal.SIGTERM)

    def test_ends_with_sippod(self):
        self.ends_with(signal.SIGKILL)

    def test_is_missed(self):
        """Without it no test can go on."""
        running, pid, _ = self.start_one()
        os.kill(pid, signal.SIGKILL)
        run = running.wait()
        self.assertExit(run, 1)
        self.assertIn("sippod: --dns-listen: the resolver for all tests has ended unexpectedly\n", run.err)
        self.assertEqual(self.results()["tests"][0]["result"], "INTERRUPTED")


class HelperAsRoot(Helper):
    who = "root"


if __name__ == "__main__":
    harness.main()
