#!/usr/bin/env -S python3 -B
"""GLOBAL: a pod that lives for the whole run, its scripts around all tests, and the device under test in it."""
import shutil
import signal
import xml.etree.ElementTree as ElementTree

import harness
import host
import suites
from harness import Case, for_each_user
from pcapng import Capture

# A DUT that before.sh leaves running, and waits for.
SIPP = ("sipp -i {{dut.host}} -sf uas.xml -nostdin >sipp.out 2>&1 &\n"
        "while ! grep -q 010012C6:13C4 /proc/net/udp; do sleep 0.02; done\n")
# A proxy that knows nobody: it forwards to where the request is addressed.
KAMAILIO = """debug=1
children=2
listen=udp:198.18.0.1:5060
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
    t_relay();
}
"""
UAC = {"uac_ua1.xml": suites.uac()}


class GlobalCase(Case):
    def make_suite(self, tests=("one",), files=None, before=SIPP, after="touch after\n", **scripts):
        suite = self.folder / "suite"
        suites.write(suite / "GLOBAL" / "uas.xml", suites.uas())
        suites.write(suite / "GLOBAL" / "before.sh", before)
        suites.write(suite / "GLOBAL" / "after.sh", after)
        for name in tests:
            suites.write_test(suite, name, UAC if files is None else files, **scripts)
        self.me.own(self.folder)
        return suite

    def overall(self, result="SUCCESS", clean=True):
        """What results.json tells of GLOBAL."""
        overall = self.results()["global"]
        self.assertEqual((overall["result"], overall["clean"]), (result, clean), overall)
        return overall

    def file(self, name):
        return self.run_folder(self.results()["global"]) / name


