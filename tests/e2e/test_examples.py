#!/usr/bin/env -S python3 -B
"""The examples: a Kamailio in every pod, one that asks the test's DNS, one for all tests of a suite as Sipplauncher knows it, and RTP."""
import re
import shutil
import subprocess

import harness
from harness import Case, for_each_user

KAMAILIO = ["cancel", "fork", "not-found", "options", "proxy-auth", "record-route", "register-call"]
IPV6 = {"call4": "ip.dst", "call6": "ipv6.dst", "media6": "ipv6.dst", "names6": "ipv6.dst", "tcp6": "ipv6.dst"}
MIGRATION = ["anonymous", "call", "keywords", "register-call", "third-party", "transfer", "users"]
# Kamailio in the background; it is there when it listens at both addresses.
IN_GLOBAL = """PATH=$PATH:/usr/sbin
kamailio -DD -E -f "$PWD/kamailio.cfg" -w . -Y . -m 16 -M 4 >kamailio.log 2>&1 &
until grep -q ' 010012C6:13C4 ' /proc/net/tcp && grep -q ':13C4 ' /proc/net/tcp6; do
    kill -0 $! || exit 1
    sleep 0.02
done
"""


def shown(capture, what, *options):
    """The frames of the capture that this display filter leaves."""
    return subprocess.run(["tshark", "-r", capture, *options, "-Y", what], capture_output=True, text=True,
                          check=True).stdout.splitlines()


