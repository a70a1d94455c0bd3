"""What every end-to-end test of sippod stands on: who runs it, where, and that the host stays as it was.

Every test class is run twice, as root and as an ordinary user (for_each_user): root hides what fails for users.
The user is a uid that nobody has; no account and no file of the host's is made for it. The programs are copied
to a folder that it can reach. Whoever runs the tests without being root gets the user's half only.

Environment: SIPPOD_BUILD   the build folder with the three programs and the library (default: build/ in the source)
             SIPPOD_SOURCE  the source
             SIPPOD_TESTS_MUST_RUN=1  a test that cannot run is a failure, not a skip
             SIPPOD_TESTS_UID  the first uid for users that nobody is (default: 64101): the limit of processes counts
                               those of a uid on all hosts (alone.py)
"""
import glob
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
from pathlib import Path

import host
from results import check_results

SOURCE = Path(os.environ.get("SIPPOD_SOURCE") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("SIPPOD_BUILD") or SOURCE / "build")
MUST_RUN = os.environ.get("SIPPOD_TESTS_MUST_RUN") == "1"
PROGRAMS = ("sippod", "sippod-router", "sippod-agent")
KEYLOG = "libsippod-keylog.so"
FIRST_UID = int(os.environ.get("SIPPOD_TESTS_UID") or 64101)
SKIPPED = 77
RUN_S = 30  # a run that takes longer hangs


def skip(reason):
    """Ends the test or class that calls it. Only that SIPp was built without TLS is never a failure."""
    if MUST_RUN and not reason.startswith("TLS SIPp"):
        raise AssertionError(f"cannot run, and has to (SIPPOD_TESTS_MUST_RUN): {reason}")
    raise unittest.SkipTest(reason)


def known_defect(what):
    """Marks a test that shows a defect: expected to fail, and a failure once it does not any more."""
    def mark(test):
        test.known_defect = what
        return unittest.expectedFailure(test)
    return mark


# ---- who ----

class Identity:
    """Somebody who runs sippod, with a home and folders of his own."""

    def __init__(self, name, uid, gid):
        self.name, self.uid, self.gid = name, uid, gid
        self.folder = self.home = None

    def popen(self):
        """The arguments that make subprocess start something as this one. A change of uid takes all capabilities."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, *command, **options):
        """A plain program as this one."""
        return subprocess.run(command, **{"capture_output": True, "text": True, "check": False,
                                          "stdin": subprocess.DEVNULL, **self.popen(), **options})

    def own(self, path):
        """Hands everything below `path` over to this one."""
        if self.uid != os.geteuid():
            for place in [path, *(os.path.join(top, name) for top, folders, files in os.walk(path)
                                  for name in folders + files)]:
                os.chown(place, self.uid, self.gid, follow_symlinks=False)


def is_mapped(number, kind):
    """Whether there is such a uid or gid here: in a container that is a user namespace there may be none but root's."""
    for line in Path(f"/proc/self/{kind}_map").read_text(encoding="ascii").splitlines():
        first, _, count = map(int, line.split())
        if first <= number < first + count:
            return True
    return False


def unallocated(start):
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(start, 65000) if uid not in taken)


def make_identities():
    if os.geteuid() != 0:
        return {"user": Identity("user", os.geteuid(), os.getegid())}
    first = unallocated(FIRST_UID)
    second = unallocated(first + 1)
    host.Snapshot.own_uids = frozenset((first, second))
    people = [Identity("root", 0, 0), Identity("user", first, first), Identity("second user", second, second)]
    return {who.name: who for who in people if is_mapped(who.uid, "uid") and is_mapped(who.gid, "gid")}


IDENTITIES = make_identities()


def identity(name):
    if name not in IDENTITIES and "root" in IDENTITIES:
        skip("root can become no other user here: there is no other uid in this user namespace")
    if name not in IDENTITIES:
        skip(f"the half of '{name}' is for tests that are started as root")
    return IDENTITIES[name]


