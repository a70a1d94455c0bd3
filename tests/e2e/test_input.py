#!/usr/bin/env -S python3 -B
"""What is wrong with command line or suite is told before anything is started, all of it, with exit code 2."""
import harness
import suites
from harness import Case, for_each_user


@for_each_user
class Input(Case):
    def setUp(self):
        super().setUp()
        suites.write_test(self.folder / "suite", "good", before="touch \"$PWD/../../../before\"\n")
        self.me.own(self.folder)

    def assertRefused(self, run, *words):
        """Exit code 2, one or more lines that name what is wrong, and nothing else happened."""
        self.assertExit(run, 2)
        self.assertEqual(run.out, "", run)
        for line in run.err.splitlines():
            self.assertTrue(line.startswith("sippod: "), run)
        for word in words:
            self.assertIn(word, run.err)
        self.assertFalse((self.folder / "sippod-results").exists(), "a results folder was made")
        self.assertQuick(run, 5)

    def test_command_line(self):
        for arguments, word in (
                (["--nonsense", "suite"], "--nonsense"),
                (["--keep", "some", "suite"], "some"), (["--keep", "", "suite"], "--keep"),
                (["--keep", "suite"], "suite"), (["--fs", "rw", "suite"], "rw"),
                *[(["--timeout", value, "suite"], "--timeout") for value in
                  ("0", "-1", "1x", "", "nan", "inf", "1e9", "86401", "0x", " ")],
                (["suite", "--results"], "--results"),
                (["suite", "--no-pcap=1"], "--no-pcap"),
                (["-x", "suite"], "x"),
        ):
            with self.subTest(arguments):
                self.assertRefused(self.sippod(*arguments), word)

    def test_keywords(self):
        """No JSON, JSON that is no object, and names that hide the address of a UA."""
        for value, words in (("{", "no JSON: line 1"), ("", "no JSON"), ("[1]", "JSON object"), ("\"ua0\"", "JSON object"),
                             ('{"ua0": {"host": "1.2.3.4"}}', "ua0 is a UA of the test good"),
                             ('{"fine": 1, "ua1": null}', "ua1 is a UA of the test good")):
            with self.subTest(value):
                self.assertRefused(self.sippod("suite", "--keyword-replacement-values", value), words)
        for value, words in (("ua0.host=1.2.3.4", "ua0 is a UA"), ("1=2", "--set 1=2"), ("name", "--set name"),
                             ("=x", "--set =x"), ("a..b=x", "--set a..b=x")):
            with self.subTest(value):
                self.assertRefused(self.sippod("suite", "--set", value), words)

    def test_commands(self):
        for arguments in ([], ["nonsense"], ["--nonsense"], [""], ["RUN"]):
            run = self.start_command([self.program, *arguments]).wait()
            self.assertRefused(run, *arguments)
            self.assertIn("--help", run.err)

    def test_regular_expressions(self):
        run = self.sippod("suite", "--pattern-only", "a(b", "--pattern-exclude", "[z", "--pattern-only", "fine")
        self.assertRefused(run, "--pattern-only", "a(b", "--pattern-exclude", "[z")
        self.assertEqual(len(run.err.splitlines()), 2, "each one on a line of its own")

    def test_suite_that_is_none(self):
        (self.folder / "empty").mkdir()
        suites.write(self.folder / "file", "text")
        suites.write(self.folder / "hidden" / ".test" / "uac_ua1.xml", "")
        suites.write(self.folder / "reserved" / "TEMPLATES" / "uac_ua1.xml", "")
        suites.write(self.folder / "reserved" / "DUT" / "uac_ua1.xml", "")
        suites.write(self.folder / "reserved" / "GLOBAL" / "before.sh", "")
        (self.folder / "loop").symlink_to("loop")
        self.me.own(self.folder)
        for path in ("nowhere", "empty", "file", "hidden", "reserved", "suite/nowhere", "loop", "", "/dev/null"):
            with self.subTest(path):
                self.assertRefused(self.sippod(path), path)
        # The default suite is not there either.
        self.assertRefused(self.sippod(), "tmp-testsuite")

    def test_folder_that_may_not_be_read(self):
        if self.me.uid == 0:
            return  # root may
        (self.folder / "suite").chmod(0o300)
        self.assertRefused(self.sippod("suite"), "suite", "Permission denied")
        (self.folder / "suite").chmod(0o700)
        (self.folder / "suite" / "good").chmod(0)
        self.assertRefused(self.sippod("suite"), "suite/good", "Permission denied")
        (self.folder / "suite" / "good").chmod(0o700)

    def test_patterns_that_leave_nothing(self):
        self.assertRefused(self.sippod("suite", "--pattern-only", "bad"), "no test")
        self.assertRefused(self.sippod("suite", "--pattern-exclude", "g"), "no test")

    def test_all_problems_at_once(self):
        """What is wrong with a suite is found whole, not one thing a run."""
        for name, files in (
                ("nothing", ("before.sh", "uac_ua.xml", "uaX_ua1.xml")),
                ("twice", ("uac_ua1.xml", "uas_ua1.xml", "02_uas_ua1.xml", "03_uas_ua2.xml", "03_uac_ua2.xml")),
                ("folder", ("uas_ua0.xml", "uac_ua1.xml/file")),
                ("dangling", ("uas_ua0.xml",)),
                ("config", ("uas_ua0.xml", "uac_ua1.xml")),
        ):
            suites.write_test(self.folder / "suite", name, dict.fromkeys(files, ""))
        (self.folder / "suite" / "dangling" / "uac_ua1.xml").symlink_to("nowhere")
        suites.write(self.folder / "suite" / "config" / "test.conf", "timeout = 5\n\ncolour = \"red\"\n")
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertRefused(run, "suite/nothing: no scenario", "suite/config/test.conf:3: ", "colour",
                           "suite/dangling/uac_ua1.xml", "suite/folder/uac_ua1.xml")
        for expression in (r"twice: ua1 is twice in the test: uas_ua1.xml and uac_ua1.xml",
                           r"twice: ua2 is twice in part 03: 03_uas_ua2.xml and 03_uac_ua2.xml"):
            self.assertRegex(run.err, expression)
        self.assertEqual(len(run.err.splitlines()), 6, run)
        self.assertNotIn("good", run.err)
        # A pattern that leaves them out leaves nothing to complain of.
        self.assertExit(self.sippod("suite", "--pattern-only", "good"), 0)

    def refused_test_conf(self, number, text):
        suites.write_test(self.folder / f"conf{number}", "one", {**suites.CALL, "test.conf": text})
        self.me.own(self.folder)
        run = self.sippod(f"conf{number}")
        self.assertRefused(run)
        self.assertEqual(len(run.err.splitlines()), 1, run)
        return run.err

    def test_test_conf(self):
        for number, (text, words) in enumerate((
                ("timeout = 0\n", ":1: timeout 0"),
                ("# one\n/* two\nthree */\ntimeout = soon // four\n", ":4: "),
                ("transport = \"x1\"\n", ":1: transport \"x1\""),
                ("timeout = 1\ntimeout\n", ":"),
                ("unknown = 1\n", ":1: "),
                ("section {\n", ":1: "),
                ('skip = ""\n', ":1: skip: it is the reason"),
                ('tags = {"a", ""}\n', ":1: tags:"),
                ('ua "ua1" {\n sipp_args = "\'"\n}\n', ":2: sipp_args: a quote"),
                ('ua "ua7" { sipp_args = "-x" }\n', ": ua \"ua7\": the test has no such UA"),
                ('ua "ua1" { }\nua "ua1" { }\n', ":2: "),
                (b"timeout = \xff\n", ":1: "),
                (b"\x00", ": "),
        )):
            with self.subTest(text):
                self.assertIn(f"conf{number}/one/test.conf{words}", self.refused_test_conf(number, text))

    def test_tests_of_different_suites(self):
        suites.write_test(self.folder / "other", "one")
        self.me.own(self.folder)
        self.assertRefused(self.sippod("suite/good", "other/one"), "other/one")

    def test_results_that_cannot_be_written(self):
        suites.write(self.folder / "file", "text")
        for place in ("file", "file/below", "/proc/nowhere", "/dev/null"):
            with self.subTest(place):
                self.assertRefused(self.sippod("suite", "--results", place), place)
        if self.me.uid:
            for place in ("/usr/results", "/root/results", "/etc"):
                with self.subTest(place):
                    self.assertRefused(self.sippod("suite", "--results", place), place)

    def test_results_of_another_run(self):
        """The second run is refused; the first one does not notice."""
        suites.write_test(self.folder / "slow", "one", before=suites.WAIT)
        self.me.own(self.folder)
        first = self.start("slow", "--results", "shared")
        waiting = self.wait_for("shared/one/*/waiting", first)
        before = sorted(self.folder.rglob("shared/*"))
        for path in ("shared", self.folder / "shared", "suite/../shared/."):
            second = self.sippod("suite", "--results", path)
            self.assertRefused(second, "shared", "in use")
        self.assertEqual(sorted(self.folder.rglob("shared/*")), before)
        (waiting.parent / "go").touch()
        self.assertExit(first.wait(), 0)
        self.assertEqual(self.result("shared")["name"], "one")
        # And now it is free.
        self.assertExit(self.sippod("suite", "--results", "shared"), 0)


if __name__ == "__main__":
    harness.main()
