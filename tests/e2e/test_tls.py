"""TLS: certificates, options, and calls. Calls need a SIPp with TLS, which Debian's is not: SIPPOD_TEST_TLS_SIPP names
one. What is said about a SIPp without it, and about bad authorities, needs none."""
import os
import re
import subprocess

import harness
from harness import Case, for_each_user
from suites import CALL, write, write_test

KEY_LINE = re.compile(r"(CLIENT_RANDOM|[A-Z]+(_[A-Z]+)*_SECRET(_0)?) [0-9a-f]{64} [0-9a-f]{64,128}")
# Says its version as SIPp does, and is not asked for more in a dry run.
FAKE = "#!/bin/sh\necho \"$*\" >> \"$0.asked\"\necho ' SIPp v3.7.7-TLS-PCAP.'\n"


class TlsCase(Case):
    def setUp(self):
        super().setUp()
        self.openssl = harness.require("openssl")

    def make_authority(self, name="ca", *more):
        """A certificate authority's files, made by openssl; returns the options that name them."""
        self.me.run(self.openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                    f"{name}.key", "-out", f"{name}.crt", *more, cwd=self.folder, check=True)
        return ("--tls-ca-root-cert", f"{name}.crt", "--tls-ca-root-key", f"{name}.key")

    def fake_sipp(self):
        program = write(self.folder / "bin" / "sipp", FAKE)
        program.chmod(0o755)
        self.me.own(self.folder / "bin")
        return program

    def verify(self, folder, authority):
        for file in sorted(folder.glob("ua?.crt")):
            done = self.me.run(self.openssl, "verify", "-CAfile", str(authority), str(file))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(file.with_suffix(".key").stat().st_mode & 0o777, 0o600)

    def names(self, file):
        return self.me.run(self.openssl, "x509", "-in", str(file), "-noout", "-subject", "-ext",
                           "subjectAltName").stdout


