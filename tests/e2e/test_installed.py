#!/usr/bin/env -S python3 -B
"""libsippod-expect as it is installed: headers for C++, pkg-config, and examples/expect built and run with them."""
import os
import shutil
import subprocess

import harness
from harness import Case, for_each_user


@for_each_user
class Installed(Case):
    def setUp(self):
        super().setUp()
        self.example = self.folder / "expect"
        self.prefix = self.example / "prefix"  # a pod shows the folder in which it is started
        shutil.copytree(harness.SOURCE / "examples" / "expect", self.example)
        subprocess.run([harness.require("cmake"), "--install", harness.BUILD, "--prefix", self.prefix],
                       env={**os.environ, "DESTDIR": ""}, stdout=subprocess.DEVNULL, check=True)
        self.me.own(self.folder)
        self.pkg_config = f"{harness.require('pkg-config')} --define-variable=prefix={self.prefix}"
        # The programs are those of the build: installed ones look for each other where they were meant to be.
        self.env = {"PATH": f"{harness.workspace.bin}:{self.environment()['PATH']}:/usr/sbin",
                    "PKG_CONFIG_PATH": str(next(self.prefix.rglob("sippod-expect.pc")).parent)}

    def command(self, *words):
        return self.start_command(words, cwd=self.example, env=self.env).wait()

    def in_pod(self, *words):
        return self.command("sippod", "exec", "--script-caps", "net_admin,net_raw", "--", *words)

    def test_headers(self):
        """In C++, and one by one."""
        compiler = harness.require("g++")
        flags = self.command(*self.pkg_config.split(), "--cflags", "sippod-expect").out.split()
        for name in ("expect", "expect_cmocka", "packet", "predicate", "verdict"):
            before = ("#include <csetjmp>\n#include <cstdarg>\n#include <cstddef>\n#include <cstdint>\nextern \"C\" {\n"
                      "#include <cmocka.h>\n}\n" if name == "expect_cmocka" else "")
            (self.example / "use.cc").write_text(f"{before}#include <sippod/{name}.h>\nint main() {{ return 0; }}\n")
            run = self.command(compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags, "use.cc")
            with self.subTest(name):
                self.assertExit(run, 0)

    def test_cmocka(self):
        harness.require("nft")
        self.assertExit(self.command(harness.require("make"), "CFLAGS=-Werror", f"PKG_CONFIG={self.pkg_config}"), 0)
        run = self.in_pod("./test_rewriter")
        self.assertExit(run, 0)
        self.assertIn("3 test(s)", run.out + run.err)
        # A device that does not do its work: each test fails, with the sentence of its verdict.
        script = self.example / "rewriter.sh"
        script.write_text(script.read_text().replace("set 5060", "set 5061").replace("drop", "accept"))
        run = self.in_pod("./test_rewriter")
        self.assertExit(run, 3)
        for words in ("and(saw_filter(udp dst port 5060 and ip[1] = 0xb8 and ip[8] = 63): saw none among",
                      "packet_count_was(42): saw 0 of 42 in 0.5 s on wan0; expected: true",
                      "did_not_see_filter(udp dst port 9): saw it in packet 1 in", "test_rewriter.c:"):
            self.assertIn(words, run.err)

    def test_python(self):
        harness.require("nft")
        python = harness.python_for(self.me)
        pytest = self.me.run(python, "-c", "import pytest").returncode == 0
        command = [python, "-B", "-m", *(["pytest", "-p", "no:cacheprovider", "test_rewriter.py"] if pytest
                                         else ["unittest", "test_rewriter"])]
        run = self.in_pod(*command)
        self.assertExit(run, 0)
        self.assertIn("3 passed" if pytest else "Ran 3 tests", run.out + run.err)
        script = self.example / "rewriter.sh"
        script.write_text(script.read_text().replace("set ef", "set af11"))
        run = self.in_pod(*command)
        self.assertExit(run, 1)
        self.assertIn("saw none among", run.out + run.err)


if __name__ == "__main__":
    harness.main()
