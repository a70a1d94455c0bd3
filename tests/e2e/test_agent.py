#!/usr/bin/env -S python3 -B
"""`sippod agent`: a pod for a client that speaks hyperstart, here one in Python."""
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

import harness
import host
import hyperstart
from harness import Case, for_each_user
from hyperstart import Client, Refused

CONNECT = "import socket, sys\nfor path in sys.argv[1:]: socket.socket(socket.AF_UNIX).connect(path)"


class AgentCase(Case):
    def setUp(self):
        super().setUp()
        self.ctl, self.io = self.folder / "ctl.sock", self.folder / "io.sock"

    def agent(self, *options, **more):
        """`sippod agent` that listens."""
        running = self.start_command(self.words(*options), **more)
        line = running.popen.stdout.readline()
        if line != "listening\n":
            self.fail(f"it does not listen: {line!r}\n{running.wait()}")
        return running

    def words(self, *options):
        return [self.program, "agent", "--ctl", self.ctl, "--io", self.io, *options]

    def command(self, *words):
        return self.start_command(words).wait()

    def client(self):
        client = Client(self.ctl, self.io)
        self.addCleanup(client.close)
        return client

    def pod(self, *options):
        """(the agent's sippod, a client to whom READY was said)"""
        return self.agent(*options), self.client().wait_ready()

    def assertOver(self, running, code=0, err=""):
        """It ends so, and its sockets are gone."""
        run = running.wait()
        self.assertExit(run, code)
        self.assertEqual(run.err, err)
        self.assertFalse(os.path.lexists(self.ctl) or os.path.lexists(self.io))