@for_each_user
class Examples(Case):
    def example(self, name):
        shutil.copytree(harness.SOURCE / "examples" / name, self.folder / name, symlinks=True)
        for place in [self.folder / name, *(self.folder / name).rglob("*")]:
            place.chmod(0o755 if place.is_dir() else 0o644)
        self.me.own(self.folder)
        return name

    def need_kamailio(self):
        if not shutil.which("kamailio", path="/usr/sbin:/usr/bin"):
            harness.skip("Kamailio is not installed")

    def test_kamailio(self):
        self.need_kamailio()
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

    def test_dns_failover(self):
        """The proxy asks the test's DNS for everything, and calls the second target because the first did not answer."""
        self.need_kamailio()
        suite = self.example("dns-failover")
        for jobs in ("1", "16"):
            self.assertExit(self.sippod(suite, "--jobs", jobs, "--keep", "all"), 0)
        tests = self.results_by_name()
        self.assertEqual(sorted(tests), ["failover", "unavailable"])
        first, second = "ip.addr == 198.18.1.2", "ip.addr == 198.18.1.0"
        for name, answers in (("failover", []), ("unavailable", ["503"])):
            with self.subTest(name):
                asked = {(entry["type"], entry["name"]) for entry in tests[name]["dns"] if entry["rcode"] == "NOERROR"}
                self.assertEqual(asked, {("NAPTR", "example.com."), ("SRV", "_sip._udp.example.com."),
                                         ("A", "first.example.com."), ("A", "second.example.com.")})
                capture = self.run_folder(tests[name]) / tests[name]["pcap"]
                code, time = (["-T", "fields", "-e", field] for field in ("sip.Status-Code", "frame.time_epoch"))
                self.assertEqual(shown(capture, "sip.Status-Code && ip.src == 198.18.1.2", *code), answers)
                invites = [shown(capture, f"sip.Method == INVITE && ip.src == 198.18.0.1 && {who}", *time)
                           for who in (first, second)]
                question = shown(capture, 'dns.qry.name == "second.example.com" && dns.flags.response == 0', *time)
                self.assertTrue(invites[0] and invites[1] and question)
                self.assertLess(float(invites[0][-1]), float(question[0]))
                self.assertLess(float(question[0]), float(invites[1][0]))
                self.assertIn("200", shown(capture, "sip.CSeq.method == INVITE && ip.src == 198.18.1.0", *code))

    # ---- both families ----

    def ipv6(self, *tests, jobs="16"):
        """What came of a run of it."""
        self.assertExit(self.sippod(*tests, "--jobs", jobs, "--keep", "all"), 0)
        return self.results_by_name()

    def assertThroughProxy(self, test, field):
        """The call goes to the proxy, at its address of the test's family, and from there to bob, and nowhere past it."""
        capture = self.run_folder(test) / test["pcap"]
        source = field.replace("dst", "src")
        ends = ("-T", "fields", "-e", source, "-e", field)
        dut = "198.18.0.1" if field == "ip.dst" else "2001:2::1"
        addresses = {ua["name"]: ua["address"] for ua in test["uas"]}
        for method in ("INVITE", "ACK", "BYE"):
            # Some may be sent again.
            self.assertEqual(list(dict.fromkeys(shown(capture, f"sip.Method == {method}", *ends))),
                             [f"{addresses['ua1']}\t{dut}", f"{dut}\t{addresses['ua0']}"])
        self.assertEqual(shown(capture, f"sip && !({source} == {dut} || {field} == {dut})"), [])

    def test_ipv6(self):
        self.need_kamailio()
        self.need_jinja2()
        suite = self.example("ipv6")
        for jobs in ("1", "16"):
            tests = self.ipv6(suite, jobs=jobs)
        self.assertEqual(sorted(tests), sorted(IPV6))
        for name, field in IPV6.items():
            with self.subTest(name):
                self.assertThroughProxy(tests[name], field)
        asked = {(entry["type"], entry["name"]) for entry in tests["names6"]["dns"] if entry["rcode"] == "NOERROR"}
        self.assertLessEqual({("SRV", "_sip._udp.example.com."), ("AAAA", "bob.example.com.")}, asked)
        self.assertEqual(shown(self.run_folder(tests["tcp6"]) / tests["tcp6"]["pcap"], "udp"), [])

    def test_ipv6_with_one_proxy_for_all(self):
        self.need_kamailio()
        self.need_jinja2()
        suite = self.folder / self.example("ipv6")
        (suite / "DUT").rename(suite / "GLOBAL")
        (suite / "GLOBAL" / "dut.sh").unlink()
        (suite / "GLOBAL" / "before.sh").write_text(IN_GLOBAL)
        self.me.own(self.folder)
        names = sorted(IPV6.keys() - {"names6"})
        tests = self.ipv6(*(f"ipv6/{name}" for name in names))
        self.assertEqual(sorted(tests), names)
        for name in names:
            with self.subTest(name):
                self.assertThroughProxy(tests[name], IPV6[name])

    # ---- media ----

    def test_rtp(self):
        suite = self.example("quickstart")
        for jobs in ("1", "16"):
            self.assertExit(self.sippod(suite, "--jobs", jobs, "--keep", "all"), 0)
            test = self.results_by_name()["rtp"]
            capture = self.run_folder(test) / test["pcap"]
            packets = shown(capture, "rtp.p_type == 101 && ip.src == 198.18.1.1", "-d", "udp.port==6000,rtp")
            self.assertGreaterEqual(len(packets), 10)

    # ---- a suite of Sipplauncher's kind ----

    def need_jinja2(self):
        if subprocess.run(["python3", "-I", "-c", "import jinja2"], capture_output=True, check=False).returncode != 0:
            harness.skip("python3 has no Jinja2 (python3-jinja2)")

    def migration(self, *options, command=None):
        """One run of it. All tests pass but the one that is skipped, and GLOBAL finds what a test has left for it."""
        self.need_kamailio()
        self.need_jinja2()
        if not (self.folder / "migration").exists():
            self.example("migration")
        command = command or [self.program, "run", "migration"]
        self.assertExit(self.start_command([*command, "--keep", "all", *options]).wait(), 0)
        results = self.results()
        self.assertEqual({test["name"]: test["result"] for test in results["tests"]},
                         {name: "SKIPPED" if name == "transfer" else "SUCCESS" for name in MIGRATION})
        self.assertEqual((results["global"]["result"], results["global"]["clean"]), ("SUCCESS", True))
        log = (self.run_folder(results["global"]) / "sipplauncher.log").read_text()
        self.assertRegex(log, r"DEBUG call: alice got 100 .*,180 Ringing,200 OK,200 OK,")
        return {test["name"]: test for test in results["tests"]}

    def sent(self, test, header):
        """What a UA of this test wrote into a header."""
        messages = "".join(path.read_text() for path in self.run_folder(test).glob("uac_*_messages.log"))
        sent = "".join(re.findall(r"message sent.*?(?=^-----|\Z)", messages, re.DOTALL | re.MULTILINE))
        return re.findall(rf"^{header}: (.*)$", sent, re.MULTILINE)

    def test_migration(self):
        tests = self.migration()
        self.assertEqual(self.sent(tests["keywords"], "Subject"), ["good day"])
        self.assertEqual(sorted({ua["part"] for ua in tests["register-call"]["uas"]}), ["01", "02", "03"])
        self.assertEqual(self.sent(tests["users"], "To"), [f"<sip:dora-desk-{tests['users']['run_id']}@198.18.0.1>"])
        words = (self.run_folder(tests["third-party"]) / "sipp.launch.log").read_text()
        self.assertLess(words.index("-slave s1 -slave_cfg 3pcc.txt"), words.index("-master m -slave_cfg 3pcc.txt"))

    def test_migration_in_groups(self):
        self.migration("--group", "3")

    def test_migration_with_keywords_and_users(self):
        tests = self.migration("--keyword-replacement-values", '{"greeting": "hello"}', "--sipp-max-calls", "2",
                               "--sipp-call-rate", "10")
        self.assertEqual(self.sent(tests["keywords"], "Authorization"), ["Basic YWxpY2U6aGVsbG8="] * 2)
        self.assertEqual([user.split("-")[0] for user in self.sent(tests["users"], "To")], ["<sip:dora", "<sip:eric"])

    def test_migration_over_tcp(self):
        tests = self.migration("--sipp-transport", "t1", "--set", "custom_transport=;transport=tcp")
        capture = self.run_folder(tests["call"]) / tests["call"]["pcap"]
        self.assertEqual(shown(capture, "udp"), [])

    def test_migration_as_sipplauncher(self):
        """By its own name, with its own options; only that what it leaves is not where others may have something."""
        link, log = self.folder / "sipplauncher", self.folder / "log"
        link.symlink_to(self.program)
        tests = self.migration("--results", "sippod-results", "--log-file", log,
                               command=[link, "--testsuite", "migration", "--group", "3"])
        self.assertTrue((self.run_folder(tests["call"]) / f"sipp-{tests['call']['run_id']}.pcap").is_file())
        self.assertIn("READY", log.read_text())

    def test_migration_dry(self):
        self.need_jinja2()
        self.example("migration")
        run = self.start_command([self.program, "run", "migration", "--dry-run"]).wait()
        self.assertExit(run, 0)
        self.assertEqual({line.test for line in run.states if line.state == "SUCCESS"}, {*MIGRATION} - {"transfer"})


if __name__ == "__main__":
    harness.main()
