#!/usr/bin/env -S python3 -B
"""Templates that Jinja2 renders: what they can do, how they fail, and that a bad one is nobody else's trouble."""
import base64
import os
import signal
import subprocess
import time

import harness
import host
import suites
from harness import for_each_user
from life import LifeCase

DEADLINE_S = 10  # that one file may take
ENDLESS = "{% for i in range(10 ** 12) %}{% endfor %}\n"
MACROS = {"macros.j2": "{% macro of(ua) %}<{{ ua.host }}>{% endmacro %}\n"}
# What a template reaches that wants to do more than render.
PYTHON = "{% set python = lipsum.__globals__.__builtins__ %}{% set os = lipsum.__globals__.os %}"


def has_jinja2():
    return subprocess.run(["python3", "-I", "-c", "import jinja2"], capture_output=True, check=False).returncode == 0


class TemplateCase(LifeCase):
    def setUp(self):
        super().setUp()
        if not has_jinja2():
            harness.skip("python3 has no Jinja2 (python3-jinja2)")

    def write_templates(self, files):
        for name, text in files.items():
            suites.write(self.folder / "suite" / "TEMPLATES" / name, text)

    def rendered(self, script, templates=None, **files):
        """What becomes of the file note.sh that holds this, in a test that is run dry of it; files by their names
        without .txt."""
        self.write_templates(templates or {})
        run = self.one("--keep", "all", files={**suites.CALL, "note.sh": script,
                                               **{f"{name}.txt": text for name, text in files.items()}})
        self.assertExit(run, 0)
        return (self.run_folder() / "note.sh").read_bytes()

    def make_path(self, python=None):
        """A PATH with a shell, and with this as python3. It is where pods show it."""
        folder = self.folder / "suite" / "TEMPLATES" / "bin"
        folder.mkdir(parents=True)
        (folder / "sh").symlink_to("/bin/sh")
        if python:
            suites.write(folder / "python3", python).chmod(0o755)
        self.me.own(self.folder)
        return str(folder)

    def pythons(self):
        return [process for process in host.descendants() if "-I" in process.arguments and process.name == "python3"]


