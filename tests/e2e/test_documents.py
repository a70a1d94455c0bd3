#!/usr/bin/env -S python3 -B
"""docs/tutorial.md and docs/cookbook.md: what a reader would paste is run, in its order, and does what is said there.
docs/faq.md: its errors are what sippod says. Links of all documents lead somewhere."""
import os
import re
import shutil
import unittest

import harness
import suites
from harness import SOURCE, Case, for_each_user

# ```sh is run, unless a comment says no; ```text below it is what it prints, "..." being anything. A block below a line
# that is a name, `suite/call/dns.txt`:, is that file.
BLOCK = re.compile(r"(?P<lead>[^\n]*)\n```(?P<kind>\w*)\n(?P<text>.*?)\n```$", re.DOTALL | re.MULTILINE)
CHANGES = [(r"\((\d+)-[a-z]{6}\)", r"(\1-RUNID)"), (r"sipp-[a-z]{6}", "sipp-RUNID"), (r"took [\d.]+s", "took"),
           (r"[\d.]+ cps", "cps"), (r"in [\d.]+ s\b", "in some"), (r"\s+", " ")]


def steps(text):
    """(kind, name or lead, text) of all blocks: file, run, output. What is not run has no output."""
    runs = False
    for match in BLOCK.finditer(text):
        named = re.fullmatch(r"`([^`]+)`:", match["lead"].strip())
        if named:
            yield "file", named[1], match["text"]
        elif match["kind"] == "sh":
            runs = "<!-- not run" not in match["lead"]
            if runs:
                yield "run", "", match["text"]
        elif match["kind"] == "text" and runs:
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
        return (SOURCE / "docs" / name).read_text(encoding="utf-8")

    def test_tutorial(self):
        self.assertGreater(self.follow(self.document("tutorial.md")), 9)
        self.assertTrue((self.folder / "junit.xml").is_file())

    def test_readme(self):
        self.assertEqual(self.follow((SOURCE / "README.md").read_text(encoding="utf-8")), 1)

    def test_cookbook(self):
        if self.me.run(harness.python_for(self.me), "-c", "import jinja2").returncode != 0:
            harness.skip("Jinja2 is not installed")
        shutil.copytree(SOURCE / "examples", self.folder / "examples", symlinks=True)
        self.me.own(self.folder)
        text, count = self.document("cookbook.md"), 12
        sipp = os.environ.get("SIPPOD_TEST_TLS_SIPP")
        if sipp:
            text, count = text.replace("<!-- not run: takes a SIPp with TLS -->", "").replace("~/sipp/sipp", sipp), count + 1
        self.assertGreater(self.follow(text), count)


# How each error of the FAQ comes about: files of the test, options, or a script for a host of its own, with sippod as $0.
REFUSED = "echo 'RTNETLINK answers: Operation not permitted' >&2; exit 2\n"
ERRORS = {
    "expected 183": {"uas_ua0.xml": suites.uas(answer="180 Ringing"),
                     "uac_ua1.xml": suites.uac(expects=183).replace("<send", "<nop/>\n  <send")},
    "received an unexpected BYE": {"uas_ua0.xml": suites.uas(),
                                   "uac_ua1.xml": suites.uac(method="BYE")},
    "nothing was received": {"uas_ua0.xml": suites.uas(before=suites.pause(5))},
    "not over after its time limit": {"uas_ua0.xml": suites.uas(before=suites.pause(5)), "test.conf": "timeout = 2\n",
                                      "uac_ua1.xml": suites.uac(before=suites.pause(5))},
    "expectation ": {"test.conf": 'expect "no call" {\n predicate = "not(saw_sip(OPTIONS))"\n}\n'},
    "before.sh ended with exit code 2": {"before.sh": REFUSED},
    "before.sh ended with exit code ...": {"before.sh": "echo 'Network is unreachable' >&2; exit 7\n"},
    "... 'ua7'": {"before.sh": "echo {{ua7.host}}\n"},
    "the DUT was not bound": {"../DUT/dut.sh": "sleep 60\n"},
    "the DUT ended": {"../DUT/dut.sh": "exec ./nonesuch-program\n"},
    "dns.txt": {"dns.txt": "a.example.com A 192.0.2.1\nb.example.com B x\n"},
    "ua1 has nobody": {"uas_ua0.xml": None},
    "... no scenario in it": {"../empty/notes.txt": "nothing\n"},
    "... the results folder": ["run", "suite"],
    "... no such option": {"test.conf": 'tag = "x"\n'},
    "... is no program": ["run", "suite", "--sipp", "./nonesuch"],
    "... was built without TLS": ["run", "suite", "--sipp-transport", "l1"],
    "sippod-router: lacks": ["run", "suite", "--dut", "192.0.2.9"],
    "this host does not let you make": 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" run suite',
}


