#!/usr/bin/env -S python3 -B
"""docs/tutorial.md and docs/cookbook.md: what a reader would paste is run, in its order, and does what is said there."""
import re
import shutil
import subprocess

import harness
from harness import Case, for_each_user

# ```sh is run, unless a comment says no; ```text below it is what it prints, "..." being anything. A block below a line
# that is a name, `suite/call/dns.txt`:, is that file.
BLOCK = re.compile(r"(?P<lead>[^\n]*)\n```(?P<kind>\w*)\n(?P<text>.*?)\n```$", re.DOTALL | re.MULTILINE)
CHANGES = [(r"\((\d+)-[a-z]{6}\)", r"(\1-RUNID)"), (r"sipp-[a-z]{6}", "sipp-RUNID"), (r"took [\d.]+s", "took"),
           (r"[\d.]+ cps", "cps"), (r"in [\d.]+ s\b", "in some"), (r"\s+", " ")]


def steps(text):
    """(kind, name or lead, text) of all blocks: file, run, output."""
    for match in BLOCK.finditer(text):
        named = re.fullmatch(r"`([^`]+)`:", match["lead"].strip())
        if named:
            yield "file", named[1], match["text"]
        elif match["kind"] == "sh" and "<!-- not run" not in match["lead"]:
            yield "run", "", match["text"]
        elif match["kind"] == "text":
            yield "output", "", match["text"]


def pattern(line):
    for old, new in CHANGES:
        line = re.sub(old, new, line)
    return ".*".join(map(re.escape, re.split(r" ?\.\.\. ?", line.strip())))


def missing(told, printed):
    """The first line of the document that was not printed, in this order; None: all were."""
    lines = iter(printed.splitlines())
    for line in told.splitlines():
        if line == "...":
            continue
        wanted = re.compile(pattern(line))
        for was in lines:
            for old, new in CHANGES:
                was = re.sub(old, new, was)
            if wanted.fullmatch(was.strip()):
                break
        else:
            return line
    return None


@for_each_user
class Documents(Case):
    def setUp(self):
        super().setUp()
        for program in ("tshark", "kamailio"):
            harness.require(program)
        self.env = {"PATH": f"{harness.workspace.bin}:{self.environment()['PATH']}:/usr/sbin"}

    def shell(self, text):
        comment = re.search(r"# exits with (\d+)", text)
        run = self.start_command(["sh", "-e", "-c", text], env=self.env).wait()
        if run.code != int(comment[1] if comment else 0):
            self.fail(f"{text}\n{run}")
        return run

    def follow(self, text):
        count, printed = 0, None
        for kind, name, block in steps(text):
            if kind == "file":
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block + "\n")
                self.me.own(self.folder)
            elif kind == "run":
                printed = self.shell(block)
                count += 1
            elif missing(block, printed.out):
                self.fail(f"was not printed: {missing(block, printed.out)}\n{printed}")
        return count

    def document(self, name):
        return (harness.SOURCE / "docs" / name).read_text(encoding="utf-8")

    def test_tutorial(self):
        self.assertGreater(self.follow(self.document("tutorial.md")), 9)
        self.assertTrue((self.folder / "junit.xml").is_file())

    def test_cookbook(self):
        if self.me.run(harness.python_for(self.me), "-c", "import jinja2").returncode != 0:
            harness.skip("Jinja2 is not installed")
        shutil.copytree(harness.SOURCE / "examples", self.folder / "examples", symlinks=True)
        self.me.own(self.folder)
        self.assertGreater(self.follow(self.document("cookbook.md")), 11)


if __name__ == "__main__":
    harness.main()