@for_each_user
class Rendered(TemplateCase):
    def test_macro_in_a_scenario(self):
        """Imported from the template folder; the call passes with what it gives."""
        self.write_templates({"sip/uri.j2": "{% macro uri(who, ua) %}sip:{{ who }}@{{ ua.host }}{% endmacro %}\n"})
        caller = suites.uac().replace("sip:bob@{{dut.uri_host}}", "{{ uri('bob', dut) }}")
        self.assertIn("{{ uri", caller)
        caller = caller.replace("<scenario", "{% from 'sip/uri.j2' import uri %}<scenario")
        run = self.one("--keep", "all", files={**suites.CALL, "uac_ua1.xml": caller})
        self.assertExit(run, 0)
        text = (self.run_folder() / "uac_ua1.xml").read_text()
        self.assertIn("OPTIONS sip:bob@198.18.1.0:[remote_port]", text)
        self.assertNotIn("{%", text)

    def test_statements_and_keywords(self):
        text = self.rendered("{% for ua in [ua0, ua1] %}{{ ua.host }},{% endfor %}{% set n = 6 * 7 %}\n{{ n }} {# no #}"
                             "{{ test.run_id|length }} {{ test['run_id_number']|length }} '{{ custom_transport }}' "
                             "{{ test.name|upper }} {{ dut.host }}")
        self.assertEqual(text, b"198.18.1.0,198.18.1.1,\n42 6 12 '' ONE 198.18.1.0")

    def test_filters(self):
        self.assertEqual(self.rendered("{{ 'alice:secret'|b64encode }} {{ 'Ym9i'|b64decode }} {{ '<&>' }}"),
                         base64.b64encode(b"alice:secret") + b" bob <&>")

    def test_line_ends(self):
        """One at the end is dropped, all others are line feeds; and so a file that is one is left alone or not."""
        self.assertEqual(self.rendered("{# c #}a\r\nb\rc\n\r\n\n"), b"a\nb\nc\n\n")

    def test_bytes_that_are_no_text(self):
        data = b"\xff\xfe caf\xe9 \xc3\xa9 \xed\xa0\x80"
        self.assertEqual(self.rendered(data + b"{% if true %}\x80{% endif %}{% include 'more.txt' %}", more=data),
                         data + b"\x80" + data)

    def test_run_folder_comes_first(self):
        text = self.rendered("{% include 'both.txt' %} {% include 'only.txt' %} {% include 'ours.txt' %}",
                             templates={"both.txt": "template folder", "only.txt": "there {{ test.name }}"},
                             both="run folder", ours="here {{ test.name }}")
        self.assertEqual(text, b"run folder there one here one")

    def test_inheritance(self):
        text = self.rendered("{% extends 'base' %}{% block b %}2{{ super() }}{% endblock %}",
                             templates={"base": "1{% block b %}3{% endblock %}4\n"})
        self.assertEqual(text, b"1234")

    def test_mode_is_kept(self):
        suites.write_test(self.folder / "suite", "one", before="{% if true %}touch ran\n{% endif %}\n")
        (self.folder / "suite" / "one" / "before.sh").chmod(0o751)
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--keep", "all"), 0)
        self.assertEqual((self.run_folder() / "before.sh").stat().st_mode & 0o7777, 0o751)
        self.assertTrue((self.run_folder() / "ran").exists())

    def test_dut(self):
        """Its text files too, below its folders too; what it includes is looked for in the run folder."""
        suite = self.folder / "suite"
        self.write_templates(MACROS)
        suites.write(suite / "DUT" / "dut.sh", "{% if true %}exec sipp -i {{ dut.host }} -sf uas.xml -nostdin{% endif %}\n")
        suites.write(suite / "DUT" / "uas.xml", suites.uas())
        suites.write(suite / "DUT" / "etc" / "a.cfg", "{% from 'macros.j2' import of %}{{ of(ua1) }}{% include 'x.txt' %}")
        suites.write(suite / "DUT" / "binary", b"{% if %}\0")
        run = self.one("--keep", "all", files={"uac_ua1.xml": suites.uac(), "x.txt": "{{ dut.host }}"})
        self.assertExit(run, 0)
        self.assertEqual((self.run_folder() / "dut" / "etc" / "a.cfg").read_text(), "<198.18.1.1>198.18.0.1")
        self.assertEqual((self.run_folder() / "dut" / "binary").read_bytes(), b"{% if %}\0")

    def test_many_tests(self):
        """Each with its own keywords, whatever the others' files are called."""
        self.write_templates(MACROS)
        for number in range(60):
            suites.write_test(self.folder / "suite", f"t{number:02}",
                              before="{% import 'macros.j2' as m %}echo '{{ test.name }} {{ m.of(ua0) }}' >note\n")
        self.me.own(self.folder)
        run = self.sippod("suite", "--jobs", "20", "--keep", "all")
        self.assertExit(run, 0)
        for name, test in self.results_by_name().items():
            self.assertEqual((self.run_folder(test) / "note").read_text(), f"{name} <198.18.1.0>\n")

    def test_keywords_of_the_command_line(self):
        """In plain files and in others, of any kind."""
        files = {**suites.CALL, "plain.sh": "{{ custom_transport }} {{ own.a.b }} {{ dut.host }} {{ own.c }}",
                 "other.sh": "{% for n in list %}{{ n }},{% endfor %}{{ custom_transport|upper }} {{ own.a.b }}"}
        suites.write_test(self.folder / "suite", "one", files)
        self.me.own(self.folder)
        run = self.sippod("suite", "--keep", "all", "--keyword-replacement-values",
                          '{"custom_transport": "tcp", "list": [1, null, "x"], "own": {"c": "see", "a": 1}}',
                          "--set", "own.a.b=x=y", "--set", "dut.host=198.18.1.0")
        self.assertExit(run, 0)
        self.assertEqual((self.run_folder() / "plain.sh").read_text(), "tcp x=y 198.18.1.0 see")
        self.assertEqual((self.run_folder() / "other.sh").read_text(), "1,None,x,TCP x=y")

    def test_nothing_is_started_without_need(self):
        """A suite of plain keywords works where there is no python3 at all."""
        suites.write_test(self.folder / "suite", "one", before="echo {{ test.name }}\n")
        path = self.make_path()
        run = self.sippod("suite", "--sipp", harness.require("sipp"), env={"PATH": path})
        self.assertStates(run, "PREPARING", "STARTING", "SUCCESS", "CLEANING")


