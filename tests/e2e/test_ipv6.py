#!/usr/bin/env -S python3 -B
"""Tests over IPv6, alone and beside those over IPv4."""
import os
import re
from pathlib import Path

import harness
import suites
from harness import Case, for_each_user
from pcapng import Capture

FAMILY = 'family = "ipv6"\n'
UA0, UA1 = "2001:2::1:0", "2001:2::1:1"

# The caller tells where it wants to hear and to be called; what the keywords say is in before.sh.
OFFER = suites.uac(method="INVITE").replace("Content-Length: 0", """Contact: <sip:alice@{{ua1.uri_host}}:[local_port]>
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=alice 1 1 IN IP[local_ip_type] {{ua1.host}}
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0""")
COMMAND = """<sendCmd dest="s1"><![CDATA[
    Call-ID: [call_id]
    From: m
    Subject: go on
  ]]></sendCmd>
"""
KEYWORDS = "echo {{ua1.host}} {{ua1.uri_host}} {{dut.host}} {{dut.uri_host}} >keywords\n"
ADDRESSES = "PATH=$PATH:/usr/sbin:/sbin\nip -6 -oneline addr show scope global >addresses\n"


class Ipv6Case(Case):
    def setUp(self):
        super().setUp()
        if not Path("/proc/sys/net/ipv6").exists():
            harness.skip("this kernel has no IPv6")

    def make(self, name, files=None, conf=None, **scripts):
        """A test, and what it says in test.conf."""
        files = dict(suites.CALL if files is None else files)
        if conf is not None:
            files["test.conf"] = conf
        suites.write_test(self.folder / "suite", name, files, **scripts)
        self.me.own(self.folder)

    def of_suite(self, text):
        suites.write(self.folder / "suite" / "sippod.conf", text)
        self.me.own(self.folder)

    def datagrams(self, test):
        """[(source, destination, first word)] of the test's capture."""
        capture = Capture(self.run_folder(test) / test["pcap"])
        return [(packet.udp[0], packet.udp[2], packet.udp[4].split()[0].decode())
                for packet in capture.packets if packet.udp]


@for_each_user
class Calls(Ipv6Case):
    def test_call(self):
        """From ua1 to ua0, and every packet once: nobody waited for an address or a neighbour."""
        self.make("call", {"uas_ua0.xml": suites.uas(method="INVITE"), "uac_ua1.xml": OFFER}, FAMILY,
                  before=KEYWORDS + ADDRESSES)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        test = self.result()
        self.assertEqual(sorted(ua["address"] for ua in test["uas"]), [UA0, UA1])
        self.assertEqual(self.datagrams(test), [(UA1, UA0, "INVITE"), (UA0, UA1, "SIP/2.0")])
        folder = self.run_folder()
        self.assertEqual((folder / "keywords").read_text(), f"{UA1} [{UA1}] {UA0} [{UA0}]\n")
        addresses = (folder / "addresses").read_text()
        for address in (UA0, UA1):
            # An ifb device would not look for duplicates anyway; that nobody is to is written at the address.
            self.assertRegex(addresses, rf"inet6 {re.escape(address)}/128 .*\bnodad\b")
        self.assertNotIn("tentative", addresses)

    def test_turned_off_on_the_host(self):
        """New namespaces have it all the same."""
        off = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        if os.getuid() != 0:
            harness.skip("only root turns IPv6 off")
        before = off.read_text(encoding="ascii")
        self.addCleanup(off.write_text, before)
        off.write_text("1")
        self.make("call", conf=FAMILY)
        self.assertExit(self.sippod("suite"), 0)

    def test_what_is_sent(self):
        """Addresses as each place in a message has them."""
        self.make("call", {"uas_ua0.xml": suites.uas(method="INVITE"), "uac_ua1.xml": OFFER}, FAMILY)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        capture = Capture(self.run_folder() / self.result()["pcap"])
        invite = next(packet.udp[4].decode() for packet in capture.packets if packet.udp)
        for line in (f"INVITE sip:bob@[{UA0}]:5060 SIP/2.0", f"o=alice 1 1 IN IP6 {UA1}", f"c=IN IP6 {UA1}",
                     f"Contact: <sip:alice@[{UA1}]:5060>"):
            self.assertIn(line, invite.split("\r\n"))
        self.assertIn(f"\r\nVia: SIP/2.0/UDP [{UA1}]:5060;", invite)

    def test_tcp(self):
        self.make("call", conf=FAMILY + "transport = t1\n")
        self.assertExit(self.sippod("suite"), 0)

    def test_of_the_suite(self):
        """sippod.conf says it for all tests, and the command line against it; test.conf has the last word."""
        self.make("all")
        self.make("old", conf='family = "ipv4"\n')
        self.of_suite(FAMILY)
        self.assertExit(self.sippod("suite"), 0)
        self.assertEqual({name: test["uas"][0]["address"] for name, test in self.results_by_name().items()},
                         {"all": UA0, "old": "198.18.1.0"})
        self.assertExit(self.sippod("suite", "--family", "ipv4"), 0)
        self.assertEqual({test["uas"][0]["address"] for test in self.results()["tests"]}, {"198.18.1.0"})

    def test_third_parties(self):
        """The caller waits for a command; SIPp listens for it on IPv6, too."""
        slave = suites.uac(before='<recvCmd src="m"/>\n  <nop><action><setdest host="{{ua10.host}}" port="5060" '
                                  'protocol="udp"/></action></nop>\n')
        self.make("call", {"uas_ua0.xml": suites.uas(), "uac_ua1.xml": suites.uac(before=COMMAND, after=suites.pause(0.3)),
                           "uas_ua10.xml": suites.uas(), "uac_ua2.xml": slave,
                           "3pcc.txt": "m;{{ua1.uri_host}}:6001\ns1;{{ua2.uri_host}}:6002\n"}, FAMILY)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)

    def test_third_party_without_brackets(self):
        self.make("call", {**suites.CALL, "3pcc.txt": "m;{{ua1.host}}:6001\n"}, FAMILY)
        run = self.sippod("suite")
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertIn(f"3pcc.txt:1: SIPp takes an address of IPv6 in brackets only: {UA1}", run.states[1].reason)