@for_each_user
class Conversation(AgentCase):
    def test_life_of_a_pod(self):
        running, client = self.pod()
        for path in (self.ctl, self.io):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(client.command(hyperstart.GETVERSION), struct.pack("!I", 4244))
        self.assertEqual(client.run("ip", "-brief", "link", "show", "eth0")[1].split()[1], b"DOWN")
        client.command(hyperstart.STARTPOD, {
            "hostname": "guest", "containers": [], "shareDir": "share",
            "interfaces": [{"device": "eth0", "ipAddresses": [{"ipAddress": "10.1.0.2", "netMask": "255.255.255.0"}]}],
            "routes": [{"dest": "default", "gateway": "10.1.0.1", "device": "eth0"}]})
        status, out, err = client.run("sh", "-c", "hostname; id -u; echo bad >&2; exit 3")
        self.assertEqual((status, out, err), (3, f"guest\n{self.me.uid}\n".encode(), b"bad\n"))
        self.assertIn(b"10.1.0.2/24", client.run("ip", "-brief", "addr", "show", "eth0")[1])
        self.assertIn(b"default via 10.1.0.1 dev eth0", client.run("ip", "route")[1])
        self.assertEqual(client.events, [])
        client.command(hyperstart.DESTROYPOD)
        self.assertEqual(client.acknowledged, client.sent)
        client.wait_end()
        self.assertOver(running)

    def test_network_piece_by_piece(self):
        running, client = self.pod()
        client.command(hyperstart.STARTPOD, {"hostname": "guest"})
        client.command(hyperstart.SETUPINTERFACE, {"device": "eth0", "newDeviceName": "net0", "mtu": 1400,
                                                   "ipAddresses": [{"ipAddress": "10.1.0.2", "netMask": "24"}]})
        client.command(hyperstart.SETUPROUTE, {"routes": [{"dest": "10.2.0.0/16", "gateway": "10.1.0.1", "device": "net0"}]})
        self.assertIn(b"10.2.0.0/16 via 10.1.0.1 dev net0", client.run("ip", "route")[1])
        self.assertIn(b"mtu 1400", client.run("ip", "link", "show", "net0")[1])
        with self.assertRaisesRegex(Refused, "No such device|nowhere"):
            client.command(hyperstart.SETUPINTERFACE, {"device": "nowhere"})
        client.close()
        self.assertOver(running)

    def test_processes(self):
        running, client = self.pod()
        with self.subTest("standard input"):
            cat = client.start("cat", "cat")
            client.feed(cat, b"what a client says")
            client.feed(cat, b"")
            self.assertEqual(client.end_of(cat), (0, b"what a client says", b""))
        with self.subTest("EXECCMD in a container, and signals"):
            main = client.start("main", "sleep", "600")
            self.assertEqual(client.end_of(client.start("main", "pgrep", "-f", "^sleep 600", code=hyperstart.EXECCMD))[0], 0)
            client.command(hyperstart.KILLCONTAINER, {"container": "main", "signal": signal.SIGTERM})
            self.assertEqual(client.end_of(main), (143, b"", b""))
        with self.subTest("a terminal"):
            shell = client.start("shell", "sh", "-c", "tty; read line; stty size; echo got $line", terminal=True)
            client.command(hyperstart.WINSIZE, {"container": "shell", "process": "shell", "row": 33, "column": 111})
            client.feed(shell, b"a line\n")
            status, out, _ = client.end_of(shell)
            self.assertEqual(status, 0)
            self.assertRegex(out, rb"/dev/pts/\d+\r\n")
            self.assertTrue(out.endswith(b"33 111\r\ngot a line\r\n"), out)
        with self.subTest("refused"):
            for code, message in ((hyperstart.NEWCONTAINER, b"no JSON"), (hyperstart.NEWCONTAINER, {"id": "x"}),
                                  (hyperstart.KILLCONTAINER, {"container": "none", "signal": 9}), (2, b""), (99, b"")):
                with self.assertRaises(Refused):
                    client.command(code, message)
        client.command(hyperstart.PING)
        client.command(hyperstart.DESTROYPOD)
        self.assertOver(running)

    def test_files(self):
        running, client = self.pod()
        content = bytes(range(256)) * 100
        name = json.dumps({"container": "hyperstart", "file": "/tmp/made"}).encode()
        client.command(hyperstart.WRITEFILE, name + b"\0" + content)
        self.assertEqual(client.run("cat", "/tmp/made"), (0, content, b""))
        self.assertEqual(client.command(hyperstart.READFILE, name), content)
        with self.assertRaisesRegex(Refused, "No such file"):
            client.command(hyperstart.READFILE, {"container": "hyperstart", "file": "/tmp/none"})
        with self.assertRaisesRegex(Refused, "Read-only|denied"):
            client.command(hyperstart.WRITEFILE, b'{"container": "hyperstart", "file": "/usr/made"}\0')
        client.close()
        self.assertOver(running)

    def test_containers(self):
        running, client = self.pod()
        client.command(hyperstart.STARTPOD, {"interfaces": [{"device": "extra", "type": "dummy"}], "containers": [
            {"id": "first", "process": {"args": ["sleep", "600"], "stdio": 101, "stderr": 102}}]})
        client.command(hyperstart.SIGNALPROCESS, {"container": "first", "process": "first", "signal": signal.SIGUSR1})
        self.assertEqual(client.end_of(101)[0], 128 + signal.SIGUSR1)
        tree = client.start("tree", "sh", "-c", "setsid sleep 602 & exec sleep 602")
        client.command(hyperstart.KILLCONTAINER, {"container": "tree", "signal": signal.SIGKILL, "allProcesses": True})
        self.assertEqual(client.end_of(tree)[0], 137)
        client.wait(lambda: client.run("pgrep", "-f", "^sleep 602")[0] == 1)
        with self.subTest("one that is removed while it runs"):
            long = client.start("long", "sleep", "600")
            client.command(hyperstart.REMOVECONTAINER, {"container": "long"})
            self.assertEqual(client.end_of(long)[0], 137)
        client.command(hyperstart.ONLINECPUMEM)
        client.command(hyperstart.DELETEINTERFACE, {"device": "extra"})
        self.assertNotEqual(client.run("ip", "link", "show", "extra")[0], 0)
        client.command(hyperstart.DESTROYPOD)
        self.assertOver(running)

    def test_many_processes(self):
        """One after the other, and many at once; each has its own output and its own end."""
        running, client = self.pod()
        ends = [client.start("all", "sh", "-c", f"echo {n}; echo {n} >&2; exit {n % 200}", code=hyperstart.EXECCMD, id=f"p{n}")
                for n in range(300)]
        for n, stdio in enumerate(ends):
            self.assertEqual(client.end_of(stdio), (n % 200, b"%d\n" % n, b"%d\n" % n))
        client.command(hyperstart.DESTROYPOD)
        self.assertEqual(client.acknowledged, client.sent)
        self.assertOver(running)

    def test_events(self):
        running, client = self.pod("--events")
        client.run("sh", "-c", "exit 5")
        client.wait(lambda: any(event["event"] == "exited" for event in client.events))
        ends = [event for event in client.events if event["event"] == "exited"]
        self.assertEqual([(event["container"], event["status"]) for event in ends], [("c0", 5)])
        client.close()
        self.assertOver(running)

    def test_much_output_and_input(self):
        """What goes past sippod is neither lost nor held up."""
        running, client = self.pod()
        cats = [client.start(f"cat{n}", "sh", "-c", "cat; exit 0") for n in range(5)]
        data = bytes(range(256)) * 2048
        for start in range(0, len(data), 32768):
            for cat in cats:
                client.feed(cat, data[start:start + 32768])
        for cat in cats:
            client.feed(cat, b"")
            self.assertEqual(client.end_of(cat), (0, data, b""))
        client.close()
        self.assertOver(running)


