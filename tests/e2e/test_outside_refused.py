#!/usr/bin/env -S python3 -B
"""What is refused of devices outside: with the rule and the address named, and before anything is started."""
import harness
import lab_case
import suites
from lab import BEHIND, DUT, FAR, HOST, INNER, policy
from lab_case import OPTIONS, LabCase

setUpModule = lab_case.set_up_lab


class RefusedCase(LabCase):
    def setUp(self):
        super().setUp()
        self.make_suite(files=OPTIONS)

    def assertRefused(self, *expressions, dut=DUT, code=3, options=(), **others):
        run = self.sippod("suite", "--dut", dut, *options, **others)
        self.assertExit(run, code)
        for expression in expressions:
            self.assertRegex(run.err, expression)
        told = [line for line in run.err.splitlines() if not line.endswith("--help lists the options")]
        self.assertEqual(len(told), 1, f"told once, on one line\n{run}")
        self.assertEqual(run.out, "")
        self.assertQuick(run, 2)

    def assertAllowed(self, *options, dut=DUT, **others):
        self.assertExit(self.sippod("suite", "--dut", dut, *options, **others), 0)


class ByPolicy(RefusedCase):
    def test_none(self):
        self.set_policy(None)
        self.assertRefused("no /etc/sippod/policy.conf")

    def test_not_in_the_group(self):
        eve = lab_case.lab.people["eve"]
        folder = self.make_folder(eve)
        suites.write_test(folder / "suite", "one", OPTIONS)
        eve.own(folder)
        self.assertRefused(r"none of the groups.*/etc/sippod/policy\.conf: sippod\b.*usermod -aG sippod lab-eve", who=eve,
                           cwd=folder)
        self.set_policy(policy(groups='{"sippod", "64126"}'))  # a number will do, and so will the main group
        self.assertAllowed(who=eve, cwd=folder)

    def test_nobody(self):
        for text in (policy(groups=None), policy(groups="{}")):
            self.set_policy(text)
            self.assertRefused("groups")

    def test_networks(self):
        self.set_policy(policy(networks='{"10.33.33.0/24", "10.44.0.0/16"}'))
        self.assertRefused(r"10\.22\.22\.5 is in none of the networks of /etc/sippod/policy\.conf "
                           r"\(10\.33\.33\.0/24, 10\.44\.0\.0/16\)")
        self.assertAllowed(dut=BEHIND)

    def test_networks_of_addresses(self):
        """The DUT may be reached, but all addresses of UAs would be in another network."""
        self.set_policy(policy(networks=f'{{"{FAR}/32"}}'))
        run = self.sippod("suite", "--dut", FAR)
        self.assertNotEqual(run.code, 0)
        self.assertRegex(run.err + run.out, r"10\.22\.22\.\d+.* is in none of the networks")

    def test_allow_net(self):
        self.set_policy(policy(networks='{"10.22.22.0/24"}'))
        self.assertRefused(r"10\.44\.44\.0/24 is in none of the networks", options=("--allow-net", "10.44.44.0/24"))
        self.set_policy(policy(networks='{"10.22.22.0/24", "10.44.44.0/25"}'))
        self.assertRefused(r"10\.44\.44\.0/24 is in none of the networks", options=("--allow-net", "10.44.44.0/24"))
        self.assertAllowed("--allow-net", "10.44.44.0/25")

    def test_uplinks(self):
        self.set_policy(policy(uplinks='{"br0", "eth7"}'))
        self.assertRefused(r"lan0 is none of the uplinks of /etc/sippod/policy\.conf \(br0, eth7\)")
        self.set_policy(policy(uplinks='{"lan0"}'))
        self.assertRefused("br0 is none of the uplinks", dut=BEHIND)
        self.assertRefused("br0 is none of the uplinks", options=("--allow-net", "10.33.33.0/24"))
        self.assertRefused("lo is none of the uplinks", dut=INNER)

    def test_uplinks_of_parts(self):
        """A network that is behind one device for the most part, and behind another one for the rest."""
        self.set_policy(policy(networks='{"10.0.0.0/8"}', uplinks='{"lan0"}'))
        self.assertRefused(r"10\.0\.0\.0/8: br0 is none of the uplinks", options=("--allow-net", "10.0.0.0/8"))

    def test_forwarding(self):
        self.set_policy(policy(allow_forwarding="false"))
        self.assertRefused(r"lan0 does not forward.*allow_forwarding")
        self.assertAllowed(dut=HOST)
        lab_case.lab.host.set({"conf/lan0/forwarding": 1})
        self.addCleanup(lab_case.lab.host.set, {"conf/lan0/forwarding": 0})
        self.assertAllowed()

    def test_forwarding_of_somebody_else(self):
        """What root's run has turned on is not for those who must not turn it on."""
        root = lab_case.lab.people["root"]
        folder = self.make_folder(root)
        suites.write_test(folder / "suite", "one", OPTIONS, before=suites.WAIT)
        running = self.start("suite", "--dut", DUT, who=root, cwd=folder)
        place = self.wait_for("sippod-results/one/*/waiting", running, folder=folder).parent
        self.set_policy(policy(allow_forwarding="false"), machine=lab_case.lab.host)
        self.assertRefused("lan0.*allow_forwarding")
        (place / "go").touch()
        self.assertExit(running.wait(), 0)
        self.assertEqual(lab_case.lab.host.get("conf/lan0/forwarding"), "0")

    def test_limits(self):
        self.make_suite("two", "three", files=OPTIONS, before="sleep 0.5\n")
        for settings, words in (({"max_pods_per_user": 0}, r"max_pods_per_user = 0\b"),
                                ({"max_addresses_per_user": 0}, r"max_addresses_per_user = 0\b")):
            self.set_policy(policy(**settings))
            run = self.sippod("suite", "--dut", DUT, "--jobs", "3")
            self.assertExit(run, 1)
            self.assertRegex(run.out + run.err, words)

    def test_limits_are_waited_for(self):
        """A limit above none means fewer tests at once, not failures."""
        self.make_suite("two", "three", files=OPTIONS, before="sleep 0.2\n")
        for settings in ({"max_pods_per_user": 1}, {"max_addresses_per_user": 1}):
            self.set_policy(policy(**settings))
            self.assertAllowed("--jobs", "3")

    def test_that_cannot_be_trusted(self):
        for options, words in (({"mode": 0o664}, r"others than root may write /etc/sippod/policy\.conf.*chmod go-w"),
                               ({"mode": 0o646}, r"others than root may write /etc/sippod/policy\.conf"),
                               ({"uid": self.me.uid}, rf"belongs to uid {self.me.uid}, not to root: chown root"),
                               ({"mode": 0o600}, "not readable")):
            self.set_policy(policy(), **options)
            self.assertRefused(words)

    def test_in_a_folder_that_cannot_be_trusted(self):
        lab_case.lab.host.run("chmod", "775", "/etc/sippod")
        self.addCleanup(lab_case.lab.host.run, "chmod", "755", "/etc/sippod")
        self.assertRefused("others than root may write /etc/sippod: chmod go-w")

    def test_that_is_no_policy(self):
        for text, words in (('networks = {"10.22.22.0/33"}', r"policy\.conf:1: networks: "),
                            ("\nnonsense = 7\n", r"policy\.conf:2: .*nonsense"),
                            ("groups = {\n", r"policy\.conf:"),
                            ("max_pods_per_user = 99999999\n", r"policy\.conf:1: max_pods_per_user"),
                            ("# " + "x" * 70000, "longer than 65536 bytes")):
            self.set_policy(text)
            self.assertRefused(words)

    def test_is_not_for_root(self):
        """Whom it does not limit, as nothing on this host does."""
        root = lab_case.lab.people["root"]
        for text in (None, policy(groups="{}", networks="{}", uplinks="{}"), "nonsense"):
            self.set_policy(text)
            self.assertAllowed(who=root)


