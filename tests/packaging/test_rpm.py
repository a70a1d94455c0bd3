#!/usr/bin/env -S python3 -B
"""The RPM packages of `./bootstrap rpm`, installed: into an empty root, and (as root only) into a copy of this system,
where they are used, upgraded and removed. Nothing of this system is changed."""
import os
import re
import shutil
import stat
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILT = SOURCE / "build-rpm"
# rpm can change the owner of files and set capabilities only as root, be it root of a user namespace.
AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
QUICKSTART = "/usr/share/doc/sippod/examples/quickstart"
ROUTER = "/usr/libexec/sippod/sippod-router"

# What each package has, beside its licence, links of debug information, and documents.
CONTENTS = {
    "sippod": """/etc/sippod/policy.conf /etc/sippod/sippod.conf /usr/bin/sippod /usr/lib/sysusers.d/sippod.conf
        /usr/lib64/sippod/libsippod-keylog.so /usr/libexec/sippod/sippod-agent /usr/libexec/sippod/sippod-router
        /usr/share/bash-completion/completions/sippod /usr/share/fish/vendor_completions.d/sippod.fish
        /usr/share/zsh/site-functions/_sippod""",
    "libsippod-expect": "/usr/lib64/libsippod-expect.so.0 /usr/lib64/libsippod-expect.so.0.1.0",
    "libsippod-expect-devel": """/usr/include/sippod/expect.h /usr/include/sippod/expect_cmocka.h
        /usr/include/sippod/packet.h /usr/include/sippod/predicate.h /usr/include/sippod/verdict.h
        /usr/lib64/libsippod-expect.so /usr/lib64/pkgconfig/sippod-expect.pc""",
    "libhyperstart-mock": "/usr/lib64/libhyperstart-mock.so.0 /usr/lib64/libhyperstart-mock.so.0.1.0",
    "libhyperstart-mock-devel": """/usr/include/sippod/hyperstart_mock.h /usr/include/sippod/hyperstart_mock_cmocka.h
        /usr/lib64/libhyperstart-mock.so /usr/lib64/pkgconfig/hyperstart-mock.pc""",
}
DOCUMENTS = re.compile(r"/usr/share/(licenses|doc/sippod)(/|-)|/usr/lib/\.build-id/|/usr/share/man/")
PROGRAMS = re.compile(r"/usr/bin/sippod|/usr/libexec/sippod/.*|/usr/lib64/.*\.so(\.[0-9.]+)?")

# A copy of this system that is gone with the namespaces: the test's script is run in it, as root. Not by chroot, in
# which no user namespace could be made.
COPY = """set -eu
mount -t tmpfs copy "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work copy root
cp -R "$2" root/packages
for place in /dev /sys; do mount --rbind $place root$place; done
mount -t proc proc root/proc
for place in /tmp /run /var/tmp; do mount -t tmpfs -o mode=1777 scratch root$place; done
cd root
mkdir old
pivot_root . old
umount -l old
rpm() { command rpm --dbpath /packages/db "$@"; }
group() { getent group sippod || true; }
groupdel sippod 2>/dev/null || true
"""


PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def command(*words):
    return subprocess.run([*AS_ROOT, *map(str, words)], capture_output=True, text=True, check=True, env=PATH).stdout


def rpm(*arguments):
    with tempfile.TemporaryDirectory(prefix="sippod-rpm-") as database:  # or Debian's makes one in $HOME
        return command("rpm", "--dbpath", database, *arguments)


def packages():
    """The built ones, by name; those with debug information, as Fedora makes them, are not looked at."""
    found = {rpm("-qp", "--qf", "%{NAME}", file): file for file in BUILT.glob("RPMS/*/*.rpm")}
    return {name: file for name, file in found.items() if not re.search("-debug(info|source)$", name)}