@for_each_user
class Choice(AgentCase):
    """What the pod is like is said on the command line, not by the client."""

    def test_files(self):
        (self.folder / "mine").mkdir()
        self.me.own(self.folder)
        running, client = self.pod("--writable", "mine")
        script = "touch /etc/x && touch mine/x && ! touch x"
        self.assertEqual(client.run("sh", "-c", script, workdir=str(self.folder))[0], 0)
        self.assertTrue((self.folder / "mine" / "x").exists())
        client.close()
        self.assertOver(running)
        running, client = self.pod("--fs", "readonly")
        self.assertNotEqual(client.run("touch", "/etc/x")[0], 0)
        client.close()
        self.assertOver(running)

    def test_capabilities(self):
        want = {"capabilities": {"ambient": ["CAP_NET_ADMIN"]}}
        running, client = self.pod()
        with self.assertRaisesRegex(Refused, "CAP_NET_ADMIN"):
            client.run("true", **want)
        client.close()
        self.assertOver(running)
        running, client = self.pod("--script-caps", "net_admin")
        self.assertEqual(client.run("ip", "link", "add", "v0", "type", "veth", **want)[0], 0)
        self.assertNotEqual(client.run("ip", "link", "add", "v1", "type", "veth")[0], 0)
        with self.assertRaisesRegex(Refused, "CAP_NET_RAW"):
            client.run("true", capabilities={"ambient": ["CAP_NET_RAW"]})
        client.close()
        self.assertOver(running)


@for_each_user
class End(AgentCase):
    def test_client_leaves(self):
        for channel in ("ctl", "io"):
            with self.subTest(channel):
                running, client = self.pod()
                client.start("long", "sleep", "600")
                getattr(client, channel).socket.close()
                self.assertOver(running)

    def test_client_is_killed(self):
        running = self.agent()
        script = ("import hyperstart, sys, time\nclient = hyperstart.Client(*sys.argv[1:]).wait_ready()\n"
                  "client.start('long', 'sleep', '600')\nprint('up', flush=True)\ntime.sleep(600)")
        with subprocess.Popen([sys.executable, "-B", "-c", script, self.ctl, self.io], stdout=subprocess.PIPE,
                              cwd=harness.SOURCE / "tests" / "e2e") as client:
            self.assertEqual(client.stdout.readline(), b"up\n")
            client.kill()
        self.assertOver(running)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(f"{number} while it listens"):
                running = self.agent()
                running.signal(number)
                self.assertOver(running, 128 + number)
            with self.subTest(f"{number} while a client is there"):
                running, client = self.pod()
                client.start("long", "sleep", "600")
                running.signal(number)
                client.wait_end()
                self.assertOver(running, 128 + number)

    def test_sigkill(self):
        """Nothing of the pod lives on; the dead sockets are no hindrance."""
        running, client = self.pod()
        client.start("long", "sleep", "600")
        running.signal(signal.SIGKILL)
        client.wait_end()
        self.assertExit(running.wait(), -signal.SIGKILL)
        self.assertTrue(self.ctl.is_socket() and self.io.is_socket())
        running, client = self.pod()
        client.close()
        self.assertOver(running)

    def test_sigkill_at_any_moment(self):
        """The client holds its connections all the time: it is not by them that the pod ends."""
        for n in range(8):
            running, client = self.agent(), self.client()
            time.sleep(n * 0.004)
            running.signal(signal.SIGKILL)
            running.wait()
            self.assertTrue(host.wait_until(lambda: not host.find("sippod-agent")), f"after {n * 4} ms")
            client.close()

    def test_agent_is_killed(self):
        running, client = self.pod()
        os.kill(host.find("sippod-agent", of=running.pid)[0].pid, signal.SIGKILL)
        client.wait_end()
        self.assertOver(running, 1, "sippod: sippod-agent was ended by SIGKILL\n")


