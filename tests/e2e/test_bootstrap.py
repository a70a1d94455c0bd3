#!/usr/bin/env -S python3 -B
"""./bootstrap deps on a system of dnf's, which is played: programs that write down how they are called."""
import re
import shutil

import harness
import suites
from harness import SOURCE, Case, for_each_user

RECORD = '#!/bin/sh\necho "${0##*/} $*" >>"${0%/*}/calls"\n'
# rpm knows what stands in the file `installed`, and dnf can fail.
PLAYED = {
    "rpm": 'while [ $# -gt 1 ]; do shift; done\n[ "$1" = rpm ] || exec grep -qx "$1" "${0%/*}/installed"\n',
    "dnf": '[ ! -e "${0%/*}/fails" ] || { echo "No match for argument: x"; exit 1; }\n',
    "sudo": '[ "$1" = -n ] || exec "$@"\n',
}


class FedoraCase(Case):
    def setUp(self):
        super().setUp()
        shutil.copy(SOURCE / "bootstrap", self.folder)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name in ("cat", "dirname", "env", "grep", "id", "readlink", "sh"):
            (self.bin / name).symlink_to(harness.require(name))
        for name, script in PLAYED.items():
            record = "" if name == "rpm" else RECORD
            suites.write(self.bin / name, f"#!/bin/sh\n{record}{script}").chmod(0o755)
        (self.bin / "installed").touch()
        self.me.own(self.folder)

    def bootstrap(self, *words):
        return self.start_command(["./bootstrap", *words], env={"PATH": str(self.bin)}).wait()

    def packages(self, kind):
        """Fedora's, as bootstrap has them: needed to build, or beside that."""
        text = (SOURCE / "bootstrap").read_text(encoding="utf-8")
        return re.search(rf"^fedora_{kind}_packages='([^']*)'", text, re.MULTILINE)[1].split()

    def install(self, packages):
        (self.bin / "installed").write_text("".join(f"{package}\n" for package in packages))

    def calls(self):
        calls = self.bin / "calls"
        return [line for line in calls.read_text().splitlines() if not line.startswith("sudo -n")] if calls.exists() else []

    def installs(self, packages):
        return [f"dnf -q -y --setopt=install_weak_deps=False install {' '.join(packages)}"]


@for_each_user
class Fedora(FedoraCase):
    def test_what_is_missing(self):
        needed = self.packages("build")
        self.install(name for name in needed if name not in ("libnl3-devel", "sipp"))
        run = self.bootstrap("deps")
        self.assertExit(run, 0)
        self.assertEqual(self.calls()[-1:], self.installs(["libnl3-devel", "sipp"]))
        self.assertEqual(self.calls()[:-1], [] if self.who == "root" else [f"sudo {self.calls()[-1]}"])

    def test_what_a_step_takes(self):
        for step in ("test", "rpm"):
            self.assertExit(self.bootstrap("deps", step), 0)
            self.assertEqual(self.calls()[-1:], self.installs(self.packages("build") + self.packages(step)))

    def test_nothing_is_missing(self):
        self.install(self.packages("build"))
        run = self.bootstrap("deps")
        self.assertExit(run, 0)
        self.assertIn("every package is installed", run.out)
        self.assertEqual(self.calls(), [])

    def test_what_goes_wrong(self):
        (self.bin / "fails").touch()
        run = self.bootstrap("deps")
        self.assertExit(run, 1)
        self.assertIn("No match for argument: x\nbootstrap: dnf install failed", run.err)
        for step, reason in ("deb", "Debian packages are built on Debian"), ("clone-test", "makes itself a Debian"):
            run = self.bootstrap("deps", step)
            self.assertExit(run, 3)
            self.assertIn(reason, run.err)

    def test_neither(self):
        (self.bin / "dnf").unlink()
        run = self.bootstrap("deps", "test")
        self.assertExit(run, 3)
        self.assertRegex(run.err, r"neither apt nor dnf.* libnl-3.*and for the tests Kamailio")


class NotRoot(FedoraCase):
    def test_without_sudo(self):
        (self.bin / "sudo").unlink()
        run = self.bootstrap("deps")
        self.assertExit(run, 3)
        self.assertIn("as root: dnf --setopt=install_weak_deps=False install gcc ", run.err)
        self.assertEqual(self.calls(), [])


del FedoraCase

if __name__ == "__main__":
    harness.main()
