#!/usr/bin/env -S python3 -B
"""What the host lacks ends a run with exit code 3 and a word on what to do."""
import os

import harness
import suites
from harness import Case, for_each_user

# Inside of a user namespace: no more of them below it.
NO_NAMESPACES = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
SMALL_DISK = 'mount -t tmpfs -o size=1M none disk || exit 99; exec "$@"'


@for_each_user
class Host(Case):
    def setUp(self):
        super().setUp()
        suites.write_test(self.folder / "suite", "one", before="touch \"$PWD/../../../before\"\n")
        self.me.own(self.folder)

    def assertCannot(self, run, *words):
        self.assertExit(run, 3)
        self.assertEqual(run.out, "", run)
        self.assertEqual(len(run.err.splitlines()), 1, run)
        for word in words:
            self.assertIn(word, run.err)
        self.assertQuick(run, 10)
        self.assertEqual(list((self.folder / "sippod-results").glob("*")), [], "something was left in the results")

    def test_no_such_sipp(self):
        plain = suites.write(self.folder / "plain", "#!/bin/sh\n")
        plain.chmod(0o644)
        self.me.own(self.folder)
        for program in ("/nonexistent", "no/such/sipp", "./plain", "no-such-sipp", self.folder, ""):
            with self.subTest(program):
                self.assertCannot(self.sippod("suite", "--sipp", program), "--sipp")

    def test_no_sipp_in_path(self):
        for path in ("/nonexistent", "", str(self.folder)):
            with self.subTest(path):
                run = self.sippod("suite", env={"PATH": path})
                self.assertCannot(run, "sipp is not in PATH", "--sipp", "apt install")

    def test_no_user_namespaces(self):
        run = self.start_command(["unshare", "--user", "--map-root-user", "sh", "-c", NO_NAMESPACES, "sh",
                                  self.program, "run", "suite"]).wait(timeout=10)
        if "max_user_namespaces" in run.err and "sysctl" not in run.err:
            harness.skip(f"the limit of user namespaces cannot be set in one: {run.err.strip()}")
        self.assertCannot(run, "user namespace", "sysctl user.max_user_namespaces=")

    def test_programs_that_are_missing(self):
        """sippod alone is no installation."""
        for missing in ("sippod-agent", "sippod-router"):
            place = self.folder / missing
            place.mkdir()
            for name in harness.PROGRAMS:
                if name != missing:
                    os.link(harness.workspace.bin / name, place / name)
            with self.subTest(missing):
                run = self.start_command([place / "sippod", "run", "suite"]).wait()
                if run.code == 0:
                    harness.skip(f"{missing} is installed on this host")
                self.assertCannot(run, missing, "installation")

    def test_no_space_for_results(self):
        """A full disk is told, and not taken for a pass. (The disk is one in a mount namespace.)"""
        suites.write_test(self.folder / "full", "one", before="cat /dev/zero >fill 2>/dev/null\ntouch before\n")
        (self.folder / "disk").mkdir()
        self.me.own(self.folder)
        run = self.start_command(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh",
                                  self.program, "run", "full", "--keep", "all", "--results", "disk"]).wait()
        if run.code == 99:
            harness.skip(f"no tmpfs can be mounted in a user namespace: {run.err.strip()}")
        self.assertExit(run, 1)
        self.assertIn("results.json", run.err)
        self.assertIn("No space left on device", run.err)


if __name__ == "__main__":
    harness.main()