@for_each_user
class Refused(TemplateCase):
    """The test is NOT READY with the reason, the next one is run."""

    def refused(self, expression, script, templates=None, **files):
        self.write_templates(templates or {})
        suites.write_test(self.folder / "suite", "1-bad", {**suites.CALL, **files}, before=script, after="touch after\n")
        suites.write_test(self.folder / "suite", "2-good", before="{% if true %}touch before{% endif %}\n")
        self.me.own(self.folder)
        run = self.sippod("suite")
        self.assertExit(run, 1)
        self.assertEqual([line.state for line in run.states],
                         ["PREPARING", "NOT READY", "PREPARING", "STARTING", "SUCCESS", "CLEANING"], run)
        self.assertRegex(run.states[1].reason, expression)
        bad = self.results_by_name()["1-bad"]
        self.assertEqual((bad["result"], bad["reason"]), ("NOT READY", run.states[1].reason))
        self.assertFalse((self.run_folder(bad) / "after").exists())
        self.assertEqual((self.run_folder(bad) / "before.sh").read_text(), script)

    def test_undefined_name(self):
        self.refused(r"^before\.sh:3: 'ua9' is undefined$", "# one\n# two\necho {{ua9.host}}\n")

    def test_undefined_attribute(self):
        self.refused(r"^before\.sh:1: 'dict object' has no attribute 'hots'$", "{{ dut.hots }}\n")

    def test_syntax(self):
        self.refused(r"^before\.sh:2: Expected an expression", "\n{% if %}\n")

    def test_block_that_does_not_end(self):
        self.refused(r"^before\.sh:1: Unexpected end of template.*'endif'", "{% if true %}\n")

    def test_unknown_filter(self):
        self.refused(r"^before\.sh:2: No filter named 'b65encode'", "\n{{ 'a'|b65encode }}\n")

    def test_in_an_included_file(self):
        self.refused(r"^more\.txt:2: 'nothing' is undefined \(by way of before\.sh:3\)$",
                     "\n\n{% include 'more.txt' %}\n", **{"more.txt": "\n{{ nothing }}"})

    def test_syntax_in_an_imported_file(self):
        self.refused(r"^TEMPLATES/bad\.j2:1: .* \(by way of before\.sh:1\)$",
                     "{% import 'bad.j2' as bad %}\n", {"bad.j2": "{% macro %}"})

    def test_missing_file(self):
        self.refused(r"^before\.sh:2: there is no 'none\.j2' in the run folder or in /.*/TEMPLATES$",
                     "\n{% import 'none.j2' as m %}\n", MACROS)

    def test_way_out_of_the_folders(self):
        self.refused(r"^before\.sh:1: there is no '\.\./\.\./results\.json' in the run folder$",
                     "{% include '../../results.json' %}\n")

    def test_python_errors(self):
        for script, expression in (
                ("{{ 1 / 0 }}\n", "ZeroDivisionError: division by zero"),
                ("{{ test.name + 1 }}\n", "TypeError: "),
                ("{{ 'YWJ'|b64decode }}\n", "binascii.Error: "),
                ("{{ '\xe4'|b64encode }}\n", "UnicodeEncodeError: "),
                ("{% include 'before.sh' %}\n", "RecursionError: ")):
            with self.subTest(expression):
                self.folder = self.make_folder()
                self.refused(rf"^before\.sh:1: {expression}", script)

    def test_two_at_once(self):
        """Each has its own reason."""
        for name in ("a", "b", "c"):
            suites.write_test(self.folder / "suite", name, before=f"{{% if true %}}{{{{ no_{name} }}}}{{% endif %}}\n")
        self.me.own(self.folder)
        self.assertExit(self.sippod("suite", "--jobs", "3"), 1)
        self.assertEqual([test["reason"] for test in self.results()["tests"]],
                         [f"before.sh:1: 'no_{name}' is undefined" for name in
                          (test["name"] for test in self.results()["tests"])])

    def test_without_python(self):
        """It says what to install, for each test, and asks once."""
        for name in ("one", "two"):
            suites.write_test(self.folder / "suite", name, before="\n{% if true %}x{% endif %}\n")
        run = self.sippod("suite", "--sipp", harness.require("sipp"), env={"PATH": self.make_path()})
        self.assertExit(run, 1)
        self.assertEqual([line.state for line in run.states], ["PREPARING", "NOT READY"] * 2)
        for line in run.states[1::2]:
            self.assertRegex(line.reason, r"^before\.sh:2: .*Jinja2.*apt install python3-jinja2.* python3 is not in PATH$")

    def test_without_jinja2(self):
        """A python3 that cannot import it is started once only, for all tests."""
        for name in ("one", "two"):
            suites.write_test(self.folder / "suite", name, before="\n{% if true %}x{% endif %}\n")
        path = self.make_path(f"#!/bin/sh\nexec {harness.python_for(self.me)} -I -c "
                              "\"import sys; sys.modules['jinja2'] = None; exec(sys.argv[1])\" \"$3\"\n")
        run = self.sippod("suite", "--sipp", harness.require("sipp"), env={"PATH": path})
        self.assertExit(run, 1)
        self.assertEqual([line.state for line in run.states], ["PREPARING", "NOT READY"] * 2)
        for line in run.states[1::2]:
            self.assertRegex(line.reason, r"^before\.sh:2: .*apt install python3-jinja2.*says: .*jinja2")

    def test_python_that_does_not_start(self):
        for words, expression in (
                ("echo hello", "templates cannot be rendered because python3 said something that is no reply$"),
                ("echo 'no way' >&2; exit 3", "templates cannot be rendered: python3 ended with exit code 3: no way$")):
            with self.subTest(words):
                self.folder = self.make_folder()
                suites.write_test(self.folder / "suite", "one", before="{% if true %}x{% endif %}\n")
                path = self.make_path(f"#!/bin/sh\n{words}\nwhile read -r line; do :; done\n")
                run = self.sippod("suite", "--sipp", harness.require("sipp"), env={"PATH": path})
                self.assertExit(run, 1)
                self.assertLast(run, "NOT READY", rf"^before\.sh:1: {expression}")
                self.assertQuick(run, 3)


