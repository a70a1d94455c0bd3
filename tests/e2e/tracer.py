"""Kills a program at a chosen place: at its n-th system call, or right after it has started its n-th child, before
either of them goes on."""
import ctypes
import os
import signal
import struct

TRACEME, CONT, DETACH, SYSCALL, SETOPTIONS, GETEVENTMSG, GET_SYSCALL_INFO = 0, 7, 17, 24, 0x4200, 0x4201, 0x420e
TRACE_SYSGOOD, TRACE_FORK, TRACE_VFORK, TRACE_CLONE, EXIT_KILL = 1, 2, 4, 8, 0x100000
ENTRY = 1  # of a system call
STARTS = (1, 2, 3)  # the events of fork, vfork and clone
MKDIRAT = {"x86_64": 258, "aarch64": 34}.get(os.uname().machine)
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid=0, data=None, address=None):
    if libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def trace_me():
    """For subprocess's preexec_fn: the new program stops as soon as it is there."""
    ptrace(TRACEME)


def end_of(pid):
    """Waits until it stops; the kind of event, or None once it has ended."""
    _, status = os.waitpid(pid, WALL)
    return status >> 8 if os.WIFSTOPPED(status) else None


def release(pid):
    """A child that its parent's tracing has taken along."""
    if end_of(pid) is not None:
        ptrace(DETACH, pid)


def kill_at_start_of_child(pid, number):
    """Lets `pid`, which was started with trace_me, run to its n-th fork, and kills it there; then the child is let go.
    Its pid is returned; None if `pid` has ended before."""
    stop = end_of(pid)
    ptrace(SETOPTIONS, pid, TRACE_FORK | TRACE_VFORK | TRACE_CLONE | EXIT_KILL)
    while stop is not None:
        kind, event = stop & 0xff, stop >> 8
        if event in STARTS:
            child = ctypes.c_ulong()
            ptrace(GETEVENTMSG, pid, ctypes.addressof(child))
            number -= 1
            if number == 0:
                os.kill(pid, signal.SIGKILL)
                while end_of(pid) is not None:
                    pass
                release(child.value)
                return child.value
            release(child.value)
        ptrace(CONT, pid, kind if kind != signal.SIGTRAP else 0)
        stop = end_of(pid)
    return None


def system_call(pid):
    """The number of the one that `pid` is about to enter; None if it returns from one."""
    info = ctypes.create_string_buffer(88)
    ptrace(GET_SYSCALL_INFO, pid, ctypes.addressof(info), len(info))
    return struct.unpack_from("=Q", info, 24)[0] if info.raw[0] == ENTRY else None


def kill_at_system_call(pid, number=None, only=None):
    """Lets `pid`, which was started with trace_me, run to the n-th entry into a system call or return from one, and
    kills it there. With `only`, the number of a system call: to its n-th return from that one. How many there were."""
    seen, stop, last = 0, end_of(pid), None
    ptrace(SETOPTIONS, pid, TRACE_SYSGOOD | EXIT_KILL)
    while stop is not None:
        kind = stop & 0xff
        if kind == signal.SIGTRAP | 0x80:
            entered = system_call(pid) if only else None
            seen += not only or (last == only and entered is None)
            last = entered
            if seen == number:
                os.kill(pid, signal.SIGKILL)
                while end_of(pid) is not None:
                    pass
                return seen
        ptrace(SYSCALL, pid, kind if kind & 0x7f != signal.SIGTRAP else 0)
        stop = end_of(pid)
    return seen