@for_each_user
class Door(AgentCase):
    def test_one_client(self):
        running, client = self.pod()
        for path in (self.ctl, self.io):
            with socket.socket(socket.AF_UNIX) as third:
                third.settimeout(10)
                third.connect(str(path))
                self.assertEqual(third.recv(1), b"")
        client.command(hyperstart.PING)
        client.close()
        self.assertOver(running)

    def test_half_a_client(self):
        """One that has connected to one socket only, and leaves, was none; what it said is nobody's."""
        running = self.agent()
        for path in (self.ctl, self.io, self.ctl):
            with socket.socket(socket.AF_UNIX) as half:
                half.connect(str(path))
                half.send(b"\0" * 8)
        client = self.client().wait_ready()
        client.command(hyperstart.PING)
        client.close()
        self.assertOver(running)

    def test_early_words(self):
        """A client need not wait for READY to speak."""
        running, client = self.agent(), self.client()
        client.command(hyperstart.PING)
        self.assertTrue(client.ready)
        client.close()
        self.assertOver(running)

    def test_others(self):
        other = harness.identity("second user")
        self.folder.chmod(0o755)
        running = self.agent()
        python = harness.python_for(other)
        self.assertIn("PermissionError", other.run(python, "-c", CONNECT, self.ctl).stderr)
        self.ctl.chmod(0o666)
        self.assertEqual(other.run(python, "-c", CONNECT, self.ctl).returncode, 0)
        client = self.client().wait_ready()
        client.close()
        self.assertOver(running, 0, f"sippod: a client of uid {other.uid} was refused\n")

    def test_places_that_are_taken(self):
        file, live = self.folder / "file", self.folder / "live"
        file.write_text("text")
        (self.folder / "link").symlink_to("nowhere")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(live))
            listener.listen()
            for place in (file, live, self.folder / "link", self.folder, self.folder / "none" / "sock", "x" * 108, ""):
                for ctl, io in ((place, self.io), (self.ctl, place)):
                    with self.subTest(ctl=ctl, io=io):
                        run = self.command(self.program, "agent", "--ctl", ctl, "--io", io)
                        self.assertExit(run, 2)
                        self.assertEqual(run.out, "")
                        self.assertRegex(run.err, f"^sippod: .*{place}")
                        self.assertEqual(set(os.listdir(self.folder)), {"file", "live", "link"})
        run = self.command(self.program, "agent", "--ctl", self.ctl, "--io", self.ctl)
        self.assertExit(run, 2)
        self.assertFalse(self.ctl.exists())
        self.assertEqual(file.read_text(), "text")

    def test_places_of_another(self):
        """A second sippod is refused, and the first one's client does not notice."""
        running = self.agent()
        self.assertExit(self.command(*self.words()), 2)
        client = self.client().wait_ready()
        self.assertExit(self.command(*self.words()), 2)
        client.command(hyperstart.PING)
        client.close()
        self.assertOver(running)

    def test_socket_that_was_replaced(self):
        """What is another's by now is not removed."""
        running, client = self.pod()
        self.ctl.unlink()
        self.ctl.write_text("another's")
        client.close()
        self.assertExit(running.wait(), 0)
        self.assertEqual(self.ctl.read_text(), "another's")
        self.assertFalse(self.io.exists())

    def test_two_users(self):
        """With the same addresses, at the same time."""
        first, one = self.pod()
        self.me = harness.identity("second user")
        self.folder = self.make_folder()
        self.ctl, self.io = self.folder / "ctl.sock", self.folder / "io.sock"
        second, other = self.pod()
        for client in (one, other):
            client.command(hyperstart.STARTPOD, {"interfaces": [
                {"device": "eth0", "ipAddresses": [{"ipAddress": "10.1.0.2", "netMask": "24"}]}]})
        one.start("mine", "sleep", "601")
        self.assertNotEqual(other.run("pgrep", "-f", "^sleep 601")[0], 0)
        one.close()
        self.assertExit(first.wait(), 0)
        other.command(hyperstart.PING)
        other.close()
        self.assertOver(second)

    def test_bad_usage(self):
        for words in ([], ["--ctl", "c"], ["--io", "i"], ["--ctl", "c", "--io", "i", "more"],
                      ["--ctl", "c", "--io", "i", "--fs", "x"], ["--ctl", "c", "--io", "i", "--speed"],
                      ["--ctl", "c", "--io", "i", "--script-caps", "sys_admin"],
                      ["--ctl", "c", "--io", "i", "--writable", "nowhere"]):
            with self.subTest(words):
                run = self.command(self.program, "agent", *words)
                self.assertExit(run, 2)
                self.assertTrue(run.err.startswith("sippod: "), run.err)
        self.assertEqual(os.listdir(self.folder), [])
        self.assertIn("--events", self.command(self.program, "agent", "--help").out)

    def test_host_that_cannot(self):
        run = self.command("unshare", "--user", "--map-root-user", "sh", "-c",
                           "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"", "sh", *self.words())
        self.assertExit(run, 3)
        self.assertEqual(run.out, "")
        self.assertIn("sysctl user.max_user_namespaces=", run.err)
        self.assertFalse(self.ctl.exists())


if __name__ == "__main__":
    harness.main()
