"""Instructions and allocations of the gateway for a request and for a relayed event, counted by valgrind.

Counted, not timed: the same on a busy machine. Only the thread that carries requests; two runs of different length are
subtracted, so that what begins and ends with a run cancels out.
"""
import json
import os
import re
import subprocess
import sys
import time

from . import figures, scenarios, stack

LIMITS = os.path.join(stack.ROOT, "Benchmarks", "limits.json")
PORT = 28090
REQUESTS = 400
# A function that only the thread of an event loop that carries requests runs.
MARK = "DownstreamHandler"

# name -> scenario, what its requests are divided by
CASES = {
    "json 1K, per request": (scenarios.Scenario("json", "json1k", connections=4), 1),
    "json 1K with five budgets, per request": (scenarios.Scenario("budgets", "json1k", connections=4), 1),
    "json 1K with five budgets and three limits, per request": (
        scenarios.Scenario("limits", "json1k", connections=4), 1),
    "64K request, per request": (scenarios.Scenario("64K request", "json1k", body=65536, connections=4), 1),
    "fast events, per event": (scenarios.Scenario("events", "fast", connections=4), 203),
}


def measure(site: stack.Stack, limits: dict | None = None) -> dict:
    """
    With limits, what exceeds one is counted again, up to three times, and the least counts: on a busy machine a body comes
    in more and smaller pieces.
    """
    stack.install("valgrind", "strip")
    # Debian's valgrind cannot read the debugging information; the names of functions are enough.
    binary = f"{site.folder}/gatehouse-gateway"
    stack.run("strip", "--strip-debug", "-o", binary, f"{stack.BINARIES}/gatehouse-gateway")
    gateway = site.start_gateway(
        "counted", PORT, under=["valgrind", "--tool=callgrind", "--separate-threads=yes",
                                f"--callgrind-out-file={site.folder}/callgrind.out"], core="0,1", binary=binary)
    results = {}
    for name, (scenario, units) in CASES.items():
        requests = REQUESTS if units == 1 else REQUESTS // 20
        key = site.keys.get(scenario.name, site.key)
        _warm(site, scenario, key)
        for _ in range(3 if limits else 1):
            few, many = (
                _counted(site, gateway, scenario, count, key) for count in (requests, 3 * requests))
            found = {what: (many[what] - few[what]) / (2 * requests) / units for what in ("instructions", "allocations")}
            results[name] = {what: min(found[what], results.get(name, found)[what]) for what in found}
            if limits and all(results[name][what] <= limits[name][what] for what in found):
                break
        print(f"{name}: {results[name]['instructions']:.0f} instructions, {results[name]['allocations']:.2f} allocations",
              flush=True)
    site.end(gateway)
    return results


def _warm(site: stack.Stack, scenario: scenarios.Scenario, key: str):
    """Until a new key is known and its budgets have money; then some more."""
    for _ in range(60):
        told = figures.load(site, "gateway", scenario, 300, port=PORT, requests=50, warmup=0, key=key)
        if told["answered"] == 50 and not told["failed"]:
            return
        time.sleep(0.5)
    sys.exit(f"bench: requests of {scenario.name} are not answered under valgrind: {told}")


def _send(site: stack.Stack, scenario: scenarios.Scenario, requests: int, key: str):
    told = figures.load(site, "gateway", scenario, 300, port=PORT, requests=requests, warmup=0, key=key)
    if told["failed"] or told["answered"] != requests:
        sys.exit(f"bench: {told['answered']} of {requests} requests were answered under valgrind")


def _counted(
    site: stack.Stack, gateway: subprocess.Popen, scenario: scenarios.Scenario, requests: int, key: str
) -> dict:
    _control(gateway, "--zero")
    _send(site, scenario, requests, key)
    before = set(_dumps(site))
    _control(gateway, "--dump")
    for _ in range(600):
        new = [f"{site.folder}/{name}" for name in sorted(set(_dumps(site)) - before)]
        texts = [open(path).read() for path in new]
        if texts and all("totals:" in text[-400:] for text in texts):
            carriers = [path for path, text in zip(new, texts) if MARK in text]
            if len(carriers) == 1:
                return _read(carriers[0])
        time.sleep(0.1)
    sys.exit("bench: callgrind wrote nothing of a thread that carries requests")


def _control(gateway: subprocess.Popen, what: str):
    stack.run("callgrind_control", what, str(gateway.pid))


def _dumps(site: stack.Stack) -> list[str]:
    return [name for name in os.listdir(site.folder) if name.startswith("callgrind.out.")]


def _read(path: str) -> dict:
    """Totals of a dump: instructions, and calls of what gives memory."""
    instructions, allocations = 0, 0
    names: dict[str, str] = {}
    called = ""
    with open(path) as file:
        for line in file:
            if line.startswith("totals:"):
                instructions = int(line.split()[1])
            elif line.startswith(("fn=", "cfn=")):
                match = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line)
                if match:
                    if match[2]:
                        names[match[1]] = match[2]
                    if line.startswith("cfn="):
                        called = names.get(match[1], "")
            elif line.startswith("calls="):
                if re.match(r"(malloc|calloc|realloc|posix_memalign|aligned_alloc)(@|'|$)", called):
                    allocations += int(line[6:].split()[0])
    return {"instructions": instructions, "allocations": allocations}


def run(site: stack.Stack) -> int:
    """Compares with the checked-in limits; 1 when one is exceeded."""
    limits = json.load(open(LIMITS))
    status = 0
    for name, figures_of in measure(site, limits).items():
        for key, value in figures_of.items():
            limit = limits[name][key]
            if value > limit:
                print(f"bench: {name}: {value:.1f} {key}, at most {limit} are allowed (Benchmarks/limits.json)")
                status = 1
    return status
