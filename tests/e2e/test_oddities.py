#!/usr/bin/env -S python3 -B
"""Suites and scripts that are out of the ordinary, or up to no good: the test says so, and the others go on."""
import signal

import harness
import host
import suites
from harness import Case, for_each_user

SMALL_DISK = 'mount -t tmpfs -o size=4M none disk || exit 99; exec "$@"'
LATIN = suites.uac(subject="Gr\u00fc\u00dfe").encode("latin-1").replace(b'encoding="UTF-8"', b'encoding="ISO-8859-1"')


class Odd(Case):
    """A suite in which `fine` passes, whatever becomes of the rest."""

    def setUp(self):
        super().setUp()
        suites.write_test(self.folder / "suite", "fine")
        self.me.own(self.folder)

    def run_with(self, *arguments, name="odd", files=None, code=1, **scripts):
        """The results of the suite with one more test, by name; `fine` has passed."""
        suites.write_test(self.folder / "suite", name, files, **scripts)
        self.me.own(self.folder)
        self.ran = self.sippod("suite", "--jobs", "2", *arguments)
        self.assertExit(self.ran, code)
        tests = self.results_by_name()
        self.assertEqual(tests["fine"]["verdict"], "pass")
        return tests


@for_each_user
class Names(Odd):
    NAMES = ("-r", "--", "a b", "  ", "it's", 'say "so"', "a;touch x;b", "$(touch x)", "`touch x`", "gr\u00fc\u00dfe \u65e5\u672c\u8a9e",
             "%s%n", "\\", "x" * 255, "~", "*", "{{test.name}}", "<&>")

    def test_any_printable_name_is_a_test(self):
        for name in self.NAMES:
            suites.write_test(self.folder / "suite", name, before='[ "$(basename "$(dirname "$PWD")")" = "$(cat name)" ]\n',
                              files={**suites.CALL, "name": name})
        self.me.own(self.folder)
        run = self.sippod("suite", "--jobs", "4", "--keep", "all", "--junit", "junit.xml", "--log-file", "all.log")
        self.assertExit(run, 0)
        self.assertEqual(set(self.results_by_name()), {"fine", *self.NAMES})
        self.assertEqual([path.name for path in self.folder.rglob("x") if path.is_file()], [])
        # One of them, as a path.
        self.assertExit(self.sippod("suite/-r", "suite/it's"), 0)
        self.assertExit(self.sippod("suite", "--pattern-only", "-"), 0)
        self.assertEqual(set(self.results_by_name()), {"-r", "--"})

    def test_control_characters_are_refused(self):
        suites.write_test(self.folder / "suite", "a\033[31mb\nc")
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertExit(run, 2)
        self.assertIn("a\\x1b[31mb\\x0ac", run.err)
        self.assertNotIn("\033", run.err)


