#!/usr/bin/env -S python3 -B
"""The manual pages: that they are there, installed and well formed, and say what --help and the headers say."""
import json
import os
import re
import subprocess

import harness
import suites
from harness import SOURCE, Case, require

DOCS = SOURCE / "docs"
# Pages that others have.
OTHERS = {"sipp(1)", "free(3)", "capabilities(7)", "pcap-filter(7)", "user_namespaces(7)", "ip(8)", "setcap(8)"}
# What is another spelling, or an option of a program in an example.
SPELLINGS = {"sippod-run": {"default-behaviors"}}


def sources():
    """The pages, by their names, as in sippod(1)."""
    pages = {}
    for path in DOCS.glob("*.scd"):
        name, section = path.name[:-len(".scd")].rsplit(".", 1)
        pages[f"{name}({section})"] = path.read_text(encoding="utf-8")
    return pages


def chapter(page, title):
    return page.split(f"\n# {title}\n")[1].split("\n# ")[0]


def bold_options(text):
    """*--pattern-only* RE; in the pages \\_ is what _ is in a name."""
    return set(re.findall(r"\*--([a-z_-]+)\*", text.replace("\\", "")))


class Manual(Case):
    def help(self, *command):
        run = self.start_command([self.program, *command, "--help"]).wait()
        self.assertExit(run, 0)
        return run.out

    def commands(self):
        named = re.findall(r"^  ([a-z-]+) +\S", self.help().split("Commands:")[1], re.MULTILINE)
        self.assertGreater(len(named), 8)
        return named

    def options_of_help(self, command):
        return set(re.findall(r"^ +(?:-\w, )?--([a-z_-]+)", self.help(command), re.MULTILINE))

    # ---- pages and --help ----

    def test_each_command_has_a_page(self):
        pages = sources()
        wanted = {f"sippod-{command}(1)" for command in self.commands()}
        self.assertEqual({page for page in pages if page.endswith("(1)")}, wanted | {"sippod(1)"})
        told = re.findall(r"^\*(sippod-[a-z-]+)\*\(1\)$", chapter(pages["sippod(1)"], "COMMANDS"), re.MULTILINE)
        self.assertEqual({f"{name}(1)" for name in told}, wanted)

    def test_options_are_those_of_help(self):
        pages = sources()
        run = self.options_of_help("run")
        self.assertGreater(len(run), 40)
        for command in self.commands():
            page = chapter(pages[f"sippod-{command}(1)"], "OPTIONS")
            with self.subTest(command):
                helped = self.options_of_help(command) | set(
                    {"cleanup": ["help"], "new": ["help"]}.get(command, []))  # they have no list of options
                told = bold_options(page) - SPELLINGS.get(f"sippod-{command}", set())
                if command == "shell":  # those of run, but for those that it names first
                    told = run - bold_options(page.strip().split("\n\n")[0])
                self.assertEqual(told, helped)
        self.assertEqual(bold_options(chapter(pages["sippod(1)"], "OPTIONS")), {"help", "version"})

    def test_options_elsewhere_are_known(self):
        """A page that speaks of another command's option speaks of one that there is."""
        known = set().union(*map(self.options_of_help, self.commands()), {"list"}, *SPELLINGS.values())
        for name, page in sources().items():
            with self.subTest(name):
                self.assertEqual(bold_options(page) - known, set())

    def test_references(self):
        pages = sources()
        for name, page in pages.items():
            told = {f"{to}({section})" for to, section in re.findall(r"\*([a-z_.-]+)\*\((\d)\)", page)}
            with self.subTest(name):
                self.assertEqual(told - OTHERS - set(pages), set())
                self.assertNotIn(name, told)
        unreferenced = {name for name in pages if not any(
            "*{}*({})".format(*name[:-1].split("(")) in page for page in pages.values())}
        self.assertEqual(unreferenced - {"sippod(1)"}, set())

    # ---- as they are read ----

    def made(self):
        """All pages as they are installed."""
        prefix = self.folder / "prefix"
        subprocess.run([require("cmake"), "--install", harness.BUILD, "--prefix", prefix],
                       env={**os.environ, "DESTDIR": ""}, stdout=subprocess.DEVNULL, check=True)
        return {f"{path.stem}({path.suffix[1:]})": path for path in (prefix / "share" / "man").glob("man*/*")}

    def test_installed_and_well_formed(self):
        require("scdoc")
        man, lexgrog = require("man"), require("lexgrog")
        made = self.made()
        self.assertEqual(set(made), set(sources()))
        for name, path in made.items():
            with self.subTest(name):
                self.assertEqual(path.parent.name, f"man{path.suffix[1:]}")
                read = subprocess.run([man, "--warnings", "-E", "UTF-8", "-l", path], capture_output=True, text=True,
                                      env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}, check=False)
                self.assertEqual((read.returncode, read.stderr), (0, ""))
                self.assertIsNone(re.search("\\S*\N{HYPHEN}\n", read.stdout), "names are not hyphenated")
                # What scdoc takes for markup of its own where it was meant to be read.
                self.assertNotRegex(read.stdout, r"\\[_*]|(?<![\w*])\*\w[^*\n ]*\*(?!\w)")
                found = subprocess.run([lexgrog, path], capture_output=True, text=True, check=False)
                self.assertEqual(found.returncode, 0, "no NAME that whatis finds")
                self.assertIn(f'"{name[:-3]} - ', found.stdout)

    # ---- libraries ----

    def test_functions_are_those_of_the_headers(self):
        for page, prefix, headers in (("sippod-expect(3)", "sippod", ("expect", "expect_cmocka", "predicate", "verdict")),
                                      ("hyperstart-mock(3)", "hyperstart_mock",
                                       ("hyperstart_mock", "hyperstart_mock_cmocka"))):
            text = sources()[page]
            code = "\n".join((SOURCE / "include" / "sippod" / f"{name}.h").read_text() for name in headers)
            code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
            made = set(re.findall(rf"^[^\s#/].*?\b({prefix}_\w+)\(", code, re.MULTILINE))
            made |= set(re.findall(rf"^#define ({prefix}_assert_\w+)\(", code, re.MULTILINE))
            made = {name for name in made if not name.endswith("_at")}
            self.assertGreater(len(made), 20)
            with self.subTest(page):
                told = set(re.findall(rf"\*({prefix}_\w+)\*\(", text))
                self.assertEqual(told, made)
                code = " ".join(code.split())
                prototypes = re.findall(rf"^[a-z][\w ]*?\**{prefix}_\w+\([^;]*;", chapter(text, "SYNOPSIS"), re.MULTILINE)
                self.assertGreater(len(prototypes), 20)
                self.assertEqual([told for told in prototypes if " ".join(told.split()).replace("( ", "(") not in code], [])

    def test_examples_compile(self):
        compiler = require("cc")
        for page in ("sippod-expect(3)", "hyperstart-mock(3)"):
            code = re.search(r"```\n(.*)```", chapter(sources()[page], "EXAMPLES"), re.DOTALL)[1].replace("\\\\", "\\")
            (self.folder / "example.c").write_text(code)
            with self.subTest(page):
                self.assertExit(self.start_command([compiler, "-std=c17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                                                    "-I", SOURCE / "include", "example.c"]).wait(), 0)

    # ---- files ----

    def example(self, page):
        return re.search(r"```\n(.*)```", chapter(sources()[page], "EXAMPLE"), re.DOTALL)[1]

    def test_settings(self):
        """The examples of sippod.conf(5) and test.conf(5) are taken."""
        scenarios = {"uas_ua0.xml": suites.uas(method="INVITE"), "uac_ua1.xml": suites.uac(method="INVITE")}
        test = suites.write_test(self.folder / "suite", "call", scenarios)
        settings = self.example("sippod.conf(5)").replace("/srv/ci/results", str(self.folder / "sippod-results"))
        suites.write(self.folder / "suite" / "sippod.conf", settings)
        suites.write(test / "test.conf", self.example("test.conf(5)"))
        self.me.own(self.folder)
        run = self.start_command([self.program, "run", "suite"]).wait()
        self.assertExit(run, 0)
        result = self.result()
        self.assertEqual([expectation["name"] for expectation in result["expectations"]], ["one INVITE to bob"])
        self.assertEqual(result["expectations"][0]["verdict"], "pass", json.dumps(result))
        keys = {key.replace("_", "-") for key in re.findall(r"^(\w+) =", settings, re.MULTILINE)}
        self.assertLessEqual(keys, self.options_of_help("run"))


if __name__ == "__main__":
    harness.main()
