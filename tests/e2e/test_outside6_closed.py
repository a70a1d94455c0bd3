#!/usr/bin/env -S python3 -B
"""Over IPv6 nobody sends from a pod with the address of another, whatever is done in the pod."""
import shlex
import shutil
import socket

import harness
import lab6
import lab_case
from lab6 import DUT, HOST, OTHER
from lab_case import OPTIONS

setUpModule = lab6.set_up_lab

PORT = 9999


class Spoofed(lab6.Lab6Case):
    """One with net_admin and net_raw in a pod finds a way round the filter of its link, not with the address of another."""

    SOURCES = ("2001:db8:22::fa", OTHER, HOST, "2001:db8:99::9")

    def listeners(self):
        """What comes to each, by whatever way."""
        lab, found = lab_case.lab, {}
        for address, machine in ((DUT, lab.dut), (HOST, lab.host), (OTHER, lab.taken)):
            found[address] = machine.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.addCleanup(found[address].close)
            machine.inside(lambda address=address: found[address].bind((address, PORT)))
            found[address].settimeout(5)
        return found

    @staticmethod
    def heard(listener):
        """Up to the one of its own address that is sent last."""
        found = set()
        while (b"LAST",) not in found:
            text, source = listener.recvfrom(100)
            found.add((text,) if text == b"LAST" else (text, source[0]))
        return found - {(b"LAST",)}

    def test_spoofed(self):
        listeners = self.listeners()
        words = shlex.join([harness.python_for(self.me), "leak6.py"]) + " {{ua0.host}} " + shlex.join(
            [",".join(self.SOURCES), *listeners])
        self.make_suite(files=OPTIONS, before=f"PATH=$PATH:/usr/sbin:/sbin\nexec {words}\n")
        for name in ("leak.py", "leak6.py"):
            shutil.copy(harness.SOURCE / "tests" / "e2e" / name, self.folder / "suite" / "one")
        run = self.sippod("suite", "--dut", DUT, "--keep", "all", "--script-caps", "net_admin,net_raw")
        self.assertExit(run, 0)
        if not (self.run_folder() / "around").exists():
            self.skipTest("this kernel has no ifb, u32 or mirred: no way around")
        own = self.addresses()[0]
        for address, listener in listeners.items():
            with listener.dup() as last:
                last.sendto(b"LAST", (address, PORT))
            # That the own address gets there shows that the way is one: what is to be seen is who else does not.
            self.assertEqual(self.heard(listener), {(b"ROUND", own)}, address)


if __name__ == "__main__":
    harness.main()