@for_each_user
class Harmless(TemplateCase):
    """A template is a program; it runs where it can do little."""

    def bad_beside_good(self, bad, *options):
        """One bad test, and eight whose templates wait for the same python3."""
        suites.write_test(self.folder / "suite", "1-bad", before=bad)
        for number in range(2, 10):
            suites.write_test(self.folder / "suite", f"{number}-good", before="{% if true %}touch ran{% endif %}\n")
        self.me.own(self.folder)
        run = self.sippod("suite", "--jobs", "9", *options)
        self.assertExit(run, 1)
        tests = self.results_by_name()
        self.assertEqual({name for name, test in tests.items() if test["verdict"] == "pass"},
                         {f"{number}-good" for number in range(2, 10)}, run)
        self.assertEqual(self.pythons(), [])
        return run, tests["1-bad"]

    def test_endless(self):
        run, bad = self.bad_beside_good(ENDLESS)
        self.assertEqual(bad["reason"], "before.sh: not rendered after 10 s: a loop that does not end?")
        self.assertGreater(bad["prepare_s"], DEADLINE_S - 0.1)
        self.assertQuick(run, DEADLINE_S + 6)

    def test_that_eats_memory(self):
        began = time.monotonic()
        _, bad = self.bad_beside_good("{{ 'x' * 10 ** 10 }}\n")
        self.assertRegex(bad["reason"], r"^before\.sh: not rendered because python3 ended with exit code 1: out of memory")
        self.assertLess(time.monotonic() - began, DEADLINE_S)

    def test_that_eats_memory_bit_by_bit(self):
        _, bad = self.bad_beside_good("{% set all = [] %}{% for i in range(10 ** 9) %}"
                                      "{% if all.append('x' * (1000000 + i)) %}{% endif %}{% endfor %}\n")
        self.assertIn("out of memory", bad["reason"])

    def test_that_kills_its_python(self):
        _, bad = self.bad_beside_good(PYTHON + "{{ os.kill(os.getpid(), 9) }}\n")
        self.assertEqual(bad["reason"], "before.sh: not rendered because python3 was ended by SIGKILL")

    def test_that_says_what_it_should_not(self):
        for words in (b"no JSON\n", b'{"length": -1}\n', b'{"length": 10000000000}\n', b"x" * 100000,
                      b'{"length": 0}\n{"length": 0}\n'):
            with self.subTest(words[:40]):
                self.folder = self.make_folder()
                said = f"python.bytes([{words[0]}]) * {len(words)}" if len(set(words)) == 1 else \
                    f"python.bytes({list(words)})"
                _, bad = self.bad_beside_good(f"{PYTHON}{{{{ os.write(1, {said}) }}}}{ENDLESS}")
                self.assertRegex(bad["reason"], r"^before\.sh: not rendered because python3 said ")
                self.assertLess(bad["prepare_s"], DEADLINE_S / 2)

    def test_that_writes(self):
        """Nowhere, not even into its own pod's memory."""
        self.folder.chmod(0o777)
        for path in (f"{self.folder}/secret", "/tmp/x", "/dev/shm/x", f"{self.folder}/sippod-results/x"):
            with self.subTest(path):
                subprocess.run(["rm", "-rf", self.folder / "suite"], check=True)
                script = f"{PYTHON}{{% set file = python.open('{path}', 'w') %}}{{{{ file.write('x') }}}}{{{{ file.flush() }}}}\n"
                _, bad = self.bad_beside_good(script)
                self.assertRegex(bad["reason"], r"^before\.sh:1: (OSError: .*(Read-only file system|File too large)|"
                                 "PermissionError|FileNotFoundError)")
                self.assertFalse(os.path.exists(path))

    def test_where_it_is(self):
        """No device but a loopback that is down, no capability, no way to write, none to start a program."""
        facts = self.facts()
        self.assertEqual(facts["devices"], "lo")
        self.assertEqual(int(facts["capabilities"], 16), 0)
        self.assertEqual(facts["no_new_privs"], "1")
        self.assertEqual(facts["size"], "0")

    def facts(self):
        script = (PYTHON + "{% set status = python.open('/proc/self/status').read() %}"
                  "devices={{ python.open('/proc/net/dev').read().splitlines()[2:]|map('trim')|map('truncate', 2, true, '')"
                  "|join(',') }}\n"
                  "capabilities={{ status.split('CapEff:')[1].split()[0] }}\n"
                  "no_new_privs={{ status.split('NoNewPrivs:')[1].split()[0] }}\n"
                  "size={{ python.open('/proc/self/limits').read().split('Max file size')[1].split()[0] }}\n")
        text = self.rendered(script).decode()
        return dict(line.split("=", 1) for line in text.splitlines())


