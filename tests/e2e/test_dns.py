#!/usr/bin/env -S python3 -B
"""dns.txt: the DNS server of each test, as its scripts and SIPp see it."""
import dns_client
import harness
import suites
from harness import for_each_user
from life import LifeCase

NAMES = """# names of this test
www.example.com A 192.0.2.1
alias.example.com CNAME www.example.com
_sip._udp.example.com SRV [10, 60, 5060, "ua0.example.com."]
ua0.example.com 60 IN A {{ua0.host}}
*.wild.example.com TXT any name
www.example.com AAAA 2001:db8::1
""" + "".join(f"many.example.com A 192.0.2.{i}\n" for i in range(1, 101))
REVERSE = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"  # of 2001:db8::1
NAMES += f"{REVERSE} PTR www.example.com\n"

def need_ipv6():
    if not harness.os.path.exists("/proc/net/if_inet6"):
        harness.skip("there is no IPv6 here")


def client(*asks):
    return "cat >client.py <<'END'\n" + dns_client.source() + "\n".join(asks) + "\nEND\npython3 client.py\n"


@for_each_user
class Dns(LifeCase):
    def asked(self, *asks, options=()):
        """What the client prints."""
        run = self.one("--keep", "all", *options, files={**suites.CALL, "dns.txt": NAMES}, before=client(*asks))
        self.assertExit(run, 0)
        return [text for level, text in self.log() if level == "DEBUG"]

    def test_answers(self):
        self.assertEqual(self.asked('ask("A", "wWw.example.com")', 'ask("A", "alias.example.com")',
                                    'ask("SRV", "_sip._udp.example.com")', 'ask("TXT", "a.b.wild.example.com")',
                                    'ask("AAAA", "alias.example.com")', 'ask("AAAA", "ua0.example.com")',
                                    'ask("A", "nix.example.com")'),
                         ["A wWw.example.com udp rcode 0 answers 1 whole same",
                          "A alias.example.com udp rcode 0 answers 2 whole same",
                          "SRV _sip._udp.example.com udp rcode 0 answers 1 whole same",
                          "TXT a.b.wild.example.com udp rcode 0 answers 1 whole same",
                          "AAAA alias.example.com udp rcode 0 answers 2 whole same",
                          "AAAA ua0.example.com udp rcode 0 answers 0 whole same",
                          "A nix.example.com udp rcode 3 answers 0 whole same"])

    def test_long_answers(self):
        """Cut off over UDP, unless the client takes more, and whole over TCP."""
        self.assertEqual(self.asked('ask("A", "many.example.com")', 'ask("A", "many.example.com", edns=4096)',
                                    'ask("A", "many.example.com", "tcp")'),
                         ["A many.example.com udp rcode 0 answers 0 tc same",
                          "A many.example.com udp rcode 0 answers 100 whole same",
                          "A many.example.com tcp rcode 0 answers 100 whole same"])

    def test_ipv6(self):
        need_ipv6()
        questions = [("A", "www.example.com", 1), ("AAAA", "www.example.com", 1), ("PTR", REVERSE, 1)]
        asks, expected = [], []
        for how in ("udp", "tcp"):
            for kind, name, count in questions:
                asks.append(f'ask("{kind}", "{name}", "{how}", "::1")')
                expected.append(f"{kind} {name} {how} rcode 0 answers {count} whole same")
        # Cut off, then asked again over TCP.
        asks += ['ask("A", "many.example.com", "udp", "::1")', 'ask("A", "many.example.com", "tcp", "::1")']
        expected += ["A many.example.com udp rcode 0 answers 0 tc same",
                     "A many.example.com tcp rcode 0 answers 100 whole same"]
        self.assertEqual(self.asked(*asks), expected)
        log = [text for level, text in self.log() if level == "INFO"]
        self.assertIn("dns: AAAA www.example.com. from ::1 (UDP): NOERROR, 1 answer", log)
        self.assertIn("dns: A many.example.com. from ::1 (UDP): NOERROR, 0 answers, truncated", log)
        self.assertIn("dns: A many.example.com. from ::1 (TCP): NOERROR, 100 answers", log)

    def test_libc_goes_on_over_tcp(self):
        """getaddrinfo() has both families, and all of an answer that UDP has no room for."""
        need_ipv6()
        run = self.one("--keep", "all", files={**suites.CALL, "dns.txt": NAMES},
                       before="getent ahosts www.example.com\ngetent ahostsv4 many.example.com | grep -c STREAM\n"
                              "getent hosts 2001:db8::1\n")
        self.assertExit(run, 0)
        lines = [text for level, text in self.log() if level == "DEBUG"]
        self.assertTrue(any(line.startswith("2001:db8::1 ") for line in lines), lines)
        self.assertIn("100", lines)
        self.assertRegex(lines[-1], r"^2001:db8::1 +www\.example\.com$")
        asked = [text for _, text in self.log() if text.startswith("dns: A many.example.com. from ")]
        self.assertTrue(any("(UDP)" in text and text.endswith("truncated") for text in asked), asked)
        self.assertTrue(any("(TCP): NOERROR, 100 answers" in text for text in asked), asked)

    def test_connections_are_limited(self):
        """To 64: one more is answered, and the oldest closed for it."""
        need_ipv6()
        lines = self.asked("held = [socket.create_connection((address, 53)) for address in "
                           "['127.0.0.1', '::1'] * 32]",
                           'ask("A", "www.example.com", "tcp")  # the 65th',
                           "held[0].settimeout(5)\nprint('oldest', held[0].recv(1))",
                           "held[1].setblocking(False)\ntry:\n    print('next', held[1].recv(1))\n"
                           "except BlockingIOError:\n    print('next is open')")
        self.assertEqual(lines, ["A www.example.com tcp rcode 0 answers 1 whole same", "oldest b''", "next is open"])

    def test_libc_finds_names(self):
        """By way of /etc/resolv.conf, whatever file system the pod has; the host's stays as it is."""
        for mode in ("throwaway", "readonly", "host"):
            with self.subTest(mode):
                run = self.one("--keep", "all", "--fs", mode, name=f"fs-{mode}",
                               files={**suites.CALL, "dns.txt": NAMES},
                               before="getent ahostsv4 alias.example.com\n! getent ahostsv4 nix.example.com\n")
                self.assertExit(run, 0)
                lines = [text for _, text in self.log(self.results_by_name()[f"fs-{mode}"])]
                self.assertTrue(any(line.startswith("192.0.2.1 ") for line in lines), lines)

    def test_questions_are_told(self):
        self.asked('ask("A", "www.example.com")', 'ask("A", "WWW.example.com", "tcp")',
                   'ask("TXT", "nix.example.com")',
                   'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"nonsense", ("127.0.0.1", 53))')
        log = self.log()
        self.assertIn(("INFO", "dns: A www.example.com. from 127.0.0.1 (UDP): NOERROR, 1 answer"), log)
        self.assertIn(("INFO", "dns: A WWW.example.com. from 127.0.0.1 (TCP): NOERROR, 1 answer"), log)
        self.assertIn(("INFO", "dns: TXT nix.example.com. from 127.0.0.1 (UDP): NXDOMAIN, 0 answers"), log)
        self.assertIn(("WARNING", "dns: 1 malformed packet was dropped"), log)
        self.assertEqual(self.result()["dns"],
                         [{"name": "nix.example.com.", "type": "TXT", "rcode": "NXDOMAIN", "count": 1},
                          {"name": "www.example.com.", "type": "A", "rcode": "NOERROR", "count": 2}])

    def test_each_test_has_its_own(self):
        """At the same time, with the same names: of a group both are there before one is run, and until one is
        cleaned."""
        for name, address in (("a", "192.0.2.1"), ("b", "192.0.2.2")):
            ask = f"getent ahostsv4 same.example | grep -q '^{address} '\n"
            suites.write_test(self.folder / "suite", name, {**suites.CALL, "dns.txt": f"same.example A {address}\n"},
                              before=ask, after=ask)
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--group", "2"), 0)

    def test_sipp_calls_a_name(self):
        words = "-i 127.0.0.1 -m 1 -nostdin -timeout 20"
        run = self.one(files={**suites.CALL, "dns.txt": "callee.example.com A 127.0.0.1\n"},
                       before=f"sipp -sn uas -p 5070 {words} >/dev/null 2>&1 &\n"
                              f"sipp -sn uac -p 5080 -d 0 {words} callee.example.com:5070 >/dev/null 2>&1\n")
        self.assertExit(run, 0)
        self.assertIn({"name": "callee.example.com.", "type": "A", "rcode": "NOERROR", "count": 1},
                      self.result()["dns"])

    def test_a_bad_line(self):
        run = self.one(files={**suites.CALL, "dns.txt": "# names\nwww.example.com A 192.0.2.1\nwww.example.com A x\n"})
        self.assertExit(run, 1)
        self.assertLast(run, "NOT READY", r"^dns\.txt:3: not a record of type A \(")
        dry = self.sippod("suite", "--dry-run")
        self.assertExit(dry, 1)
        self.assertIn("dns.txt:3: ", dry.out)

    def test_port_is_taken(self):
        """Nobody in the pod can take the helper's port, and one of another address is free."""
        bind = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(('{}', 53))"
        run = self.one(files={**suites.CALL, "dns.txt": NAMES},
                       before=f'! python3 -c "{bind.format("127.0.0.1")}" 2>/dev/null\n'
                              f'python3 -c "{bind.format("{{ua0.host}}")}"\n')
        self.assertExit(run, 0)

    def test_without_a_file(self):
        """No server, and the host's resolv.conf."""
        run = self.one("--keep", "all", before="! grep -q 'the names of the test' /etc/resolv.conf\n")
        self.assertExit(run, 0)
        self.assertEqual(self.result()["dns"], [])


if __name__ == "__main__":
    harness.main()
