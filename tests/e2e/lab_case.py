"""Tests in the lab: who runs sippod there, on which host, and that all machines stay as they were."""
import os
import unittest

import harness
import lab_machines
import suites
from lab import Lab, policy

lab = None  # one for each test program, made by setUpModule()


def set_up_lab():
    """To be called by the setUpModule() of a test program."""
    global lab
    if os.geteuid() != 0:
        harness.skip("the lab is made of namespaces of the initial user namespace: only root can")
    for user in ("root", "user"):
        harness.check_host(harness.identity(user))
    for program in ("kamailio", "setcap", "nsenter", "setpriv", "tc", "nft"):
        harness.require(program)
    lab = Lab()
    unittest.addModuleCleanup(lab.close)
    lab.make()


INVITE = (suites.HEAD.format(name="caller") + """  <send retrans="500"><![CDATA[
    INVITE sip:bob@{{ua0.host}}:5060 SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    Max-Forwards: 70
    From: <sip:alice@[local_ip]>;tag=alice-[pid]-[call_number]
    To: <sip:bob@{{ua0.host}}>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:alice@[local_ip]:[local_port]>
    Content-Length: 0
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[
    ACK sip:bob@{{ua0.host}}:5060 SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    Max-Forwards: 70
    From: <sip:alice@[local_ip]>;tag=alice-[pid]-[call_number]
    To: <sip:bob@{{ua0.host}}>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Content-Length: 0
  ]]></send>
""")
# Through the DUT, to ua0 of the same test.
CALL = {
    "uas_ua0.xml": (suites.HEAD.format(name="callee") + '  <recv request="INVITE"/>\n' +
                    suites.ANSWER.format(answer="200 OK").replace(
                        "[last_CSeq:]", "[last_CSeq:]\n    Contact: <sip:bob@[local_ip]:[local_port]>") +
                    '  <recv request="ACK"/>\n</scenario>\n'),
    "uac_ua1.xml": INVITE + "</scenario>\n",
}
# To the DUT, which answers.
OPTIONS = {"uac_ua0.xml": suites.uac()}


class LabCase(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.me = lab.people[cls.who]

    who = "alice"

    def setUp(self):
        self.watch_machines()
        super().setUp()
        self.set_policy(policy())

    def watch_machines(self):
        """Registered before what harness.Case checks, and so called after it, when all processes have ended."""
        before = {machine: machine.state() for machine in lab.machines}

        def check():
            changes = [f"{machine.name}: {line}" for machine in lab.machines
                       for line in lab_machines.differences(before[machine], machine.state())]
            if changes:
                self.fail("the lab is not as it was:\n  " + "\n  ".join(changes))
        self.addCleanup(check)

    def set_policy(self, text, machine=None, **options):
        for one in [machine] if machine else [lab.host, lab.second]:
            one.set_policy(text, **options)

    @property
    def program(self):
        return str(lab.host.bin / "sippod")

    def start_command(self, command, who=None, env=None, machine=None, cwd=None, **options):
        who = who or self.me
        words = (machine or lab.host).enter(who, cwd or self.folder)
        root = lab.people["root"]
        return super().start_command([*words, *command], root, {"HOME": str(who.home), **(env or {})}, cwd="/", **options)

    def command(self, *words, **options):
        """Any command on the host, to its end."""
        return self.start_command(words, **options).wait()

    def tap(self):
        tap = lab.tap()
        self.addCleanup(tap.close)
        return tap

    def make_suite(self, *names, folder=None, files=None, **scripts):
        """SUITE below the folder, with tests of these names."""
        folder = folder or self.folder
        for name in names or ("one",):
            suites.write_test(folder / "suite", name, CALL if files is None else files, **scripts)
        self.me.own(folder)
