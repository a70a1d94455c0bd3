#!/usr/bin/env -S python3 -B
"""What a capture brings along beside its packets: the names of those who speak, and TLS keys."""
import signal
import subprocess

import harness
import host
import pcapng
import suites
from harness import Case, for_each_user


# A SIP request from ua1 to ua0 over TLS; the client logs its keys. (The server would end with its input.)
TLS = """mkfifo open
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.crt \\
    -subj /CN={{ua0.host}} -days 1 2>/dev/null || exit 1
openssl s_server -accept {{ua0.host}}:5061 -cert tls.crt -key tls.key <>open >server.log 2>&1 &
until grep -q ACCEPT server.log; do kill -0 $! || exit 1; sleep 0.05; done
openssl s_client -connect {{ua0.host}}:5061 -bind {{ua1.host}} VERSION -quiet -no_ign_eof \\
    -keylogfile tls_premaster_keys.txt <request.txt >client.log 2>&1 || exit 1
until grep -q Max-Forwards server.log; do kill -0 $! || exit 1; sleep 0.05; done
kill $!
"""
REQUEST = ("OPTIONS sips:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TLS 198.18.1.1;branch=z9hG4bK1\r\n"
           "From: <sips:alice@example.com>;tag=1\r\nTo: <sips:bob@example.com>\r\nCall-ID: over-tls\r\n"
           "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")


class NamesCase(Case):
    def capture(self):
        return pcapng.Capture(self.run_folder() / self.result()["pcap"])

    def tshark(self, *arguments, path=None):
        path = path or self.run_folder() / self.result()["pcap"]
        done = subprocess.run([harness.require("tshark"), "-r", path, *arguments], capture_output=True, text=True,
                              check=True, env=self.environment())
        return [line.split("\t") for line in done.stdout.splitlines()]

    def run_suite(self, *options):
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all", *options), 0)