@for_each_user
class TheDut(GlobalCase):
    def test_thirty_tests_eight_at_once(self):
        files = {"uac_ua0.xml": suites.uac(), "uac_ua1.xml": suites.uac(after=suites.pause(0.2))}
        self.make_suite([f"test-{number:02}" for number in range(30)], files)
        run = self.sippod("suite", "--jobs", "8", "--keep", "all")
        self.assertExit(run, 0)
        self.overall()
        tests = self.results()["tests"]
        addresses = [ua["address"] for test in tests for ua in test["uas"]]
        self.assertEqual(len(set(addresses)), 60, "an address was used twice")
        for test in tests:
            capture = Capture(self.run_folder(test) / test["pcap"])
            requests = [packet.udp for packet in capture.packets
                        if packet.udp and packet.udp[4].startswith(b"OPTIONS ")]
            # Nobody had to wait for ARP, and so nothing was sent twice.
            self.assertEqual(sorted(request[0] for request in requests), sorted(ua["address"] for ua in test["uas"]))
            self.assertEqual({request[2] for request in requests}, {"198.18.0.1"})
            self.assertEqual([packet for packet in capture.packets if packet.data[12:14] == b"\x08\x06"], [])
            self.assertEqual({packet.interface for packet in capture.packets if packet.udp}, {"eth0"})

    def test_kamailio_calls_back(self):
        self.skip_without_kamailio()
        call = {"uas_ua0.xml": suites.uas(), "uac_ua1.xml": suites.uac().replace(
            "sip:bob@{{dut.uri_host}}:[remote_port]", "sip:bob@{{ua0.host}}:5060")}
        suite = self.make_suite(("one", "two", "three", "four"), call, before=(
            "PATH=$PATH:/usr/sbin\nkamailio -DD -E -f ./kamailio.cfg -w . -Y . -m 16 -M 4 >kamailio.log 2>&1 &\n"
            "while ! grep -q 010012C6:13C4 /proc/net/udp; do sleep 0.02; done\n"))
        suites.write(suite / "GLOBAL" / "kamailio.cfg", KAMAILIO)
        self.me.own(self.folder)
        run = self.sippod("suite", "--jobs", "4", "--keep", "all")
        self.assertExit(run, 0)
        for test in self.results()["tests"]:
            capture = Capture(self.run_folder(test) / test["pcap"])
            addresses = [ua["address"] for ua in sorted(test["uas"], key=lambda ua: ua["name"])]
            requests = [packet.udp for packet in capture.packets
                        if packet.udp and packet.udp[4].startswith(b"OPTIONS ")]
            self.assertEqual([(request[0], request[2]) for request in requests],
                             [(addresses[1], "198.18.0.1"), ("198.18.0.1", addresses[0])])

    def skip_without_kamailio(self):
        if not shutil.which("kamailio", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
            harness.skip("kamailio is not installed")

    def test_tcp(self):
        python = harness.python_for(self.me)
        self.make_suite(before=(
            f"{python} -c 'import socket\ns = socket.create_server((\"{{{{dut.host}}}}\", 5060))\nopen(\"bound\", \"w\")\n"
            "while True: s.accept()[0].sendall(b\"hello\")' >/dev/null 2>&1 &\n"
            "while ! [ -e bound ]; do sleep 0.02; done\n"))
        suites.write_test(self.folder / "suite", "tcp", {"uac_ua1.xml": "<broken"}, before=(
            f"{python} -c 'import socket\ns = socket.create_connection((\"{{{{dut.host}}}}\", 5060), 5)\n"
            "assert s.recv(5) == b\"hello\"\nopen(\"said\", \"w\").write(s.getsockname()[0])'\n"))
        self.me.own(self.folder)
        self.sippod("suite/tcp", "--keep", "all")
        self.assertEqual((self.run_folder() / "said").read_text(), self.result()["uas"][0]["address"])

    def test_nothing_else_is_reached(self):
        python = harness.python_for(self.me)
        self.make_suite(("one", "two"), before=(
            SIPP + f"{python} -c 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.connect((\"198.18.1.1\", 9))\ntry:\n    s.connect((\"192.0.2.1\", 9))\nexcept OSError as e: print(e)'\n"))
        suites.write_test(self.folder / "suite", "three", UAC, before=(
            f"{python} -c 'import socket\nfor a in (\"198.18.0.2\", \"198.18.1.1\", \"198.18.2.1\", \"192.0.2.1\","
            " \"169.254.1.1\"):\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    try:\n"
            "        s.connect((a, 9))\n        print(a, s.getsockname()[0])\n    except OSError as e:\n"
            "        print(a, e.errno)' >reached\ncat /proc/net/route >routes\n"))
        self.me.own(self.folder)
        run = self.sippod("suite", "--jobs", "3", "--keep", "all")
        self.assertExit(run, 0)
        three = self.results_by_name()["three"]
        own = three["uas"][0]["address"]
        reached = (self.run_folder(three) / "reached").read_text().splitlines()
        for line in reached:
            address, outcome = line.split()
            self.assertEqual(outcome, own if address == own else "101", reached)
        routes = (self.run_folder(three) / "routes").read_text().splitlines()[1:]
        self.assertEqual([route.split()[:3] for route in routes], [["eth0", "010012C6", "0101FEA9"]])
        self.assertIn("[Errno 101]", self.file("sipplauncher.log").read_text())

    def test_groups(self):
        self.make_suite(("one", "two", "three"))
        run = self.sippod("suite", "--group", "2", "--group-pause", "0")
        self.assertExit(run, 0)
        self.assertEqual(len({test["uas"][0]["address"] for test in self.results()["tests"]}), 3)

    def test_with_a_dut_of_each_test(self):
        suite = self.make_suite(("one", "two"), before="echo {{dut.host}} >dut-host\ncat /proc/net/route >routes\n")
        suites.write(suite / "DUT" / "dut.sh", "exec sipp -i {{dut.host}} -sf uas.xml -nostdin\n")
        suites.write(suite / "DUT" / "uas.xml", suites.uas())
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--jobs", "2", "--keep", "all"), 0)
        self.assertEqual({test["uas"][0]["address"] for test in self.results()["tests"]}, {"198.18.1.1"})
        self.assertEqual(self.file("dut-host").read_text(), "198.18.0.1\n")
        self.assertEqual(len(self.file("routes").read_text().splitlines()), 1)
        self.assertFalse(self.file("dut").exists())


@for_each_user
class TheScripts(GlobalCase):
    def test_around_all_tests(self):
        self.make_suite(("one", "two"), before=SIPP + "echo {{test.name}} {{test.run_id}} >before\n",
                        after="echo over\nls /proc | grep -c '^[0-9]' >processes\n")
        run = self.sippod("suite", "--keep", "all")
        self.assertExit(run, 0)
        self.assertEqual([(line.state, line.test) for line in run.states if line.test == "GLOBAL"],
                         [("PREPARING", "GLOBAL"), ("CLEANING", "GLOBAL")])
        self.assertEqual((run.states[0].test, run.states[-1].test, run.states[0].index), ("GLOBAL", "GLOBAL", "0"))
        overall = self.overall()
        self.assertEqual(overall["states"], ["CREATED", "PREPARING", "READY", "CLEANING", "CLEAN"])
        self.assertEqual((overall["name"], overall["verdict"], overall["folder"]),
                         ("GLOBAL", "pass", f"GLOBAL/{overall['run_id']}"))
        self.assertEqual(self.file("before").read_text(), f"GLOBAL {overall['run_id']}\n")
        self.assertIn("DEBUG over\n", self.file("sipplauncher.log").read_text())
        self.assertGreater(len(Capture(self.file(overall["pcap"])).packets), 0)
        self.assertEqual(self.results()["totals"]["total"], 2)
        # The next run removes the folder, as it does those of tests; a clean pass leaves none.
        before = self.file("before")
        self.assertExit(self.sippod("suite"), 0)
        self.assertFalse(before.exists())
        self.assertIsNone(self.overall()["folder"])

    def test_after_a_failure(self):
        self.make_suite(files={"uac_ua1.xml": suites.uac(expects=404)})
        self.assertExit(self.sippod("suite", "--keep", "all"), 1)
        self.overall()
        self.assertTrue(self.file("after").exists())

    def test_before_fails(self):
        self.make_suite(before="echo no such thing >&2\nexit 3\n", after="touch after\n")
        run = self.sippod("suite", "--junit", "junit.xml")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertRegex(run.states[1].reason, "before.sh ended with exit code 3: no such thing")
        self.assertIn("no test was run", run.err)
        results = self.results()
        self.assertEqual((results["tests"], results["partial"], results["exit_code"]), ([], True, 1))
        self.assertEqual(self.overall("NOT READY")["verdict"], "fail")
        self.assertFalse(self.file("after").exists())
        self.assert_junit("no such thing")

    def assert_junit(self, words):
        root = ElementTree.parse(self.folder / "junit.xml").getroot()
        cases = {case.get("name"): case for case in root.iter("testcase")}
        self.assertIn(words, cases["GLOBAL"].find("error").get("message"))
        self.assertEqual((root.get("errors"), root.get("tests")), ("1", str(len(cases))))

    def test_after_fails(self):
        self.make_suite(after="exit 4\n")
        run = self.sippod("suite", "--junit", "junit.xml")
        self.assertExit(run, 1)
        self.assertEqual((run.states[-1].state, run.states[-1].test), ("DIRTY", "GLOBAL"))
        self.assertIn("after.sh ended with exit code 4", run.states[-1].reason)
        self.assertEqual(self.overall(clean=False)["verdict"], "fail")
        self.assertEqual(self.results()["totals"]["pass"], 1)
        self.assert_junit("exit code 4")

    def test_template_error(self):
        self.make_suite(before="true\necho {{nonsense}}\n")
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertRegex(run.states[1].reason, r"before\.sh:2: .*nonsense")

    def test_dry_run(self):
        self.make_suite(before="touch before\n", after="touch after\n")
        run = self.sippod("suite", "--dry-run", "--keep", "all")
        self.assertExit(run, 0)
        self.overall()
        self.assertFalse(self.file("before").exists() or self.file("after").exists())

    def test_each_pass(self):
        passes = self.folder / "shared" / "passes"
        suite = self.make_suite(before=f"{SIPP}echo >>{passes}\n")
        suites.write(suite / "one" / "before.sh", f"[ $(wc -l <{passes}) = 1 ]\n")
        (self.folder / "shared").mkdir()
        self.me.own(self.folder)
        run = self.sippod("suite", "--loop", "--keep", "all", "--writable", self.folder / "shared")
        self.assertExit(run, 1)
        self.assertEqual(passes.read_text(), "\n\n")
        self.assertEqual([line.state for line in run.states if line.test == "GLOBAL"][:2], ["PREPARING", "CLEANING"])
        self.assertEqual(len(list((self.folder / "sippod-results" / "GLOBAL").iterdir())), 2)
        self.assertExit(self.sippod("suite", "--dry-run"), 0)
        self.assertFalse((self.folder / "sippod-results" / "GLOBAL").exists())


@for_each_user
class Shared(GlobalCase):
    """SIPPOD_SHARED: GLOBAL hands files on, and tests hand them back."""

    def test_between_pods(self):
        self.make_suite(("one", "two", "three"), before=SIPP + 'echo token >"$SIPPOD_SHARED/token"\n',
                        after='ls -ld "$SIPPOD_SHARED" | cut -c1-10 >mode\nsort "$SIPPOD_SHARED"/from-* >all\n')
        for name in ("one", "two", "three"):
            suites.write(self.folder / "suite" / name / "before.sh",
                         f'cp "$SIPPOD_SHARED/token" token\necho {name} >"$SIPPOD_SHARED/from-{name}"\n'
                         'echo "$SIPPOD_SHARED" >where\n')
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--jobs", "3", "--keep", "all", env={"SIPPOD_SHARED": "/nowhere"}), 0)
        self.assertEqual(self.file("all").read_text().split(), ["one", "three", "two"])
        self.assertEqual(self.file("mode").read_text(), "drwx------\n")
        for test in self.results()["tests"]:
            self.assertEqual((self.run_folder(test) / "token").read_text(), "token\n")
            self.assertRegex((self.run_folder(test) / "where").read_text(),
                             rf"^{self.folder}/sippod-results/SHARED/[a-z]{{6}}\n$")
        self.assertFalse((self.folder / "sippod-results" / "SHARED").exists())

    def test_without_global(self):
        suites.write_test(self.folder / "suite", "one", before='touch "$SIPPOD_SHARED/here"\n',
                          after='test -e "$SIPPOD_SHARED/here"\n')
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--fs", "readonly"), 0)
        self.assertEqual(sorted(path.name for path in (self.folder / "sippod-results").iterdir()), ["results.json"])

    def test_killed(self):
        self.make_suite(before='mkdir -p "$SIPPOD_SHARED/a/b"\n' + suites.WAIT)
        for clean_up in (["cleanup", "sippod-results"], ["run", "suite", "--dry-run"]):
            running = self.start("suite")
            self.wait_for("sippod-results/GLOBAL/*/waiting", running)
            running.signal(signal.SIGKILL)
            running.wait()
            self.assertTrue((self.folder / "sippod-results" / "SHARED").exists())
            self.assertExit(self.start_command([self.program, *clean_up]).wait(), 0)
            self.assertFalse((self.folder / "sippod-results" / "SHARED").exists())


@for_each_user
class Capabilities(GlobalCase):
    """--script-caps: of scripts and the suite's DUT, in their pod."""

    ADD = "ip addr add 192.0.2.7/32 dev lo\nip link set dev eth0 mtu 1400\n"

    def setUp(self):
        super().setUp()
        harness.require("ip")

    def test_none(self):
        suites.write_test(self.folder / "suite", "one", before="PATH=$PATH:/usr/sbin:/sbin\n" + self.ADD)
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertStates(run, "PREPARING", "NOT READY")
        self.assertRegex(run.states[1].reason, r"not permitted.*\(in a pod, ip addr.* need --script-caps net_admin\)")

    def test_net_admin(self):
        path = "PATH=$PATH:/usr/sbin:/sbin\nset -e\n"
        suite = self.make_suite(before=path + self.ADD + SIPP.replace("sipp -i", "grep CapAmb /proc/self/status >caps\nsipp -i"),
                                after=path + "ip addr show dev lo | grep -q 192.0.2.7\n")
        suites.write(suite / "one" / "before.sh", path + self.ADD + "grep CapAmb /proc/self/status >caps\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--script-caps", "net_admin", "--keep", "all"), 0)
        for caps in (self.file("caps"), self.run_folder() / "caps"):
            self.assertEqual(caps.read_text().split(), ["CapAmb:", "0000000000001000"])
        # That nothing has changed on the host is checked after each test.

    def test_of_the_dut(self):
        suite = self.folder / "suite"
        suites.write_test(suite, "one", UAC)
        suites.write(suite / "DUT" / "uas.xml", suites.uas())
        suites.write(suite / "DUT" / "dut.sh", "grep CapAmb /proc/self/status\nexec sipp -i {{dut.host}} -sf uas.xml "
                                               "-nostdin\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--script-caps", "net_raw,net_admin", "--keep", "all"), 0)
        self.assertIn("CapAmb:\\x090000000000003000", (self.run_folder() / "dut.log").read_text())

    def test_no_way_to_other_tests(self):
        """One may route as one likes in one's own pod: the router decides."""
        path = "PATH=$PATH:/usr/sbin:/sbin\nset -e\n"
        suite = self.make_suite(("one", "two"))
        python = harness.python_for(self.me)
        suites.write(suite / "one" / "before.sh", path + (
            f"{python} -c 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.bind((\"{{ua1.host}}\", 5070))\nopen(\"bound\", \"w\")\ndata = s.recv(99)\nopen(\"heard\", \"wb\").write(data)' &\n"
            "while ! [ -e bound ]; do sleep 0.02; done\n"
            "echo {{ua1.host}} >$SIPPOD_SHARED/new\nmv $SIPPOD_SHARED/new $SIPPOD_SHARED/one\n"
            "while ! [ -e $SIPPOD_SHARED/sent ]; do sleep 0.02; done\n"))
        suites.write(suite / "two" / "before.sh", path + (
            "while ! [ -e $SIPPOD_SHARED/one ]; do sleep 0.02; done\n"
            "ip route add default via 169.254.1.1 dev eth0 onlink src {{ua1.host}}\n"
            f"{python} -c 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.bind((\"{{ua1.host}}\", 0))\n"
            "s.sendto(b\"hello\", (open(__import__(\"sys\").argv[1]).read().strip(), 5070))' $SIPPOD_SHARED/one\n"
            "sleep 0.3\ntouch $SIPPOD_SHARED/sent\n"))
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--script-caps", "net_admin", "--jobs", "2", "--keep", "all"), 0)
        self.assertFalse((self.run_folder(self.results_by_name()["one"]) / "heard").exists())

    def test_wrong(self):
        suites.write_test(self.folder / "suite", "one")
        self.me.own(self.folder)
        for wrong in ("sys_admin", "net_admin,", ""):
            run = self.sippod("suite", "--script-caps", wrong)
            self.assertExit(run, 2)
            self.assertRegex(run.err, r"--script-caps.*net_admin and net_raw")


