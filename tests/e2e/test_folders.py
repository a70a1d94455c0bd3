#!/usr/bin/env -S python3 -B
"""Where suites and results may lie, and which run folders are kept."""
import os
from pathlib import Path

import harness
import suites
from harness import Case, for_each_user

@for_each_user
class Kept(Case):
    """A suite with one test that passes, one that fails, one that does not get ready, one that stays dirty."""

    def setUp(self):
        super().setUp()
        suite = self.folder / "suite"
        suites.write_test(suite, "bad", suites.FAILING)
        suites.write_test(suite, "dirty", after="exit 1\n")
        suites.write_test(suite, "good")
        suites.write_test(suite, "unready", before="exit 1\n")
        self.me.own(suite)

    def kept(self):
        """The run folders that there are; that the results name these and no others is checked."""
        found = sorted(str(path.relative_to(self.folder / "sippod-results"))
                       for path in (self.folder / "sippod-results").glob("*/*"))
        named = sorted(test["folder"] for test in self.results()["tests"] if test["folder"])
        self.assertEqual(found, named)
        for test in self.results()["tests"]:
            self.assertEqual(test["folder"] is None, test["pcap"] is None, test)
            if test["folder"]:
                self.assertTrue((self.folder / "sippod-results" / test["folder"] / test["pcap"]).is_file())
        return [folder.split("/")[0] for folder in found]

    def test_all_but_clean_passes_by_default(self):
        self.assertExit(self.sippod("suite"), 1)
        self.assertEqual(self.kept(), ["bad", "dirty", "unready"])
        self.assertExit(self.sippod("suite", "--keep", "failed"), 1)
        self.assertEqual(self.kept(), ["bad", "dirty", "unready"])

    def test_all_with_keep_all(self):
        self.assertExit(self.sippod("suite", "--keep", "all"), 1)
        self.assertEqual(self.kept(), ["bad", "dirty", "good", "unready"])

    def test_nothing_with_keep_none(self):
        self.assertExit(self.sippod("suite", "--keep", "none"), 1)
        self.assertEqual(self.kept(), [])
        self.assertEqual(os.listdir(self.folder / "sippod-results"), ["results.json"])

    def test_next_run_removes_what_this_one_kept_and_nothing_else(self):
        self.assertExit(self.sippod("suite"), 1)
        results = self.folder / "sippod-results"
        before = self.run_folder(self.results_by_name()["bad"])
        strangers = [before.parent / "mine", results / "notes.txt", results / "bad" / "qwerty" / "file"]
        for stranger in strangers:
            suites.write(stranger, "mine")
        self.me.own(results)
        self.assertExit(self.sippod("suite/good", "suite/bad"), 1)
        self.assertFalse(before.exists(), "the earlier run folder is still there")
        self.assertFalse((results / "dirty").exists(), "the earlier test's folder is still there")
        for stranger in strangers:
            self.assertEqual(stranger.read_text(), "mine")

    def test_results_that_name_folders_outside_remove_nothing(self):
        suites.write(self.folder / "abcdef" / "file", "mine")
        suites.write(self.folder / "out" / "link" / "file", "mine")
        for folder in ("../abcdef", "/abcdef", "..", ".", "", "link/abcdef", "a/b/abcdef", "./abcdef"):
            suites.write(self.folder / "sippod-results" / "results.json",
                         '{"tests": [{"folder": "%s"}, {"folder": 7}, {}, null]}' % folder)
            link = self.folder / "sippod-results" / "link"
            if not link.is_symlink():
                link.symlink_to(self.folder)  # link/abcdef leads to the file above
            self.me.own(self.folder)
            with self.subTest(folder):
                self.sippod("suite/good")
                self.assertEqual((self.folder / "abcdef" / "file").read_text(), "mine")

    def test_broken_results_file_is_replaced(self):
        for text in (b"", b"{", b"\xff\xfe", b"[]", b'{"tests": 7}'):
            suites.write(self.folder / "sippod-results" / "results.json", text)
            self.me.own(self.folder)
            self.assertExit(self.sippod("suite/good"), 0)
            self.assertEqual(self.results()["totals"]["pass"], 1)


