#!/usr/bin/env -S python3 -B
"""`sippod mock-agent`: an agent that does as it is told, here to a client in Python."""
import base64
import json
import os
import re
import signal
import socket
import stat
import time

import harness
import hyperstart
from harness import Case, for_each_user
from hyperstart import Client, Left, Refused


class MockCase(Case):
    def setUp(self):
        super().setUp()
        self.ctl, self.io = self.folder / "ctl.sock", self.folder / "io.sock"

    def words(self, *options):
        return [self.program, "mock-agent", "--ctl", self.ctl, "--io", self.io, *options]

    def mock(self, *options):
        """One that listens."""
        running = self.start_command(self.words(*options))
        line = running.popen.stdout.readline()
        if not line:
            self.fail(f"it does not listen\n{running.wait()}")
        self.assertEqual(json.loads(line)["listening"], {"ctl": str(self.ctl), "io": str(self.io)})
        return running

    def client(self):
        client = Client(self.ctl, self.io)
        self.addCleanup(client.close)
        return client

    def script(self, *rules):
        path = self.folder / "script"
        path.write_text("".join((rule if isinstance(rule, str) else json.dumps(rule)) + "\n" for rule in rules),
                        encoding="utf-8")
        return "--script", path

    def over(self, running, code=0, err=""):
        """It ends so; what it has printed since it listens."""
        lines = running.popen.stdout.read().splitlines()
        run = running.wait()
        self.assertEqual((run.code, run.err), (code, err))
        self.assertFalse(os.path.lexists(self.ctl) or os.path.lexists(self.io))
        return [json.loads(line) for line in lines]

    def refused(self, *words):
        """It ends at once, with exit code 2, and its words."""
        run = self.start_command(words).wait()
        self.assertEqual((run.code, run.out), (2, ""))
        return run.err


@for_each_user
class Conversation(MockCase):
    def test_commands_and_input_are_lines_of_json(self):
        running, client = self.mock(), self.client()
        for path in (self.ctl, self.io):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(client.command(hyperstart.GETVERSION), b"\0\0\x10\x94")
        client.command(hyperstart.STARTPOD, {"hostname": "pod", "\u00e9": None})
        client.command(hyperstart.WRITEFILE, b'{"file":"f"}\0\xff')
        self.assertEqual(client.acknowledged, client.sent)
        with self.assertRaisesRegex(Refused, "^unknown command 99$"):
            client.command(99, b"x")
        client.feed(2 ** 40, b"typed \xc3\xa9")
        client.feed(2 ** 64 - 1, b"\xff\xfe")
        client.feed(7, b"")
        client.close()
        lines = self.over(running)
        for line in lines:
            self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual([line for line in lines if "command" in line], [
            {"command": "version", "code": 0, "length": 0},
            {"command": "startpod", "code": 1, "length": 35, "payload": {"hostname": "pod", "\u00e9": None}},
            {"command": "writefile", "code": 15, "length": 14,
             "payload_base64": base64.b64encode(b'{"file":"f"}\0\xff').decode()},
            {"command": "unknown", "code": 99, "length": 1, "payload_base64": "eA=="}])
        self.assertEqual([line for line in lines if "sequence" in line], [
            {"sequence": 2 ** 40, "length": 8, "data": "typed \u00e9"},
            {"sequence": str(2 ** 64 - 1), "length": 2, "data_base64": "//4="},
            {"sequence": 7, "length": 0, "data": ""}])

    def test_log(self):
        running, client = self.mock("--log", self.folder / "log"), self.client()
        client.command(hyperstart.PING)
        client.close()
        self.assertEqual(self.over(running), [])
        line = json.loads((self.folder / "log").read_text(encoding="utf-8"))
        self.assertEqual((line["command"], line["code"]), ("ping", 12))

    def test_ready(self):
        running, client = self.mock("--ready"), self.client()
        client.wait_ready()
        client.close()
        self.over(running)

    def test_fail_delay_drop(self):
        running = self.mock("--fail", "startpod=no such device", "--fail", "17", "--drop", "execcmd",
                            "--delay", "ping=200", "--delay", "startpod=50")
        client = self.client()
        with self.assertRaisesRegex(Refused, "^no such device$"):
            client.command(hyperstart.STARTPOD, {})
        with self.assertRaisesRegex(Refused, "^$"):
            client.command(hyperstart.NEWCONTAINER, {})
        client.send(hyperstart.EXECCMD, {})
        began = time.monotonic()
        client.command(hyperstart.PING)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)
        self.assertEqual(client.answers, [])
        client.close()
        self.assertEqual([line["command"] for line in self.over(running)], ["startpod", "newcontainer", "execcmd", "ping"])

    def test_one_client_only(self):
        running, client = self.mock(), self.client()
        client.command(hyperstart.PING)
        with self.assertRaises(ConnectionRefusedError):
            socket.socket(socket.AF_UNIX).connect(str(self.ctl))
        client.close()
        self.over(running)

    def test_no_frame(self):
        running, client = self.mock(), self.client()
        client.ctl.socket.sendall(b"\0\0\0\x0c\xff\xff\xff\xff")
        client.wait_end()
        self.assertEqual(client.answers[0][0], hyperstart.ERROR)
        self.over(running)

    def test_commands_of_a_client_that_has_left(self):
        running, client = self.mock(), self.client()
        for number in range(300):
            client.send(hyperstart.EXECCMD, {"number": number})
        client.close()
        self.assertEqual([line["payload"]["number"] for line in self.over(running)], list(range(300)))