@for_each_user
class Certificates(TlsCase):
    """In dry runs, with a program that says that it is a SIPp with TLS."""

    def dry(self, *arguments):
        return self.sippod("suite", "--dry-run", "--leave-temp", "--sipp", self.fake_sipp(), *arguments)

    def test_made(self):
        write_test(self.folder / "suite", "call")
        self.assertExit(self.dry("--sipp-transport", "l1"), 0)
        folder = self.run_folder()
        self.verify(folder, folder / "ca.crt")
        self.assertIn("198.18.1.1", self.names(folder / "ua1.crt").splitlines()[0])
        self.assertIn("IP Address:198.18.1.1", self.names(folder / "ua1.crt"))
        self.assertFalse((folder / "ca.key").exists())

    def test_lines_of_a_shell(self):
        """They set what SIPp's environment has beside the shell's; it says no more than its version."""
        write_test(self.folder / "suite", "call")
        program = self.fake_sipp()
        run = self.start_command([self.program, "shell", "suite/call", "--sipp", program, "--sipp-transport", "l1"]).wait()
        self.assertExit(run, 0)
        keys = self.run_folder(folder="sippod-shell") / "tls_premaster_keys.txt"
        line = re.search(rf"(?m)^  (.*{program} -i 198\.18\.1\.1 -p 5061 -t l1 .*)", run.err)[1]
        self.assertRegex(line, rf"^SSLKEYLOGFILE={keys} SIPPOD_KEYLOG={keys} LD_PRELOAD=\S+/libsippod-keylog\.so {program} -i ")
        self.assertIn(" -tls_cert ua1.crt -tls_key ua1.key ", line)

    def test_names_of_dns(self):
        """A certificate is for the names that dns.txt gives its UA, too."""
        write_test(self.folder / "suite", "call", {**CALL, "dns.txt": "ep1.example.com. A {{ua1.host}}\n"
                                                   "EP2.example.com. A {{ua1.host}}\nep0.example.com A {{ua0.host}}\n"})
        self.assertExit(self.dry("--sipp-transport", "l1"), 0)
        folder = self.run_folder()
        self.verify(folder, folder / "ca.crt")
        names = self.names(folder / "ua1.crt")
        for name in ("DNS:ep1.example.com", "DNS:ep2.example.com", "IP Address:198.18.1.1"):
            self.assertIn(name, names)
        self.assertNotIn("ep0", names)

    def test_given(self):
        """The transport is TLS then, without a word."""
        write_test(self.folder / "suite", "call")
        authority = self.make_authority()
        self.assertExit(self.dry(*authority), 0)
        self.verify(self.run_folder(), self.folder / "ca.crt")
        self.assertEqual((self.run_folder() / "ca.crt").read_text(), (self.folder / "ca.crt").read_text())

    def test_one_test_of_a_suite(self):
        write_test(self.folder / "suite", "a", {**CALL, "test.conf": "transport = ln\n"})
        write_test(self.folder / "suite", "b")
        self.assertExit(self.dry(), 0)
        tests = self.results_by_name()
        self.assertTrue((self.run_folder(tests["a"]) / "ua0.crt").exists())
        self.assertEqual([], list(self.run_folder(tests["b"]).glob("*.crt")))

    def test_options_for_one_test(self):
        """Only its test.conf says TLS, which is enough for options that are for TLS."""
        write_test(self.folder / "suite", "a", {**CALL, "test.conf": "transport = l1\n"})
        write_test(self.folder / "suite", "b")
        authority = self.make_authority()
        for options in (("--sipp-tls-version", "1.2"), (*authority, "--sipp-transport", "t1")):
            with self.subTest(options):
                self.assertExit(self.dry(*options), 0)
        tests = self.results_by_name()
        self.verify(self.run_folder(tests["a"]), self.folder / "ca.crt")
        self.assertEqual([], list(self.run_folder(tests["b"]).glob("*.crt")))
        # That test is not run: the option is of no use.
        run = self.sippod("suite/b", "--dry-run", "--sipp", self.fake_sipp(), "--sipp-tls-version", "1.2")
        self.assertExit(run, 2)
        self.assertIn("--sipp-tls-version 1.2: the transport is not TLS", run.err)

    def test_sipp_is_asked_once(self):
        for name in "abc":
            write_test(self.folder / "suite", name)
        self.assertExit(self.dry("--sipp-transport", "l1"), 0)
        self.assertEqual((self.folder / "bin" / "sipp.asked").read_text(), "-v\n")

    def test_sipp_is_not_asked_without_need(self):
        write_test(self.folder / "suite", "call")
        self.assertExit(self.dry(), 0)
        self.assertFalse((self.folder / "bin" / "sipp.asked").exists())

    def test_a_transport_that_nobody_could_foresee(self):
        """SIPp was not asked, no key was made: the test is told so, and nothing else."""
        write_test(self.folder / "suite", "call", {**CALL, "test.conf": "# {{ '\\ntransport = l1' }}\n"})
        self.assertExit(self.dry(), 1)
        self.assertIn("the transport is TLS only once it is rendered", self.result()["reason"])


@for_each_user
class Refused(TlsCase):
    def refused(self, code, words, *arguments):
        run = self.sippod("suite", *arguments)
        self.assertExit(run, code)
        self.assertIn(words, run.err)
        self.assertEqual(run.out, "")
        self.assertEqual([line for line in run.err.splitlines() if "--help lists the options" not in line],
                         run.err.splitlines()[:1], str(run))

    def test_a_sipp_without_tls(self):
        write_test(self.folder / "suite", "call")
        sipp = write(self.folder / "sipp", FAKE.replace("-TLS", ""))
        sipp.chmod(0o755)
        self.refused(3, "was built without TLS, which the test call needs", "--sipp", sipp, "--sipp-transport", "l1")

    def test_authorities(self):
        write_test(self.folder / "suite", "call")
        good = self.make_authority()
        other = self.make_authority("other")
        none = self.make_authority("none", "-addext", "basicConstraints=critical,CA:FALSE")
        self.refused(2, "none.crt is no certificate authority's", *none)
        self.refused(2, "other.key is not the key of", *good[:3], other[3])
        self.refused(2, "no.crt", "--tls-ca-root-cert", "no.crt", *good[2:])
        self.me.run(self.openssl, "pkey", "-in", "ca.key", "-aes128", "-passout", "pass:x", "-out", "locked.key",
                    cwd=self.folder, check=True)
        self.refused(2, "locked.key is protected by a passphrase", *good[:3], "locked.key")
        self.refused(2, "--tls-ca-root-cert ca.crt: the transport is not TLS", *good, "--sipp-transport", "t1")

    def test_a_version_without_need(self):
        write_test(self.folder / "suite", "call")
        self.refused(2, "--sipp-tls-version 1.2: the transport is not TLS", "--sipp-tls-version", "1.2")


