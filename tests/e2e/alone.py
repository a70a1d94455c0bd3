"""Runs a test script on a host of its own: alone.py SCRIPT

The tests compare the host before and after, so two of them cannot share one; and most of their time they wait. Root
therefore starts each in fresh namespaces, all but the user's: with its own interfaces, processes, mounts and scratch
folders, and ctest may run several at once. File systems beside the scratch folders are the machine's. Whoever
cannot make such a host runs the tests on the one there is, one after the other.
"""
import fcntl
import os
import signal
import subprocess
import sys

import host

UNSHARE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--ipc", "--uts", "--pid", "--fork",
           "--kill-child", "--mount-proc")
MS_BIND, MS_REC, MNT_DETACH = 0x1000, 0x4000, 2

# With a way out, IPv6 too, so that a pod that has the host's network or changes it is noticed.
NETWORK = """link set lo up
link add uplink type veth peer name beyond
link set beyond addrgenmode none up
link set uplink addrgenmode none up
addr add 192.0.2.2/24 dev uplink
route add default via 192.0.2.1
addr add fd00::2/64 dev uplink nodad
route add default via fd00::1
"""


def mount(source, target, kind=None, flags=0, options=None):
    host.call("mount", source.encode(), target.encode(), kind and kind.encode(), flags, options and options.encode())


def keep_in_view():
    """Descriptors of what lies in a scratch folder and is needed, by its path."""
    places = ["/etc/resolv.conf", sys.prefix, os.environ.get("SIPPOD_SOURCE"), os.environ.get("SIPPOD_BUILD")]
    paths = [os.path.realpath(place) for place in places if place and os.path.exists(place)]
    return {path: os.open(path, os.O_PATH) for path in paths if path.startswith(tuple(f"{x}/" for x in host.SCRATCH))}


def make_var():
    """An overlay as a whole: were /var/tmp a mount, no pod could make /var writable."""
    if subprocess.run(["stat", "-f", "-c", "%T", "/var"], capture_output=True, check=True).stdout == b"overlayfs\n":
        raise OSError("/var is an overlay, and pods could not make another one over two")
    mount("layers", "/tmp", "tmpfs")
    for layer in ("upper", "upper/tmp", "work"):
        os.mkdir(f"/tmp/{layer}")
    os.chmod("/tmp/upper/tmp", 0o1777)
    os.setxattr("/tmp/upper/tmp", "trusted.overlay.opaque", b"y")
    mount("var", "/var", "overlay", 0, "lowerdir=/var,upperdir=/tmp/upper,workdir=/tmp/work")
    host.call("umount2", b"/tmp", MNT_DETACH)


def make_scratch():
    kept = keep_in_view()
    make_var()
    for folder, mode in (("/tmp", 0o1777), ("/dev/shm", 0o1777), ("/run", 0o755)):
        mount("tests", folder, "tmpfs", 0, f"mode={mode:o}")
    for path, descriptor in kept.items():
        original = f"/proc/self/fd/{descriptor}"
        os.makedirs(path if os.path.isdir(original) else os.path.dirname(path), exist_ok=True)
        if not os.path.isdir(original):
            open(path, "wb").close()
        mount(original, path, None, MS_BIND | MS_REC)
        os.close(descriptor)


def inside(ready, script):
    """PID 1 of the host; 1 without a word to `ready` if there cannot be one."""
    try:
        make_scratch()
        subprocess.run(["ip", "-batch", "-"], input=NETWORK, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        print(problem, file=sys.stderr)
        return 1
    os.write(ready, b".")
    os.close(ready)
    test = subprocess.Popen([sys.executable, "-B", script])
    while True:
        pid, status = os.wait()
        if pid == test.pid:
            return os.waitstatus_to_exitcode(status)


def outside(script):
    """The exit code of the test; None if there can be no host of its own."""
    reader, writer = os.pipe()
    words = [*UNSHARE, sys.executable, "-B", __file__, "--inside", str(writer), script]
    with subprocess.Popen(words, pass_fds=[writer]) as process:
        os.close(writer)
        if os.read(reader, 1):
            return process.wait()
    print("no host of its own for this test: it waits until it is alone", file=sys.stderr, flush=True)
    return None


def one_at_a_time(script):
    # The lock is on the folder of the tests, and ends with this process.
    folder = os.open(os.path.dirname(os.path.abspath(__file__)), os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    return subprocess.run([sys.executable, "-B", script], check=False).returncode


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test gets it too, and ends
    if sys.argv[1] == "--inside":
        code = inside(int(sys.argv[2]), sys.argv[3])
    else:
        code = outside(sys.argv[1]) if os.geteuid() == 0 else None
        if code is None:
            code = one_at_a_time(sys.argv[1])
    sys.exit(code if code >= 0 else 128 - code)


main()