class Faq(Case):
    def said(self, how):
        """All that sippod says to it."""
        files = how if isinstance(how, dict) else {}
        shutil.rmtree(self.folder / "suite", ignore_errors=True)
        suites.write_test(self.folder / "suite", "test",
                          {name: text for name, text in {**suites.CALL, **files}.items() if text is not None})
        self.me.own(self.folder)
        if isinstance(how, str):
            command = [harness.require("unshare"), "--user", "--map-root-user", "sh", "-c", how, self.program]
        else:
            words = ["run", "suite", "--sipp-recv-timeout", "300"] if isinstance(how, dict) else how
            command = [self.program, *words]
        run = self.start_command(command).wait()
        self.assertNotEqual(run.code, 0, run)
        return run.out + run.err

    def sipp_has_tls(self):
        return "TLS" in self.me.run("sipp", "-v").stdout

    def test_errors(self):
        text = (SOURCE / "docs" / "faq.md").read_text(encoding="utf-8")
        told = re.findall(r"^### `(.*)`$", text, re.MULTILINE)
        self.assertEqual(len(told), len(ERRORS))
        for sentence in told:
            key = next((key for key in ERRORS if sentence.startswith(key)), None)
            with self.subTest(sentence):
                self.assertIsNotNone(key, "nobody knows how this error comes about")
                if "without TLS" in sentence and self.sipp_has_tls():
                    continue
                if "in use" in sentence:
                    suites.write_test(self.folder / "other", "waits", before=suites.WAIT)
                    self.me.own(self.folder)
                    other = self.start("other")
                    self.wait_for("sippod-results/waits/*/waiting", other)
                said = self.said(ERRORS[key])
                self.assertIsNone(missing(f"... {sentence} ...", said), said)
                if "in use" in sentence:
                    next((self.folder / "sippod-results").glob("waits/*/waiting")).with_name("go").touch()
                    other.wait()


class Links(unittest.TestCase):
    """Of all documents; nothing is run."""

    def anchors(self, path):
        """As GitHub makes them of headings."""
        headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def test_links(self):
        for document in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md"), *SOURCE.glob("examples/**/*.md")]:
            text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if link.startswith("https://"):
                    continue
                path, _, anchor = link.partition("#")
                target = (document.parent / path).resolve() if path else document
                with self.subTest(f"{document.relative_to(SOURCE)}: {link}"):
                    self.assertTrue(target.exists())
                    if anchor:
                        self.assertIn(anchor, self.anchors(target))

    def test_manual_pages(self):
        """A page of ours that a document names is there."""
        pages = {path.name[:-len(".scd")] for path in SOURCE.glob("docs/*.scd")}
        for document in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md"), *SOURCE.glob("examples/**/*.md")]:
            named = re.findall(r"\b((?:sippod|policy|test|hyperstart)[a-z.-]*)\((\d)\)", document.read_text(encoding="utf-8"))
            self.assertEqual({f"{name}.{section}" for name, section in named} - pages, set(), document)

    def test_folders(self):
        text = (SOURCE / "docs" / "architecture.md").read_text(encoding="utf-8").split("## The folders")[1]
        told = re.findall(r"^([\w/]+/) {2,}\S", text, re.MULTILINE)
        there = {f"{path.relative_to(SOURCE)}/" for top in ("src", "sandbox", "netns") for path in
                 [SOURCE / top, *(SOURCE / top).iterdir()] if path.is_dir() and path.name != "src"}
        self.assertEqual(sorted(set(told) - {"completions/", "packaging/"}), sorted(there))


if __name__ == "__main__":
    harness.main()