def for_each_user(case):
    """Makes two test classes of one: …AsRoot and …AsUser."""
    module = sys.modules[case.__module__]
    for name in ("root", "user"):
        title = f"{case.__name__}As{name.capitalize()}"
        setattr(module, title, type(title, (case,), {"who": name, "__module__": case.__module__,
                                                     "__qualname__": title}))
    return None


# ---- where ----

class Workspace:
    """The one folder that a test program makes: below /tmp, and gone at the end."""

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="sippod-e2e-", dir="/tmp"))
        self.elsewhere = []  # folders outside of /tmp, made when asked for
        self.bin = self.base / "bin"
        self.quickstart = self.base / "quickstart"

    def make(self):
        self.base.chmod(0o755)
        for who in IDENTITIES.values():
            who.folder = self.base / who.name.split()[0]
            who.home = who.folder / "home"
            who.home.mkdir(parents=True)
            who.own(who.folder)
            who.folder.chmod(0o755)

    def copy(self):
        self.bin.mkdir()
        for name in (*PROGRAMS, KEYLOG):
            shutil.copy(BUILD / name, self.bin / name)
        shutil.copytree(SOURCE / "examples" / "quickstart", self.quickstart)
        for place in [self.base, self.bin, self.quickstart, *self.bin.rglob("*"), *self.quickstart.rglob("*")]:
            place.chmod(0o755 if place.is_dir() or place.parent == self.bin else 0o644)

    def outside_tmp(self, who):
        """A folder of that one which is not below a place that pods have to themselves: below / itself as root
        can make it, else at home. None if there is no such place."""
        parents = ["/opt", "/srv", "/"] if os.geteuid() == 0 else [os.path.expanduser("~"), str(BUILD), str(SOURCE)]
        for parent in parents:
            if os.path.realpath(parent).startswith(tuple(f"{place}/" for place in host.SCRATCH)):
                continue
            try:
                folder = Path(tempfile.mkdtemp(prefix="sippod-e2e-", dir=parent))
            except OSError:
                continue
            self.elsewhere.append(folder)
            folder.chmod(0o755)
            who.own(folder)
            return folder
        return None

    def remove(self):
        for folder in [self.base, *self.elsewhere]:
            remove_tree(folder)


def remove_tree(folder):
    """A run may leave folders that their owner cannot write, and deep ones."""
    subprocess.run(["chmod", "-R", "u+rwX", "--", folder], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["rm", "-rf", "--", folder], check=False)


workspace = None  # made by main()


def python_for(who):
    """A Python that this user can start (the one that runs the tests may lie in somebody's home)."""
    for candidate in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            if who.run(candidate, "-I", "-c", "").returncode == 0:
                return candidate
        except OSError:
            pass
    skip(f"there is no Python that uid {who.uid} can start")
    return None


# ---- a run ----

STATE = re.compile(r"(?P<test>.+) \((?P<index>\d+)-(?P<run_id>[a-z]{6}|-{6})\)"
                   r"(?: - took (?P<took>\d+(?:\.\d\d)?)s)?(?: \((?P<cps>\*?\d+\.\d) cps\))?(?:: (?P<reason>.+))?")


class StateLine:
    """One line that tells the state of a test: `%12s %24s (<index>-<run_id>)` and what follows."""

    def __init__(self, line):
        match = STATE.fullmatch(line[13:].lstrip())
        self.text, self.state = line, line[:12].strip()
        for name in ("test", "index", "run_id", "took", "cps", "reason"):
            setattr(self, name, match and match[name])
        # Two columns, each aligned to its right.
        self.well_formed = bool(match) and line.startswith(
            f"{self.state:>12} {self.test:>24} ({self.index}-{self.run_id})")

    def __repr__(self):
        return self.text


