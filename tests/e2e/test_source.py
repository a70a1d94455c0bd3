#!/usr/bin/env -S python3 -B
"""The sources as they are packed: the version, which stands in several files, and the tarball of `./bootstrap dist`."""
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import harness
from harness import SOURCE

VERSION = r"(\d+\.\d+\.\d+)"
# Where it stands, and as what. The libraries' own versions are those of their interfaces.
PLACES = {
    "CMakeLists.txt": rf"(?m)^project\(sippod VERSION {VERSION} ",
    "packaging/deb/changelog": rf"\Asippod \({VERSION}-",
    "packaging/rpm/sippod.spec": rf"(?m)^Version: +{VERSION}$",
    "packaging/rpm/sippod.spec, %changelog": rf"\n%changelog\n\*.* {VERSION}-\d+\n",
}


class Version(unittest.TestCase):
    def test_is_the_same_everywhere(self):
        found = {}
        for place, pattern in PLACES.items():
            match = re.search(pattern, (SOURCE / place.split(",")[0]).read_text(encoding="utf-8"))
            self.assertTrue(match, f"{place} tells no version")
            found[place] = match[1]
        self.assertEqual(len(set(found.values())), 1, found)

    def test_is_what_the_program_says(self):
        program = subprocess.run([harness.BUILD / "sippod", "--version"], capture_output=True, text=True, check=True)
        wanted = re.search(PLACES["CMakeLists.txt"], (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
        self.assertEqual(program.stdout.split()[:2], ["sippod", wanted])


class Tarball(unittest.TestCase):
    """Of small sources: bootstrap itself, and a few files around it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "clone"
        self.folder.mkdir()
        for name in ("bootstrap", "CMakeLists.txt", ".gitignore"):
            shutil.copy2(SOURCE / name, self.folder)
        for name in ("kept", "changed", "gone"):
            (self.folder / name).write_text(f"{name}\n", encoding="utf-8")
        harness.require("git")
        self.run_there("git", "init", "-q")
        self.run_there("git", "add", ".")
        self.run_there("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "all")

    def run_there(self, *words, cwd=None):
        done = subprocess.run(words, cwd=cwd or self.folder, capture_output=True, text=True, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.folder.parent)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def dist(self, folder=None):
        told = self.run_there("./bootstrap", "dist", cwd=folder)
        return (folder or self.folder) / told.split()[-1]

    def test_holds_what_is_there(self):
        """What is changed, new or deleted and not committed yet; nothing that git ignores."""
        (self.folder / "gone").unlink()
        (self.folder / "changed").write_text("anew\n", encoding="utf-8")
        (self.folder / "new").write_text("new\n", encoding="utf-8")
        (self.folder / "build").mkdir()
        (self.folder / "build" / "made").touch()
        with tarfile.open(self.dist()) as tarball:
            names = {name.split("/", 1)[1]: name for name in tarball.getnames()}
            self.assertEqual(sorted(names), [".gitignore", "CMakeLists.txt", "bootstrap", "changed", "kept", "new"])
            self.assertEqual(tarball.extractfile(names["changed"]).read(), b"anew\n")

    def test_makes_itself_again(self):
        """Without git, to the byte."""
        first = self.dist()
        self.run_there("tar", "-x", "-f", first, "-C", self.folder.parent)
        unpacked = self.folder.parent / first.name.removesuffix(".tar.gz")
        self.assertEqual(self.dist(unpacked).read_bytes(), first.read_bytes())


if __name__ == "__main__":
    harness.main()