@for_each_user
class BesideIpv4(Ipv6Case):
    """Both families in one suite and one run."""

    DUT = "exec sipp -i {{dut.host}} -sf uas.xml -nostdin\n"
    GLOBAL = ("for address in 198.18.0.1 2001:2::1; do sipp -i $address -sf uas.xml -nostdin >sipp.out 2>&1 & done\n"
              "while ! grep -q 010012C6:13C4 /proc/net/udp || ! grep -q :13C4 /proc/net/udp6; do sleep 0.02; done\n")

    def make_both(self, files, **scripts):
        for name in ("a4", "b4", "c4"):
            self.make(name, files, **scripts)
        for name in ("a6", "b6", "c6"):
            self.make(name, files, FAMILY, **scripts)

    def assert_both(self, run):
        self.assertExit(run, 0)
        tests = self.results_by_name()
        self.assertEqual(len(tests), 6)
        for name, test in tests.items():
            colons = {":" in ua["address"] for ua in test["uas"]}
            self.assertEqual(colons, {name.endswith("6")})
        return tests

    def test_tests_alone(self):
        self.make_both(suites.CALL)
        tests = self.assert_both(self.sippod("suite", "--jobs", "6", "--keep", "all"))
        self.assertEqual(self.datagrams(tests["a4"])[0][:2], ("198.18.1.1", "198.18.1.0"))
        self.assertEqual(self.datagrams(tests["a6"])[0][:2], (UA1, UA0))

    def test_dut_of_each(self):
        self.make_both({"uac_ua1.xml": suites.uac()}, before="echo {{dut.host}} >dut-host\n")
        suites.write(self.folder / "suite" / "DUT" / "dut.sh", self.DUT)
        suites.write(self.folder / "suite" / "DUT" / "uas.xml", suites.uas())
        self.me.own(self.folder)
        tests = self.assert_both(self.sippod("suite", "--jobs", "6", "--keep", "all"))
        for name, address, dut in (("b4", "198.18.1.1", "198.18.0.1"), ("b6", UA1, "2001:2::1")):
            self.assertEqual((self.run_folder(tests[name]) / "dut-host").read_text(), dut + "\n")
            self.assertEqual(self.datagrams(tests[name]), [(address, dut, "OPTIONS"), (dut, address, "SIP/2.0")])

    def test_dut_in_global(self):
        """Each test reaches it by its own family, at once, and has an address of its own."""
        self.make_both({"uac_ua1.xml": suites.uac()})
        suites.write(self.folder / "suite" / "GLOBAL" / "uas.xml", suites.uas())
        suites.write(self.folder / "suite" / "GLOBAL" / "before.sh", self.GLOBAL)
        self.me.own(self.folder)
        tests = self.assert_both(self.sippod("suite", "--jobs", "6", "--keep", "all"))
        self.assertEqual(len({test["uas"][0]["address"] for test in tests.values()}), 6)
        for name, dut in (("c4", "198.18.0.1"), ("c6", "2001:2::1")):
            address = tests[name]["uas"][0]["address"]
            self.assertEqual(self.datagrams(tests[name]), [(address, dut, "OPTIONS"), (dut, address, "SIP/2.0")])


