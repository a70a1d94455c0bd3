#!/usr/bin/env -S python3 -B
"""What `sippod doctor` says about devices outside, and what it and `sippod cleanup` do about killed runs."""
import json
import re

import harness
import lab_case
from lab import DUT, policy
from lab_case import OPTIONS, LabCase

setUpModule = lab_case.set_up_lab


class DoctorCase(LabCase):
    def examine(self, who=None):
        """Whether the mode works, why not, and the findings about what is outside."""
        run = self.command(self.program, "doctor", "--json", who=who, cwd="/")
        self.assertExit(run, 0)
        found = json.loads(run.out)
        mode = found["modes"]["capabilities"]
        self.findings = found["findings"]
        return mode["works"], mode["why"]

    def finding(self, level, expression, mend=None):
        matching = [one for one in self.findings if one["level"] == level and re.search(expression, one["what"])]
        self.assertEqual(len(matching), 1, (expression, self.findings))
        self.assertEqual(matching[0]["mend"], mend)

    def person(self, name):
        return lab_case.lab.people[name]


class Modes(DoctorCase):
    def test_all_is_there(self):
        for who in ("alice", "root"):
            with self.subTest(who):
                self.assertEqual(self.examine(self.person(who)), (True, None))
                self.finding("ok", r"policy\.conf: groups sippod; networks 10\.22\.22\.0/24 .*; uplinks lan0 br0 lo$")
                self.assertNotIn("outside", {one["id"] for one in self.findings})

    def test_not_in_the_group(self):
        works, why = self.examine(self.person("eve"))
        self.assertFalse(works)
        self.assertIn("usermod -aG sippod lab-eve", why)
        self.finding("note", "none of the groups")

    def test_no_policy(self):
        self.set_policy(None)
        works, why = self.examine()
        self.assertFalse(works)
        self.assertIn("there is no /etc/sippod/policy.conf", why)
        self.finding("note", "there is no /etc/sippod", "man policy.conf; sudoedit /etc/sippod/policy.conf")

    def test_wrong_policies(self):
        for text, options, expression in ((policy(networks='{"10.22.22.1/24"}'), {}, r"policy\.conf:2: networks: .*10\.22\.22\.0/24"),
                                          (policy(), {"mode": 0o666}, "chmod go-w /etc/sippod/policy.conf"),
                                          (policy(), {"uid": 64123}, "chown root /etc/sippod/policy.conf")):
            with self.subTest(expression):
                self.set_policy(text, **options)
                self.assertFalse(self.examine()[0])
                self.finding("note", expression)

    def test_uplinks_and_groups(self):
        self.set_policy(policy(uplinks='{"lan0", "wan7"}', groups='{"sippod", "testers"}', allow_forwarding="false"))
        self.assertFalse(self.examine()[0])
        self.finding("note", "no network device wan7")
        self.finding("note", "lan0 does not forward")
        self.finding("note", "no group testers", "sudo groupadd -r testers")

    def test_no_capabilities(self):
        host, router = lab_case.lab.host, lab_case.lab.host.bin / "sippod-router"
        host.run("setcap", "-r", router)
        self.addCleanup(host.run, "setcap", "cap_net_admin,cap_net_raw=p", router)
        works, why = self.examine()
        self.assertFalse(works)
        mend = f"sudo setcap cap_net_admin,cap_net_raw=p {router}"
        self.assertIn(mend, why)
        self.finding("note", "has no file capabilities", mend)
        self.set_policy(None)  # as on most hosts: nothing but the mode speaks of it
        self.assertFalse(self.examine()[0])
        self.assertFalse({"outside", "policy", "firewall"} & {one["id"] for one in self.findings})


