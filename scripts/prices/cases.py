"""Cases of pricing, each with a cost that is computed here: with fractions, from the providers' rules as documented.

    python3 scripts/prices/cases.py          writes Tests/SharedTests/Rules/price-cases.txt
    python3 scripts/prices/cases.py check    says whether the file is what would be written

Two ways to a cost, neither of which is the product's code. `ours` follows the sentences of DESIGN section 6 and of the
documentation of prices over our items. `theirs` never sees an item: it goes from the fields of LiteLLM's list, by the
rules that its documentation gives. Where that list is absent the cases from it are taken from the checked-in file as
they stand, which is said.
"""

import datetime
import fractions
import math
import pathlib
import random
import sys

import litellm

FILE = pathlib.Path(__file__).resolve().parents[2] / "Tests/SharedTests/Rules/price-cases.txt"
LARGEST = 2**63 - 1
FALLBACKS = {
    "cached_input": "input", "cache_write_5m": "input", "cache_write_1h": "cache_write_5m", "audio_input": "input",
    "image_input": "input", "reasoning": "output", "audio_output": "output", "image_output": "output",
}
PROMPT = ["input", "cached_input", "cache_write_5m", "cache_write_1h", "audio_input", "image_input"]
UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday


def rounded(exact):
    return min(math.ceil(exact), LARGEST)


