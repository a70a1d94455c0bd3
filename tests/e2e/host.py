"""What of the host could be changed by a run, and whether it was.

A snapshot is taken before each test and compared after it. What ends by itself a moment later (a namespace, the
sniffer closing its handles) is waited for, with a deadline.

Processes are told apart by descent: the test process is made the reaper of its orphans (PR_SET_CHILD_SUBREAPER),
so whatever sippod started, and whatever that started, is below it for as long as it lives. Other runs of sippod
that go on meanwhile on the same host therefore do not matter, nor what a program calls itself. A namespace lives
through its processes, through mounts and through descriptors, so it is theirs if it is new and one of them is in
it, or if it is pinned by a mount, which the list of mounts would show.
"""
import ctypes
import os
import re
import signal
import subprocess
import time
from pathlib import Path

DEADLINE_S = 5.0
PERIOD_S = 0.01
SCRATCH = ("/tmp", "/var/tmp", "/run", "/dev/shm")

PR_SET_CHILD_SUBREAPER = 36


def wait_until(condition, deadline_s=DEADLINE_S, period_s=PERIOD_S):
    """Polls until the condition holds and returns what it said; its last (false) answer after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(period_s)


libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """A function of the C library that returns 0, or sets errno."""
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def adopt_orphans():
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


# ---- processes ----

class Process:
    """One process as /proc shows it. Its start time makes the pid unique."""

    def __init__(self, pid):
        stat = Path(f"/proc/{pid}/stat").read_bytes().decode(errors="replace")
        fields = stat[stat.rindex(")") + 2:].split()
        self.pid = pid
        self.comm = stat[stat.index("(") + 1:stat.rindex(")")]
        self.state, self.parent, self.start = fields[0], int(fields[1]), int(fields[19])

    @property
    def arguments(self):
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            return []

    @property
    def name(self):
        """What it calls itself, if it is one of sippod's; else what it was started as."""
        if self.comm.startswith("sippod-"):
            return self.comm
        arguments = self.arguments
        return arguments[0].rsplit("/", 1)[-1] if arguments else self.comm

    def namespaces(self):
        found = set()
        for kind in ("net", "user", "mnt", "pid", "uts", "ipc"):
            try:
                found.add(os.readlink(f"/proc/{self.pid}/ns/{kind}"))
            except OSError:
                pass  # gone, or not for this user to see
        return found

    def __repr__(self):
        return f"{self.pid} {self.state} {' '.join(self.arguments) or self.comm}"


def processes():
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = Process(int(name))
            except (OSError, ValueError):
                pass  # it has just ended
    return found


def descendants(of=None):
    """Everything below the process `of` (this one), zombies left out."""
    everything = processes()
    below, fresh = {}, {of or os.getpid()}
    while fresh:
        fresh = {pid for pid, process in everything.items() if process.parent in fresh and pid not in below}
        below.update((pid, everything[pid]) for pid in fresh)
    return [process for process in below.values() if process.state not in "ZX"]


def find(name, of=None):
    """The descendants that were started under this name."""
    return [process for process in descendants(of) if process.name == name]


def find_sipp(scenario, of):
    """The SIPp that plays this scenario. What it has forked to run a command looks like it until it is gone."""
    def only():
        found = [process for process in find("sipp", of) if scenario in process.arguments]
        return found[0] if len(found) == 1 else None
    return wait_until(only)


own_children = set()  # pids that a Popen object will wait for
lasting = set()  # pids that stay from one test to the next, with what is below them


def reap_orphans():
    """Waits for the adopted ones that have ended."""
    for process in processes().values():
        if process.parent == os.getpid() and process.state == "Z" and process.pid not in own_children:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                pass


# ---- the rest of the host ----

def network():
    """Interfaces, addresses, routes and rules, without counters and lifetimes."""
    environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    text = ""
    for family, commands in (("-4", "link\naddr\nroute show table all\nrule\n"),
                             ("-6", "addr\nroute show table all\nrule\n")):
        text += subprocess.run(["ip", "-o", family, "-batch", "-"], input=commands, env=environment,
                               capture_output=True, text=True, check=True).stdout
    text = re.sub(r"(valid_lft|preferred_lft|expires|age) \S+", "", text)
    return set(text.splitlines())


def forwarding():
    files = [Path("/proc/sys/net/ipv4/ip_forward")]
    for family in ("ipv4", "ipv6"):
        files += Path(f"/proc/sys/net/{family}/conf").glob("*/*forwarding")
    found = set()
    for file in files:
        try:
            found.add(f"{file} {file.read_text().strip()}")
        except OSError:
            pass
    return found


def mounts():
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def scratch_files():
    return {f"{folder}/{name}" for folder in SCRATCH if os.path.isdir(folder) for name in os.listdir(folder)}


class Snapshot:
    """The host as it is now."""

    # Uids that only these tests use: whatever they own in the scratch folders is of these tests. What belongs to
    # root there may be anybody's, and is told by its name.
    own_uids = frozenset()

    def __init__(self):
        self.network = network()
        self.forwarding = forwarding()
        self.mounts = mounts()
        self.files = scratch_files()
        self.processes = {(process.pid, process.start) for process in descendants()}
        self.namespaces = set().union(*(process.namespaces() for process in processes().values()))

    def _is_ours(self, path):
        if re.fullmatch(r"/tmp/sippod-(e2e|unit|fuzz)-.*", path):  # what tests work in: these, or others meanwhile
            return False
        try:
            return os.lstat(path).st_uid in self.own_uids or "sipp" in os.path.basename(path)
        except OSError:
            return False

    def remaining(self):
        """New processes and namespaces of theirs: what may take a moment to vanish."""
        reap_orphans()
        left = [process for process in descendants() if (process.pid, process.start) not in self.processes]
        namespaces = set().union(*(process.namespaces() for process in left)) - self.namespaces
        return [f"process {process}" for process in left] + [f"namespace {name}" for name in sorted(namespaces)]

    def changes(self):
        """What is different from now on, as a list of sentences."""
        found = self.remaining()
        for what, before, now in (("network", self.network, network()),
                                  ("forwarding", self.forwarding, forwarding()),
                                  ("mount", self.mounts, mounts())):
            found += [f"{what}: new: {line}" for line in sorted(now - before)]
            found += [f"{what}: gone: {line}" for line in sorted(before - now)]
        found += [f"file left behind: {path}" for path in sorted(scratch_files() - self.files) if self._is_ours(path)]
        return found

    def wait_unchanged(self, deadline_s=DEADLINE_S):
        """[] once the host is as it was; else, after the deadline, what is different."""
        changes = []

        def unchanged():
            changes[:] = self.remaining() or self.changes()
            return not changes
        wait_until(unchanged, deadline_s)
        return changes


def kill_descendants(spare=()):
    """The broom, for the end and for what a failed test has left."""
    def all_gone():
        spared = set(spare).union(*({process.pid for process in descendants(pid)} for pid in spare))
        left = [process for process in descendants() if process.pid not in spared]
        for process in left:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except OSError:
                pass
        reap_orphans()
        return not left
    return wait_until(all_gone)