@for_each_user
class Interrupted(GlobalCase):
    def begin(self, marker, **scripts):
        self.make_suite(**scripts)
        running = self.start("suite", "--keep", "all")
        self.wait_for(f"sippod-results/{marker}", running)
        return running

    def test_while_tests_run(self):
        running = self.begin("one/*/calling", files=suites.ENDLESS)
        running.signal(signal.SIGINT)
        run = running.wait()
        self.assertExit(run, 130)
        self.assertTrue(self.file("after").exists())
        self.assertEqual(self.result()["result"], "INTERRUPTED")
        self.overall()

    def test_during_before_sh(self):
        running = self.begin("GLOBAL/*/waiting", before=suites.WAIT)
        running.signal(signal.SIGTERM)
        run = running.wait()
        self.assertExit(run, 143)
        self.assertEqual(self.results()["tests"], [])
        self.assertIn("SIGTERM", self.overall("INTERRUPTED")["reason"])
        self.assertTrue(self.file("after").exists())

    def test_during_after_sh(self):
        running = self.begin("GLOBAL/*/waiting", after=suites.WAIT + "touch done\n")
        running.signal(signal.SIGINT)  # one is no reason to leave it undone
        (self.wait_for("sippod-results/GLOBAL/*/waiting").parent / "go").touch()
        self.assertExit(running.wait(), 130)
        self.assertTrue(self.file("done").exists())

    def test_twice(self):
        running = self.begin("GLOBAL/*/waiting", after=suites.WAIT + "touch done\n")
        running.signal(signal.SIGINT)
        running.signal(signal.SIGTERM)
        run = running.wait()
        self.assertExit(run, 130)
        self.assertFalse(self.file("done").exists())
        self.overall(clean=False)

    def test_pod_lost(self):
        running = self.begin("one/*/calling", files=suites.ENDLESS)
        agents = sorted(host.find("sippod-agent", running.pid), key=lambda process: process.pid)
        self.assertEqual(len(agents), 2)
        self.me.run("kill", "-KILL", str(agents[0].pid))  # the first one that was started
        run = running.wait()
        self.assertExit(run, 1)
        self.assertQuick(run, 5)
        self.assertEqual(run.err.count("GLOBAL: the pod has ended"), 1, run)
        test = self.result()
        self.assertEqual(test["result"], "FAIL")
        self.assertIn("GLOBAL: the pod has ended", test["reason"])
        self.overall("NOT READY", clean=False)


if __name__ == "__main__":
    harness.main()
