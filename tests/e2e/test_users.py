#!/usr/bin/env -S python3 -B
"""Several runs at once, of one user and of several: none notices the others."""
import json
import os

import harness
import suites
from pods import PodCase

ROUNDS = 3


class Together(PodCase):
    def run_together(self, people):
        """The quickstart, once for each of them, started together: [(who, folder, run)]."""
        started = []
        for who in people:
            folder = self.make_folder(who)
            running = self.start(harness.workspace.quickstart, "--keep", "all", "--jobs", "auto", who=who, cwd=folder)
            started.append((who, folder, running))
        return [(who, folder, running.wait()) for who, folder, running in started]

    def check_all_passed(self, runs):
        ids = []
        for who, folder, run in runs:
            self.assertExit(run, 0)
            self.assertEqual(run.err, "")
            results = self.results(folder / "sippod-results")
            self.assertEqual(results["totals"]["pass"], 8)
            self.assertEqual(results["host"]["uid"], who.uid)
            self.assertEqual(sorted((line.test, line.run_id) for line in run.states if line.state == "SUCCESS"),
                             sorted((test["name"], test["run_id"]) for test in results["tests"]))
            for test in results["tests"]:
                run_folder = self.run_folder(test, folder / "sippod-results")
                self.assertEqual({path.stat().st_uid for path in [run_folder, *run_folder.iterdir()]}, {who.uid})
                ids.append(test["run_id"])
            # No more folders than these.
            self.assertEqual(len(list((folder / "sippod-results").glob("*/*"))), 8)
        self.assertEqual(len(set(ids)), len(ids))

    def test_different_users(self):
        people = [harness.identity(name) for name in ("root", "user", "second user")]
        for _ in range(ROUNDS):
            self.check_all_passed(self.run_together(people))

    def test_one_user_several_times(self):
        for _ in range(ROUNDS):
            self.check_all_passed(self.run_together([harness.identity("user")] * 3))

    def test_pods_that_live_at_the_same_time(self):
        """Two users' pods with the same addresses: neither sees the other's network, processes or files."""
        people = [harness.identity(name) for name in ("user", "second user")] if os.geteuid() == 0 else [self.me] * 2
        started = []
        for who in people:
            folder = self.make_folder(who)
            self.me = who
            suites.write_test(folder / "suite", "probe", {**suites.CALL, "probe.py": self.probe_text()},
                              before=f"{self.probe_command('facts.json')} || exit 1\n{suites.WAIT}")
            who.own(folder)
            started.append((folder, self.start("suite", "--keep", "all", who=who, cwd=folder)))
        ready = []
        for folder, running in started:
            ready.append(self.wait_for("sippod-results/probe/*/waiting", running, folder=folder).parent)
        facts = [json.loads((place / "facts.json").read_text()) for place in ready]
        for place in ready:
            (place / "go").touch()
        for _, running in started:
            self.assertExit(running.wait(), 0)
        one, other = facts
        for name in ("net", "user", "mnt", "pid", "ipc", "uts"):
            self.assertNotEqual(one["namespaces"][name], other["namespaces"][name], name)
        for pod in facts:
            self.assertEqual(sum("probe.py" in words for words in pod["processes"].values()), 1, pod["processes"])
            self.assertEqual(sum("198.18.1.0/32" in line for line in pod["addresses"]), 1)

    def probe_text(self):
        return harness.SOURCE.joinpath("tests", "e2e", "probe.py").read_text(encoding="utf-8")


if __name__ == "__main__":
    harness.main()