@for_each_user
class Packets(Ipv6Case):
    def test_expectations(self):
        """Those of a test over IPv6, and that they can fail."""
        for name, count in (("right", 1), ("wrong", 2)):
            self.make(name, conf=FAMILY + 'expect "requests" {\n  predicate = "packet_count_was(' f"{count}" ')"\n'
                                          '  filter = "ip6 and udp and dst host {{ua0.host}}"\n}\n')
        self.make("sip", conf=FAMILY + "expect \"sip\" {\n  predicate = 'saw_sip(OPTIONS, \"^To:.*bob\")'\n}\n")
        self.assertExit(self.sippod("suite"), 1)
        self.assertEqual({name: test["verdict"] for name, test in self.results_by_name().items()},
                         {"right": "pass", "wrong": "fail", "sip": "pass"})

    def test_names(self):
        self.make("call", {**suites.CALL, "dns.txt": "alice.example.com AAAA {{ua1.host}}\n"}, FAMILY,
                  before="getent ahostsv6 alice.example.com >hosts\n")
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        capture = Capture(self.run_folder() / self.result()["pcap"])
        for name in ((UA0, "dut"), (UA0, "ua0"), (UA1, "ua1"), (UA1, "alice.example.com")):
            self.assertIn(name, capture.names)
        self.assertIn(UA1, (self.run_folder() / "hosts").read_text())


@for_each_user
class Errors(Ipv6Case):
    """Told before anything is started."""

    def refused(self, words, *arguments):
        run = self.sippod("suite", *arguments)
        self.assertExit(run, 2)
        self.assertIn(words, run.err)
        self.assertFalse((self.folder / "sippod-results").exists())

    def test_no_family(self):
        self.make("call", conf="\nfamily = ipv5\n")
        self.refused('suite/call/test.conf:2: family "ipv5": it can be ipv4 or ipv6')
        self.refused("--family ipv5: it can be ipv4 or ipv6", "--family", "ipv5")
        self.of_suite("family = 6\n")
        self.refused("suite/sippod.conf:1: family 6: it can be ipv4 or ipv6")

    def test_other_than_the_dut(self):
        self.make("call", conf='family = "ipv4"\n')
        self.make("other")
        self.refused("suite/call/test.conf: the test's family is IPv4, and --dut 2001:db8::5 is an IPv6 address",
                     "--dut", "2001:db8::5")
        self.refused("--dut 192.0.2.7: it is an IPv4 address, but the family is to be IPv6",
                     "--dut", "192.0.2.7", "--family", "ipv6")


class WithoutIpv6(Ipv6Case):
    who = "root"

    def test_kernel(self):
        """As one looks like that was built without it: nothing below /proc/sys/net says that there is any."""
        if os.getuid() != 0:
            harness.skip("only root covers a part of /proc")
        self.make("call", conf=FAMILY)
        covered = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc/sys/net && exec "$@"', "sh"]
        run = self.start_command([*covered, self.program, "run", "suite"]).wait()
        self.assertExit(run, 3)
        self.assertIn("the test call needs IPv6, which this kernel does not have", run.err)
        self.assertFalse((self.folder / "sippod-results").exists())


if __name__ == "__main__":
    harness.main()