def list_files(package):
    """Name, mode, owner, capabilities and flags of each file of a package."""
    lines = rpm("-qp", "--qf", "[%{FILENAMES}|%{FILEMODES}|%{FILEUSERNAME}:%{FILEGROUPNAME}|%{FILECAPS}|"
                "%{FILEFLAGS:fflags}\n]", package)
    for line in lines.splitlines():
        name, mode, owner, capabilities, flags = line.split("|")
        yield name, int(mode) & 0xffff, owner, capabilities.replace("(none)", ""), flags


class Packages(unittest.TestCase):
    maxDiff = None

    def test_split(self):
        self.assertEqual(sorted(packages()), sorted(CONTENTS))
        for name, package in packages().items():
            with self.subTest(name):
                files = [file for file, mode, *_ in list_files(package) if not stat.S_ISDIR(mode)]
                self.assertEqual(sorted(file for file in files if not DOCUMENTS.match(file)),
                                 sorted(CONTENTS[name].split()))
        pages = {name: {re.sub(r"\.(gz|bz2|zst)$", "", file.rsplit("/", 1)[1]) for file, *_ in list_files(package)
                        if re.match("/usr/share/man/.*/", file)} for name, package in packages().items()}
        written = {page.stem for page in (SOURCE / "docs").glob("*.scd")}
        self.assertEqual(set.union(*pages.values()), written)
        self.assertEqual(pages["libsippod-expect-devel"], {"sippod-expect.3"})
        self.assertEqual(pages["libhyperstart-mock-devel"], {"hyperstart-mock.3"})

    def test_modes(self):
        for package in packages().values():
            for file, mode, owner, capabilities, flags in list_files(package):
                with self.subTest(file):
                    self.assertEqual(owner, "root:root")
                    self.assertEqual(capabilities, "cap_net_admin,cap_net_raw=p" if file == ROUTER else "")
                    if not stat.S_ISLNK(mode):
                        runs = stat.S_ISDIR(mode) or PROGRAMS.fullmatch(file)
                        self.assertEqual(oct(stat.S_IMODE(mode)), oct(0o755 if runs else 0o644))
                    kept = file.startswith("/etc/sippod/")  # as it is, when an administrator has changed it
                    self.assertEqual(set("cn") & set(flags), set("cn") if kept else set())

    def test_needs(self):
        """Of each other exactly, of what is no library: SIPp, and whoever makes the group."""
        built = packages()
        words = {name: set(rpm("-qp", "--requires", package).split("\n")) for name, package in built.items()}
        for name in ("libsippod-expect", "libhyperstart-mock"):
            version = rpm("-qp", "--qf", "%{VERSION}-%{RELEASE}", built[name])
            self.assertTrue({need for need in words[f"{name}-devel"] if re.fullmatch(
                rf"{name}(\(.*\))? = {re.escape(version)}", need)}, words[f"{name}-devel"])
        plain = {need for need in words["sippod"] if need and "(" not in need}
        self.assertEqual(plain, {"/bin/sh", "shadow-utils", "sipp"})
        self.assertIn("python3-jinja2", rpm("-qp", "--recommends", built["sippod"]))