@for_each_user
class Script(MockCase):
    def test_processes(self):
        running = self.mock(*self.script(
            "# what a UA does", "",
            {"on": "newcontainer", "nth": 2, "do": [{"error": "no room"}]},
            {"on": "newcontainer", "do": ["ack", {"output": "hello\n"}, {"errors": "oops \u00e9"}, {"exit": 3}]},
            {"on": "execcmd", "do": [{"output": "a\0b"}, {"exit": 0}, {"event": {"event": "exited", "status": 0}},
                                     {"event": {"container": "c", "process": "p", "event": "notice", "info": "i"}}]}))
        client = self.client()
        self.assertEqual(client.run("sipp"), (3, b"hello\n", "oops \u00e9".encode()))
        with self.assertRaisesRegex(Refused, "^no room$"):
            client.run("sipp")
        self.assertEqual(client.run("sipp"), (3, b"hello\n", "oops \u00e9".encode()))
        self.assertEqual(client.run("sh", code=hyperstart.EXECCMD), (0, b"a\0b", b""))
        client.wait(lambda: len(client.events) == 2)
        self.assertEqual(client.events[0], {"container": "c6", "process": "c6", "event": "exited", "status": 0})
        self.assertEqual(client.events[1], {"container": "c", "process": "p", "event": "notice", "info": "i", "status": 0})
        client.close()
        self.over(running)

    def test_one_stream_for_both(self):
        running = self.mock(*self.script({"on": "newcontainer", "do": [{"errors": "e"}, {"output": "o"}, {"exit": 255}]}))
        client = self.client()
        client.command(hyperstart.NEWCONTAINER, {"id": "c", "process": {"stdio": 5, "stderr": 0}})
        self.assertEqual(client.end_of(5), (255, b"eo", b""))
        client.close()
        self.over(running)

    def test_connect_and_payload(self):
        running = self.mock(*self.script({"on": "connect", "do": [{"event": {"container": "c", "event": "notice"}}, "ready"]},
                                         {"on": "16", "do": [{"ack": "content"}]}))
        client = self.client().wait_ready()
        self.assertEqual(client.events[0]["event"], "notice")
        self.assertEqual(client.command(hyperstart.READFILE, {}), b"content")
        client.close()
        self.over(running)

    def test_late_and_never(self):
        running = self.mock(*self.script({"on": "startpod", "do": [{"delay": 100}, {"error": "late"}]},
                                         {"on": "execcmd", "do": ["never", {"output": "all the same"}]}),
                            "--fail", "startpod=the script goes first")
        client = self.client()
        began = time.monotonic()
        with self.assertRaisesRegex(Refused, "^late$"):
            client.command(hyperstart.STARTPOD)
        self.assertGreaterEqual(time.monotonic() - began, 0.1)
        client.send(hyperstart.EXECCMD, {"process": {"stdio": 9}})
        client.wait(lambda: client.output.get(9) == b"all the same")
        client.command(hyperstart.PING)
        self.assertEqual(client.answers, [])
        client.close()
        self.over(running)

    def test_close(self):
        running = self.mock(*self.script({"on": "startpod", "do": ["ack", "close"]}))
        client = self.client()
        client.command(hyperstart.STARTPOD)
        client.wait_end()
        self.assertEqual([line["command"] for line in self.over(running)], ["startpod"])

    def test_close_instead_of_an_answer(self):
        running = self.mock(*self.script({"on": "startpod", "do": [{"close": "ctl"}]}))
        client = self.client()
        client.send(hyperstart.STARTPOD)
        client.wait(lambda: client.ctl.ended)
        self.assertEqual(client.answers, [])
        self.assertFalse(client.io.ended)
        client.close()
        self.over(running)

    def test_close_of_io_is_no_answer(self):
        running = self.mock(*self.script({"on": "startpod", "do": [{"close": "io"}]}))
        client = self.client()
        client.command(hyperstart.STARTPOD)
        client.wait(lambda: client.io.ended)
        client.command(hyperstart.PING)
        client.close()
        self.over(running)

    def test_much_output(self):
        text = "x" * 900000
        running = self.mock(*self.script({"on": "newcontainer", "do": [{"output": text}] * 10 + [{"exit": 0}]}))
        status, output, _ = self.client().run("sipp")
        self.assertEqual((status, len(output)), (0, 10 * len(text)))
        self.addCleanup(running.end)

    def test_mistakes_are_told_with_their_line(self):
        for rule, words in (
                ("{", "expected near end of file"),
                ("[]", "Expected object"),
                ({"do": []}, "Object item not found: on"),
                ({"on": "ping", "do": [], "then": 1}, "object item.* left unpacked: then"),
                ({"on": "pong", "do": []}, "there is no command pong"),
                ({"on": "ping\0pong", "do": []}, "on: it holds a NUL"),
                ({"on": "ping", "do": ["ready\0x"]}, "an action is a name"),
                ({"on": "ping", "do": [{"close": "io\0x"}]}, 'close: it is "ctl" or "io"'),
                ({"on": "ping", "do": [{"event": {"event": "x\0y"}}]}, "event: event: it holds a NUL"),
                ({"on": "ping", "do": {}}, "do is a list of actions"),
                ({"on": "ping", "nth": -1, "do": []}, "nth is the number of a command, from 1"),
                ({"on": "connect", "nth": 1, "do": []}, "nth is the number of a command, from 1"),
                ({"on": "connect", "do": ["ack"]}, "a client that connects gets no answer"),
                ({"on": "ping", "do": ["ack", "never"]}, "a command is answered once"),
                ({"on": "ping", "do": ["dance"]}, "there is no action dance"),
                ({"on": "ping", "do": [7]}, "an action is a name, or an object of one name and its value"),
                ({"on": "ping", "do": [{"ack": "", "exit": 1}]}, "an action is a name"),
                ({"on": "ping", "do": ["exit"]}, "exit: it takes a value"),
                ({"on": "ping", "do": [{"never": 1}]}, "never: it takes no value"),
                ({"on": "ping", "do": [{"exit": 256}]}, "exit: a number from 0 to 255 is needed"),
                ({"on": "ping", "do": [{"delay": "1"}]}, "delay: a number from 0 to 86400000 is needed"),
                ({"on": "ping", "do": [{"output": 1}]}, "output: a text is needed"),
                ({"on": "ping", "do": [{"close": "both"}]}, 'close: it is "ctl" or "io"'),
                ({"on": "ping", "do": [{"event": {}}]}, "event: Object item not found: event")):
            with self.subTest(rule=rule):
                option, path = self.script("# a comment", {"on": "startpod", "do": []}, rule)
                err = self.refused(*self.words(option, path))
                self.assertRegex(err, f"^sippod: {re.escape(str(path))}:3: .*{words}")
                self.assertEqual(err.count("\n"), 1)
        option, path = self.script({"on": "ping", "do": []}, {"on": "12", "do": []})
        self.assertIn(":2: line 1 is about the same", self.refused(*self.words(option, path)))


