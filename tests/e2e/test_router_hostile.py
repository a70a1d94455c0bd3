#!/usr/bin/env -S python3 -B
"""sippod-router with its file capabilities, started by a user who is not sippod: what surrounds it has no influence on
it, and what the policy says holds whatever he sends."""
import errno
import os
import signal
import socket
import struct
import string
import subprocess

import harness
import host
import lab_case
from lab import DUT, policy
from lab_case import LabCase

setUpModule = lab_case.set_up_lab

HELLO, POD_ADD, POD_REMOVE, ADDRESS_ADD, POD_UP, OPEN, ALLOW, ADDRESS_REMOVE = range(1, 9)
REPLY = struct.Struct("=IIIII6s2x24s16s4608s")


def network(text):
    address, _, prefix = text.partition("/")
    return struct.pack("=II4s12x", 4, int(prefix or 32), socket.inet_aton(address))


class Router:
    """One, and its client."""

    def __init__(self, who, words=(), prepare=None, **options):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)

        def before():
            os.dup2(theirs.fileno(), 3)
            if prepare:
                prepare()
        program = str(lab_case.lab.host.bin / "sippod-router")
        command = [*lab_case.lab.host.enter(who), *words, program]
        self.popen = subprocess.Popen(command, preexec_fn=before, pass_fds=(3, *options.pop("fds", ())),
                                      **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                                         "stderr": subprocess.PIPE, **options})
        host.own_children.add(self.popen.pid)
        theirs.close()
        self.text = ""

    def ask(self, kind, body=b"", fd=None):
        """The errno value of the answer; its words are in self.text."""
        message = struct.pack("=II", kind, 7) + body
        socket.send_fds(self.socket, [message], [fd] if fd is not None else [])
        return self.hear()

    def hear(self):
        _, _, status, number, _, _, _, _, text = REPLY.unpack(self.socket.recv(REPLY.size))
        self.text = text.rstrip(b"\0").decode()
        return number or -status

    def hello(self):
        return self.ask(HELLO, struct.pack("=I", 4))

    def open(self, dut=DUT, prefix=24):
        return self.ask(OPEN, network(f"{dut}/{prefix}"))

    def allow(self, text):
        return self.ask(ALLOW, network(text))

    def about(self, kind, run_id, fd=None):
        return self.ask(kind, run_id.encode().ljust(8, b"\0"), fd)

    def address(self, kind, run_id, address):
        return self.ask(kind, run_id.encode().ljust(8, b"\0") + network(address) + bytes(4))

    def end(self):
        """The exit code, and what it said on standard error."""
        self.socket.close()
        _, err = self.popen.communicate(timeout=10)
        host.own_children.discard(self.popen.pid)
        return self.popen.returncode, (err or b"").decode()


class RouterCase(LabCase):
    def setUp(self):
        super().setUp()
        self.served = 0

    def router(self, who=None, **options):
        router = Router(who or self.me, **options)
        self.addCleanup(router.end)
        return router

    def opened(self, who=None, **options):
        router = self.router(who, **options)
        self.assertEqual(router.hello(), 0, router.text)
        self.assertEqual(router.open(), 0, router.text)
        return router

    def pod(self, who=None):
        """The network namespace of a pod, which lives as long as the test."""
        who = who or self.me
        popen = subprocess.Popen(["unshare", "--user", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, **who.popen())
        host.own_children.add(popen.pid)
        popen.stdout.read(1)
        fd = os.open(f"/proc/{popen.pid}/ns/net", os.O_RDONLY)

        def end():
            os.close(fd)
            popen.communicate(timeout=10)
            host.own_children.discard(popen.pid)
        self.addCleanup(end)
        return fd

    def links(self):
        return lab_case.lab.host.ip("link").count(": sipp-")

    def assertServes(self, router):
        """As if nothing was odd about how it was started."""
        self.assertEqual(router.hello(), 0, router.text)
        self.assertEqual(router.open(), 0, router.text)
        run_id = "abcde" + string.ascii_lowercase[self.served]  # links of pods that live on keep their names
        self.served += 1
        self.assertEqual(router.about(POD_ADD, run_id, self.pod()), 0, router.text)
        self.assertEqual(router.address(ADDRESS_ADD, run_id, "10.22.22.77"), 0, router.text)
        self.assertEqual(router.address(ADDRESS_ADD, run_id, "10.22.22.4"), errno.EADDRINUSE)
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "198")
        self.assertEqual(router.end()[0], 0)
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "0")

    def assertRefuses(self, router, words):
        for ask in (router.hello, router.hear):  # it may have ended before it is asked
            try:
                ask()
                break
            except OSError:
                pass
            except struct.error:  # without a word to us
                break
        text = router.text
        code, err = router.end()
        self.assertNotEqual(code, 0)
        self.assertRegex(text + err, words)
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "0")


