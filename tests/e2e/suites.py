"""Small suites, written when they are needed: one call or less, and scripts."""
from pathlib import Path

HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="{name}">\n'

REQUEST = """  <send{options}><![CDATA[
    {method} sip:bob@{{{{dut.uri_host}}}}:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    Max-Forwards: 70
    From: <sip:alice@[local_ip]>;tag=alice-[pid]-[call_number]
    To: <sip:bob@{{{{dut.uri_host}}}}>
    Call-ID: [call_id]
    CSeq: 1 {method}
    Subject: {subject}
    Content-Length: 0
  ]]></send>
"""

ANSWER = """  <send><![CDATA[
    SIP/2.0 {answer}
    [last_Via:]
    [last_From:]
    [last_To:];tag=bob-[pid]-[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0
  ]]></send>
"""


def command(words):
    """A step of a scenario that runs a shell command in the run folder: how a test learns that SIPp got there."""
    return f'  <nop><action><exec command="{words}"/></action></nop>\n'


def pause(seconds):
    return f'  <pause milliseconds="{int(seconds * 1000)}"/>\n'


def uac(expects=200, subject="test", before="", after="", method="OPTIONS", options=' retrans="500"'):
    """Sends one request and takes one answer; `before` and `after` are further steps."""
    return (HEAD.format(name="caller") + before + REQUEST.format(method=method, subject=subject, options=options) +
            f'  <recv response="{expects}"/>\n' + after + "</scenario>\n")


def uas(answer="200 OK", before="", after="", method="OPTIONS"):
    """Takes one request and answers it."""
    return (HEAD.format(name="callee") + f'  <recv request="{method}"/>\n' + before + ANSWER.format(answer=answer) +
            after + "</scenario>\n")


# A call, as two scenarios: one that passes, one that fails, and one that goes on until it is stopped (with a file
# that tells that it began).
CALL = {"uas_ua0.xml": uas(), "uac_ua1.xml": uac()}
FAILING = {"uas_ua0.xml": uas(answer="404 Not Found"), "uac_ua1.xml": uac()}
ENDLESS = {"uas_ua0.xml": uas(), "uac_ua1.xml": uac(before=command("touch calling") + pause(600))}


# A script that goes on until somebody makes the file `go`; `waiting` tells that it began.
WAIT = "touch waiting\nwhile [ ! -e go ]; do sleep 0.01; done\n"


def write_test(suite, name, files=None, **scripts):
    """The test SUITE/name. `files` default to a call that passes; before= and after= are the scripts' text."""
    folder = Path(suite) / name
    folder.mkdir(parents=True)
    for file, text in (CALL if files is None else files).items():
        write(folder / file, text)
    for script, text in scripts.items():
        write(folder / f"{script}.sh", text)
    return folder


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text, encoding="utf-8")
    return path
