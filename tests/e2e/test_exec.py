#!/usr/bin/env -S python3 -B
"""`sippod exec`, `sippod cleanup` and `sippod doctor`."""
import json
import os
import re
import signal
import subprocess

import harness
import suites
from harness import Case, for_each_user


class CommandCase(Case):
    def command(self, *words, **options):
        return self.start_command([self.program, *words], **options).wait()


@for_each_user
class Exec(CommandCase):
    def test_output_and_exit_code(self):
        run = self.command("exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertExit(run, 7)
        self.assertEqual((run.out, run.err), ("out\n", "err\n"))
        self.assertExit(self.command("exec", "true"), 0)
        self.assertExit(self.command("exec", "sh", "-c", "kill -9 $$"), 137)

    def test_command_that_is_none(self):
        run = self.command("exec", "--", "no-such-command")
        self.assertExit(run, 127)
        self.assertIn("no-such-command", run.err)

    def test_network_of_its_own(self):
        run = self.command("exec", "--", "ip", "-brief", "link")
        self.assertExit(run, 0)
        names = [line.split()[0].split("@")[0] for line in run.out.splitlines()]
        self.assertEqual(names[:2], ["lo", "eth0"])
        self.assertRegex(names[2], "^sipp-[a-z]{6}$")
        self.assertEqual(len(names), 3)

    def test_folder(self):
        (self.folder / "here").write_text("text")
        self.assertEqual(self.command("exec", "cat", "here").out, "text")
        self.assertNotEqual(self.command("exec", "touch", "there").code, 0)
        self.assertFalse((self.folder / "there").exists())
        self.assertExit(self.command("exec", "--writable", ".", "touch", "there"), 0)
        self.assertTrue((self.folder / "there").exists())

    def test_capabilities(self):
        self.assertNotEqual(self.command("exec", "ip", "link", "add", "v0", "type", "veth").code, 0)
        self.assertExit(self.command("exec", "--script-caps", "net_admin", "ip", "link", "add", "v0", "type", "veth"), 0)
        run = self.command("exec", "--script-caps", "net_raw,net_admin", "grep", "CapEff", "/proc/self/status")
        self.assertEqual(run.out.split(), ["CapEff:", "0000000000003000"])

    def test_capture(self):
        python = harness.python_for(self.me)
        for _ in range(2):  # the second time over the first one's file
            run = self.command("exec", "--pcap", "made.pcapng", "--", python, "-c",
                               "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                               "for n in range(100): s.sendto(b'%03d' % n, ('127.0.0.1', 9))")
            self.assertExit(run, 0)
        shown = subprocess.run(["tshark", "-r", self.folder / "made.pcapng", "-Y", "udp && !icmp", "-T", "fields", "-e", "data"],
                               capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(shown, [f"{n:03}".encode().hex() for n in range(100)])

    def test_signal(self):
        running = self.start_command([self.program, "exec", "--writable", ".", "sh", "-c", "touch begun; sleep 600"])
        self.wait_for("begun", running)
        running.signal(signal.SIGINT)
        self.assertExit(running.wait(10), 130)

    def test_bad_usage(self):
        for words in ([], ["--"], ["--fs", "x", "true"], ["--script-caps", "sys_admin", "true"], ["--speed", "true"],
                      ["--writable", "nowhere", "true"], ["--pcap", "nowhere/file", "true"]):
            with self.subTest(words):
                run = self.command("exec", *words)
                self.assertExit(run, 2)
                self.assertTrue(run.err.startswith("sippod: "), run.err)


@for_each_user
class Cleanup(CommandCase):
    def test_killed_run(self):
        suites.write_test(self.folder / "suite", "long", suites.ENDLESS)
        (self.folder / "results" / "mine" / "abcdef").mkdir(parents=True)
        self.me.own(self.folder)
        running = self.start("suite", "--results", "results")
        folder = self.wait_for("results/long/*/calling", running).parent
        run = self.command("cleanup", "results")
        self.assertExit(run, 0)
        self.assertIn("in use by a live run", run.out)
        self.assertTrue(folder.exists())
        running.signal(signal.SIGKILL)
        running.popen.wait()
        self.assertIn("2 folders of a killed run", self.command("doctor", "--results", "results").out)
        run = self.command("cleanup", "results")
        self.assertExit(run, 0)
        self.assertIn("2 folders removed", run.out)
        self.assertEqual(sorted(str(path.relative_to(self.folder / "results"))
                                for path in (self.folder / "results").rglob("*")), ["mine", "mine/abcdef"])
        running.wait()

    def test_nothing_to_do(self):
        self.assertExit(self.command("cleanup"), 0)
        self.assertExit(self.command("cleanup", "nowhere"), 0)
        self.assertEqual(os.listdir(self.folder), [name for name in os.listdir(self.folder) if name != "sippod-results"])


@for_each_user
class Doctor(CommandCase):
    def test_text(self):
        run = self.command("doctor")
        self.assertExit(run, 0)
        self.assertRegex(run.out, r"works +rootless")
        self.assertRegex(run.out, r"SIPp v\d")

    def test_json(self):
        run = self.command("doctor", "--json")
        self.assertExit(run, 0)
        found = json.loads(run.out)
        self.assertEqual(found["schema"], 1)
        self.assertTrue(found["modes"]["rootless"]["works"])
        self.assertEqual({"id", "level", "what", "means", "mend"}, set(found["findings"][0]))

    def test_crippled(self):
        """Both say the same: the doctor, and a run."""
        suites.write_test(self.folder / "suite", "one")
        self.me.own(self.folder)
        script = ("echo 0 >/proc/sys/user/max_user_namespaces && \"$0\" doctor; echo \"code $?\"; "
                  "\"$0\" run suite; echo \"code $?\"")
        run = self.start_command(["unshare", "--user", "--map-root-user", "sh", "-c", script, self.program]).wait()
        self.assertEqual(re.findall("code (.*)", run.out), ["3", "3"], str(run))
        mend = "sysctl user.max_user_namespaces="
        self.assertIn(mend, run.out)
        self.assertIn(mend, run.err)


if __name__ == "__main__":
    harness.main()