@for_each_user
class Names(NamesCase):
    COLUMNS = ("-T", "fields", "-e", "_ws.col.Source", "-e", "_ws.col.Destination")

    def test_a_ua_is_called_by_its_name(self):
        suites.write_test(self.folder / "suite", "call")
        self.run_suite()
        self.assertEqual(self.tshark("-N", "n", *self.COLUMNS), [["ua1", "ua0"], ["ua0", "ua1"]])
        # Wireshark shows names only to those who want them.
        for options in ([], ["-n"]):
            self.assertEqual(self.tshark(*options, *self.COLUMNS),
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

    def test_names_of_dns(self):
        """Before those of the UAs, which are what is shown; also where dns.txt has to be rendered by Jinja2 first."""
        for title, line in (("plain", "ep0.example.com A {{ua0.host}}\n"),
                            ("template", "{% for n in [0] %}ep0.example.com A {{ua0.host}}\n{% endfor %}")):
            with self.subTest(title):
                if title == "template" and subprocess.run(["python3", "-I", "-c", "import jinja2"], capture_output=True,
                                                          check=False).returncode != 0:
                    harness.skip("python3 has no Jinja2 (python3-jinja2)")
                harness.remove_tree(self.folder / "suite")
                suites.write_test(self.folder / "suite", "call", {
                    **suites.CALL, "dns.txt": line + "far.example.com AAAA 2001:db8::1\n*.example.com A 192.0.2.9\n"
                    "ep0.example.com TXT 192.0.2.8\nother.example.com A 192.0.2.7\n"})
                self.run_suite()
                names = self.capture().names
                self.assertEqual(sorted(names[:3]), [("192.0.2.7", "other.example.com"), ("198.18.1.0", "ep0.example.com"),
                                                     ("2001:db8::1", "far.example.com")])
                self.assertEqual(names[3:], [("198.18.1.0", "dut"), ("198.18.1.0", "ua0"), ("198.18.1.1", "ua1")])
                self.assertEqual(self.tshark("-N", "n", "-Y", "sip", *self.COLUMNS), [["ua1", "ua0"], ["ua0", "ua1"]])

    def test_more_names_than_there_is_room_for(self):
        """What is left out is of dns.txt."""
        lines = "".join(f"host-{i}.{'x' * 60}.example.com A 10.0.{i // 250}.{i % 250}\n" for i in range(2000))
        suites.write_test(self.folder / "suite", "call", {**suites.CALL, "dns.txt": lines})
        self.run_suite()
        names = self.capture().names
        self.assertEqual(names[-3:], [("198.18.1.0", "dut"), ("198.18.1.0", "ua0"), ("198.18.1.1", "ua1")])
        self.assertTrue(250 < len(names) < 2003, len(names))

    def test_they_outlive_sigkill(self):
        """A file that was cut off has no end, but its names, and it can be read."""
        endless = suites.uac(after=suites.command("touch called") + suites.pause(600))
        suites.write_test(self.folder / "suite", "call", {"uas_ua0.xml": suites.uas(), "uac_ua1.xml": endless})
        self.me.own(self.folder)
        running = self.start("suite", "--keep", "all")
        folder = self.wait_for("sippod-results/call/*/called", running).parent
        path = self.wait_for("sippod-results/call/*/sipp-*.pcapng", running)
        self.assertTrue(host.wait_until(lambda: b"SIP/2.0 200 OK" in path.read_bytes(), 10))
        running.signal(signal.SIGKILL)
        running.wait()
        self.assertEqual(sorted(place.name for place in folder.glob("sipp-*")), [path.name])
        self.assertEqual(self.tshark("-N", "n", *self.COLUMNS, path=path), [["ua1", "ua0"], ["ua0", "ua1"]])

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


@for_each_user
class Keys(NamesCase):
    def write_tls_test(self, name, version):
        harness.require("openssl")
        suites.write_test(self.folder / "suite", name, {**suites.CALL, "request.txt": REQUEST.encode()},
                          before=TLS.replace("VERSION", version))

    def requests(self, *options):
        """The SIP requests over TLS that tshark sees."""
        return self.tshark(*options, "-Y", "tls and sip", "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "sip.Method",
                           "-e", "sip.Call-ID")

    def test_tls_is_decrypted(self):
        expected = ["198.18.1.1", "198.18.1.0", "OPTIONS", "over-tls"]
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                harness.remove_tree(self.folder / "suite")
                self.write_tls_test("tls", version)
                self.run_suite()
                self.assertEqual(self.requests(), [expected])
                capture = self.capture()
                log = (self.run_folder() / "tls_premaster_keys.txt").read_text()
                self.assertEqual(capture.secrets, ["".join(line + "\n" for line in log.splitlines() if line[0] != "#")])
                self.assertEqual(capture.blocks[:5], [pcapng.SECTION, pcapng.INTERFACE, pcapng.INTERFACE,
                                                      pcapng.NAMES, pcapng.SECRETS])
                self.assertEqual(len(capture.packets), self.result()["packets"])
                times = [packet.time_ns for packet in capture.packets]
                self.assertEqual(times, sorted(times))

    def test_not_in_the_classic_format(self):
        self.write_tls_test("tls", "-tls1_3")
        self.run_suite("--pcap-format", "pcap")
        self.assertTrue((self.run_folder() / "tls_premaster_keys.txt").stat().st_size)
        self.assertEqual(self.requests(), [])

    def test_nothing_but_keys(self):
        """The file is the test's to write: what is no key is told, and stays out."""
        key = "CLIENT_RANDOM 00 11"
        suites.write_test(self.folder / "suite", "some",
                          before=f"(echo '# x'; echo secret; echo {key}) >tls_premaster_keys.txt\n")
        self.run_suite()
        self.assertEqual(self.capture().secrets, [key + "\n"])
        self.assertIn("WARNING TLS keys are not in the capture: 1 line of tls_premaster_keys.txt is no TLS key\n",
                      (self.run_folder() / "sipplauncher.log").read_text())

    def test_only_of_a_file(self):
        for name, script in {"link": "echo CLIENT_RANDOM 00 11 >x; ln -s x", "fifo": "mkfifo", "folder": "mkdir"}.items():
            suites.write_test(self.folder / "suite", name, before=f"{script} tls_premaster_keys.txt\n")
        self.run_suite()
        for test in self.results()["tests"]:
            with self.subTest(test["name"]):
                self.assertEqual(pcapng.Capture(self.run_folder(test) / test["pcap"]).secrets, [])
                self.assertIn("WARNING TLS keys are not in the capture",
                              (self.run_folder(test) / "sipplauncher.log").read_text())

    def test_none_of_a_command(self):
        """What lies about in the folder that a capture is written to is not the command's."""
        suites.write(self.folder / "tls_premaster_keys.txt", "CLIENT_RANDOM 00 11\n")
        self.me.own(self.folder)
        run = self.start_command([self.program, "exec", "--pcap", "exec.pcapng", "--", "true"]).wait()
        self.assertExit(run, 0)
        self.assertEqual(pcapng.Capture(self.folder / "exec.pcapng").secrets, [])


if __name__ == "__main__":
    harness.main()