class Limits(RouterCase):
    def test_pods_of_all_runs(self):
        self.set_policy(policy(max_pods_per_user=2))
        one, two, bob = self.opened(), self.opened(), self.opened(lab_case.lab.people["bob"])
        third = self.pod()
        self.assertEqual(one.about(POD_ADD, "aaaaaa", self.pod()), 0)
        self.assertEqual(two.about(POD_ADD, "bbbbbb", self.pod()), 0)
        for router in (one, two):
            self.assertEqual(router.about(POD_ADD, "cccccc", third), errno.EDQUOT)
            self.assertRegex(router.text, "you have 2 pods.*max_pods_per_user = 2")
        self.assertEqual(bob.about(POD_ADD, "cccccc", self.pod(lab_case.lab.people["bob"])), 0)
        self.assertEqual(one.about(POD_REMOVE, "aaaaaa"), 0)  # its namespace is kept, and so the link
        self.assertEqual(one.about(POD_ADD, "dddddd", third), 0, one.text)
        self.assertEqual(self.links(), 3)

    def test_addresses_of_all_runs(self):
        self.set_policy(policy(max_addresses_per_user=2))
        one, two = self.opened(), self.opened()
        self.assertEqual(one.about(POD_ADD, "aaaaaa", self.pod()), 0)
        self.assertEqual(two.about(POD_ADD, "bbbbbb", self.pod()), 0)
        self.assertEqual(one.address(ADDRESS_ADD, "aaaaaa", "10.22.22.70"), 0)
        self.assertEqual(two.address(ADDRESS_ADD, "bbbbbb", "10.22.22.4"), errno.EADDRINUSE)  # does not count
        self.assertEqual(two.address(ADDRESS_ADD, "bbbbbb", "10.22.22.71"), 0, two.text)
        self.assertEqual(two.address(ADDRESS_ADD, "bbbbbb", "10.22.22.72"), errno.EDQUOT)
        self.assertRegex(two.text, "you have 2 addresses.*max_addresses_per_user = 2")
        self.assertEqual(one.address(ADDRESS_REMOVE, "aaaaaa", "10.22.22.70"), 0)
        self.assertEqual(two.address(ADDRESS_ADD, "bbbbbb", "10.22.22.72"), 0, two.text)

    def test_at_the_same_moment(self):
        self.set_policy(policy(max_pods_per_user=3))
        routers = [self.opened() for _ in range(8)]
        for number, router in enumerate(routers):
            run_id = "abcde" + "fghijklm"[number]
            socket.send_fds(router.socket, [struct.pack("=II8s", POD_ADD, 7, run_id.encode())], [self.pod()])
        done = [router.hear() for router in routers]
        self.assertLessEqual(done.count(0), 3)
        self.assertEqual(done.count(0) + done.count(errno.EDQUOT), 8)
        self.assertEqual(self.links(), done.count(0))


class Policy(RouterCase):
    def test_pods_of_others(self):
        router = self.opened()
        self.assertNotEqual(router.about(POD_ADD, "aaaaaa", self.pod(lab_case.lab.people["bob"])), 0)
        self.assertRegex(router.text, "64124")
        self.assertNotEqual(router.about(POD_ADD, "aaaaaa", lab_case.lab.dut.net), 0)
        self.assertNotEqual(router.about(POD_ADD, "aaaaaa", lab_case.lab.host.net), 0)
        self.assertEqual(self.links(), 0)

    def test_parts_of_a_network(self):
        """All of a network that is allowed leads over uplinks, not only its first host."""
        self.set_policy(policy(networks='{"10.0.0.0/8"}', uplinks='{"lan0"}'))
        router = self.opened()
        self.assertNotEqual(router.allow("10.0.0.0/8"), 0)
        self.assertRegex(router.text, "br0 is none of the uplinks")
        self.assertEqual(router.allow("10.44.0.0/16"), 0, router.text)

    def test_address_of_the_host(self):
        """What is beside an address on lo may be anywhere."""
        lab_case.lab.host.ip("addr add 10.22.22.200/32 dev lo")
        self.addCleanup(lab_case.lab.host.ip, "addr del 10.22.22.200/32 dev lo")
        self.set_policy(policy(uplinks='{"lan0"}'))
        router = self.router()
        router.hello()
        self.assertNotEqual(router.open("10.22.22.200"), 0)
        self.assertRegex(router.text, "lo is none of the uplinks")

    def test_flag_of_root(self):
        """That a run of root's makes the device forward does not allow others to use that."""
        self.set_policy(policy(allow_forwarding="false"))
        root = self.opened(lab_case.lab.people["root"])
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "198")
        router = self.router()
        router.hello()
        self.assertNotEqual(router.open(), 0)
        self.assertRegex(router.text, "allow_forwarding")
        self.assertEqual(root.end()[0], 0)