@for_each_user
class Places(Case):
    def check(self, *arguments, results="sippod-results", cwd=None, **options):
        """A run that passes; its results, which are found where they were asked for."""
        cwd = cwd or self.folder
        self.assertExit(self.sippod(*arguments, "--results", results, cwd=cwd, **options), 0)
        return self.results(cwd / results)

    def test_relative_paths(self):
        suites.write_test(self.folder / "a" / "suite", "one")
        below = self.folder / "b" / "c"
        below.mkdir(parents=True)
        self.me.own(self.folder)
        for path in ("../../a/suite", "../../a/suite/", "../../a/./suite/one", "../../a/suite/one/"):
            results = self.check(path, cwd=below, results="../out/of/here")
            self.assertEqual(results["suite"], str(self.folder / "a" / "suite"))

    def test_from_within(self):
        """In the suite's folder, where the results' default place is below it: they are no test of the next run."""
        suites.write_test(self.folder / "suite", "one")
        self.me.own(self.folder)
        for _ in range(2):
            self.check(".", "--keep", "all", cwd=self.folder / "suite")

    def test_from_within_a_test(self):
        """The run folder is not copied into itself."""
        test = suites.write_test(self.folder / "suite", "one")
        self.me.own(self.folder)
        run = self.start_command(["sh", "-c", 'ulimit -n 200 && exec "$0" run .', self.program], cwd=test).wait()
        self.assertExit(run, 0)
        self.assertEqual(self.results(test / "sippod-results")["totals"]["pass"], 1)

    def test_default_suite(self):
        suites.write_test(self.folder / "tmp-testsuite", "one")
        self.me.own(self.folder)
        self.assertEqual(self.check()["suite"], str(self.folder / "tmp-testsuite"))

    def test_below_a_folder_that_only_its_owner_may_enter(self):
        suites.write_test(self.folder / "closed" / "suite", "one", before="cat uas_ua0.xml >/dev/null\n", after=":\n")
        self.me.own(self.folder)
        (self.folder / "closed").chmod(0o700)
        self.check("closed/suite")
        self.check("suite", cwd=self.folder / "closed")

    def test_names_with_spaces_and_beyond_ascii(self):
        names = ["a test", "Prüfung ☎ 電話", "two  spaces", "-v", "'; exit 1; '", "$(exit 1)", "x" * 200]
        for name in names:
            suites.write_test(self.folder / "a suite ☎", name, after='test "$(basename "$(dirname "$PWD")")" '
                              '= "{{test.name}}"\n' if "'" not in name and "$" not in name else ":\n")
        self.me.own(self.folder)
        results = self.check("a suite ☎", "--keep", "all", results="my results ☎")
        self.assertEqual(sorted(test["name"] for test in results["tests"]), sorted(names))
        for test in results["tests"]:
            self.assertTrue(self.run_folder(test, "my results ☎").is_dir())
            self.assertGreaterEqual(test["packets"], 2)

    def test_symlinked_scenarios(self):
        """Suites share scenarios by links; the run folder gets copies."""
        common = self.folder / "common"
        for name, text in suites.CALL.items():
            suites.write(common / name, text)
        test = self.folder / "suite" / "linked"
        test.mkdir(parents=True)
        (test / "uas_ua0.xml").symlink_to(common / "uas_ua0.xml")
        (test / "uac_ua1.xml").symlink_to("../../common/uac_ua1.xml")
        (self.folder / "suite" / "whole").symlink_to(common)
        self.me.own(self.folder)
        original = (common / "uac_ua1.xml").read_text()
        for entry in self.check("suite", "--keep", "all")["tests"]:
            scenario = self.run_folder(entry) / "uac_ua1.xml"
            self.assertFalse(scenario.is_symlink())
            self.assertIn("198.18.1.0", scenario.read_text())
        self.assertEqual((common / "uac_ua1.xml").read_text(), original)

    def test_results_where_pods_have_folders_of_their_own(self):
        """Whatever the pod's file system looks like, a script's files arrive in the run folder."""
        suites.write_test(self.folder / "suite", "one", before="echo before >here\n", after="cat here >there\n")
        self.me.own(self.folder)
        places = [self.folder / "results", Path("/var/tmp"), Path("/dev/shm")]
        for place in places:
            if place in (Path("/var/tmp"), Path("/dev/shm")):
                place = place / f"sippod-e2e-{os.getpid()}-{self.me.name}"
                place.mkdir()
                self.addCleanup(harness.remove_tree, place)
                self.me.own(place)
            with self.subTest(str(place)):
                self.check_script_files(place)

    def test_results_in_a_folder_that_pods_see_read_only(self):
        place = harness.workspace.outside_tmp(self.me)
        if not place:
            harness.skip("there is no folder to write to outside of /tmp")
        suites.write_test(place / "suite", "one", before="echo before >here\n", after="cat here >there\n")
        self.me.own(place)
        self.check_script_files(place / "results", place / "suite")
        self.check_script_files(place / "more", "one", cwd=place / "suite")

    def check_script_files(self, results, suite="suite", **options):
        self.assertExit(self.sippod(suite, "--results", results, "--keep", "all", **options), 0)
        test = self.result(results)
        self.assertEqual((results / test["folder"] / "there").read_text(), "before\n")
        self.assertGreater((results / test["folder"] / test["pcap"]).stat().st_size, 0)

    def test_results_that_others_may_not_enter(self):
        """As sudo runs it: root, in a folder of somebody else who lets nobody in. (A user: in his own.)"""
        owner = harness.identity("user")
        home = self.make_folder(owner)
        suites.write_test(home / "suite", "one", before="echo before >here\n", after="cat here >there\n")
        owner.own(home)
        home.chmod(0o700)
        self.check_script_files(home / "results", home / "suite")

    def test_suite_that_may_only_be_read(self):
        suite = self.folder / "suite"
        suites.write_test(suite, "one", before="echo >new\n")
        self.me.own(self.folder)
        for path in [*suite.rglob("*"), suite]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        self.check("suite", "--keep", "all")


if __name__ == "__main__":
    harness.main()
