#!/usr/bin/env -S python3 -B
"""What a pod is like for what runs in it: a script, and a SIPp. Asked by probe.py, from within."""
import json
import os
import resource
import shutil
import socket
import subprocess
from pathlib import Path

import harness
import suites
from harness import for_each_user
from pods import PROBE, PodCase

@for_each_user
class Inside(PodCase):
    def test_from_within(self):
        """One probe, several subjects: each is checked on its own."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1000), hard))  # which sippod raises, for itself
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        facts = self.probe(files={**suites.CALL, "02_uac_ua7.xml": suites.uac(), "02_uas_ua0.xml": suites.uas()},
                           questions={"connect": [["192.0.2.1", 5060], ["198.18.1.200", 5060], ["198.19.255.1", 9]]})
        for check in (self.check_namespaces, self.check_network, self.check_power, self.check_processes,
                      self.check_unreachable, self.check_folder_and_limits):
            with self.subTest(check.__name__):
                check(facts)

    def check_namespaces(self, facts):
        for name in ("net", "user", "mnt", "pid", "ipc", "uts"):
            self.assertNotEqual(facts["namespaces"][name], os.readlink(f"/proc/self/ns/{name}"), name)
        self.assertEqual(facts["hostname"], f"sipp-{self.test['run_id']}")

    def check_network(self, facts):
        dummy = f"sipp-{self.test['run_id']}"
        # A veth end shows its other one behind an @.
        links = {line.split(": ")[1].split("@")[0]: line for line in facts["links"]}
        self.assertEqual(set(links), {"lo", "eth0", dummy})
        for name, line in links.items():
            self.assertRegex(line, r"<.*\bUP\b", name)
        addresses = {}
        for line in facts["addresses"]:
            words = line.split()
            addresses.setdefault(words[1], []).append(words[3])
        self.assertEqual(addresses, {"lo": ["127.0.0.1/8", "::1/128"],
                                     dummy: [f"198.18.1.{number}/32" for number in (0, 1, 7)]})
        self.assertEqual((facts["routes"], facts["routes6"]), ([], []), "there is a way out")

    def check_processes(self, facts):
        """The agent and the probe, which took the shell's place."""
        self.assertEqual(len(facts["processes"]), 2, facts["processes"])
        self.assertEqual(Path(facts["processes"]["1"][0]).name, "sippod-agent")
        self.assertTrue(any("probe.py" in words for words in facts["processes"].values()))

    def check_unreachable(self, facts):
        """At once: a test must not wait for a timeout to learn that it is alone."""
        for what, (answer, seconds) in facts["connect"].items():
            self.assertEqual(answer, "ENETUNREACH", what)
            self.assertLess(seconds, 0.5, what)

    def check_folder_and_limits(self, facts):
        self.assertEqual(Path(facts["folder"]), self.run_folder(self.test))
        self.assertEqual(facts["limits"], list(resource.getrlimit(resource.RLIMIT_NOFILE)))

    def check_power(self, facts):
        self.assertEqual(facts["ids"], [[self.me.uid] * 3, [self.me.gid] * 3])
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(facts["status"][name], 16), 0, name)
        self.assertEqual((facts["status"]["NoNewPrivs"], facts["status"]["Seccomp"]), ("1", "2"))
        # To an ordinary user root does not even exist there (EINVAL). Init can be sent a signal, but does not listen.
        self.assertEqual({name: answer for name, answer in facts["refused"].items() if answer not in ("EPERM", None)},
                         {"kill init": "ok", "clone3": "ENOSYS", **({"setuid": "EINVAL"} if self.me.uid else {})})

    def test_streams_and_descriptors(self):
        """Nothing is inherited but three streams, whatever sippod itself was started with."""
        reader, writer = os.pipe()
        with open("/etc/passwd", encoding="utf-8") as file, socket.socket() as other:
            for number in (writer, file.fileno(), other.fileno()):
                os.set_inheritable(number, True)
            folder = suites.write_test(self.folder / "suite", "probe",
                                       before=f"exec {self.probe_command('before.json')}\n")
            shutil.copy(PROBE, folder)
            self.me.own(self.folder)
            self.assertExit(self.sippod("suite", "--keep", "all", close_fds=False, env={}), 0)
        os.close(reader)
        os.close(writer)
        facts = json.loads((self.run_folder() / "before.json").read_text())
        self.assertEqual(facts["descriptors"]["0"], "/dev/null")
        self.assertTrue(facts["stdin"])
        self.assertEqual([number for number in facts["descriptors"] if int(number) > 2], [], facts["descriptors"])
        self.assertTrue(facts["session"])
        self.assertNotEqual(facts["terminal"], "ok")

    def test_environment(self):
        caller = {
            "LD_PRELOAD": "", "LD_LIBRARY_PATH": "/nowhere", "LD_BIND_NOW": "1", "LD_AUDIT": "",
            "SSLKEYLOGFILE": str(self.folder / "keys"),
            "PLAIN": "value", "EMPTY": "", "WITH_EQUALS": "a=b=c", "TWO_LINES": "one\ntwo\tthree\n",
            "BEYOND_ASCII": "Prüfung ☎", "ESCAPE": "\033[31mred", "QUOTES": "'\"\\$(exit 1)`", "LONG": "x" * 100000,
            "SSLKEYLOGFILES": "another one", "LDAP": "another one", "CONTROL": "bell\a",
        }
        facts = self.probe(env=caller)
        expected = self.environment(**{name: value for name, value in caller.items()
                                       if not name.startswith("LD_") and name != "SSLKEYLOGFILE"})
        got = facts["environment"]
        self.assertRegex(got.pop("SIPPOD_SHARED"), "^/.*/sippod-results/SHARED/[a-z]{6}$")
        for name in ("PWD", "OLDPWD", "_", "SHLVL", "LC_CTYPE"):  # the shell's and Python's own
            got.pop(name, None)
            expected.pop(name, None)
        self.assertEqual(got, expected)

    def test_services_of_the_host_are_out_of_reach(self):
        path = f"@sippod-e2e-{os.getpid()}"
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(path.replace("@", "\0"))
            abstract.listen()
            port = server.getsockname()[1]
            facts = self.probe(questions={"connect": [["127.0.0.1", port]], "unix": [path]})
            self.assertEqual(facts["connect"][f"127.0.0.1:{port}"][0], "ECONNREFUSED")
            self.assertEqual(facts["unix"][path][0], "ECONNREFUSED")
            for listener in (server, abstract):
                listener.setblocking(False)
                self.assertRaises(BlockingIOError, listener.accept)

    def test_ports_of_services(self):
        """Nobody else's are in there: scripts may serve DNS and HTTP."""
        suites.write_test(self.folder / "suite", "one", before=(
            f"{harness.python_for(self.me)} -c 'import socket\nsocket.create_server((\"{{{{ua1.host}}}}\", 80))\n"
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind((\"\", 53))'\n"))
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite"), 0)

    def test_sipp_has_no_more_than_a_script(self):
        """A stand-in for SIPp asks the same questions, and then is SIPp."""
        folder = suites.write_test(self.folder / "suite", "probe")
        shutil.copy(PROBE, folder)
        program = suites.write(self.folder / "my bin" / "sipp", "#!/bin/sh\n"
                               f"[ -e $2.json ] || {harness.python_for(self.me)} -I probe.py $2.json || exit 1\n"
                               'exec sipp "$@"\n')
        program.chmod(0o755)
        self.me.own(self.folder)
        environment = {"LD_LIBRARY_PATH": "/nowhere"}
        self.assertExit(self.sippod("suite", "--keep", "all", "--sipp", program, env=environment), 0)
        for address in ("198.18.1.0", "198.18.1.1"):
            facts = json.loads((self.run_folder() / f"{address}.json").read_text())
            self.check_power(facts)
            self.assertEqual([number for number in facts["descriptors"] if int(number) > 2], [])
            self.assertTrue(facts["stdin"])
            self.assertNotIn("LD_LIBRARY_PATH", facts["environment"])
            self.assertEqual(Path(facts["folder"]), self.run_folder())

    def test_sipp_with_file_capabilities(self):
        """As Fedora's has them, to play captures; a pod has others, or none."""
        if os.geteuid() != 0:
            harness.skip("only root gives a file capabilities")
        program = self.folder / "sipp"
        shutil.copy(harness.require("sipp"), program)
        subprocess.run([harness.require("setcap"), "cap_net_raw=ep", program], check=True)
        tests = [harness.workspace.quickstart / name for name in ("call", "rtp")]
        self.assertExit(self.sippod(*tests, "--sipp", program), 0)
        self.assertExit(self.sippod(*tests, "--sipp", program, "--fs", "host"), 0)

    def test_after_sh_sees_the_same_pod(self):
        after = f"{self.probe_command('after.json')}\n"
        before = self.probe(after=after)
        after = json.loads((self.run_folder(self.test) / "after.json").read_text())
        self.assertEqual(after["namespaces"], before["namespaces"])
        self.assertEqual(after["addresses"], before["addresses"])
        self.check_power(after)


if __name__ == "__main__":
    harness.main()
