"""Machines for the lab: a network namespace each, and for hosts of sippod a mount namespace with an /etc of its own.

The namespaces are held by descriptors of this process and by nothing else: they have no name in any file system, and
vanish with the process however it ends. inside() runs a function in a thread that has joined a machine; what
the function starts is in there, too.

They belong to the initial user namespace, so that file capabilities count in them as on a real host.
"""
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import harness
import host
from host import call

CLONE_NEWNS, CLONE_NEWNET, CLONE_FS = 0x00020000, 0x40000000, 0x00000200
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
SETTINGS = ("forwarding", "rp_filter", "proxy_arp")


def in_thread(function):
    """What the function returns (or raises), called in a thread of its own: it may change the thread's namespaces."""
    outcome = {}

    def body():
        try:
            outcome["value"] = function()
        except BaseException as problem:  # pylint: disable=broad-except
            outcome["problem"] = problem
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "problem" in outcome:
        raise outcome["problem"]
    return outcome["value"]


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], **{"capture_output": True, "text": True, "check": False,
                                                            **options})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit code {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


class Machine:
    """A network namespace. IPv4 only, and no forwarding, whatever this machine's defaults are."""

    def __init__(self, name, **settings):
        self.name, self.mounts = name, None
        self.net = in_thread(self._make_net)
        self.set({"ip_forward": 0, "conf/all/rp_filter": 0, "conf/default/rp_filter": 0, **settings})
        self.ip("link set lo up")

    @staticmethod
    def _make_net():
        call("unshare", CLONE_NEWNET)
        for which in ("all", "default"):
            place = Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6")
            if place.exists():
                place.write_text("1")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    @property
    def path(self):
        """Its network namespace, as a path for other programs."""
        return f"/proc/{os.getpid()}/fd/{self.net}"

    def inside(self, function):
        def joined():
            call("unshare", CLONE_FS)
            if self.mounts is not None:
                call("setns", self.mounts, CLONE_NEWNS)
            call("setns", self.net, CLONE_NEWNET)
            return function()
        return in_thread(joined)

    def run(self, *words, **options):
        return self.inside(lambda: run(*words, **options))

    def ip(self, *lines):
        """Commands of ip, in one process."""
        return self.run(harness.require("ip"), "-o", "-batch", "-", input="\n".join(lines) + "\n")

    def set(self, settings):
        """Settings below /proc/sys/net/ipv4."""
        def write():
            for name, value in settings.items():
                Path("/proc/sys/net/ipv4", name).write_text(str(value))
        self.inside(write)

    def get(self, name):
        return self.inside(lambda: Path("/proc/sys/net/ipv4", name).read_text().strip())

    def socket(self, *kind):
        return self.inside(lambda: socket.socket(*kind))

    def mac(self, device):
        return re.search(r"link/ether (\S+)", self.ip(f"link show {device}"))[1]

    def flush_neighbours(self):
        self.ip("neigh flush all")

    def state(self):
        """What a run could leave behind here, as a set of lines."""
        return self.inside(read_state)

    def enter(self, who=None, folder="/"):
        """Words that run the words behind them in here, as somebody."""
        words = [harness.require("nsenter"), f"--net={self.path}"]
        if self.mounts is not None:
            words.append(f"--mount=/proc/{os.getpid()}/fd/{self.mounts}")
        if who and who.uid != 0:
            groups = ",".join(map(str, who.groups))
            words += ["setpriv", f"--reuid={who.uid}", f"--regid={who.gid}",
                      f"--groups={groups}" if groups else "--clear-groups"]
        # Last, and as that one: entering a mount namespace begins at its root.
        return words + ["env", f"--chdir={folder}"]

    def close(self):
        for descriptor in (self.net, self.mounts):
            if descriptor is not None:
                os.close(descriptor)


def read_state():
    ip = harness.require("ip")
    text = run(ip, "-o", "-4", "-batch", "-", input="link\naddr\nroute show table all\nrule\n"
                                                    "neigh show nud permanent\nneigh show proxy\n")
    text += run(harness.require("tc"), "qdisc", "show")
    text = re.sub(r"(valid_lft|preferred_lft|expires|age) \S+", "", text)
    lines = {f"ip: {line.strip()}" for line in text.splitlines()}
    for name in SETTINGS:
        lines |= {f"{file}: {file.read_text().strip()}" for file in Path("/proc/sys/net/ipv4/conf").glob(f"*/{name}")}
    return lines | {f"ip_forward: {Path('/proc/sys/net/ipv4/ip_forward').read_text().strip()}"}


def differences(before, now):
    return [f"gone: {line}" for line in sorted(before - now)] + [f"new: {line}" for line in sorted(now - before)]


def connect(one, other):
    """A veth pair: two (machine, device)."""
    one[0].ip(f"link add {one[1]} type veth peer name {other[1]} netns {other[0].path}", f"link set {one[1]} up")
    other[0].ip(f"link set {other[1]} up")


class Host(Machine):
    """A machine that sippod is installed on: `bin` holds the programs, the router with its capabilities; /etc is a copy
    that may be changed. Nothing of either is in a file system that other processes see."""

    def __init__(self, name, folder, people, **settings):
        super().__init__(name, **settings)
        self.bin = folder / "bin"
        self.people = people
        self.mounts = in_thread(lambda: self._make_mounts(folder))
        self.set_policy(None)

    def _make_mounts(self, folder):
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        etc = folder / "etc"
        for place in (self.bin, etc):
            place.mkdir(parents=True, exist_ok=True)
            run("mount", "-t", "tmpfs", "-o", "mode=755", "lab", place)
        run("cp", "-a", "/etc/.", etc)
        run("mount", "--move", etc, "/etc")
        for program in (*harness.PROGRAMS, harness.KEYLOG):
            run("install", "-m", "755", harness.BUILD / program, self.bin / program)
        run(harness.require("setcap"), "cap_net_admin,cap_net_raw=p", self.bin / "sippod-router")
        self._make_accounts()
        return os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)

    def _make_accounts(self):
        with open("/etc/passwd", "a", encoding="ascii") as file:
            file.writelines(f"lab-{who.name}:x:{who.uid}:{who.gid}::{who.home}:/bin/sh\n" for who in self.people)
        members = ",".join(f"lab-{who.name}" for who in self.people if GROUP in who.groups)
        with open("/etc/group", "a", encoding="ascii") as file:
            file.write(f"sippod:x:{GROUP}:{members}\n")

    def set_policy(self, text, mode=0o644, uid=0):
        """Writes /etc/sippod/policy.conf; None removes it."""
        def write():
            place = Path("/etc/sippod")
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
            file = place / "policy.conf"
            file.unlink(missing_ok=True)
            if text is not None:
                file.write_text(text, encoding="utf-8")
                file.chmod(mode)
                os.chown(file, uid, 0)
        self.inside(write)


GROUP = 64200


class Person(harness.Identity):
    """Somebody who has an account on the hosts of the lab."""

    def __init__(self, name, uid, groups):
        super().__init__(name, uid, uid)
        self.groups = groups

    def popen(self):
        return {"user": self.uid, "group": self.gid, "extra_groups": self.groups} if self.uid else {}

    def settle(self, base):
        self.folder = base / self.name
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.own(self.folder)
        self.folder.chmod(0o755)


class Service:
    """A program that goes on in a machine as long as the lab does. It has a process namespace of its own, and so takes all
    that it has started along, even if the test program is killed."""

    def __init__(self, machine, words, who, log):
        end_with_parent = ["setpriv", "--pdeathsig", "KILL"]
        words = [*end_with_parent, "unshare", "--pid", "--fork", *machine.enter(who, who.folder), *end_with_parent, *words]
        with open(log, "wb") as output:
            self.popen = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output)
        self.log = log
        host.own_children.add(self.popen.pid)
        host.lasting.add(self.popen.pid)

    def end(self):
        self.popen.kill()
        self.popen.wait()
        host.own_children.discard(self.popen.pid)
        host.lasting.discard(self.popen.pid)
