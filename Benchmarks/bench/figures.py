"""Running one scenario against each target in turn, and what it cost the proxy."""
import json
import os
import statistics
from dataclasses import dataclass, field

from . import scenarios, stack

TARGETS = ("direct", "nginx", "gateway")


@dataclass
class Round:
    load: dict
    cpu_ns: int
    loop_ns: int

    @property
    def answered(self) -> int:
        return max(1, self.load["answered"])


@dataclass
class Result:
    scenario: scenarios.Scenario
    rounds: dict = field(default_factory=lambda: {name: [] for name in TARGETS})
    resident_kib: dict = field(default_factory=dict)

    def median(self, target: str, of) -> float:
        return statistics.median(of(one) for one in self.rounds[target])

    def throughput(self, target: str) -> float:
        return self.median(target, lambda one: one.load["answered"] * 1000 / max(1, one.load["milliseconds"]))

    def cpu_us(self, target: str) -> float:
        """Microseconds of the proxy's CPU for a request; all of its threads."""
        return self.median(target, lambda one: one.cpu_ns / 1000 / one.answered)

    def loop_us(self, target: str) -> float:
        """The same of the thread that carries requests only."""
        return self.median(target, lambda one: one.loop_ns / 1000 / one.answered)

    def latency_us(self, target: str, share: str, kind: str = "latency_us") -> float:
        return self.median(target, lambda one: one.load[kind][share])

    @property
    def failed(self) -> int:
        return sum(one.load["failed"] for target in TARGETS for one in self.rounds[target])


def thread_times(pid: int) -> dict[str, int]:
    """Nanoseconds on a CPU of each thread of a process, by thread id."""
    times = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                times[thread] = int(file.read().split()[0])
        except OSError:
            pass
    return times


def processes(site: stack.Stack, target: str, scenario: scenarios.Scenario) -> list[int]:
    if target == "direct":
        return []
    if target == "gateway":
        return [(site.gateway_tls if scenario.tls else site.gateway).pid]
    with open(f"/proc/{site.nginx.pid}/task/{site.nginx.pid}/children") as file:
        return [int(child) for child in file.read().split()]


def resident(pids: list[int]) -> tuple[int, int]:
    """KiB that are the processes' own, and of files that they have mapped: programs, and the spool of usage."""
    own, mapped = 0, 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        own += int(fields["RssAnon"].split()[0])
        mapped += int(fields["RssFile"].split()[0])
    return own, mapped


def load(site: stack.Stack, target: str, scenario: scenarios.Scenario, seconds: int, **extra) -> dict:
    offset = scenarios.PORTS[scenario.shape] - scenarios.BASE_PORT
    port = {
        "direct": scenarios.BASE_PORT + offset,
        "nginx": (stack.NGINX_TLS_PORT if scenario.tls else stack.NGINX_PORT) + offset,
        "gateway": stack.GATEWAY_TLS_PORT if scenario.tls else stack.GATEWAY_PORT,
    }[target]
    arguments = {
        "port": port, "model": scenario.shape, "body": scenario.body, "connections": scenario.connections,
        "seconds": seconds, "rate": scenario.rate, "tls": int(scenario.tls and target != "direct"),
        "stream": int(scenario.streams), "key": site.key,
    } | extra
    command = ["taskset", "-c", stack.OTHER_CORE, f"{stack.TOOLS}/bench-load"]
    for name, value in arguments.items():
        command += [f"--{name}", str(value)]
    return json.loads(stack.run(*command))


def measure(site: stack.Stack, scenario: scenarios.Scenario, rounds: int, seconds: int) -> Result:
    result = Result(scenario)
    for _ in range(rounds):
        # In turn, so that what else the machine does is shared by all.
        for target in TARGETS:
            pids = processes(site, target, scenario)
            before = [thread_times(pid) for pid in pids]
            told = load(site, target, scenario, seconds, warmup=0)
            after = [thread_times(pid) for pid in pids]
            spent = [
                end[thread] - start.get(thread, 0) for start, end in zip(before, after) for thread in end
            ]
            result.rounds[target].append(Round(told, sum(spent), max(spent, default=0)))
            result.resident_kib[target] = resident(pids)
    return result


# What requests of one shape count for: name -> whose key they carry.
COUNTED_FOR = {"nothing": "", "five budgets": "budgets", "five budgets, three rate limits": "limits"}


def measure_keys(site: stack.Stack, rounds: int, seconds: int) -> dict[str, tuple[float, float]]:
    """Microseconds of the gateway's loop for a request, by what it counts for; in turn, as scenarios are.

    name -> (median, median of the difference to nothing in the same round)
    """
    scenario = scenarios.Scenario("json 1K, 32 connections", "json1k")
    told: dict[str, list[float]] = {name: [] for name in COUNTED_FOR}
    pid = site.gateway.pid
    for _ in range(rounds):
        for name, key in COUNTED_FOR.items():
            before = thread_times(pid)
            result = load(site, "gateway", scenario, seconds, warmup=0, key=site.keys[key])
            after = thread_times(pid)
            if result["failed"] or not result["answered"]:
                raise SystemExit(f"bench: requests that count for {name} are not answered: {result}")
            busiest = max(end - before.get(thread, 0) for thread, end in after.items())
            told[name].append(busiest / 1000 / result["answered"])
    base = told["nothing"]
    return {
        name: (statistics.median(one), statistics.median(own - none for own, none in zip(one, base)))
        for name, one in told.items()
    }