@for_each_user
class Files(Odd):
    def test_scenario_that_is_not_utf8(self):
        """SIPp gets its bytes as they are."""
        tests = self.run_with("--keep", "all", files={"uas_ua0.xml": suites.uas(), "uac_ua1.xml": LATIN}, code=0)
        rendered = (self.run_folder(tests["odd"]) / "uac_ua1.xml").read_bytes()
        self.assertIn("Gr\u00fc\u00dfe".encode("latin-1"), rendered)
        self.assertIn(b"198.18.1.0", rendered)

    def test_dangling_link(self):
        suites.write_test(self.folder / "suite", "odd")
        (self.folder / "suite" / "odd" / "data.csv").symlink_to("nowhere.csv")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite"), 1)
        tests = self.results_by_name()
        self.assertEqual((tests["fine"]["verdict"], tests["odd"]["result"]), ("pass", "NOT READY"))
        self.assertIn("data.csv", tests["odd"]["reason"])

    def test_unreadable_file(self):
        if self.me.uid == 0:
            return  # root may read it
        place = suites.write_test(self.folder / "suite", "odd", {**suites.CALL, "secret": "x"})
        self.me.own(self.folder)
        (place / "secret").chmod(0)
        self.assertExit(self.sippod("suite"), 1)
        tests = self.results_by_name()
        self.assertEqual((tests["fine"]["verdict"], tests["odd"]["result"]), ("pass", "NOT READY"))
        self.assertIn("secret", tests["odd"]["reason"])
        self.assertIn("Permission denied", tests["odd"]["reason"])

    def test_unreadable_scenario(self):
        if self.me.uid == 0:
            return
        place = suites.write_test(self.folder / "suite", "odd")
        self.me.own(self.folder)
        (place / "uac_ua1.xml").chmod(0)
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertIn("uac_ua1.xml", self.results_by_name()["odd"]["reason"])

    def test_what_cannot_be_copied(self):
        """A FIFO would never end."""
        place = suites.write_test(self.folder / "suite", "odd")
        self.me.own(self.folder)
        self.me.run("mkfifo", place / "pipe", check=True)
        self.assertExit(self.sippod("suite"), 1)
        self.assertIn("pipe", self.results_by_name()["odd"]["reason"])

    def test_full_disk(self):
        """The reason is told, and what was prepared is undone."""
        suites.write_test(self.folder / "suite", "odd", {**suites.CALL, "big": b"x" * 8_000_000})
        (self.folder / "disk").mkdir()
        self.me.own(self.folder)
        run = self.start_command(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh",
                                  self.program, "run", "suite", "--jobs", "1", "--no-pcap", "--results", "disk"]).wait()
        if run.code == 99:
            harness.skip(f"no tmpfs can be mounted in a user namespace: {run.err.strip()}")
        self.assertExit(run, 1)
        line = next(line for line in run.states if line.state == "NOT READY")
        self.assertEqual(line.test, "odd")
        self.assertIn("No space left on device", line.reason)
        self.assertIn("big", line.reason)
        self.assertIn("SUCCESS: 1\n", run.out)


@for_each_user
class Scripts(Odd):
    def test_script_that_hangs(self):
        tests = self.run_with("--timeout", "1", before="trap '' TERM INT HUP\nsleep 600 & wait; sleep 600\n")
        self.assertEqual(tests["odd"]["result"], "NOT READY")
        self.assertRegex(tests["odd"]["reason"], "time limit of 1 s")
        self.assertQuick(self.ran, 10)
        self.assertEqual([process for process in host.descendants() if process.name == "sleep"], [])

    def test_script_that_kills_its_process_group(self):
        tests = self.run_with(before="echo killing myself >&2\nkill -KILL 0\n")
        self.assertEqual(tests["odd"]["result"], "NOT READY")
        self.assertRegex(tests["odd"]["reason"], r"before\.sh was ended by SIGKILL.*killing myself")

    def test_script_that_kills_all_it_can(self):
        """What it may signal is its own pod."""
        tests = self.run_with(before="trap '' TERM\nkill -TERM -1\nkill -KILL -1\n")
        self.assertEqual(tests["odd"]["result"], "NOT READY")

    def test_fork_of_daemons(self):
        daemon = "for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c 'sleep 600' & done\n"
        tests = self.run_with(before=daemon, after=daemon, code=0)
        self.assertTrue(tests["odd"]["clean"])
        self.assertQuick(self.ran, 10)

    def test_100_megabytes(self):
        """They are taken, and do not end up in memory or, all of them, in the log."""
        tests = self.run_with("--keep", "all", before="yes 'all work and no play' | head -c 100000000\n", code=0)
        log = self.run_folder(tests["odd"]) / "sipplauncher.log"
        self.assertLess(log.stat().st_size, 32_000_000)
        self.assertGreater(log.stat().st_size, 1_000_000)
        text = log.read_text()
        self.assertIn("left out", text)
        self.assertIn("SUCCESS", text)

    def test_script_without_end_of_line(self):
        """Nor of its output: one line of 20 MB."""
        tests = self.run_with(before="head -c 20000000 /dev/zero | tr '\\0' x", code=0)
        self.assertEqual(tests["odd"]["verdict"], "pass")

    def test_interrupted_while_it_prints(self):
        suites.write_test(self.folder / "suite", "odd", before="touch printing\nyes\n")
        self.me.own(self.folder)
        running = self.start("suite/odd")
        self.wait_for("sippod-results/odd/*/printing", running)
        running.signal(signal.SIGTERM)
        run = running.wait()
        self.assertExit(run, 128 + signal.SIGTERM)
        self.assertQuick(run, 15)


if __name__ == "__main__":
    harness.main()
