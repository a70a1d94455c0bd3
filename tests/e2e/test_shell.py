#!/usr/bin/env -S python3 -B
"""`sippod shell`: a test that is prepared, and a shell in its pod instead of the run."""
import os
import re
import select
import shlex
import signal
import subprocess
import termios
from pathlib import Path

import harness
import host
import suites
from harness import Case, for_each_user
from screen import Screen

NAMES = "www.example.com A {{ua0.host}}\n"


def memory(pid):
    """KiB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def is_at_rest(pid):
    """Whether a process reads nothing any more."""
    def read():
        return re.search(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[1]
    before = read()
    return not host.wait_until(lambda: read() != before, 0.3)


class ShellCase(Case):
    def write(self, name="one", files=None, **scripts):
        suites.write_test(self.folder / "suite", name, files, **scripts)
        self.me.own(self.folder)

    def open(self, *words, test="suite/one", **options):
        return self.start_command([self.program, "shell", *words, test], **options)

    def commands(self, text, *words, timeout=harness.RUN_S, **options):
        """A shell that is given these commands through a pipe, to its end."""
        running = self.open(*words, stdin=subprocess.PIPE, **options)
        running.popen.stdin.write(text)
        return running.wait(timeout)

    def begin(self, commands="touch begun; sleep 600\n", results="sippod-shell"):
        """A shell that goes on; `touch begun` is among the commands."""
        if not (self.folder / "suite").exists():
            self.write(after="touch after\n")
        running = self.open("--results", results, stdin=subprocess.PIPE)
        running.popen.stdin.write(commands)
        running.popen.stdin.flush()
        return running, self.wait_for(f"{results}/one/*/begun", running).parent

    def the_folder(self, results="sippod-shell"):
        """That of the only run folder."""
        return self.run_folder(folder=results)


@for_each_user
class Commands(ShellCase):
    def test_output_and_exit_code(self):
        self.write(after="touch after\n")
        run = self.commands("echo out; echo err >&2; pwd; exit 7\n")
        self.assertExit(run, 7)
        folder = self.the_folder()
        self.assertEqual(run.out, f"out\n{folder}\n")
        self.assertIn("\nerr\n", run.err)
        self.assertIn(f"the run folder is kept: {folder}\n", run.err)
        self.assertTrue((folder / "after").exists(), "after.sh was not run")
        self.assertEqual(self.result("sippod-shell")["states"], ["CREATED", "PREPARING", "READY", "CLEANING", "CLEAN"])
        self.assertExit(self.commands("kill -9 $$\n"), 137)
        self.assertExit(self.commands("false\n"), 1)
        self.assertExit(self.commands(""), 0)

    def test_prepared(self):
        self.write(files={**suites.CALL, "dns.txt": NAMES}, before="echo {{ua1.host}} >$SIPPOD_SHARED/made\n")
        run = self.commands("cat $SIPPOD_SHARED/made; grep -c '{{' uac_ua1.xml; getent ahostsv4 www.example.com | head -n1\n"
                            "ip -brief -4 address\n")
        self.assertExit(run, 0)
        lines = run.out.splitlines()
        self.assertEqual(lines[:2], ["198.18.1.1", "0"])
        self.assertRegex(lines[2], r"^198\.18\.1\.0 ")
        run_id = self.the_folder().name
        self.assertRegex(run.out, rf"(?m)^sipp-{run_id} .* 198\.18\.1\.0/32 198\.18\.1\.1/32")
        for what in (rf"run folder +{re.escape(str(self.the_folder()))}", rf"capture +sipp-{run_id}\.pcapng",
                     rf"interfaces +lo, eth0, sipp-{run_id}", r"DNS +the names of dns\.txt", r"dut +198\.18\.1\.0",
                     r"ua0 +198\.18\.1\.0 port 5060/udp, uas_ua0\.xml", r"ua1 +198\.18\.1\.1 port 5060/udp, uac_ua1\.xml"):
            self.assertRegex(run.err, what)

    def sipp_lines(self, *words, test="suite/one"):
        """What is printed to be pasted."""
        run = self.commands("", *words, test=test)
        self.assertExit(run, 0)
        printed = run.err.split("SIPp as a run starts it:\n\n")[1].split("\n\n")[0]
        return [line.strip() for line in printed.splitlines()]

    def test_printed_lines_make_the_call(self):
        self.write()
        lines = self.sipp_lines()
        self.assertEqual([line.endswith(" >/dev/null &") for line in lines], [True, False])
        bound = "while ! grep -q 000112C6:13C4 /proc/net/udp; do sleep 0.01; done"  # 198.18.1.0:5060
        run = self.commands("\n".join((lines[0], bound, lines[1])) + "\nwait $! && echo called\n")
        self.assertExit(run, 0)
        self.assertTrue(run.out.endswith("called\n"), run)
        test = self.result("sippod-shell")
        self.assertEqual(test["packets"], 2)
        shown = subprocess.run(["tshark", "-r", self.the_folder() / test["pcap"], "-T", "fields", "-e", "sip.Method",
                                "-e", "sip.Status-Code"], capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(shown, ["OPTIONS", "200"])

    def test_printed_lines_are_those_of_a_run(self):
        """Of each part in its order; quoted where a shell would take them otherwise."""
        self.write(files={"01_uas_ua0.xml": suites.uas(), "01_uac_ua1.xml": suites.uac(), "02_uas_ua0.xml": suites.uas(),
                          "02_uac_ua2.xml": suites.uac(), "test.conf": 'ua "ua2" { sipp_args = "-key what \'a $b\'" }\n'})
        options = ("--sipp-max-calls", "3", "--sipp-recv-timeout", "700")
        lines = [line for line in self.sipp_lines(*options) if not line.startswith("# part")]
        self.assertTrue(lines[3].endswith(" -key what 'a $b'"), lines[3])
        self.assertExit(self.sippod("suite/one", "--keep", "all", *options), 0)
        launched = re.findall(r" INFO ua\d: (.*)", (self.run_folder() / "sipp.launch.log").read_text())
        self.assertEqual([" ".join(shlex.split(line.removesuffix(" >/dev/null &"))) for line in lines], launched[:4])

    def test_dut_of_the_suite(self):
        self.write(files={"uac_ua0.xml": suites.uac()}, after="touch after\n")
        suites.write_test(self.folder / "suite", "DUT", {"uas.xml": suites.uas()},
                          dut="exec sipp -sf uas.xml -i {{dut.host}} -nostdin\n")
        self.me.own(self.folder)
        lines = self.sipp_lines()
        run = self.commands("\n".join(lines) + " >/dev/null && echo called\n")
        self.assertExit(run, 0)
        self.assertEqual(run.out, "called\n")
        self.assertRegex(run.err, r"dut +198\.18\.0\.1 \(dut/dut\.sh")

    def test_dut_in_global(self):
        """It lives while the shell does, and its after.sh comes last."""
        self.write(files={"uac_ua0.xml": suites.uac()})
        suites.write_test(self.folder / "suite", "GLOBAL", {"uas.xml": suites.uas()}, after="touch $SIPPOD_SHARED/../../late\n",
                          before="sipp -sf uas.xml -i {{dut.host}} -nostdin >/dev/null 2>&1 &\n"
                                 "while ! grep -q 010012C6:13C4 /proc/net/udp; do sleep 0.01; done\n")
        self.me.own(self.folder)
        run = self.commands("\n".join(self.sipp_lines()) + " >/dev/null && echo called\n", "--writable", ".")
        self.assertEqual((run.code, run.out), (0, "called\n"), run)
        self.assertRegex(run.err, r"dut +198\.18\.0\.1 \(in GLOBAL's pod\)")
        self.assertTrue((self.folder / "sippod-shell" / "late").exists(), "after.sh of GLOBAL was not run")

    def test_input_that_is_a_file(self):
        self.write()
        script = suites.write(self.folder / "script", "echo one\n" * 3)
        with open(script, encoding="ascii") as file:
            run = self.open(stdin=file).wait()
        self.assertEqual((run.code, run.out), (0, "one\n" * 3))
        with open("/dev/null", encoding="ascii") as null, open(self.folder / "out", "w", encoding="ascii") as out:
            run = self.open(stdin=null, stdout=out).wait()
        self.assertExit(run, 0)
        self.assertEqual((self.folder / "out").read_text(), "")

    def test_much_input(self):
        self.write()
        count = 1 << 14
        run = self.commands("sleep 0.2\n" + f": $((n += 1)) {'x' * 100}\n" * count + "echo $n\n")
        self.assertEqual((run.code, run.out), (0, f"{count}\n"), run)

    def test_input_that_nobody_reads(self):
        """It is not taken, but for what buffers hold."""
        running, _ = self.begin()
        way, taken = running.popen.stdin.fileno(), 0
        os.set_blocking(way, False)
        while taken < 1 << 25 and select.select([], [way], [], 0.5)[1]:
            taken += os.write(way, b":\n" * 2048)
        self.assertLess(taken, 1 << 23)
        os.set_blocking(way, True)
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(10), 143)

    def test_output_that_nobody_reads(self):
        """It waits in the pod: sippod does not grow, and a signal gets through."""
        running, _ = self.begin("touch begun; yes\n")
        before = memory(running.pid)
        self.assertTrue(host.wait_until(lambda: is_at_rest(running.pid), 20), "it reads on and on")
        self.assertLess(memory(running.pid) - before, 4096)
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(10), 143)


@for_each_user
class Ends(ShellCase):
    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                running, folder = self.begin(results=f"results{number}")
                running.signal(number)
                run = running.wait(10)
                self.assertExit(run, 128 + number)
                self.assertTrue((folder / "after").exists(), "after.sh was not run")
                self.assertEqual(self.result(f"results{number}")["result"], "INTERRUPTED")

    def test_second_signal(self):
        """A shell that does not heed the first has a second; after.sh has not, then."""
        running, folder = self.begin(commands="trap '' HUP; touch begun; while :; do sleep 600; done\n")
        running.signal(signal.SIGINT)
        running.signal(signal.SIGTERM)
        self.assertExit(running.wait(10), 130)
        self.assertFalse((folder / "after").exists())

    def test_pod_that_is_killed(self):
        running, _ = self.begin()
        agent = next(process for process in host.descendants(running.pid) if process.name == "sippod-agent")
        os.kill(agent.pid, signal.SIGKILL)
        run = running.wait(10)
        self.assertExit(run, 1)
        self.assertIn("sippod: the shell: the agent has ended\n", run.err)
        self.assertEqual(self.result("sippod-shell")["clean"], False)

    def test_sippod_that_is_killed(self):
        """The pod goes with it, and `sippod cleanup` removes what is left."""
        running, folder = self.begin()
        running.signal(signal.SIGKILL)
        running.popen.wait()
        self.assertTrue(host.wait_until(lambda: not host.find("sleep")))
        run = self.start_command([self.program, "cleanup"]).wait()
        self.assertIn("sippod-shell: 2 folders removed\n", run.out)
        self.assertFalse(folder.exists())
        running.wait()

    def test_test_that_is_not_ready(self):
        self.write(before="echo no luck >&2; exit 3\n", after="touch after\n")
        run = self.commands("echo never\n")
        self.assertExit(run, 1)
        self.assertEqual(run.out, "")
        self.assertRegex(run.err, r"NOT READY +one .*before\.sh ended with exit code 3: no luck")

    def test_after_sh_that_fails(self):
        self.write(after="exit 5\n")
        run = self.commands("true\n")
        self.assertExit(run, 1)
        self.assertRegex(run.err, r"DIRTY +one .*after\.sh ended with exit code 5")


@for_each_user
class Choice(ShellCase):
    def test_one_test_only(self):
        self.write()
        self.write("two", {**suites.CALL, "test.conf": 'skip = "it is flaky"\n'})
        for words, what in ((["suite"], "not in 2; name it: sippod shell .*/suite/one"),
                            (["suite/one", "suite/two"], "not in 2"), (["suite/three"], "three"), ([], "which test"),
                            (["suite", "--pattern-only", "x"], "no test to run"), (["suite/one", "--jobs", "2"], "--jobs"),
                            (["suite/one", "--junit", "f"], "--junit"), (["suite/one", "--group", "1"], "--group")):
            with self.subTest(words):
                run = self.start_command([self.program, "shell", *words]).wait()
                self.assertExit(run, 2)
                self.assertRegex(run.err, what)
        self.assertFalse((self.folder / "sippod-shell").exists())
        # What test.conf skips in runs can be looked into.
        self.assertEqual(self.commands("echo here\n", "--pattern-only", "two", test="suite").out, "here\n")

    def test_configuration_file(self):
        """What it says of runs is neither wrong nor for a shell: their results stay."""
        self.write(files=suites.FAILING)
        suites.write(self.folder / "suite" / "sippod.conf", 'jobs = 3\nrepeat = 2\ndry_run = true\nresults = "res"\n'
                     'keep = "none"\njunit = "junit.xml"\nset = {"color=red"}\n')
        suites.write(self.folder / "suite" / "one" / "before.sh", "echo {{color}} >color\n")
        results = suites.write(self.folder / "suite" / "res" / "results.json", "{}")
        self.me.own(self.folder)
        run = self.commands("cat color\n")
        self.assertEqual((run.code, run.out), (0, "red\n"), run)
        self.assertEqual(results.read_text(), "{}")
        self.assertTrue((self.the_folder() / "color").exists())
        self.assertFalse((self.folder / "suite" / "junit.xml").exists())

    def test_options(self):
        self.write(files={**suites.CALL, "uas_ua0.xml": suites.uas()})
        run = self.commands("ip link add v0 type veth && echo made\n", "--script-caps", "net_admin", "--keep", "none", "-q",
                            "--no-pcap", "--results", "here")
        self.assertEqual((run.code, run.out, run.err), (0, "made\n", ""))
        self.assertIsNone(self.result("here")["folder"])

    def test_scenario_that_plays_a_pcap(self):
        """Its line works: the shell has what SIPp has in a run."""
        play = '  <nop><action><exec play_pcap_audio="a.pcap"/></action></nop>\n'
        self.write(files={**suites.CALL, "uac_ua1.xml": suites.uac(after=play)})
        run = self.commands("grep CapEff /proc/self/status\n")
        self.assertEqual(run.out.split(), ["CapEff:", "0000000000002000"])


class ScreenCase(ShellCase):
    prompt = r"\(sippod one\) "

    def sit_down(self, *words, screen=None, shell="/bin/bash", files=None, **options):
        """In front of a shell."""
        self.write(files=files, after="touch after\n")
        screen = screen or Screen(self)
        screen.start(self.program, "shell", *words, "suite/one", env={"SHELL": shell}, **options)
        screen.wait_for(self.prompt)
        return screen

    def run_line(self, screen, line, expression):
        """Types a command; what it prints. (What is typed is shown, too, hence the quotes in some of them.)"""
        screen.type(line + "\r")
        match = screen.wait_for(expression)
        screen.wait_for(self.prompt)
        return match

    def assertLeft(self, screen, code, after=True):
        self.assertEqual(screen.wait(), code, screen.shown)
        self.assertEqual(screen.settings(), screen.before, "the terminal is not as it was")
        self.assertEqual((self.the_folder() / "after").exists(), after, screen.shown)


@for_each_user
class OnTerminal(ScreenCase):
    def test_terminal(self):
        screen = self.sit_down()
        self.assertTrue(screen.is_raw())
        self.run_line(screen, "tty", r"[\r\n]/dev/pts/\d+\r\n")
        self.run_line(screen, "echo $TERM' is my 'terminal", "xterm is my terminal\r\n")
        self.run_line(screen, "stty size", r"[\r\n]24 80\r\n")
        screen.resize(50, 133)
        self.run_line(screen, "stty size", r"[\r\n]50 133\r\n")
        self.run_line(screen, "pwd", rf"[\r\n]{re.escape(str(self.the_folder_now()))}\r\n")
        self.run_line(screen, "ip -brief -4 address", r"198\.18\.1\.0/32 198\.18\.1\.1/32")
        self.run_line(screen, "printf '\\033[?1049h'; stty raw -echo; stty sane; echo still' 'here", "still here")
        screen.type("exit 3\r")
        self.assertLeft(screen, 3)
        self.assertIn(f"the run folder is kept: {self.the_folder()}\r\n", screen.shown)

    def the_folder_now(self):
        return self.wait_for("sippod-shell/one/*/sipplauncher.log").parent

    def test_keys_are_the_shells(self):
        screen = self.sit_down()
        self.sleep(screen)
        screen.type("\x03")
        screen.wait_for(self.prompt)
        self.run_line(screen, "echo code $?", "code 130")
        self.sleep(screen)
        screen.type("\x1a")
        screen.wait_for("Stopped")
        self.run_line(screen, "jobs", "Stopped.*sleep 600")
        screen.type("fg\r")
        self.assertTrue(host.wait_until(lambda: host.find("sleep", screen.running.pid)[0].state == "S"))
        screen.type("\x03")
        screen.wait_for(self.prompt)
        screen.type("true\r\x04")
        self.assertLeft(screen, 0)

    def sleep(self, screen):
        screen.type("sleep 600\r")
        self.assertTrue(host.wait_until(lambda: host.find("sleep", screen.running.pid)))

    def test_signals_are_sippods(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                harness.remove_tree(self.folder / "suite")
                screen = self.sit_down()
                screen.running.signal(number)
                self.assertLeft(screen, 128 + number)

    def test_crash(self):
        """Nothing is rolled back then, but the terminal is."""
        screen = self.sit_down()
        screen.running.signal(signal.SIGSEGV)
        self.assertEqual(screen.wait(), -signal.SIGSEGV)
        self.assertEqual(screen.settings(), screen.before)

    def test_pod_that_is_killed(self):
        screen = self.sit_down()
        agent = next(process for process in host.descendants(screen.running.pid) if process.name == "sippod-agent")
        os.kill(agent.pid, signal.SIGKILL)
        self.assertLeft(screen, 1, after=False)
        self.assertIn("sippod: the shell: the agent has ended\r\n", screen.shown)

    def test_keys_that_nobody_took(self):
        """They were meant for the pod, not for the shell outside."""
        screen = self.sit_down()
        self.sleep(screen)
        typed = 0
        while typed < 1 << 25 and select.select([], [screen.master], [], 0.5)[1]:
            typed += os.write(screen.master, b"rm -r .\r" * 100)
            screen.read(0)
        os.kill(host.find("sippod-agent", screen.running.pid)[0].pid, signal.SIGKILL)
        self.assertLeft(screen, 1, after=False)
        os.set_blocking(screen.slave, False)
        with self.assertRaises(BlockingIOError):
            self.fail(f"the next one reads {os.read(screen.slave, 100)}")

    def test_closed_terminal(self):
        screen = self.sit_down()
        folder = self.the_folder_now()
        screen.close()
        self.assertEqual(screen.running.wait(10).code, 128 + signal.SIGHUP)
        self.assertTrue((folder / "after").exists(), "after.sh was not run")

    def test_closed_terminal_without_a_signal(self):
        """As under nohup: the shell is told, and ends."""
        self.write(after="touch after\n")
        screen = Screen(self)
        screen.start("sh", "-c", "trap '' HUP; exec \"$@\"", "sh", self.program, "shell", "suite/one", env={"SHELL": "/bin/bash"})
        screen.wait_for(self.prompt)
        screen.close()
        self.assertEqual(screen.running.wait(10).code, 128 + signal.SIGHUP)
        self.assertTrue((self.the_folder() / "after").exists(), "after.sh was not run")

    def test_stopped(self):
        """Whoever has the terminal meanwhile may set it otherwise."""
        screen = self.sit_down()
        screen.running.signal(signal.SIGSTOP)
        host.wait_until(lambda: host.Process(screen.running.pid).state == "T")
        termios.tcsetattr(screen.slave, termios.TCSANOW, screen.before)
        screen.running.signal(signal.SIGCONT)
        self.assertTrue(host.wait_until(screen.is_raw), "the terminal is not raw again")
        self.run_line(screen, "echo go' 'on", "go on")
        screen.type("exit\r")
        self.assertLeft(screen, 0)

    def test_large_paste(self):
        screen = self.sit_down()
        count = 1 << 17
        screen.type("stty -echo; echo go' 'on; cat >pasted\r")
        screen.wait_for("go on")
        screen.type("".join(f"{number:07}\r" for number in range(count)) + "\x04")
        screen.wait_for(self.prompt)
        pasted = (self.the_folder_now() / "pasted").read_text().split()
        self.assertEqual(pasted, [f"{number:07}" for number in range(count)])
        screen.type("exit\r")
        self.assertLeft(screen, 0)

    def test_flood(self):
        """Somebody reads slowly, then not at all, and ends it."""
        screen = self.sit_down()
        before = memory(screen.running.pid)
        screen.type("yes flood\r")
        screen.wait_for("flood\r\nflood\r\nflood")
        self.assertTrue(host.wait_until(lambda: is_at_rest(screen.running.pid), 20), "it reads on and on")
        self.assertLess(memory(screen.running.pid) - before, 4096)
        screen.type("\x03")
        screen.wait_for(self.prompt)
        self.run_line(screen, "echo go' 'on", "go on")
        screen.type("yes flood\r")
        screen.wait_for("flood\r\nflood\r\nflood")
        self.assertTrue(host.wait_until(lambda: is_at_rest(screen.running.pid), 20))
        screen.running.signal(signal.SIGTERM)
        self.assertLeft(screen, 143)

    def test_other_shells(self):
        self.write()
        for shell, expression in (("/bin/sh", r"\$ "), ("/no/such/shell", self.prompt), ("", self.prompt)):
            with self.subTest(shell):
                screen = Screen(self)
                screen.start(self.program, "shell", "suite/one", env={"SHELL": shell})
                screen.wait_for(expression)
                screen.type("exit 4\r")
                self.assertEqual(screen.wait(), 4)

    def test_names_that_a_prompt_expands(self):
        name = "$(touch made)`touch made`\\w"
        self.write(name)
        screen = Screen(self)
        screen.start(self.program, "shell", f"suite/{name}", env={"SHELL": "/bin/bash"})
        screen.wait_for(r"\(sippod __touch_made__touch_made__w\) ")
        screen.type("[ -e made ] || echo fi'ne'\r")
        screen.wait_for("fine")
        screen.type("exit\r")
        self.assertEqual(screen.wait(), 0)

    def test_output_that_is_no_terminal(self):
        """Keys come from the terminal, and what they bring forth goes where it was sent."""
        self.write()
        screen = Screen(self)
        with open(self.folder / "out", "w", encoding="ascii") as out:
            screen.start(self.program, "shell", "suite/one", env={"SHELL": "/bin/bash"}, stdout=out)
            self.assertTrue(host.wait_until(lambda: "(sippod one)" in (self.folder / "out").read_text(), 10))
            screen.type("echo writ'ten'\rexit\r")
            self.assertEqual(screen.wait(), 0)
        self.assertIn("\nwritten", (self.folder / "out").read_text())
        self.assertEqual(screen.settings(), screen.before)


@for_each_user
class PauseOnFail(ScreenCase):
    prompt = r"\(sippod (\S+)\) "
    after = "touch after\n"

    def begin(self, *words, screen=None):
        self.me.own(self.folder)
        screen = screen or Screen(self)
        screen.start(*self.run_words("--pause-on-fail", "--keep", "all", *words, "suite"), env={"SHELL": "/bin/bash"})
        return screen

    def log_says(self, test, words):
        """Waits until the test's log holds that."""
        log = self.wait_for(f"sippod-results/{test}/*/sipplauncher.log")
        self.assertTrue(host.wait_until(lambda: words in log.read_text()), f"{test}: {words}")

    def test_one(self):
        """Everything is there as it was when it failed, for as long as one likes."""
        files = {**suites.FAILING, "dns.txt": NAMES, "test.conf": "timeout = 2\n"}
        suites.write_test(self.folder / "suite", "call", files, after=self.after)
        screen = self.begin()
        screen.wait_for(r" FAIL +call .*: received SIP/2.0 404|expected 200")
        screen.wait_for(r"\n  FAIL +call \(1-[a-z]{6}\): ua1 \(uac_ua1\.xml\): a call failed")
        self.assertEqual(screen.wait_for(self.prompt)[1], "call")
        self.assertTrue(screen.is_raw())
        self.run_line(screen, "sleep 2.1; getent ahostsv4 www.example.com", r"[\r\n]198\.18\.1\.0 ")
        self.run_line(screen, "ls uac_ua1_*_errors.log; echo li'sted'", "errors.log.*\n.*listed")
        self.run_line(screen, "[ -e after ] || echo not' yet'", "not yet")
        screen.type("exit\r")
        self.assertEqual(screen.wait(), 1)
        self.assertEqual(screen.settings(), screen.before)
        self.assertRegex(screen.shown, r"CLEANING +call(.|\n)*FAILED: 1\r\n")
        test = self.result()
        self.assertEqual((test["result"], test["clean"]), ("FAIL", True))
        self.assertNotIn("time limit", test["reason"])
        self.assertTrue((self.run_folder() / "after").exists())

    def two_failures(self):
        for name in ("1-fails", "2-fails"):
            suites.write_test(self.folder / "suite", name, suites.FAILING, after=self.after)

    def others(self, first):
        return {"1-fails": "2-fails", "2-fails": "1-fails"}[first]

    def assertRolledBack(self, screen, code):
        self.assertEqual(screen.wait(), code, screen.shown)
        self.assertEqual(screen.settings(), screen.before)
        for name in ("1-fails", "2-fails"):
            self.assertTrue(list(self.folder.glob(f"sippod-results/{name}/*/after")), name)

    def test_others_go_on(self):
        """What they have to tell comes afterwards."""
        self.two_failures()
        suites.write_test(self.folder / "suite", "3-passes", before="while ! ls $SIPPOD_SHARED/go; do sleep 0.02; done\n")
        suites.write_test(self.folder / "suite", "4-expected", {**suites.FAILING, "test.conf": 'expect_failure = "known"\n'})
        screen = self.begin("--jobs", "4")
        first = screen.wait_for(self.prompt)[1]
        screen.type("touch $SIPPOD_SHARED/go\r")
        self.log_says("3-passes", " INFO CLEANING\n")
        self.log_says("4-expected", " INFO CLEANING\n")
        screen.wait_for(self.prompt)
        screen.type("echo still' here'\r")
        self.assertNotIn("3-passes", screen.wait_for(f"(.|\n)*still here(.|\n)*{self.prompt}")[0])
        screen.type("exit\r")
        self.assertIn("3-passes", screen.wait_for("(.|\n)*shell; after.sh")[0])
        self.assertEqual(screen.wait_for(self.prompt)[1], self.others(first))
        screen.type("exit\r")
        self.assertRolledBack(screen, 1)
        self.assertIn("SUCCESS: 2\r\nFAILED: 2\r\n", screen.shown)

    def test_groups(self):
        self.two_failures()
        suites.write_test(self.folder / "suite", "3-passes")
        screen = self.begin("--group", "3", "--group-pause", "0")
        first = screen.wait_for(self.prompt)[1]
        screen.type("exit\r")
        self.assertEqual(screen.wait_for(self.prompt)[1], self.others(first))
        screen.type("exit\r")
        self.assertRolledBack(screen, 1)
        self.assertIn("SUCCESS: 1\r\nFAILED: 2\r\n", screen.shown)

    def test_signal(self):
        """Those that stand in line are rolled back, too."""
        self.two_failures()
        screen = self.begin("--jobs", "2")
        self.log_says(self.others(screen.wait_for(self.prompt)[1]), " INFO FAIL")
        screen.running.signal(signal.SIGTERM)
        self.assertRolledBack(screen, 143)
        self.assertEqual([test["result"] for test in self.results()["tests"]], ["FAIL", "FAIL"])

    def test_pods_that_are_killed(self):
        """That of the open shell, and of one who stands in line: nobody is waited for in vain."""
        self.two_failures()
        screen = self.begin("--jobs", "2")
        self.log_says(self.others(screen.wait_for(self.prompt)[1]), " INFO FAIL")
        for process in host.descendants(screen.running.pid):
            if process.name == "sippod-agent":
                os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(screen.wait(), 1)
        self.assertEqual(screen.settings(), screen.before)
        self.assertIn("FAILED: 2\r\n", screen.shown)
        self.assertEqual([(test["result"], test["clean"]) for test in self.results()["tests"]], [("FAIL", False)] * 2)

    def test_pod_that_is_killed_while_sipp_runs(self):
        """There is nothing to look at."""
        suites.write_test(self.folder / "suite", "call", suites.ENDLESS, after=self.after)
        screen = self.begin()
        self.wait_for("sippod-results/call/*/calling", screen.running)
        os.kill(host.find("sippod-agent", screen.running.pid)[0].pid, signal.SIGKILL)
        self.assertEqual(screen.wait(), 1)
        self.assertNotIn("run folder", screen.shown)
        self.assertRegex(screen.shown, r"DIRTY +call .*after\.sh")

    def test_no_terminal(self):
        suites.write_test(self.folder / "suite", "call")
        self.me.own(self.folder)
        self.assertExit(run := self.sippod("suite", "--pause-on-fail"), 2)
        self.assertIn("--pause-on-fail: it takes a terminal", run.err)
        self.assertFalse((self.folder / "sippod-results").exists())
        screen = Screen(self)
        with open(self.folder / "out", "w", encoding="ascii") as out:
            screen.start(*self.run_words("--pause-on-fail", "suite"), stdout=out)
            self.assertEqual(screen.wait(), 2)
        self.assertEqual(self.start_command([self.program, "shell", "--pause-on-fail", "suite/call"]).wait().code, 2)


if __name__ == "__main__":
    harness.main()