class Run:
    """A sippod that has ended."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def states(self):
        rule = next((i for i, line in enumerate(self.lines) if line.startswith("=")), len(self.lines))
        return [StateLine(line) for line in self.lines[:rule]]

    def __str__(self):
        def short(text):
            return "".join(line[:400] + "\n" for line in text.splitlines()[-100:])
        return (f"exit code {self.code} after {self.seconds:.2f} s\n"
                f"--- stdout\n{short(self.out)}--- stderr\n{short(self.err)}")


class Running:
    """A sippod that has been started."""

    def __init__(self, popen):
        self.popen, self.pid, self.began = popen, popen.pid, time.monotonic()
        host.own_children.add(popen.pid)

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=RUN_S):
        try:
            out, err = self.popen.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as late:
            self.popen.kill()
            out, err = self.popen.communicate()
            run = Run(None, out or "", err or "", timeout)
            raise AssertionError(f"sippod is not over after {timeout} s\n{run}") from late
        finally:
            host.own_children.discard(self.pid)
        return Run(self.popen.returncode, out or "", err or "", time.monotonic() - self.began)

    def end(self):
        if self.popen.returncode is None:
            self.popen.kill()
            self.popen.communicate()
        host.own_children.discard(self.pid)


class Case(unittest.TestCase):
    """A test: a folder of its own, `self.me` to run things as, and the host compared at its end."""

    who = "user"
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.me = identity(cls.who)
        check_host(cls.me)

    def setUp(self):
        before = host.Snapshot()
        self.addCleanup(self._check_host, before)
        self.folder = self.make_folder()

    def _check_host(self, before):
        changes = before.wait_unchanged()
        host.kill_descendants(host.lasting)
        if changes:
            self.fail("the host is not as it was:\n  " + "\n  ".join(changes))

    def make_folder(self, who=None):
        """A fresh folder of this one's."""
        who = who or self.me
        folder = Path(tempfile.mkdtemp(prefix=self._testMethodName[:40] + "-", dir=who.folder))
        who.own(folder)
        return folder

    # ---- starting sippod ----

    @property
    def program(self):
        return str(workspace.bin / "sippod")

    def environment(self, who=None, **changes):
        """That of a fresh login, as far as it matters: nothing of what this test program was started with."""
        environment = {"HOME": str((who or self.me).home), "LANG": "C.UTF-8", "TERM": "xterm",
                       "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(changes)
        return {name: value for name, value in environment.items() if value is not None}

    def start_command(self, command, who=None, env=None, **options):
        who = who or self.me
        running = Running(subprocess.Popen([str(word) for word in command], **{
            "cwd": self.folder, "env": self.environment(who, **(env or {})), "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "surrogateescape",
            **who.popen(), **options}))
        self.addCleanup(running.end)
        return running

    def run_words(self, *arguments):
        """`sippod run`, one test after the other unless it says otherwise: what is printed then has an order."""
        scheduled = any(str(word).startswith(("--jobs", "--group")) for word in arguments)
        return [self.program, "run", *(() if scheduled else ("--jobs", "1")), *arguments]

    def start(self, *arguments, **options):
        return self.start_command(self.run_words(*arguments), **options)

    def sippod(self, *arguments, timeout=RUN_S, **options):
        """`sippod run` with these arguments, to its end."""
        return self.start(*arguments, **options).wait(timeout)

    # ---- looking at what came of it ----

    def assertExit(self, run, code):
        if run.code != code:
            self.fail(f"exit code {run.code}, expected {code}\n{run}")

    def assertQuick(self, run, seconds):
        if run.seconds > seconds:
            self.fail(f"took {run.seconds:.1f} s, expected at most {seconds} s\n{run}")

    def assertStates(self, run, *expected):
        """The states that were printed, one or more lines of one test."""
        self.assertEqual([line.state for line in run.states], list(expected), str(run))

    def results(self, folder="sippod-results", inverted=False):
        """results.json of this run; that it keeps the contract is checked each time."""
        results = json.loads((self.folder / folder / "results.json").read_text(encoding="utf-8"))
        faults = check_results(results, inverted)
        if faults:
            self.fail("results.json:\n  " + "\n  ".join(faults))
        return results

    def results_by_name(self, folder="sippod-results"):
        return {test["name"]: test for test in self.results(folder)["tests"]}

    def result(self, folder="sippod-results"):
        """That of the only test."""
        tests = self.results(folder)["tests"]
        self.assertEqual(len(tests), 1)
        return tests[0]

    def run_folder(self, test=None, folder="sippod-results"):
        """The run folder of a finished test that was kept."""
        test = test or self.result(folder)
        self.assertIsNotNone(test["folder"], "the run folder was not kept")
        return self.folder / folder / test["folder"]

    def wait_for(self, pattern, running=None, deadline_s=10, folder=None):
        """Waits for a file below this test's folder (or another one), and returns it."""
        folder = folder or self.folder

        def there():
            if running and running.popen.poll() is not None:
                self.fail(f"sippod has ended before {pattern} came\n{running.wait()}")
            # Path.glob() stumbles over folders that vanish meanwhile.
            return next((Path(path) for path in sorted(glob.glob(f"{glob.escape(str(folder))}/{pattern}"))), None)
        found = host.wait_until(there, deadline_s)
        if not found:
            self.fail(f"{pattern} did not come in {deadline_s} s; there is: "
                      f"{sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))}")
        return found


# ---- what has to be there ----

def require(program):
    """A tool that the tests use, as its path."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        skip(f"{program} is not installed")
    return path


checked = {}


def check_host(who):
    """Skips, once for each user and with the reason, what this host cannot run."""
    if who.name not in checked:
        checked[who.name] = host_problem(who)
    if checked[who.name]:
        skip(checked[who.name])


def host_problem(who):
    require("ip")
    for name in (*PROGRAMS, KEYLOG):
        if not (BUILD / name).is_file():
            return f"{BUILD / name} is not built"
    if not shutil.which("sipp"):
        return "sipp is not installed"
    try:
        made = who.run("unshare", "--user", "--map-current-user", "--net", "true")
    except (OSError, subprocess.SubprocessError) as problem:
        return f"nothing can be run as uid {who.uid}: {problem}"
    if made.returncode != 0:
        return f"uid {who.uid} can make no user and network namespace: {made.stderr.strip()}"
    return None


class Result(unittest.TextTestResult):
    """Tells how long each test took, and whether any was run at all."""

    ran = False

    def addSuccess(self, test):
        super().addSuccess(test)
        self.ran = True

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        if self.showAll:
            self.stream.writeln(f"    {time.monotonic() - self.began:.2f} s")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.ran = True
        what = getattr(getattr(test, test._testMethodName), "known_defect", "")
        self.stream.writeln(f"    known defect: {what}")
        self.stream.writeln("    " + traceback.format_exception_only(err[0], err[1])[0].strip().splitlines()[0])


def tell_skips(result):
    reasons = {}
    for test, reason in result.skipped:
        reasons.setdefault(reason, []).append(test.id() if hasattr(test, "id") else str(test))
    for reason, tests in reasons.items():
        print(f"SKIPPED ({len(tests)}): {reason}\n  " + "\n  ".join(tests), file=sys.stderr)


def take_signals():
    """A shell's background job and nohup ignore signals, and their children inherit that: sippod would, too."""
    for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main():
    """Runs the tests of the file that calls it; 77 if each of them was skipped."""
    global workspace
    os.umask(0o022)
    take_signals()
    host.adopt_orphans()
    workspace = Workspace()
    try:
        workspace.make()
        if all((BUILD / name).is_file() for name in (*PROGRAMS, KEYLOG)):
            workspace.copy()
        program = unittest.main(module="__main__", exit=False, verbosity=2,
                                testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=2))
    finally:
        host.kill_descendants()
        workspace.remove()
    tell_skips(program.result)
    if not program.result.wasSuccessful():
        sys.exit(1)
    sys.exit(0 if program.result.ran else SKIPPED)
