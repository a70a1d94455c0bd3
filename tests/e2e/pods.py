"""Tests that ask what a pod is like: probe.py answers from within."""
import json
import shlex
import shutil
from pathlib import Path

import harness
import suites

PROBE = harness.SOURCE / "tests" / "e2e" / "probe.py"


class PodCase(harness.Case):
    def probe(self, *options, questions=None, files=None, env=None, after=None, folder=None):
        """What before.sh of a test finds, which passes. `folder`: of suite and results."""
        folder = folder or self.folder
        scripts = {"before": f"exec {self.probe_command('before.json', questions)}\n"}
        if after:
            scripts["after"] = after
        shutil.copy(PROBE, suites.write_test(folder / "suite", "probe", files, **scripts))
        self.me.own(folder)
        self.assertExit(self.sippod("suite", "--keep", "all", *options, env=env, cwd=folder), 0)
        self.test = self.result(folder / "sippod-results")
        self.place = self.run_folder(self.test, folder / "sippod-results")
        return json.loads((self.place / "before.json").read_text(encoding="utf-8"))

    def probe_command(self, output, questions=None):
        return shlex.join([harness.python_for(self.me), "-I", "probe.py", output, json.dumps(questions or {})])

    def outside(self):
        """A folder of this user's that is not below /tmp."""
        place = harness.workspace.outside_tmp(self.me)
        if not place:
            harness.skip("there is no folder to write to outside of /tmp")
        return Path(place)