class Influences(RouterCase):
    def test_environment(self):
        self.assertServes(self.router(words=[
            "env", "LD_PRELOAD=/nonexistent.so", "LD_LIBRARY_PATH=/tmp", "NLDBG=7", "NLCB=debug", "PATH=/nonexistent",
            "GLIBC_TUNABLES=glibc.malloc.check=3", "TMPDIR=/nonexistent", "HOME=/nonexistent", "LC_ALL=xx"]))

    def test_folder_and_mask(self):
        def prepare():
            os.umask(0)
        self.assertServes(self.router(words=["env", "--chdir=/proc/self"], prepare=prepare))

    def test_streams(self):
        self.assertServes(self.router(words=["sh", "-c", 'exec "$0" <&- >&- 2>&-']))

    def test_descriptors(self):
        extra = [os.open("/dev/zero", os.O_RDONLY) for _ in range(20)]
        router = self.router(fds=extra)
        for fd in extra:
            os.close(fd)
        self.assertEqual(router.hello(), 0)
        held = {os.readlink(f"/proc/{router.popen.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{router.popen.pid}/fd")}
        self.assertNotIn("/dev/zero", held)
        self.assertEqual(router.end()[0], 0)

    def test_signals(self):
        def prepare():
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        self.assertServes(self.router(prepare=prepare))

    def test_limits(self):
        for name in ("FSIZE", "CORE", "NPROC", "MEMLOCK", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO"):
            with self.subTest(name):
                self.assertServes(self.router(words=["prlimit", f"--{name.lower()}=0"]))

    def test_limits_that_are_too_low(self):
        """Refused, without a trace; also when they come later."""
        for words in (["prlimit", "--nofile=4"], ["prlimit", "--as=3000000"]):
            self.assertRefuses(self.router(words=words), ".")
        router = self.opened()
        subprocess.run(["prlimit", f"--pid={router.popen.pid}", "--nofile=4"], check=True, **self.me.popen())
        with open("/dev/null", "rb") as null:
            with self.assertRaises((OSError, struct.error)):
                router.about(POD_ADD, "aaaaaa", null.fileno())
                router.hear()
        router.end()
        # It could not look where to restore what forwards, as if it had been killed: the next one does.
        self.assertEqual(self.opened().end()[0], 0)
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "0")

    def test_no_new_privileges(self):
        self.assertRefuses(self.router(words=["setpriv", "--no-new-privs"]), "lacks the capability net_admin, net_raw")

    def test_system_call_filter(self):
        """One that would have calls fail, or seem to succeed, takes the capabilities away: it needs no_new_privs."""
        code = ("import ctypes, os, struct, sys; c = ctypes.CDLL(None, use_errno=True)\n"
                "code = ctypes.create_string_buffer(struct.pack('=HBBI', 6, 0, 0, 0x7fff0000))\n"
                "program = struct.pack('@HP', 1, ctypes.addressof(code))\n"
                "if sys.argv[1] == 'privs': c.prctl(38, 1, 0, 0, 0)\n"
                "if c.prctl(22, 2, program) != 0: sys.exit(ctypes.get_errno())\n"
                "os.set_inheritable(3, True); os.execv(sys.argv[2], sys.argv[2:])\n")
        without = self.router(words=[harness.python_for(self.me), "-c", code, "none"])
        self.assertEqual(without.popen.wait(10), errno.EACCES)
        self.assertRefuses(self.router(words=[harness.python_for(self.me), "-c", code, "privs"]), "lacks the capability")

    def test_namespaces(self):
        """In a user namespace of the caller's it has no power over the host's network."""
        self.assertRefuses(self.router(words=["unshare", "--user"]), "65534|another user namespace")
        self.assertRefuses(self.router(words=["unshare", "--user", "--map-current-user"]), "another user namespace")
        router = self.router(words=["unshare", "--user", "--net", "--map-current-user"])
        self.assertEqual(router.hello(), 0, router.text)
        self.assertNotEqual(router.open(), 0)  # his own, where nothing is
        self.assertRegex(router.text, "no route")

    def test_looked_into(self):
        """Its user can end it, no more."""
        router = self.opened()
        pid = router.popen.pid
        code = ("import ctypes, os, sys; c = ctypes.CDLL(None, use_errno=True); pid = int(sys.argv[1])\n"
                "assert c.ptrace(16, pid, 0, 0) == -1, 'attached'\n"
                "for name in ('mem', 'environ', 'maps', 'ns/net', 'fd/3'):\n"
                "    try: open(f'/proc/{pid}/{name}', 'rb').read(1)\n"
                "    except PermissionError: continue\n"
                "    sys.exit(name)\n")
        looked = subprocess.run([harness.python_for(self.me), "-c", code, str(pid)], capture_output=True, text=True, check=False,
                                **self.me.popen())
        self.assertEqual(looked.returncode, 0, looked.stderr)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            os.kill(pid, number)
        self.assertEqual(router.about(POD_ADD, "aaaaaa", self.pod()), 0)

    def test_client_that_never_reads(self):
        """He holds up his own router only, which ends when he closes."""
        router = self.opened()
        router.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            for _ in range(100000):
                router.socket.send(struct.pack("=II8s", POD_REMOVE, 7, b"abcdef"))
        other = self.opened()
        self.assertEqual(other.about(POD_ADD, "aaaaaa", self.pod()), 0)
        other.end()
        router.end()


if __name__ == "__main__":
    harness.main()
