"""The contract of results.json, as a check: which fields there are, of which type, and what follows from what."""
import re

STATES = ("CREATED", "PREPARING", "READY", "NOT READY", "STARTING", "DRY-RUNNING", "SUCCESS", "FAIL", "CLEANING",
          "CLEAN", "DIRTY")
VERDICTS = ("pass", "fail", "flaky", "skip")
OUTCOMES = ("SUCCESS", "FAIL", "NOT READY", "INTERRUPTED", "SKIPPED")


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def text(value):
    return isinstance(value, str)


def flag(value):
    return isinstance(value, bool)


def or_null(check):
    return lambda value: value is None or check(value)


def one_of(*values):
    return lambda value: value in values


def list_of(check):
    return lambda value: isinstance(value, list) and all(check(entry) for entry in value)


def like(expression):
    return lambda value: isinstance(value, str) and re.fullmatch(expression, value) is not None


RUN = {
    "schema": one_of(1),
    "sippod": like(r"\d+\.\d+\.\d+"),
    "suite": like(r"/.*"),
    "started": like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),  # RFC 3339
    "duration_s": number,
    "exit_code": whole,
    "partial": flag,
    "dry_run": flag,
    "seed": or_null(whole),
    "loop": whole,
    "earlier": list_of(like(r"[^/]+/[a-z]{6}")),
    "host": lambda value: isinstance(value, dict),
    "totals": lambda value: isinstance(value, dict),
    "global": or_null(lambda value: isinstance(value, dict)),
    "tests": list_of(lambda value: isinstance(value, dict)),
}
TOTALS = {name: whole for name in ("total", "pass", "fail", "flaky", "skip")}
TEST = {
    "name": text,
    "index": whole,
    "run_id": like(r"([a-z]{6})?"),
    "verdict": one_of(*VERDICTS),
    "result": one_of(*OUTCOMES),
    "clean": flag,
    "expected": flag,
    "states": list_of(one_of(*STATES)),
    "reason": or_null(text),
    "prepare_s": number,
    "run_s": number,
    "clean_s": number,
    "folder": or_null(like(r"[^/]+/[a-z]{6}")),
    "pcap": or_null(like(r"sipp-[a-z]{6}\.pcap(ng)?")),
    "packets": whole,
    "dropped": whole,
    "uas": list_of(lambda value: isinstance(value, dict)),
    "expectations": list_of(lambda value: isinstance(value, dict)),
    "dns": list_of(lambda value: isinstance(value, dict)),
}
UA = {
    "name": like(r"ua\d+"),
    "role": one_of("uas", "uac"),
    "part": like(r"[a-zA-Z0-9]*"),
    "address": like(r"(198\.(1[89]|51)|10\.\d+)\.\d+\.\d+|2001:2::[0-9a-f]+:[0-9a-f]+|2001:db8:22:[0-9a-f:]+"),
    "exit_code": or_null(whole),
    "signal": or_null(whole),
}
DNS = {
    "name": like(r"[!-~]*\."),
    "type": like(r"[A-Z0-9]+"),
    "rcode": one_of("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "BADVERS"),
    "count": whole,
}

EXPECTATION = {
    "name": text,
    "verdict": one_of("pass", "fail", "error", "not evaluated"),
    "detail": or_null(text),
    "seen": whole,
    "elapsed_s": or_null(number),
}


def check_fields(where, value, fields):
    faults = [f"{where}: no field {name}" for name in fields if name not in value]
    faults += [f"{where}: {name} is not in the contract" for name in value if name not in fields]
    faults += [f"{where}: {name} is {value[name]!r}" for name, check in fields.items()
               if name in value and not check(value[name])]
    return faults


def check_test(test):
    where = f"test {test.get('name')}"
    faults = check_fields(where, test, TEST)
    for ua in test.get("uas", []):
        faults += check_fields(f"{where}, {ua.get('name')}", ua, UA)
    for entry in test.get("dns", []):
        faults += check_fields(f"{where}, dns {entry.get('name')}", entry, DNS)
    for entry in test.get("expectations", []):
        faults += check_fields(f"{where}, expectation {entry.get('name')}", entry, EXPECTATION)
    if faults:
        return faults
    for entry in test["expectations"]:
        if (entry["detail"] is None) != (entry["verdict"] == "not evaluated") or \
                (entry["elapsed_s"] is None) != (entry["verdict"] in ("error", "not evaluated")):
            faults.append(f"{where}: expectation {entry}")
        if entry["verdict"] in ("fail", "error") and test["result"] == "SUCCESS":
            faults.append(f"{where}: SUCCESS although {entry['name']} is {entry['verdict']}")
    if test["result"] == "SKIPPED":
        return [] if test["verdict"] == "skip" and test["reason"] and not test["states"] else [f"{where}: skipped"]
    passed = (test["result"] == "SUCCESS" or test["expected"] and test["result"] == "FAIL") and test["clean"]
    if (test["verdict"] == "pass") != passed:
        faults.append(f"{where}: verdict {test['verdict']} with {test['result']} and clean {test['clean']}")
    if not passed and not test["reason"]:
        faults.append(f"{where}: failed without a reason")
    if test["states"][0] != "CREATED" or test["states"][-1] not in ("CLEAN", "DIRTY", "NOT READY"):
        faults.append(f"{where}: states {test['states']}")
    if test["states"][-1] == "CLEAN" and not test["clean"] or test["states"][-1] == "DIRTY" and test["clean"]:
        faults.append(f"{where}: clean is {test['clean']} and the last state {test['states'][-1]}")
    return faults


def check_results(results, inverted=False):
    """What is wrong with it, as a list of sentences; `inverted`: --fail-expected was said."""
    faults = check_fields("run", results, RUN)
    if faults:
        return faults
    tests, totals = results["tests"], results["totals"]
    faults += check_fields("totals", totals, TOTALS)
    for test in tests:
        faults += check_test(test)
    if results["global"]:
        faults += check_test(results["global"])
        if results["global"]["index"] != 0 or results["global"]["uas"]:
            faults.append("global: an index, or UAs")
    if faults:
        return faults
    if totals["total"] != len(tests):
        faults.append(f"totals: {totals['total']} in all, but {len(tests)} tests")
    for verdict in VERDICTS:
        count = sum(test["verdict"] == verdict for test in tests)
        if totals[verdict] != count:
            faults.append(f"totals: {verdict} {totals[verdict]}, but {count} tests")
    indexes = [test["index"] for test in tests]
    if len(set(indexes)) != len(indexes) or min(indexes, default=1) < 1:
        faults.append(f"indexes {indexes}")
    if totals["fail"] and results["exit_code"] == 0 and not inverted:
        faults.append("exit code 0 although a test failed")
    return faults
