#!/usr/bin/env -S python3 -B
"""Which tests are run: by paths and by patterns."""
import harness
import suites
from harness import Case, for_each_user


@for_each_user
class Selection(Case):
    def setUp(self):
        super().setUp()
        for name in ("alpha", "beta", "gamma", "alphabet", "Alpha"):
            suites.write_test(self.folder / "suite", name)
        for name in (".hidden", "TEMPLATES"):
            suites.write(self.folder / "suite" / name / "readme.txt", "no test")
        suites.write(self.folder / "suite" / "file", "no test")
        self.me.own(self.folder)

    def ran(self, *arguments):
        """The names of the tests that were run, in order; each of them passed."""
        run = self.sippod(*arguments, "--no-pcap")
        self.assertExit(run, 0)
        tests = self.results()["tests"]
        self.assertEqual([test["index"] for test in tests], list(range(1, len(tests) + 1)))
        return [test["name"] for test in tests]

    def test_whole_suite_in_order_of_bytes(self):
        expected = ["Alpha", "alpha", "alphabet", "beta", "gamma"]
        self.assertEqual(self.ran("suite"), expected)
        self.assertEqual(self.ran("--testsuite", "suite"), expected)
        self.assertEqual(self.ran("--testsuite=suite"), expected)

    def test_single_tests(self):
        self.assertEqual(self.ran("suite/beta"), ["beta"])
        self.assertEqual(self.ran("suite/gamma", "suite/alpha", "suite/gamma"), ["gamma", "alpha"])

    def test_patterns(self):
        """Anchored at the start only; each option may be repeated; what is excluded stays out."""
        for arguments, expected in (
                (["--pattern-only", "alpha"], ["alpha", "alphabet"]),
                (["--pattern-only", "alpha$"], ["alpha"]),
                (["--pattern-only", "lpha"], None),
                (["--pattern-only", ".*ta$"], ["beta"]),
                (["--pattern-only", "alpha", "--pattern-only", "g"], ["alpha", "alphabet", "gamma"]),
                (["--pattern-exclude", "alpha"], ["Alpha", "beta", "gamma"]),
                (["--pattern-exclude", "a", "--pattern-exclude", "b"], ["Alpha", "gamma"]),
                (["--pattern-only", "alpha", "--pattern-exclude", "alphabet"], ["alpha"]),
                (["--pattern-exclude", "alphabet", "--pattern-only", "alpha"], ["alpha"]),
                (["--pattern-only", "(?i)alpha$"], ["Alpha", "alpha"]),
                (["--pattern-only", "^(alpha|beta)$"], ["alpha", "beta"]),
        ):
            with self.subTest(arguments):
                if expected is None:
                    self.assertExit(self.sippod("suite", *arguments), 2)
                else:
                    self.assertEqual(self.ran("suite", *arguments), expected)


if __name__ == "__main__":
    harness.main()
