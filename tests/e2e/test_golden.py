#!/usr/bin/env -S python3 -B
"""The verdicts of `sippod expect -r` on the captures in tests/golden, word by word: expect.txt there has them."""
import re
import shlex

import harness
from harness import Case, for_each_user

GOLDEN = harness.SOURCE / "tests" / "golden"


@for_each_user
class Golden(Case):
    def setUp(self):
        super().setUp()
        made = self.start_command([harness.python_for(self.me), "-", "."],
                                  stdin=(GOLDEN / "make.py").open("rb")).wait()
        self.assertExit(made, 0)

    def test_captures(self):
        """Those in the tree are those that make.py makes."""
        names = {path.name for path in GOLDEN.glob("*.pcap*")}
        self.assertEqual({path.name for path in self.folder.iterdir()}, names)
        for name in names:
            self.assertEqual((self.folder / name).read_bytes(), (GOLDEN / name).read_bytes(), name)

    def test_verdicts(self):
        (self.folder / "make.py").write_text("no capture\n")
        cases = re.split(r"^\$ ", (GOLDEN / "expect.txt").read_text(), flags=re.MULTILINE)[1:]
        self.assertGreater(len(cases), 20)
        for case in cases:
            line, expected = case.split("\n", 1)
            with self.subTest(line):
                run = self.start_command([self.program, *shlex.split(line)[1:]]).wait()
                self.assertEqual(f"{run.out}{run.err}exit code {run.code}", expected.strip())

    def test_standard_input(self):
        run = self.start_command([self.program, "expect", "-r", "-", "saw_sip(BYE)"],
                                 stdin=(GOLDEN / "call.pcap").open("rb")).wait()
        self.assertEqual((run.code, run.out), (0, "true: saw_sip(BYE): saw it in packet 37 in 6.5 s on -\n"))


if __name__ == "__main__":
    harness.main()
