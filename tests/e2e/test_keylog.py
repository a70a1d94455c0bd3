"""libsippod-keylog.so: what it has programs with OpenSSL log, compared with what OpenSSL itself logs, over sockets in
the file system: no pod and no network is needed for that."""
import re
import subprocess
from pathlib import Path

import harness
from harness import Case, for_each_user

LABELS = {"1.2": {"CLIENT_RANDOM"},
          "1.3": {"SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "EXPORTER_SECRET",
                  "SERVER_TRAFFIC_SECRET_0", "CLIENT_TRAFFIC_SECRET_0"}}
LINE = re.compile(r"[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,128}")

# Python loads OpenSSL for itself only: the library has to find it there.
PYTHON = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
if len(sys.argv) > 2:
    context.keylog_filename = sys.argv[2]
with socket.socket(socket.AF_UNIX) as plain:
    plain.connect(sys.argv[1])
    context.wrap_socket(plain).unwrap()
"""


@for_each_user
class Keylog(Case):
    def setUp(self):
        super().setUp()
        self.openssl = harness.require("openssl")
        self.me.run(self.openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", "key",
                    "-out", "crt", cwd=self.folder, check=True)

    def preloaded(self, file):
        return self.environment(LD_PRELOAD=str(harness.workspace.bin / harness.KEYLOG), SIPPOD_KEYLOG=str(file))

    def start_server(self, *arguments, env=None):
        server = subprocess.Popen([self.openssl, "s_server", "-unix", "socket", "-cert", "crt", "-key", "key", *arguments],
                                  cwd=self.folder, env=env or self.environment(), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self.me.popen())
        self.addCleanup(lambda: (server.kill(), server.communicate()))
        said = []
        for line in server.stdout:
            said.append(line)
            if line.startswith("ACCEPT"):
                return server
        self.fail(f"the server has ended: {said}")

    def connect(self, *arguments, env=None):
        return self.me.run(self.openssl, "s_client", "-unix", "socket", *arguments, cwd=self.folder,
                           env=env or self.environment(), stdin=None, input="Q\n", timeout=10)

    def lines(self, name):
        """Of a key log; the comment that OpenSSL's own begins with is none."""
        lines = (self.folder / name).read_text(encoding="ascii").splitlines(keepends=True)
        self.assertTrue(all(line.endswith("\n") for line in lines), lines)
        return sorted(line.rstrip("\n") for line in lines if not line.startswith("#"))

    def assertLabels(self, lines, version):
        self.assertTrue(all(LINE.fullmatch(line) for line in lines), lines)
        self.assertEqual({line.split()[0] for line in lines}, LABELS[version])

    def one_connection(self, version, server_env=None, client_env=None, server=(), client=()):
        process = self.start_server("-naccept", "1", *server, env=server_env)
        done = self.connect(f"-tls{version.replace('.', '_')}", *client, env=client_env)
        self.assertEqual(done.returncode, 0, done.stderr)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 0)
        (self.folder / "socket").unlink(missing_ok=True)

    def test_server(self):
        for version in LABELS:
            self.one_connection(version, server_env=self.preloaded(f"log{version}"),
                                client=("-keylogfile", f"own{version}"))
            self.assertLabels(self.lines(f"log{version}"), version)
            self.assertEqual(self.lines(f"log{version}"), self.lines(f"own{version}"))

    def test_client(self):
        for version in LABELS:
            self.one_connection(version, client_env=self.preloaded(f"log{version}"),
                                server=("-keylogfile", f"own{version}"))
            self.assertEqual(self.lines(f"log{version}"), self.lines(f"own{version}"))
            self.assertLabels(self.lines(f"log{version}"), version)
        self.assertEqual((self.folder / "log1.3").stat().st_mode & 0o777, 0o600)

    def test_a_callback_of_the_program_itself(self):
        for version in LABELS:
            self.one_connection(version, client_env=self.preloaded(f"log{version}"),
                                client=("-keylogfile", f"own{version}"))
            self.assertEqual(self.lines(f"log{version}"), self.lines(f"own{version}"))
            self.assertLabels(self.lines(f"log{version}"), version)

    def test_python(self):
        python = harness.python_for(self.me)
        for own in ((), ("own",)):
            server = self.start_server("-naccept", "1", "-tls1_3", "-keylogfile", "truth")
            done = self.me.run(python, "-I", "-c", PYTHON, "socket", *own, cwd=self.folder,
                               env=self.preloaded("log"), timeout=10)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            server.communicate(timeout=10)
            truth = self.lines("truth")
            self.assertLabels(truth, "1.3")
            self.assertEqual(self.lines("log"), truth)
            if own:
                self.assertTrue(set(self.lines("own")) < set(truth))
                self.assertEqual(len(self.lines("own")), len(truth) // 2)
            (self.folder / "socket").unlink(missing_ok=True)

    def test_a_log_that_cannot_be_written(self):
        """Nobody notices: not the program, and not the other side."""
        (self.folder / "folder").mkdir()
        for place in ("/dev/full", "folder", "no/such/file", "crt/file", ""):
            self.one_connection("1.3", server_env=self.preloaded(place), client_env=self.preloaded(place))
        self.assertEqual(list((self.folder / "folder").iterdir()), [])

    def test_without_a_place(self):
        env = {name: value for name, value in self.preloaded("").items() if name != "SIPPOD_KEYLOG"}
        self.one_connection("1.2", server_env=env, client_env=env)

    def test_many_at_once(self):
        """All write into one file, and each line is whole."""
        server = self.start_server("-WWW", env=self.preloaded("log"))
        clients = [subprocess.Popen([self.openssl, "s_client", "-unix", "socket", "-tls1_3"], cwd=self.folder,
                                    env=self.preloaded("log"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, **self.me.popen()) for _ in range(8)]
        for client in clients:
            self.assertEqual(client.wait(timeout=20), 0)
        server.kill()
        lines = self.lines("log")
        self.assertLabels(lines, "1.3")
        self.assertEqual(len(set(lines)), 8 * len(LABELS["1.3"]))
        self.assertEqual(len(lines), 2 * len(set(lines)))  # both sides say the same

    def test_a_program_without_tls(self):
        done = self.me.run("true", env=self.preloaded(Path("log")), cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse((self.folder / "log").exists())


del Keylog

if __name__ == "__main__":
    harness.main()