@for_each_user
class Calls(TlsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sipp = os.environ.get("SIPPOD_TEST_TLS_SIPP")
        if not cls.sipp:
            harness.skip("TLS SIPp: SIPPOD_TEST_TLS_SIPP names none, so that no call over TLS is made")

    def call(self, *arguments):
        run = self.sippod("suite", "--leave-temp", "--sipp", self.sipp, *arguments)
        self.assertExit(run, 0)
        return self.run_folder()

    def assertKeys(self, folder, version):
        lines = (folder / "tls_premaster_keys.txt").read_text(encoding="ascii").splitlines()
        self.assertTrue(all(KEY_LINE.fullmatch(line) for line in lines if not line.startswith("#")), lines)
        self.assertEqual(any(line.startswith("CLIENT_RANDOM") for line in lines), version == "1.2", lines)
        self.assertTrue(lines)

    def test_made(self):
        write_test(self.folder / "suite", "call", before="test -s ua0.key && test -s ca.crt\n")
        for transport in ("l1", "ln"):
            folder = self.call("--sipp-transport", transport, "--sipp-tls-version", "1.2")
            self.verify(folder, folder / "ca.crt")
            self.assertKeys(folder, "1.2")
            self.assertRegex((folder / "sipp.launch.log").read_text(),
                             rf"-p 5061 -t {transport} .* 198\.18\.1\.0:5061 -tls_cert ua1\.crt -tls_key ua1\.key "
                             "-tls_version 1.2 ")

    def test_over_ipv6(self):
        write_test(self.folder / "suite", "call", {**CALL, "test.conf": 'family = "ipv6"\n'})
        for transport in ("l1", "ln"):
            folder = self.call("--sipp-transport", transport, "--sipp-tls-version", "1.2")
            self.verify(folder, folder / "ca.crt")
            self.assertIn("IP Address:2001:2:0:0:0:0:1:1\n", self.names(folder / "ua1.crt"))
            self.assertIn(f" -i 2001:2::1:1 -p 5061 -t {transport} ", (folder / "sipp.launch.log").read_text())
            self.assertEqual(self.said(folder), ["OPTIONS", "200"])

    def test_given(self):
        write_test(self.folder / "suite", "call")
        authority = self.make_authority()
        for transport in ((), ("--sipp-transport", "ln")):
            folder = self.call(*authority, *transport, "--sipp-tls-version", "1.2")
            self.verify(folder, self.folder / "ca.crt")
            self.assertKeys(folder, "1.2")

    def test_newest_version(self):
        write_test(self.folder / "suite", "call")
        self.assertKeys(self.call("--sipp-transport", "ln"), "1.3")

    def said(self, folder):
        """tshark reads it from the capture, which has the keys in it; port 5061 is TLS to it anyway."""
        done = subprocess.run([harness.require("tshark"), "-r", str(next(folder.glob("*.pcapng"))), "-Y", "sip", "-T",
                               "fields", "-e", "sip.Method", "-e", "sip.Status-Code"],
                              capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.split()

    def test_what_was_said(self):
        write_test(self.folder / "suite", "call")
        folder = self.call("--sipp-transport", "ln")
        self.assertEqual(self.said(folder), ["OPTIONS", "200"])
        # Nobody else may read the keys, in either file.
        for name in ("tls_premaster_keys.txt", "sipp-*.pcapng"):
            self.assertEqual(next(folder.glob(name)).stat().st_mode & 0o777, 0o600, name)

    def test_scripts_are_not_preloaded(self):
        write_test(self.folder / "suite", "call", before="echo \"$LD_PRELOAD$SSLKEYLOGFILE$SIPPOD_KEYLOG\" > seen\n")
        folder = self.call("--sipp-transport", "ln")
        self.assertEqual((folder / "seen").read_text(), "\n")


del TlsCase

if __name__ == "__main__":
    harness.main()