class Forwarding(DoctorCase):
    def setUp(self):
        super().setUp()
        self.flag = "conf/lan0/forwarding"
        lab_case.lab.host.set({self.flag: 198})
        self.addCleanup(lab_case.lab.host.set, {self.flag: 0})

    def now(self):
        return lab_case.lab.host.run("cat", f"/proc/sys/net/ipv4/{self.flag}").strip()

    def lock(self):
        """As a router that is at work has it."""
        place = "/etc/sippod"
        running = self.start_command(["flock", "--shared", "--no-fork", place, "sh", "-c", "touch locked; exec sleep 60"])
        self.wait_for("locked", running)
        return running

    def test_left(self):
        for text in (policy(), None):
            with self.subTest(text):
                self.set_policy(text)
                lab_case.lab.host.set({self.flag: 198})
                self.examine()
                self.finding("warning", r"lan0 forwards .*conf\.lan0\.forwarding is 198", "sudo sippod cleanup")
                run = self.command(self.program, "cleanup")
                self.assertExit(run, 0)
                self.assertRegex(run.out, "lan0: .*root turns it off: sudo sippod cleanup\n")
                self.assertEqual(self.now(), "198")
                run = self.command(self.program, "cleanup", who=self.person("root"))
                self.assertExit(run, 0)
                self.assertIn("lan0: forwarding turned off\n", run.out)
                self.assertEqual(self.now(), "0")

    def test_of_a_live_run(self):
        running = self.lock()
        self.examine()
        self.assertNotIn("lan0 forwards", str(self.findings))
        run = self.command(self.program, "cleanup", who=self.person("root"))
        self.assertExit(run, 0)
        self.assertIn("in use by a live run", run.out)
        self.assertEqual(self.now(), "198")
        running.signal(15)
        running.wait()

    def test_of_an_administrator(self):
        lab_case.lab.host.set({self.flag: 1})
        self.examine()
        self.assertNotIn("lan0 forwards", str(self.findings))
        run = self.command(self.program, "cleanup", who=self.person("root"))
        self.assertExit(run, 0)
        self.assertEqual(self.now(), "1")


class Firewall(DoctorCase):
    """One that drops what it is not told to forward, as Docker leaves it behind."""
    who = "root"

    def nft(self, rules):
        lab_case.lab.host.run("nft", rules)

    def call(self):
        return self.sippod("suite", "--dut", DUT, "--sipp-recv-timeout", "300")

    def test_drops(self):
        self.make_suite(files=OPTIONS)
        self.addCleanup(self.nft, "flush ruleset")
        self.nft("table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }")
        self.assertExit(self.call(), 1)
        self.examine(self.person("root"))
        mend = next(one["mend"] for one in self.findings if one["id"] == "firewall")
        self.finding("note", "FORWARD of nftables .* drops", mend)
        self.command("sh", "-c", mend.replace("sudo ", ""))
        self.assertExit(self.call(), 0)

    def check_ipv6(self, words):
        """Seen, and not any more after what is told to be done."""
        root = self.person("root")
        self.examine(root)
        found = [one for one in self.findings if one["id"] == "firewall"]
        self.assertEqual(len(found), 1, found)
        self.finding("note", words, found[0]["mend"])
        self.assertExit(self.command("sh", "-c", found[0]["mend"].replace("sudo ", "")), 0)
        self.examine(root)
        self.assertNotIn("firewall", {one["id"] for one in self.findings})

    def test_drops_ipv6(self):
        self.addCleanup(self.nft, "flush ruleset")
        self.nft("table ip6 filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }")
        self.check_ipv6(r"FORWARD of nftables \(table ip6 filter\) drops")

    def test_drops_ipv6_as_of_old(self):
        tables = harness.require("ip6tables-legacy")
        self.addCleanup(lab_case.lab.host.run, tables, "-F", "FORWARD")
        self.addCleanup(lab_case.lab.host.run, tables, "-P", "FORWARD", "ACCEPT")
        lab_case.lab.host.run(tables, "-P", "FORWARD", "DROP")
        self.check_ipv6("FORWARD of ip6tables drops")


if __name__ == "__main__":
    harness.main()
