#!/usr/bin/env -S python3 -B
"""The file system of a pod: what can be written, where it goes, and what is not there."""
import os
import shutil
from pathlib import Path

import harness
import suites
from harness import for_each_user
from pods import PodCase

FRESH = ("/tmp", "/run", "/var/tmp", "/var/log", "/var/cache", "/dev/shm")
NAME = f"sippod-e2e-probe-{os.getpid()}"


def opens(path):
    try:
        os.close(os.open(path, os.O_WRONLY))
        return True
    except OSError:
        return False


@for_each_user
class Files(PodCase):
    def probe(self, *options, **arguments):
        facts = super().probe(*options, **arguments)
        # Nothing of what the probe could write has reached the host.
        for path in [path for word in ("create", "replace", "append") for path in facts[word]]:
            if "host" not in options and os.path.lexists(path):
                self.assertFalse(path.endswith(NAME), path)
                self.assertNotIn(b"from a pod", Path(path).read_bytes(), path)
        return facts

    def check_answers(self, answers, *expected):
        wrong = {path: answer for path, answer in answers.items() if answer not in expected}
        self.assertEqual(wrong, {}, f"expected {expected}")

    def test_throwaway(self):
        """The default, with suite, results and home elsewhere than in the folders that a pod has to itself."""
        place = self.outside()
        home = place / "home"
        home.mkdir()
        new = [f"{folder}/{NAME}" for folder in FRESH]
        changed = [f"/etc/{NAME}", f"/var/{NAME}"]
        fixed = [f"/{NAME}", f"/usr/{NAME}", f"/usr/bin/{NAME}", f"{home}/{NAME}", f"{place}/{NAME}",
                 f"{place}/suite/probe/{NAME}", f"{place}/sippod-results/{NAME}", f"/proc/{NAME}", f"/sys/{NAME}"]
        facts = self.probe(questions={"create": new + changed + fixed, "replace": ["/etc/hostname"]}, folder=place,
                           env={"HOME": str(home)})
        for folder, names in facts["listings"].items():
            self.assertEqual(names, [], f"{folder} is not empty")
        self.check_answers({path: facts["create"][path] for path in new + changed}, "ok")
        self.check_answers(facts["replace"], "ok")
        self.check_answers({path: facts["create"][path] for path in fixed if path[:6] != "/proc/"}, "EROFS")
        self.assertEqual(facts["create"][f"/proc/{NAME}"], "ENOENT")

    def test_run_folder_is_the_real_one(self):
        self.probe()
        self.assertEqual((self.place / "before.json").stat().st_uid, self.me.uid)
        self.assertIn("probe.py", os.listdir(self.place))

    def test_below_tmp_what_was_named_is_there_and_nothing_else(self):
        stranger = harness.workspace.quickstart / "call" / "uac_ua1.xml"
        mine = suites.write(self.folder / "mine", "mine")
        earlier = suites.write(self.folder / "sippod-results" / "earlier" / "file", "mine")
        suite, scenario = self.folder / "suite", self.folder / "suite" / "probe" / "uac_ua1.xml"
        facts = self.probe(questions={
            "exists": [str(path) for path in (stranger, mine, earlier, suite, scenario)],
            "create": [str(suite / NAME), str(self.folder / "sippod-results" / NAME), f"/tmp/{NAME}"],
            "append": [str(scenario)],
        })
        self.assertEqual(facts["exists"], {str(stranger): False, str(mine): False, str(earlier): False,
                                           str(suite): True, str(scenario): True})
        self.assertEqual(facts["create"][str(suite / NAME)], "EROFS")
        self.assertEqual(facts["append"][str(scenario)], "EROFS")
        self.assertEqual(facts["create"][f"/tmp/{NAME}"], "ok")
        self.assertEqual(facts["listings"]["/tmp"], [harness.workspace.base.name])
        # The way to the run folder is the pod's own: what is written beside it stays there.
        self.assertEqual(sorted(os.listdir(self.folder / "sippod-results")), ["earlier", "probe", "results.json"])

    def test_each_test_has_fresh_ones(self):
        for name in ("one", "two"):
            places = [f"{folder}/{NAME}" for folder in (*FRESH, "/etc")]
            tries = " && ".join(f"test ! -e {place} && echo x >{place}" for place in places)
            suites.write_test(self.folder / "suite", name, before=tries + "\n", after=f"test -e /tmp/{NAME}\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite"), 0)

    def test_deeper_down_in_etc_and_var(self):
        """Root may change anything there; a user only what lies directly in them."""
        deep = [f"/etc/{name}/{NAME}" for name in sorted(os.listdir("/etc")) if os.path.isdir(f"/etc/{name}")][:5]
        deep += [f"/var/lib/{NAME}"]
        facts = self.probe(questions={"create": deep, "append": ["/etc/passwd"]})
        if self.me.uid == 0:
            self.check_answers(facts["create"], "ok")
            self.check_answers(facts["append"], "ok")
        else:
            self.check_answers(facts["create"], "EACCES", "EOVERFLOW")
            self.check_answers(facts["append"], "EACCES", "EOVERFLOW")

    def test_devices(self):
        """The harmless ones, which work, and no others."""
        known = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "net", "fd", "stdin",
                 "stdout", "stderr"}
        works = ("echo x >/dev/null && head -c 9 /dev/zero >/dev/shm/x && head -c 9 /dev/urandom >/dev/null && "
                 "echo out >/dev/stdout && echo err >/dev/stderr && : </dev/ptmx && : <dev >/dev/fd/1")
        suites.write_test(self.folder / "suite", "one", before=f"ls -A /dev >dev && ls -A /dev/pts >pts && {works}\n")
        self.me.own(self.folder)
        for options in ([], ["--fs", "readonly"]):
            self.assertExit(self.sippod("suite", "--keep", "all", *options), 0)
            self.assertLessEqual(set((self.run_folder() / "dev").read_text().split()), known)
            self.assertEqual((self.run_folder() / "pts").read_text().split(), ["ptmx"], "terminals of the host")

    def test_readonly(self):
        writable = [f"{folder}/{NAME}" for folder in ("/tmp", "/run", "/var/tmp", "/dev/shm")]
        fixed = [f"/{NAME}", f"/usr/{NAME}", f"/etc/{NAME}", f"/var/{NAME}", f"/var/lib/{NAME}"]
        facts = self.probe("--fs", "readonly", questions={"create": writable + fixed, "append": ["/etc/passwd"]})
        self.check_answers({path: facts["create"][path] for path in writable}, "ok")
        self.check_answers({path: facts["create"][path] for path in fixed}, "EROFS")
        self.check_answers(facts["append"], "EROFS" if self.me.uid == 0 else "EACCES")
        self.assertEqual(facts["listings"]["/tmp"], [harness.workspace.base.name])

    def test_host(self):
        """The host's own tree, with the power of a user that is shut out of nothing but other namespaces."""
        mine, stranger = self.folder / "mine", harness.workspace.quickstart / "call" / "uac_ua1.xml"
        facts = self.probe("--fs", "host", questions={"create": [str(mine)], "exists": [str(stranger)]})
        self.assertEqual(facts["create"], {str(mine): "ok"})
        self.assertEqual(mine.read_text(), "from a pod\n")
        self.assertEqual(mine.stat().st_uid, self.me.uid)
        self.assertEqual(facts["exists"], {str(stranger): True})
        self.assertIn(harness.workspace.base.name, facts["listings"]["/tmp"])
        self.assertEqual(facts["listings"]["/run"], sorted(os.listdir("/run")))
        # All the rest is as in any pod.
        self.assertEqual(len(facts["processes"]), 2)
        self.assertEqual(int(facts["status"]["CapBnd"], 16), 0)
        self.assertEqual(facts["refused"]["mount"], "EPERM")

    def test_sipp_of_ones_own_below_tmp(self):
        """With what lies beside it."""
        folder = self.folder / "my programs"
        suites.write(folder / "helper", "#!/bin/sh\nexec sipp \"$@\"\n").chmod(0o755)
        suites.write(folder / "sipp", "#!/bin/sh\nexec \"$(dirname \"$0\")/helper\" \"$@\"\n").chmod(0o755)
        suites.write_test(self.folder / "suite", "one")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--sipp", "my programs/sipp"), 0)
        copy = self.folder / "alone" / "sipp"
        copy.parent.mkdir()
        shutil.copy(shutil.which("sipp"), copy)
        self.me.own(self.folder)
        path = f"{copy.parent}:{os.environ['PATH']}"
        self.assertExit(self.sippod("suite", "--keep", "all", env={"PATH": path}), 0)
        self.assertIn(str(copy), (self.run_folder() / "sipp.launch.log").read_text())


class KernelSettings(PodCase):
    """What root alone could do to the host from a pod, for its uid is the host's root's."""

    who = "root"
    SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic", "/proc/sys/vm/drop_caches",
                "/proc/sys/fs/file-max", "/proc/sysrq-trigger")
    DEVICES = ("/dev/kmsg", "/dev/loop0", "/dev/mem", "/sys/kernel/mm/ksm/run")

    def may_write(self, paths, *options):
        """Those that can be opened for writing in a pod. Opening alone changes nothing."""
        paths = [path for path in paths if opens(path)]
        if not paths:
            harness.skip("root may write none of these on this host either")
        answers = self.probe(*options, questions={"open": paths})["open"]
        return [path for path in paths if answers[path] == "ok"]

    def test_settings_are_out_of_reach(self):
        self.assertEqual(self.may_write(self.SETTINGS), [])

    def test_devices_are_out_of_reach(self):
        self.assertEqual(self.may_write(self.DEVICES), [])

    def test_settings_are_out_of_reach_of_a_pod_with_the_hosts_files(self):
        self.assertEqual(self.may_write(self.SETTINGS, "--fs", "host"), [])


if __name__ == "__main__":
    harness.main()
