"""The table on the screen, and docs/performance.md with its plot."""
import datetime
import os

from . import figures, stack

HEADER = ["scenario", "direct /s", "nginx /s", "gateway /s", "nginx us", "gateway us", "loop us", "loop/nginx",
          "added p50 us", "nginx", "added p99 us", "nginx", "failed"]


def row(result: figures.Result) -> list[str]:
    kind = "event_us" if result.scenario.name.startswith("paced") else "latency_us"
    direct = {share: result.latency_us("direct", share, kind) for share in ("p50", "p99")}
    added = {
        (target, share): result.latency_us(target, share, kind) - direct[share]
        for target in ("gateway", "nginx") for share in ("p50", "p99")
    }
    return [
        result.scenario.name, *[f"{result.throughput(target):.0f}" for target in figures.TARGETS],
        f"{result.cpu_us('nginx'):.1f}", f"{result.cpu_us('gateway'):.1f}", f"{result.loop_us('gateway'):.1f}",
        f"{result.loop_us('gateway') / max(0.001, result.cpu_us('nginx')):.2f}",
        f"{added['gateway', 'p50']:.0f}", f"{added['nginx', 'p50']:.0f}", f"{added['gateway', 'p99']:.0f}",
        f"{added['nginx', 'p99']:.0f}", str(result.failed),
    ]


def show(results: list[figures.Result]):
    rows = [HEADER] + [row(one) for one in results]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADER))]
    for line in rows:
        print("  ".join(cell.rjust(width) if column else cell.ljust(width)
                        for column, (cell, width) in enumerate(zip(line, widths))), flush=True)


def show_keys(keys: dict[str, tuple[float, float]]):
    for name, (median, more) in keys.items():
        print(f"a request that counts for {name}: {median:.2f} us of the loop, {more:+.2f} us", flush=True)


def plot(results: list[figures.Result]) -> str:
    """Bars: CPU of the gateway's loop for a request, nginx = 1."""
    height = 22 * len(results) + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" font-size="12">',
             '<text x="10" y="18">CPU of the gateway\'s loop per request, nginx proxy_pass = 1</text>']
    scale = 380 / max(2.5, *[one.loop_us("gateway") / max(0.001, one.cpu_us("nginx")) for one in results])
    for index, one in enumerate(results):
        ratio = one.loop_us("gateway") / max(0.001, one.cpu_us("nginx"))
        y = 32 + 22 * index
        parts.append(f'<text x="10" y="{y + 13}">{one.scenario.name}</text>')
        parts.append(f'<rect x="210" y="{y}" width="{ratio * scale:.0f}" height="16" fill="#3b6ea5"/>')
        parts.append(f'<text x="{216 + ratio * scale:.0f}" y="{y + 13}">{ratio:.2f}</text>')
    line = 210 + scale
    parts.append(f'<line x1="{line:.0f}" y1="28" x2="{line:.0f}" y2="{height - 12}" stroke="#a33" stroke-dasharray="4 3"/>')
    return "\n".join(parts + ["</svg>\n"])


def write(results: list[figures.Result], counts: dict, keys: dict[str, tuple[float, float]]):
    folder = os.path.join(stack.ROOT, "docs")
    with open(f"{folder}/performance.svg", "w") as file:
        file.write(plot(results))
    lines = [" | ".join(HEADER), " | ".join(["---"] + ["--:"] * (len(HEADER) - 1))]
    lines += [" | ".join(row(one)) for one in results]
    table = "\n".join(f"| {line} |" for line in lines)
    counted = "\n".join(
        f"| {name} | {one['instructions']:.0f} | {one['allocations']:.2f} |" for name, one in counts.items())
    counted_for = "\n".join(f"| {name} | {median:.2f} | {more:+.2f} |" for name, (median, more) in keys.items())
    resident = {
        name: f"{own // 1024} MiB of its own and {mapped // 1024} MiB of mapped files"
        for name, (own, mapped) in results[-1].resident_kib.items()
    }
    path = f"{folder}/performance.md"
    text = open(path).read() if os.path.exists(path) else ""
    begin, end = "<!-- figures: made by make bench -->", "<!-- end of figures -->"
    block = f"""{begin}
Measured {datetime.date.today()} on {os.cpu_count()} cores; medians of interleaved rounds.

{table}

![CPU per request](performance.svg)

| counted with valgrind | instructions | allocations |
|---|--:|--:|
{counted}

| 1 KB, 32 connections, a request that counts for | us of the loop | more than nothing |
|---|--:|--:|
{counted_for}

Resident memory at the end: gateway {resident.get('gateway')}; nginx's worker {resident.get('nginx')}.
{end}"""
    if begin in text and end in text:
        text = text[:text.index(begin)] + block + text[text.index(end) + len(end):]
    else:
        text += "\n" + block + "\n"
    with open(path, "w") as file:
        file.write(text)
    print(f"written: {path}")