@for_each_user
class Ended(TemplateCase):
    def begin(self, *options):
        """A run that is in the middle of rendering."""
        suites.write_test(self.folder / "suite", "1-endless", before=ENDLESS)
        suites.write_test(self.folder / "suite", "2-next", before="{% if true %}{% endif %}\n")
        self.me.own(self.folder)
        running = self.start("suite", "--jobs", "2", *options)
        python = host.wait_until(self.pythons, 10)
        self.assertTrue(python, "no python3 was started")
        return running, python[0]

    def test_interrupted(self):
        running, _ = self.begin()
        time.sleep(0.3)  # so that it does render, most probably; it makes no difference to what has to come
        running.signal(signal.SIGTERM)
        run = running.wait(timeout=5)
        self.assertExit(run, 143)
        for test in self.results()["tests"]:
            self.assertEqual((test["result"], test["reason"]), ("INTERRUPTED", "interrupted by SIGTERM"))
        self.assertEqual(self.pythons(), [])

    def test_time_limit_of_the_test(self):
        running, _ = self.begin("--timeout", "1")
        run = running.wait()
        self.assertExit(run, 1)
        self.assertEqual(self.results_by_name()["1-endless"]["reason"], "not over after its time limit of 1 s")
        self.assertEqual(self.pythons(), [])

    def test_sippod_killed(self):
        before = host.Snapshot()
        running, _ = self.begin()
        running.signal(signal.SIGKILL)
        running.wait()
        changes = before.wait_unchanged()
        self.assertFalse(changes, changes)

    def test_python_killed(self):
        """By somebody outside, while nothing is asked of it, too."""
        suites.write_test(self.folder / "suite", "1-one", before="{% if true %}{% endif %}" + suites.WAIT)
        suites.write_test(self.folder / "suite", "2-two", before="{% if true %}touch ran{% endif %}\n")
        self.me.own(self.folder)
        running = self.start("suite")
        waiting = self.wait_for("sippod-results/1-one/*/waiting", running)
        python = self.pythons()
        self.assertEqual(len(python), 1)
        os.kill(python[0].pid, signal.SIGKILL)
        (waiting.parent / "go").touch()
        self.assertExit(running.wait(), 0)


if __name__ == "__main__":
    harness.main()
