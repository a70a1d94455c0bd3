"""Tests that run a suite of one test and look at what came of it."""
import re

import harness
import suites


class LifeCase(harness.Case):
    def one(self, *options, files=None, name="one", **scripts):
        """A suite of one test, run once."""
        suites.write_test(self.folder / "suite", name, files, **scripts)
        self.me.own(self.folder)
        return self.sippod("suite", *options)

    def assertLast(self, run, state, expression):
        """The last line but CLEANING tells the state, how long it took, and a reason."""
        line = [line for line in run.states if line.state != "CLEANING"][-1]
        self.assertTrue(line.well_formed, line)
        self.assertEqual(line.state, state, run)
        self.assertIsNotNone(line.took, line)
        self.assertRegex(line.reason or "", expression)
        return line

    def log(self, test=None, name="sipplauncher.log"):
        """Lines of a log: (level, text), without the time stamp."""
        found = []
        for line in (self.run_folder(test) / name).read_text().splitlines():
            match = re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) (.*)", line)
            self.assertIsNotNone(match, line)
            found.append((match[1], match[2]))
        return found

    def stamps(self, name, expression):
        """[(time, group)] of the lines of a log that match."""
        matches = [(line[:23], re.search(expression, line)) for line in
                   (self.run_folder() / name).read_text().splitlines()]
        return [(stamp, match[1]) for stamp, match in matches if match]
