"""Runs inside a pod (as a script's or SIPp's stand-in) and tells, as JSON, what it is like there.

Usage: probe.py OUTPUT [QUESTIONS], with QUESTIONS a JSON object:
  connect: [[host, port]…]  how a connection goes, and how long it takes
  unix: [path…]             the same, with @ for an abstract one
  create: [path…]           whether a new file can be made
  replace: [path…]          an old one by a new one
  append: [path…]           a line to an old one
  open: [path…]             whether it can be opened for writing (nothing is written)
  exists: [path…]
"""
import ctypes
import errno
import json
import os
import resource
import socket
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
PTRACE_TRACEME, TIOCSTI = 0, 0x5412


def attempt(action):
    """"ok", or the name of the error."""
    try:
        action()
        return "ok"
    except OSError as problem:
        return errno.errorcode.get(problem.errno, str(problem.errno))


def call(function, *arguments):
    ctypes.set_errno(0)
    result = function(*arguments)
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def status():
    fields = {}
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def connect(address, family=socket.AF_INET):
    """How it went, and how long that took."""
    began = time.monotonic()
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(3)
        answer = attempt(lambda: connection.connect(address))
    return [answer, time.monotonic() - began]


def create(path):
    with open(path, "x", encoding="ascii") as file:
        file.write("from a pod\n")


def replace(path):
    create(f"{path}.new")
    os.rename(f"{path}.new", path)


def append(path):
    with open(path, "a", encoding="ascii") as file:
        file.write("from a pod\n")


def setns():
    with open("/proc/self/ns/net", encoding="ascii") as namespace:
        return call(libc.setns, namespace.fileno(), 0)


def clone():
    """With a namespace flag, by the raw system call of this machine; None where its number is unknown."""
    number = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)
    parent = os.getpid()
    answer = number and call(libc.syscall, number, CLONE_NEWUSER | 17, 0, 0, 0, 0)
    if os.getpid() != parent:
        os._exit(0)
    return answer


def clone3():
    """Glibc's clone() and programs fall back when it is not there; else it would be a way round the filter."""
    return call(libc.syscall, 435, None, 0)


def listing(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError as problem:
        return errno.errorcode[problem.errno]


def output_of(*command):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ, PATH=path))
    return done.stdout


def processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                found[pid] = file.read().split("\0")[:-1]
        except OSError:
            pass
    return found


def descriptors():
    """Those that were inherited: what this program has opened by itself is not among them."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            pass  # of the listing itself
    return found


def main():
    inherited = descriptors()
    questions = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    facts = {
        "descriptors": inherited,
        "stdin": os.stat(0).st_rdev == os.stat("/dev/null").st_rdev,
        "ids": [os.getresuid(), os.getresgid()],
        "status": status(),
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in listing("/proc/self/ns")},
        "hostname": os.uname().nodename,
        "folder": os.getcwd(),
        "environment": {os.fsdecode(name): os.fsdecode(value) for name, value in os.environb.items()},
        "limits": list(resource.getrlimit(resource.RLIMIT_NOFILE)),
        "session": os.getsid(0) == os.getpgid(0),
        "terminal": attempt(lambda: os.close(os.open("/dev/tty", os.O_RDWR))),
        "processes": processes(),
        "links": output_of("ip", "-o", "link").splitlines(),
        "addresses": output_of("ip", "-o", "addr").splitlines(),
        "routes": output_of("ip", "route", "show", "table", "main").splitlines(),
        "routes6": output_of("ip", "-6", "route", "show", "table", "main").splitlines(),
        "listings": {folder: listing(folder) for folder in
                     ("/tmp", "/run", "/var/tmp", "/var/log", "/var/cache", "/dev/shm")},
        "refused": {
            "unshare": call(libc.unshare, CLONE_NEWNET),
            "unshare user": call(libc.unshare, CLONE_NEWUSER),
            "setns": setns(),
            "clone": clone(),
            "clone3": clone3(),
            "mount": call(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
            "umount": call(libc.umount2, b"/tmp", 2),
            "ptrace": call(libc.ptrace, PTRACE_TRACEME, 0, 0, 0),
            "sethostname": call(libc.sethostname, b"x", 1),
            "setuid": call(libc.setresuid, 0, 0, 0) if os.getuid() else "EPERM",
            "raw socket": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()),
            "packet socket": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()),
            "kill init": attempt(lambda: os.kill(1, 9)),
        },
        "connect": {f"{host}:{port}": connect((host, port)) for host, port in questions.get("connect", [])},
        "unix": {path: connect(path.replace("@", "\0"), socket.AF_UNIX) for path in questions.get("unix", [])},
        **{word: {path: attempt(lambda path=path, action=action: action(path)) for path in questions.get(word, [])}
           for word, action in (("create", create), ("replace", replace), ("append", append),
                                ("open", lambda path: os.close(os.open(path, os.O_WRONLY))))},
        "exists": {path: os.path.exists(path) for path in questions.get("exists", [])},
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)


main()
