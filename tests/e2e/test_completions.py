#!/usr/bin/env -S python3 -B
"""The completions of bash, zsh and fish offer what --help tells, no less and no more."""
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness
import shells

OPTION = re.compile(r"^ {2,6}(?:(-\w), )?(--[\w-]+)(?: (\S+))?(?: +(.*))?$")


def told(*words):
    return subprocess.run([harness.BUILD / "sippod", *words, "--help"], capture_output=True, text=True, check=True).stdout


def commands():
    return re.findall(r"^  ([a-z-]+) ", told().split("Commands:\n")[1].split("\n\n")[0], re.MULTILINE)


def options(command):
    """By their names: what they take, and what is said of them."""
    found, said = {}, []
    for line in told(command).splitlines():
        match = OPTION.match(line)
        if match:
            said = [match[4] or ""]
            found.update({name: (match[3], said) for name in match.groups()[:2] if name})
        elif line.startswith(" " * 20):
            said.append(line.strip())
    return {name: (takes, " ".join(said)) for name, (takes, said) in found.items()}


class Completions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

    def offered(self, line):
        """By each shell; they agree."""
        answers = {shell.__name__: sorted(set(shell(line, self.folder))) for shell in shells.SHELLS}
        self.assertEqual(answers["zsh"], answers["bash"], line)
        self.assertEqual(answers["fish"], answers["bash"], line)
        return answers["bash"]

    def test_commands(self):
        self.assertIn("run", commands())
        self.assertEqual(self.offered("sippod "), sorted(commands()))
        self.assertEqual(self.offered("sippod --"), ["--help", "--version"])

    def test_options(self):
        for command in commands():
            with self.subTest(command):
                long = [name for name in options(command) if name.startswith("--")]
                self.assertEqual([name for name in self.offered(f"sippod {command} --") if name != "--"], sorted(long))

    def test_values(self):
        """Each that is offered is one that --help names. What has a folder, or a file, is completed as that."""
        for command, option in (("run", "--fs"), ("exec", "--fs"), ("run", "--keep"), ("run", "--jobs"),
                                ("run", "--pcap-format"), ("run", "--log-level"), ("run", "--script-caps"),
                                ("run", "--sipp-transport"), ("run", "--sipp-tls-version"), ("expect", "--direction")):
            with self.subTest(option):
                takes, said = options(command)[option]
                offered = self.offered(f"sippod {command} {option} ")
                self.assertTrue(offered)
                for value in offered:
                    self.assertRegex(f"{takes} {said}", rf"(?<!\w){re.escape(value)}(?!\w)")
        self.assertEqual(self.offered("sippod run --fs=th"), ["throwaway"])
        self.assertIn("lo", self.offered("sippod expect -i "))

    def test_operands(self):
        self.assertEqual(self.offered("sippod expect saw_sip"), ["saw_sip"])
        for line in ("sippod exec tsor", "sippod exec -- tsor", "sippod expect -i lo received_packet -- tsor"):
            for shell in shells.SHELLS:
                with self.subTest(f"{shell.__name__}: {line}"):
                    self.assertIn("tsort", shell(line, self.folder))
        (self.folder / "suite").mkdir()
        (self.folder / "sundry").write_text("")
        for line in ("run", "shell", "run --results", "doctor --results", "new"):
            for shell in shells.SHELLS:
                with self.subTest(f"{shell.__name__}: {line}"):
                    offered = shell(f"sippod {line} {self.folder}/s", self.folder)
                    self.assertLessEqual({Path(name).name for name in offered}, {"suite", self.folder.parts[1]})
                    self.assertIn("suite", [Path(name).name for name in offered])


if __name__ == "__main__":
    harness.main()
