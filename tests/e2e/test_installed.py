#!/usr/bin/env -S python3 -B
"""The libraries as they are installed: headers for C++, pkg-config, and the examples of test programs built and run with them."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
from harness import Case, for_each_user


class InstalledCase(Case):
    """In a copy of an example, as its tester has it: the library installed below it, where a pod shows it."""
    example_name = library = None

    def setUp(self):
        super().setUp()
        self.example = self.folder / self.example_name
        self.prefix = self.example / "prefix"
        shutil.copytree(harness.SOURCE / "examples" / self.example_name, self.example)
        subprocess.run([harness.require("cmake"), "--install", harness.BUILD, "--prefix", self.prefix],
                       env={**os.environ, "DESTDIR": ""}, stdout=subprocess.DEVNULL, check=True)
        self.me.own(self.folder)
        self.pkg_config = f"{harness.require('pkg-config')} --define-variable=prefix={self.prefix}"
        # The programs are those of the build: installed ones look for each other where they were meant to be.
        self.env = {"PATH": f"{harness.workspace.bin}:{self.environment()['PATH']}:/usr/sbin",
                    "PKG_CONFIG_PATH": str(next(self.prefix.rglob(f"{self.library}.pc")).parent)}

    def command(self, *words):
        return self.start_command(words, cwd=self.example, env=self.env).wait()

    def make(self):
        self.assertExit(self.command(harness.require("make"), "CFLAGS=-Werror", f"PKG_CONFIG={self.pkg_config}"), 0)

    def change(self, name, *changes):
        """Breaks what is tested, so that its tests have something to say."""
        path = self.example / name
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def check_headers(self, *names):
        """In C++, and one by one."""
        compiler = harness.require("g++")
        flags = self.command(*self.pkg_config.split(), "--cflags", self.library).out.split()
        for name in names:
            before = ("#include <csetjmp>\n#include <cstdarg>\n#include <cstddef>\n#include <cstdint>\nextern \"C\" {\n"
                      "#include <cmocka.h>\n}\n" if name.endswith("_cmocka") else "")
            (self.example / "use.cc").write_text(f"{before}#include <sippod/{name}.h>\nint main() {{ return 0; }}\n")
            run = self.command(compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags, "use.cc")
            with self.subTest(name):
                self.assertExit(run, 0)

    def python_tests(self, name):
        """The words that run them: by pytest, where there is one. And what tells that so many ran."""
        python = harness.python_for(self.me)
        pytest = self.me.run(python, "-c", "import pytest").returncode == 0
        if pytest:
            return [python, "-B", "-m", "pytest", "-p", "no:cacheprovider", f"{name}.py"], "{} passed"
        return [python, "-B", "-m", "unittest", name], "Ran {} tests"


@for_each_user
class Expect(InstalledCase):
    example_name, library = "expect", "sippod-expect"

    def in_pod(self, *words):
        return self.command("sippod", "exec", "--script-caps", "net_admin,net_raw", "--", *words)

    def test_headers(self):
        self.check_headers("expect", "expect_cmocka", "packet", "predicate", "verdict")

    def test_cmocka(self):
        harness.require("nft")
        self.make()
        run = self.in_pod("./test_rewriter")
        self.assertExit(run, 0)
        self.assertIn("3 test(s)", run.out + run.err)
        # A device that does not do its work: each test fails, with the sentence of its verdict.
        self.change("rewriter.sh", ("set 5060", "set 5061"), ("drop", "accept"))
        run = self.in_pod("./test_rewriter")
        self.assertExit(run, 3)
        for words in ("and(saw_filter(udp dst port 5060 and ip[1] = 0xb8 and ip[8] = 63): saw none among",
                      "packet_count_was(42): saw 0 of 42 in 0.5 s on wan0; expected: true",
                      "did_not_see_filter(udp dst port 9): saw it in packet 1 in", "test_rewriter.c:"):
            self.assertIn(words, run.err)

    def test_python(self):
        harness.require("nft")
        command, told = self.python_tests("test_rewriter")
        run = self.in_pod(*command)
        self.assertExit(run, 0)
        self.assertIn(told.format(3), run.out + run.err)
        self.change("rewriter.sh", ("set ef", "set af11"))
        run = self.in_pod(*command)
        self.assertExit(run, 1)
        self.assertIn("saw none among", run.out + run.err)


@for_each_user
class Mock(InstalledCase):
    example_name, library = "mock-agent", "hyperstart-mock"

    def test_headers(self):
        self.check_headers("hyperstart_mock", "hyperstart_mock_cmocka")

    def test_cmocka(self):
        self.make()
        run = self.command("./test_client")
        self.assertExit(run, 0)
        self.assertIn("4 test(s)", run.out + run.err)
        # A client that takes an ERROR for an ACK, and says something else than it should.
        self.change("client.c", ("== ACK ? 0", "!= NEXT ? 0"))
        self.change("client.h", ("NEWCONTAINER = 17", "NEWCONTAINER = 18"))
        self.make()
        run = self.command("./test_client")
        self.assertExit(run, 3)
        self.assertIn("command 2: expected newcontainer, got killcontainer", run.err)
        self.assertIn("[  FAILED  ] tells_what_the_agent_says", run.out + run.err)

    def test_python(self):
        command, told = self.python_tests("test_client")
        run = self.command(*command)
        self.assertExit(run, 0)
        self.assertIn(told.format(4), run.out + run.err)
        self.change("client.py", ("if answer == ERROR", "if answer == 99"), ('"args": words', '"args": words[:1]'))
        run = self.command(*command)
        self.assertExit(run, 1)
        for name in ("test_runs_a_process", "test_tells_what_the_agent_says"):
            self.assertIn(name, run.out + run.err)


class Folders(unittest.TestCase):
    """Where things go, as packages say it: GNUInstallDirs and DESTDIR."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_each_can_be_chosen(self):
        chosen = ("BINDIR", "LIBDIR", "LIBEXECDIR", "INCLUDEDIR", "DATADIR", "MANDIR", "DOCDIR")
        subprocess.run([harness.require("cmake"), "-S", harness.SOURCE, "-B", self.folder, "-DBUILD_TESTING=OFF",
                        *(f"-DCMAKE_INSTALL_{name}=chosen/{name}" for name in chosen)],
                       stdout=subprocess.DEVNULL, check=True)
        places = [place for script in self.folder.rglob("cmake_install.cmake")
                  for place in re.findall(r'DESTINATION "([^"]*)"', script.read_text(encoding="utf-8"))]
        used = {re.sub(r"^\$\{CMAKE_INSTALL_PREFIX\}/chosen/([A-Z]+)(/.*)?$", r"\1", place) for place in places}
        self.assertEqual(used | {"MANDIR"}, set(chosen))  # without scdoc there are no manual pages

    def test_destdir(self):
        subprocess.run([harness.require("cmake"), "--install", harness.BUILD, "--prefix", "/usr"],
                       env={**os.environ, "DESTDIR": str(self.folder)}, stdout=subprocess.DEVNULL, check=True)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["usr"])
        for program in ("bin/sippod", "libexec/sippod/sippod-router", "libexec/sippod/sippod-agent"):
            self.assertTrue((self.folder / "usr" / program).is_file(), program)


if __name__ == "__main__":
    harness.main()
