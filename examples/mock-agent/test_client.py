"""The same as test_client.c, in Python: by `sippod mock-agent`. For pytest, and for python3 -m unittest."""
import json
import subprocess
import tempfile
import unittest

from client import STARTPOD, Client, Refused


class ClientTest(unittest.TestCase):
    def start(self, *options, script=(), timeout=5):
        """A client of an agent that does as it is told."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        rules, ctl, io = (f"{folder.name}/{name}" for name in ("rules", "ctl.sock", "io.sock"))
        with open(rules, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(rule) + "\n" for rule in script)
        self.agent = subprocess.Popen(["sippod", "mock-agent", "--ctl", ctl, "--io", io, "--script", rules, *options],
                                      stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.agent.communicate)
        self.addCleanup(self.agent.terminate)
        self.assertIn("listening", json.loads(self.agent.stdout.readline()))
        client = Client(ctl, io, timeout)
        self.addCleanup(client.close)
        return client

    def told(self, client):
        """What the agent was told until the client leaves."""
        client.close()
        return [json.loads(line) for line in self.agent.stdout]

    def test_runs_a_process(self):
        client = self.start(script=[
            {"on": "newcontainer", "do": ["ack", {"output": "hello"}, {"errors": "of others"}, {"output": " world"}, {"exit": 3}]}])
        client.command(STARTPOD, {"hostname": "pod"})
        self.assertEqual(client.run("ua0", "sipp", "-sn", "uas"), (3, b"hello world"))
        pod, container = self.told(client)
        self.assertEqual((pod["command"], pod["payload"]), ("startpod", {"hostname": "pod"}))
        self.assertEqual((container["command"], container["payload"]["process"]["args"]), ("newcontainer", ["sipp", "-sn", "uas"]))

    def test_tells_what_the_agent_says(self):
        client = self.start("--fail", "startpod=no such device")
        with self.assertRaisesRegex(Refused, "^no such device$"):
            client.command(STARTPOD, {})

    def test_does_not_wait_for_ever(self):
        client = self.start("--drop", "startpod", timeout=0.05)
        with self.assertRaises(TimeoutError):
            client.command(STARTPOD, {})

    def test_sees_that_the_agent_has_left(self):
        client = self.start(script=[{"on": "newcontainer", "do": ["ack", {"output": "hel"}, "close"]}])
        with self.assertRaisesRegex(ConnectionError, "left"):
            client.run("ua0", "sipp")


if __name__ == "__main__":
    unittest.main()