class WithoutCapabilities(RefusedCase):
    def set_capabilities(self, *words):
        host = lab_case.lab.host
        host.run("setcap", *words, host.bin / "sippod-router")
        self.addCleanup(host.run, "setcap", "cap_net_admin,cap_net_raw=p", host.bin / "sippod-router")

    def test_none(self):
        self.set_capabilities("-r")
        self.assertRefused(r"net_admin.*setcap cap_net_admin,cap_net_raw=p /.*/sippod-router")

    def test_with_a_long_path(self):
        """What is to be done is told to its end."""
        machine = lab_case.lab.host
        place = machine.bin.joinpath(*["long" * 50] * 15)
        machine.run("mkdir", "-p", place)
        self.addCleanup(machine.run, "rm", "-r", machine.bin / ("long" * 50))
        machine.run("cp", machine.bin / "sippod", machine.bin / "sippod-agent", machine.bin / "sippod-router", place)
        run = self.command(place / "sippod", "run", "suite", "--dut", DUT)
        self.assertExit(run, 3)
        self.assertIn(f'"setcap cap_net_admin,cap_net_raw=p {place}/sippod-router"', run.err)
        self.assertIn("with no_new_privs)", run.err)

    def test_not_all(self):
        self.set_capabilities("cap_net_admin=p")
        self.assertRefused(r"lacks the capability net_raw.*setcap")

    def test_too_many(self):
        self.set_capabilities("cap_net_admin,cap_net_raw,cap_sys_admin=p")
        self.assertRefused(r"must not have: sys_admin")

    def test_set_user_id(self):
        """A set-user-ID router would be root for everybody; sippod is told, and the policy is not even asked."""
        host = lab_case.lab.host
        self.set_policy(None)
        self.set_capabilities("-r")
        host.run("chmod", "4755", host.bin / "sippod-router")
        self.addCleanup(host.run, "chmod", "755", host.bin / "sippod-router")
        self.assertRefused("set-user-ID")