def is_open(window, at):
    """Whether an opening of today or yesterday is not over."""
    start, end, days = window
    length = end - start if end > start else end - start + 1440
    for back in (0, 1):
        day = (at - datetime.timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        opens = day + datetime.timedelta(minutes=start)
        if days >> day.weekday() & 1 and opens <= at < opens + datetime.timedelta(minutes=length):
            return True
    return False


def ours(case):
    """The cost by the sentences, over items."""
    prompt = sum(case["units"].get(meter, 0) for meter in PROMPT)
    total = 0
    for meter, units in case["units"].items():
        wanted = meter
        while wanted:
            fitting = [
                ((window is not None, tier == case["tier"], above, nano), nano)
                for (own, tier, above, window), nano in case["items"].items()
                if own == wanted and tier in (case["tier"], "standard") and (above == 0 or prompt > above)
                and (window is None or is_open(window, case["at"]))
            ]
            if fitting:
                total += rounded(fractions.Fraction(units * max(fitting)[1], 10**6))
                break
            wanted = FALLBACKS.get(wanted)
    total = min(total, LARGEST)
    if total == LARGEST:
        return total
    return rounded(fractions.Fraction(total * case["uplift"] * case["adjustment"], 10**12))


def theirs(entry, case):
    """The cost from the fields of the list: base, then service tier, then the highest prompt tier that was crossed;
    without a cache or modality rate the ordinary one; off-peak rates in place of all of that."""
    suffix = {v: k for k, v in litellm.TIERS.items()}.get(case["tier"], "")
    prompt = sum(case["units"].get(meter, 0) for meter in PROMPT)
    crossed = []
    for field in entry:
        base, above, _ = litellm.field_name(field)
        if above and (prompt >= above if entry["litellm_provider"] == "xai" else prompt > above):
            crossed.append(above)
    off_peak = entry.get("off_peak_pricing")
    if off_peak and not any(is_open(window, case["at"]) for window in litellm.windows(off_peak)):
        off_peak = None

    def rate(*fields):
        for field in fields:
            if off_peak and field in off_peak:
                return off_peak[field]
            names = [f"{field}_above_{above // 1000}k_tokens" for above in sorted(set(crossed), reverse=True)] + [field]
            for name in [n + suffix for n in names if suffix] + names:
                if entry.get(name) is not None:
                    return entry[name]
        return 0

    text, answer = "input_cost_per_token", "output_cost_per_token"
    read = ["cache_read_input_token_cost", text]
    write = ["cache_creation_input_token_cost", text]
    rates = {
        "input": [text], "output": [answer], "cached_input": read, "cache_write_5m": write,
        "cache_write_1h": ["cache_creation_input_token_cost_above_1hr"] + write,
        "audio_input": ["input_cost_per_audio_token", text], "audio_output": ["output_cost_per_audio_token", answer],
        "image_input": ["input_cost_per_image_token", text], "image_output": ["output_cost_per_image_token", answer],
        "reasoning": ["output_cost_per_reasoning_token", answer],
    }
    total = 0
    for meter, units in case["units"].items():
        total += rounded(fractions.Fraction(units) * fractions.Fraction(rate(*rates[meter])) * 10**9)
    return rounded(fractions.Fraction(total * case["uplift"] * case["adjustment"], 10**12))


def line(case, expected):
    at = case["at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    items = " ".join(f"{litellm.item_text(key)}={nano}" for key, nano in sorted(case["items"].items(), key=str))
    units = " ".join(f"{meter}={count}" for meter, count in case["units"].items())
    return "|".join(
        [case["name"], case["tier"], at, str(case["uplift"]), str(case["adjustment"]), items, units, str(expected)]
    )


def case(name, items, units, tier="standard", at=NOON, uplift=10**6, adjustment=10**6):
    return {"name": name, "items": items, "units": units, "tier": tier, "at": at, "uplift": uplift,
            "adjustment": adjustment}


# MARK: Cases of our own


def item(meter, nano, tier="standard", above=0, window=None):
    return {(meter, tier, above, window): nano}


def own_cases():
    yield from boundaries()
    yield from fallbacks()
    yield from tiers()
    yield from off_peak()
    yield from factors()
    yield from saturation()
    yield from estimates()


def boundaries():
    book = item("input", 1_250_000_000) | item("input", 2_500_000_000, above=200_000)
    book |= item("output", 10**10) | item("output", 15 * 10**9, above=200_000) | item("cached_input", 125_000_000)
    for total in (0, 1, 199_999, 200_000, 200_001, 1_000_000):
        for cached in (0, 1, 150_000):
            if cached <= total:
                units = {"input": total - cached, "cached_input": cached, "output": 777}
                yield case(f"prompt of {total}, {cached} of it cached", book, units)
    # From 128,000 on is above 127,999.
    book = item("input", 3 * 10**9) | item("input", 6 * 10**9, above=127_999) | item("output", 15 * 10**9)
    for total in (127_999, 128_000, 128_001):
        yield case(f"inclusive tier at {total}", book, {"input": total, "output": 9})
    book = item("input", 7) | item("input", 70, above=100) | item("input", 700, above=1000)
    for total in (100, 101, 1000, 1001):
        yield case(f"two tiers at {total}", book, {"input": total})
    for meter in ("cache_write_5m", "cache_write_1h", "audio_input", "image_input"):
        yield case(f"{meter} counts into the prompt", book, {"input": 100, meter: 1})
    for meter in ("output", "reasoning", "audio_output", "image_output", "page", "character"):
        yield case(f"{meter} does not count into the prompt", book, {"input": 100, meter: 1})


def fallbacks():
    for meter, fallback in FALLBACKS.items():
        base = item("input", 1_000_003) | item("output", 5_000_017)
        yield case(f"{meter} without a price", base, {meter: 1_234_567})
        yield case(f"{meter} with its own", base | item(meter, 99), {meter: 1_234_567})
        yield case(f"{meter} that is free", base | item(meter, 0), {meter: 1_234_567})
        yield case(f"{meter} with only a batch price", base | item(meter, 99, "batch"), {meter: 1_234_567})
        yield case(f"{meter} with a tier above", base | item(meter, 99, above=10**7), {meter: 1_234_567})
        yield case(f"{meter} where {fallback} has a tier", base | item(fallback, 77, above=5), {meter: 6})
    for meter in ("image", "request", "input_ms", "output_ms", "character", "page", "search", "input", "output"):
        yield case(f"nothing for {meter}", item("cached_input", 5), {meter: 3})
        yield case(f"{meter} by itself", item(meter, 40_000_000_001), {meter: 3})


def tiers():
    book = item("input", 100) | item("input", 50, "flex") | item("input", 200, "priority") | item("input", 40, "batch")
    book |= item("input", 1000, above=10) | item("input", 2000, "priority", above=10) | item("output", 900)
    for tier in ("standard", "flex", "priority", "batch"):
        for units in (10, 11, 1_000_000):
            yield case(f"{tier} with a prompt of {units}", book, {"input": units, "output": units}, tier)
    only = item("input", 50, "batch")
    for tier in ("standard", "flex", "batch"):
        yield case(f"only a batch price, {tier}", only, {"input": 10**6}, tier)


def off_peak():
    night = (990, 30, 127)
    book = item("input", 270_000_000) | item("input", 135_000_000, window=night) | item("output", 1_100_000_000)
    book |= item("output", 550_000_000, window=night) | item("input", 999_000_000, above=1000)
    for day in range(22, 30):
        for hour, minute, second in ((16, 29, 59), (16, 30, 0), (23, 59, 59), (0, 0, 0), (0, 29, 59), (0, 30, 0)):
            at = datetime.datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)
            yield case(f"night rate at {at:%a %H:%M:%S}", book, {"input": 12_345, "output": 678}, at=at)
    weekdays = item("input", 100) | item("input", 10, window=(600, 1440, 0b0011111))
    weekdays |= item("input", 1, window=(0, 1440, 0b1100000)) | item("input", 5, "batch")
    for day in range(23, 31):
        for hour in (9, 10, 23):
            at = datetime.datetime(2026, 11, day, hour, 59, 59, 999_999, tzinfo=UTC)
            for tier in ("standard", "batch"):
                yield case(f"{tier} on {at:%a} at {hour}:59", weekdays, {"input": 10**6}, tier, at)


def factors():
    book = item("input", 3_000_000_000) | item("output", 15_000_000_000) | item("request", 1)
    for uplift in (10**6, 1_100_000, 0, 1, 10**8):
        for adjustment in (10**6, 850_000, 1_050_000, 333_333, 0, 10**8):
            units = {"input": 1001, "output": 13, "request": 1}
            yield case(f"uplift {uplift}, adjustment {adjustment}", book, units, uplift=uplift, adjustment=adjustment)
    for units in (1, 2, 3, 10, 11):
        yield case(f"{units} nano-dollars a tenth dearer", item("request", 10**6), {"request": units}, uplift=1_100_000)


def saturation():
    most = item("input", LARGEST) | item("output", LARGEST)
    yield case("more than there is", most, {"input": LARGEST})
    yield case("a sum of more than there is", most, {"input": 10**6 - 1, "output": 10**6 - 1})
    yield case("just what there is", item("input", LARGEST), {"input": 10**6})
    yield case("what there is, cut in half", item("input", LARGEST), {"input": 10**6}, adjustment=500_000)
    yield case("near what there is, doubled", item("input", 10**6), {"input": LARGEST - 9}, uplift=2 * 10**6)
    yield case("near what there is, cut in half", item("input", 10**6), {"input": LARGEST - 9}, uplift=500_000)
    yield case("a prompt beyond counting", item("input", 0) | item("input", 1, above=LARGEST - 1),
               {"input": LARGEST - 1, "cached_input": 1})


def estimates():
    """Bounds of streams that were cut: bytes of the body and of what was relayed, as tokens."""
    book = item("input", 1_250_000_000) | item("output", 10**10) | item("cached_input", 125_000_000)
    for body, relayed in ((1, 0), (4096, 0), (4096, 17), (33_554_432, 1_048_576), (271_999, 3), (272_001, 3)):
        more = book | item("input", 2_500_000_000, above=272_000)
        yield case(f"cut stream, {body} bytes up, {relayed} down", more, {"input": body, "output": relayed, "request": 1})


# MARK: Cases from the list

MODELS = [
    "gpt-5", "gpt-5.2", "gpt-5.4", "gpt-5.5", "gpt-6-astra", "gpt-6-luna", "gpt-4o", "gpt-4o-mini", "gpt-4o-audio-preview",
    "gpt-image-1", "claude-sonnet-4-5", "claude-opus-4-6", "claude-haiku-5-5", "claude-haiku-4-5-20251001",
    "anthropic.claude-sonnet-4-5-20250929-v1:0", "gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash",
    "gemini/gemini-3-pro-preview", "deepseek-v4-pro", "deepseek-v4-flash", "deepseek/deepseek-chat", "xai/grok-4",
    "xai/grok-4.20-0309-reasoning", "amazon.nova-lite-v1:0", "amazon.nova-2-lite-v1:0", "azure/gpt-5.4",
    "mistral/mistral-large-latest", "command-a-03-2025", "groq/llama-3.3-70b-versatile",
]


def list_cases(prices):
    choose = random.Random(20261126)
    for model in MODELS:
        entry = prices.get(model)
        if entry is None:
            continue
        items, uplifts, _ = litellm.convert(entry)
        used = ["input", "cached_input", "cache_write_5m", "cache_write_1h", "output", "reasoning"]
        if any(key[0].startswith("audio") for key in items):
            used += ["audio_input", "audio_output"]
        if any(key[0].startswith("image_") for key in items):
            used += ["image_input", "image_output"]
        sizes = [0, 1, 999, 43_210, 99_999, 100_001, 199_999, 200_000, 200_001, 272_000, 272_001]
        for number in range(8):
            tier = choose.choice(["standard", "standard", "flex", "priority", "batch"])
            units = {meter: choose.choice([0, 1, 17, 1024, 30_000]) for meter in used}
            units["input"] = choose.choice(sizes)
            at = NOON + datetime.timedelta(minutes=choose.randrange(7 * 1440))
            uplift = choose.choice([10**6, *uplifts.values()])
            made = case(f"{model} {number}", items, units, tier, at, uplift, choose.choice([10**6, 10**6, 900_000]))
            if is_plain(entry, tier):
                yield made, theirs(entry, made)


def is_plain(entry, tier):
    """Whether service tier and prompt tiers do not cross: what holds when only one of both has a rate, the list does
    not say. The same for a tier of a meter whose fallback has one and it has not."""
    suffix = {v: k for k, v in litellm.TIERS.items()}.get(tier, "")
    fields = [litellm.field_name(field) for field in entry if litellm.is_money(field)]
    bases = {base for base, _, own in fields if own == suffix} if suffix else set()
    for base, above, own in fields:
        if base in litellm.METERS and above and own == "" and base in bases:
            if f"{base}_above_{above // 1000}k_tokens{suffix}" not in entry:
                return False
    return not (suffix and entry.get("off_peak_pricing"))


def main():
    prices = litellm.load()
    lines = ["# Written by scripts/prices/cases.py; see PriceCases.swift for the form."]
    lines += [line(made, ours(made)) for made in own_cases()]
    if prices is None:
        print("the public list is absent: the cases from it are kept as they stand")
        lines += [old for old in FILE.read_text().splitlines() if old.startswith("list: ")]
    else:
        for made, expected in list_cases(prices):
            made["name"] = "list: " + made["name"]
            lines.append(line(made, expected))
            if ours(made) != expected:
                print(f"the two ways differ: {lines[-1]} but {ours(made)}")
                return 1
    text = "\n".join(lines) + "\n"
    if sys.argv[1:] == ["check"]:
        same = FILE.read_text() == text
        print(f"{len(lines) - 1} cases: the file is {'what would be written' if same else 'out of date'}")
        return 0 if same else 1
    FILE.write_text(text)
    print(f"{len(lines) - 1} cases written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