class EmptyRoot(unittest.TestCase):
    """What rpm finds in its own files is what is there afterwards."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sippod-rpm-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.rpm = ("--root", self.folder, "--dbpath", "/var/lib/rpm", "--nodeps")

    def test_installed(self):
        # There is no shell for scripts.
        rpm(*self.rpm, "--noscripts", "-i", *packages().values())
        self.assertEqual(rpm(*self.rpm, "-Va"), "")
        files = {f"/{path.relative_to(self.folder)}" for path in self.folder.rglob("*") if not path.is_dir()}
        named = {file for package in packages().values() for file, mode, *_ in list_files(package)
                 if not stat.S_ISDIR(mode)}
        self.assertEqual({file for file in files if not file.startswith("/var/lib/rpm/")}, named)
        capable = command("getcap", "-r", self.folder).replace(str(self.folder), "")
        self.assertEqual(capable, f"{ROUTER} cap_net_admin,cap_net_raw=p\n")
        self.assertEqual(stat.S_IMODE((self.folder / ROUTER[1:]).stat().st_mode), 0o755)
        rpm(*self.rpm, "--noscripts", "-e", *packages())
        left = [path for path in self.folder.rglob("*sippod*")]
        self.assertEqual(left, [])


@unittest.skipUnless(os.geteuid() == 0, "a copy of this system takes root")
class Used(unittest.TestCase):
    """In a copy of this system."""

    def in_copy(self, script):
        with tempfile.TemporaryDirectory(prefix="sippod-rpm-") as folder:
            return subprocess.run(
                ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c",
                 COPY + textwrap.dedent(script), "sh", folder, BUILT / "RPMS"],
                capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL, env=PATH)

    def test_run(self):
        """By anybody, from the examples that come along."""
        run = self.in_copy(f"""
            rpm -i --nodeps /packages/*/*.rpm
            group
            cd /tmp
            setpriv --reuid 64990 --regid 64990 --clear-groups --inh-caps -all \\
                env HOME=/tmp sippod run {QUICKSTART} --results /tmp/results
            sippod --version
            cat /etc/sippod/sippod.conf
        """)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertRegex(run.stdout, r"(?m)^sippod:x:\d+:$")
        tests = sum(1 for place in (SOURCE / "examples" / "quickstart").iterdir() if place.is_dir())
        self.assertIn(f"SUCCESS: {tests}\nFAILED: 0\n", run.stdout)

    def test_policy(self):
        """As it is installed nobody reaches anything outside; with a policy its group does."""
        run = self.in_copy("""
            ip link set lo up
            ip link add uplink type veth peer name beyond
            ip addr add 192.0.2.2/24 dev uplink
            ip link set uplink up
            ip link set beyond up
            rpm -i --nodeps /packages/*/*.rpm
            as_user() { setpriv --reuid 64990 --regid 64990 --groups "$(getent group sippod | cut -d: -f3)" \\
                --inh-caps -all env HOME=/tmp sippod doctor || true; }
            cd /tmp
            as_user
            echo 'groups = {"sippod"} networks = {"192.0.2.0/24"} uplinks = {"uplink"} allow_forwarding = true' \\
                >/etc/sippod/policy.conf
            as_user
        """)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        _, installed, written = run.stdout.split("sippod 0.")
        self.assertIn("groups none; networks none; uplinks none", installed)
        self.assertRegex(installed, r"no    capabilities +/etc/sippod/policy.conf lets nobody reach devices outside")
        self.assertIn("works capabilities", written)

    def test_upgrade(self):
        """What an administrator wrote stays; what is removed leaves that alone."""
        run = self.in_copy("""
            rpm -i --nodeps /packages/*/*.rpm
            echo 'groups = {"mine"}' >/etc/sippod/policy.conf
            rpm -U --nodeps --replacepkgs /packages/*/*.rpm
            cat /etc/sippod/policy.conf
            getcap /usr/libexec/sippod/sippod-router
            rpm -e --nodeps $(rpm -qa)
            find /etc /usr -path '*sippod*' -o -name '*hyperstart*'
            group
        """)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        policy, router, *left = run.stdout.splitlines()
        self.assertEqual(policy, 'groups = {"mine"}')
        self.assertEqual(router, f"{ROUTER} cap_net_admin,cap_net_raw=p")
        # Groups stay, as is usual: files may belong to them.
        self.assertRegex("\n".join(left), r"^/etc/sippod\n/etc/sippod/policy.conf.rpmsave\nsippod:x:\d+:$")


if __name__ == "__main__":
    if not list(BUILT.glob("RPMS/*/*.rpm")):
        raise SystemExit("test_rpm.py: there are no packages in build-rpm: ./bootstrap rpm builds them")
    unittest.main(verbosity=2)