@for_each_user
class Life(MockCase):
    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
            for connected in (False, True):
                with self.subTest(number=number, connected=connected):
                    running = self.mock("--delay", "ping=3600000")
                    if connected:
                        client = self.client()
                        client.send(hyperstart.PING)
                        client.wait(lambda: client.acknowledged == 8)
                    running.signal(number)
                    self.over(running, 128 + number)

    def test_wrong_use(self):
        for words, said in (
                (("--ctl", self.ctl), "it is: sippod mock-agent --ctl PATH --io PATH"),
                ((*self.words()[2:], "more"), "it is: sippod mock-agent --ctl PATH --io PATH"),
                ((*self.words()[2:], "--fail", "pong=x"), "--fail pong=x: there is no command pong"),
                ((*self.words()[2:], "--delay", "ping"), "--delay ping: it is COMMAND=MS"),
                ((*self.words()[2:], "--delay", "ping=-1"), "--delay ping=-1: it is COMMAND=MS"),
                ((*self.words()[2:], "--drop", "ping=1"), "there is no command ping=1"),
                ((*self.words()[2:], "--drop", "ping", "--fail", "12"), "--fail 12: how 12 is answered was said already"),
                ((*self.words()[2:], "--script", "nowhere"), "nowhere"),
                ((*self.words()[2:], "--log", "no/where"), "cannot write no/where"),
                ((*self.words()[2:], "--dance"), "sippod mock-agent --help lists the options")):
            with self.subTest(words=words):
                self.assertIn(said, self.refused(self.program, "mock-agent", *words))
                self.assertFalse(os.path.lexists(self.ctl))

    def test_places_of_sockets(self):
        self.io.write_text("mine", encoding="ascii")
        self.assertIn(f"cannot listen at {self.io}: File exists", self.refused(*self.words()))
        self.assertFalse(os.path.lexists(self.ctl))
        self.io.unlink()
        killed = self.mock()
        self.assertIn(f"cannot listen at {self.ctl}: Address already in use", self.refused(*self.words()))
        killed.signal(signal.SIGKILL)
        killed.wait()
        running = self.mock()  # dead sockets are replaced
        self.client().close()
        self.over(running)

    def test_log_that_cannot_be_written(self):
        running, client = self.mock("--log", "/dev/full"), self.client()
        client.send(hyperstart.PING)
        try:
            client.wait_end()
        except Left:
            pass
        self.over(running, 1, "sippod: cannot write /dev/full: No space left on device\n")


if __name__ == "__main__":
    harness.main()