class Addresses(RefusedCase):
    def test_loopback(self):
        self.assertRefused(r"127\.0\.0\.1: a loopback address.*another address", dut="127.0.0.1", code=2)
        self.set_policy(None)
        self.assertRefused(r"127\.7\.7\.7: a loopback address", dut="127.7.7.7", code=2, who=lab_case.lab.people["root"])

    def test_that_nobody_has(self):
        for address in ("0.0.0.0", "224.0.0.1", "255.255.255.255"):
            self.assertRefused(f"{address} is not the address of a single host", dut=address, code=2)
        root = lab_case.lab.people["root"]
        self.assertRefused(r"10\.22\.22\.255", dut="10.22.22.255", who=root)

    def test_no_address(self):
        for text in ("kamailio", "10.22.22", "10.22.22.5:5060", ""):
            self.assertRefused("dut", dut=text, code=2)

    def test_ipv6(self):
        """By the policy as any other; and some are no host's that pods could reach."""
        self.assertRefused(r"fd00::5 is in none of the networks", dut="fd00::5")
        for text, why in (("::1", "loopback"), ("fe80::5", "of a link"), ("ff02::1", "single host"),
                          ("::ffff:10.22.22.5", "single host")):
            self.assertRefused(f"{text}.*{why}", dut=text, code=2)

    def test_without_a_route(self):
        host = lab_case.lab.host
        host.ip("route del default")
        self.addCleanup(host.ip, "route add default via 10.22.22.1")
        self.assertRefused(r"no route to 10\.44\.44\.5", dut=FAR)
        self.addCleanup(host.ip, "route del unreachable 10.44.44.0/24")
        host.ip("route add unreachable 10.44.44.0/24")
        self.assertRefused(r"no route to 10\.44\.44\.5", dut=FAR)

    def test_behind_a_device_that_is_down(self):
        host = lab_case.lab.host
        self.set_policy(None)
        host.ip("link set br0 down")
        self.addCleanup(lab_case.lab.bridge_up, host, "br0")
        self.assertRefused(r"10\.33\.33\.1\b|br0", dut="10.33.33.1", who=lab_case.lab.people["root"])

    def test_masks(self):
        for mask in ("0", "31", "32", "33", "-1", "x"):
            self.assertRefused("network-mask|/3[12]", options=("--network-mask", mask), code=2)

    def test_allow_net(self):
        for network in ("10.22.22.0/33", "10.22.22.9/24", "nonsense", "0.0.0.0/0", "fd00::/64"):
            self.assertRefused("allow|networks", options=("--allow-net", network), code=2)


if __name__ == "__main__":
    harness.main()
