#!/usr/bin/env python3
"""How fast the gateway is: beside nginx's proxy_pass and a direct connection, with the same upstream and the same load.

    make bench                  everything, into docs/performance.md (eight minutes of load)
    Benchmarks/run.py --quick   each scenario once and briefly, to the screen only
    Benchmarks/run.py --only 'json 1K.*'   scenarios whose name matches
    Benchmarks/run.py --only budgets           what budgets and rate limits cost a request
    Benchmarks/run.py --count   only instructions and allocations (valgrind), against Benchmarks/limits.json

The gateway runs as it is deployed: signed policy, virtual keys, usage written and shipped, metrics on. The proxy under
test is alone on the first core; load, upstream, control plane and PostgreSQL share the second.
"""
import argparse
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import count, figures, report, scenarios, stack  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--count", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 2
    chosen = [one for one in scenarios.ALL if re.search(options.only, one.name)]
    measures_keys = re.search(options.only, "budgets") is not None
    if not chosen and not measures_keys and not options.count:
        sys.exit("bench: no scenario has such a name: " + ", ".join(one.name for one in scenarios.ALL))
    folder = tempfile.mkdtemp(prefix="ghbench.", dir="/tmp")
    os.chmod(folder, 0o755)
    try:
        with stack.Stack(folder, proxies=not options.count) as site:
            if options.count:
                return count.run(site)
            results = [figures.measure(site, one, options.rounds, options.seconds) for one in chosen]
            if results:
                report.show(results)
            keys = figures.measure_keys(site, 2 * options.rounds + 1, options.seconds) if measures_keys else {}
            report.show_keys(keys)
            if not options.quick and not options.only:
                report.write(results, count.measure(site), keys)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
