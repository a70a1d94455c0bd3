"""A terminal with somebody in front of it, who types, reads, and pulls at the window."""
import errno
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import harness


class Screen:
    def __init__(self, case, rows=24, columns=80):
        self.case, self.shown, self.running = case, "", None
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        case.addCleanup(self.close)
        self.resize(rows, columns)
        self.before = self.settings()

    def close(self):
        """The window is closed: a hang-up."""
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1

    def start(self, *command, **options):
        """Starts it as leader of a session that has this terminal."""
        streams = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **options}
        self.running = self.case.start_command(["setsid", "--ctty", *command], **streams)
        return self.running

    def settings(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.settings()[3] & (termios.ICANON | termios.ISIG | termios.ECHO)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout):
        """What is to be seen by now is added to `shown`; False if nothing came."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            self.shown += os.read(self.master, 65536).decode("utf-8", "replace")
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EAGAIN):
                raise
            return False
        return True

    def type(self, keys):
        """As fast as they are taken, reading meanwhile."""
        data = keys.encode()
        end = time.monotonic() + harness.RUN_S
        while data:
            self.case.assertLess(time.monotonic(), end, f"{len(data)} keys are not taken")
            writable = select.select([self.master], [self.master], [], 1)[1]
            if writable:
                try:
                    data = data[os.write(self.master, data[:4096]):]
                except BlockingIOError:
                    pass
            self.read(0)

    def wait_for(self, expression, timeout=10):
        """Reads until it is there, and forgets what was shown up to its end."""
        end = time.monotonic() + timeout
        while not (match := re.search(expression, self.shown)):
            if time.monotonic() > end:
                self.case.fail(f"{expression} did not come; there is:\n{self.shown[-4000:]}")
            if not self.read(0.1) and self.running.popen.poll() is not None and not self.read(0):
                end = min(end, time.monotonic())
        self.shown = self.shown[match.end():]
        return match

    def wait(self, timeout=10):
        """For the end of what was started; its exit code."""
        end = time.monotonic() + timeout
        while self.running.popen.poll() is None:
            if time.monotonic() > end:
                self.case.fail(f"not over after {timeout} s; shown:\n{self.shown[-4000:]}")
            self.read(0.02)
        while self.read(0):
            pass
        return self.running.wait().code
