"""Reads LiteLLM's public price list (MIT licence) as facts, and says them in Gatehouse's terms.

Their list is one flat object a model, US dollars for one unit; ours is items {meter, service tier, prompt tier, window}
in nano-dollars for a million units. What ours cannot say is named, never dropped unseen.
"""

import decimal
import json
import pathlib
import re

LIST = pathlib.Path(__file__).resolve().parents[3] / "shared/prices/litellm-model-prices.json"

# Their field without suffixes -> our meter. Both spellings of DeepSeek's cache hits mean the same.
METERS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "input_cost_per_token_cache_hit": "cached_input",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
    "ocr_cost_per_page": "page",
}
# Units that depend on what the model is for.
BY_MODE = {
    ("output_cost_per_image", "image_generation"): "image",
    ("input_cost_per_second", "audio_transcription"): "input_ms",
    ("output_cost_per_second", "video_generation"): "output_ms",
    ("output_cost_per_video_per_second", "video_generation"): "output_ms",
    ("input_cost_per_character", "audio_speech"): "character",
    ("input_cost_per_query", "rerank"): "search",
}
# Their unit in ours: a second is a thousand milliseconds.
UNITS = {"input_ms": 1000, "output_ms": 1000}
TIERS = {"_batches": "batch", "_flex": "flex", "_priority": "priority"}
SUFFIX = re.compile(
    r"^(?P<base>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?P<tier>_batches|_flex|_priority|_balanced|_ultrafast|_decisions)?$"
)
# Fields about money that say nothing of a rate for a meter.
NOT_RATES = {"off_peak_pricing", "tiered_pricing", "provider_specific_entry", "search_context_cost_per_query"}


def load(path=LIST):
    """The list, or None where it is absent."""
    if not path.exists():
        return None
    with open(path, encoding="utf-8") as file:
        return {k: v for k, v in json.load(file, parse_float=decimal.Decimal).items() if "litellm_provider" in v}


def nano_per_million(dollars, meter):
    """Dollars for one of their units as nano-dollars for a million of ours; and whether that is exact."""
    exact = decimal.Decimal(dollars) * 10**15 / UNITS.get(meter, 1)
    rounded = int(exact.to_integral_value(decimal.ROUND_HALF_EVEN))
    return rounded, rounded == exact


def is_money(field):
    return "cost" in field or "pricing" in field or "uplift" in field or field == "provider_specific_entry"


def field_name(field):
    """A field as (meter's field, prompt threshold or None, suffix of the service tier)."""
    # The time to live of the 1-hour cache is spelled like a threshold, before the real one.
    match = SUFFIX.match(field)
    above = int(match["above"]) * 1000 if match["above"] else None
    return match["base"], above, match["tier"] or ""


def minutes(text):
    hours, rest = text.split(":")
    return int(hours) * 60 + int(rest)


def windows(pricing):
    """The windows of an off-peak price as (start, end, weekdays as bits, Monday first)."""
    found = []
    for window in pricing.get("windows") or [{"hours_utc": pricing["hours_utc"]}]:
        days = sum(1 << (day - 1) for day in window.get("weekdays", range(1, 8)))
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            start, end = (minutes(part) for part in span.split("-"))
            found.append((start, end or 1440, days))
    return found


def convert(entry):
    """One model's prices: ({(meter, tier, above, window): nano}, {region: parts per million}, [what is left out])."""
    items, left_out = {}, []
    provider, mode = entry["litellm_provider"], entry.get("mode")
    for field in sorted(entry):
        if not is_money(field) or field in NOT_RATES or entry[field] is None:
            continue
        base, above, suffix = field_name(field)
        meter = METERS.get(base) or BY_MODE.get((base, mode))
        if "uplift" in field:
            continue
        if meter is None or (suffix and suffix not in TIERS):
            left_out.append(field)
            continue
        nano, exact = nano_per_million(entry[field], meter)
        if not exact:
            left_out.append(field + " (rounded)")
        # "Above n" is from n on with xAI.
        threshold = 0 if above is None else above - 1 if provider == "xai" else above
        key = (meter, TIERS.get(suffix, "standard"), threshold, None)
        if items.get(key, nano) != nano:
            left_out.append(field + " (contradicts another spelling)")
            nano = max(nano, items[key])
        items[key] = nano
    pricing = entry.get("off_peak_pricing")
    if pricing and pricing.get("weekday_timezone", "UTC") == "UTC":
        for window in windows(pricing):
            for field in sorted(pricing):
                if field in METERS:
                    items[(METERS[field], "standard", 0, window)], _ = nano_per_million(pricing[field], METERS[field])
    elif pricing:
        left_out.append("off_peak_pricing")
    left_out += [field for field in ("tiered_pricing",) if field in entry]
    # A cost for searches is by context size; the same for all three is one price.
    search = entry.get("search_context_cost_per_query")
    if search:
        rates = {decimal.Decimal(rate) for rate in search.values() if not isinstance(rate, (str, dict))}
        if len(rates) == 1 and ("search", "standard", 0, None) not in items:
            items[("search", "standard", 0, None)], _ = nano_per_million(rates.pop(), "search")
        else:
            left_out.append("search_context_cost_per_query")
    return items, uplifts(entry), sorted(set(left_out))


def uplifts(entry):
    """What residency or a regional endpoint multiplies the whole price by, in parts per million."""
    found = {}
    for field, region in (
        ("regional_processing_uplift_multiplier_eu", "eu"),
        ("regional_processing_uplift_multiplier_us", "us"),
        ("regional_endpoint_uplift_multiplier", "regional"),
    ):
        if field in entry:
            found[region] = int(decimal.Decimal(entry[field]) * 1_000_000)
    own = entry.get("provider_specific_entry") or {}
    if isinstance(own.get("us"), (int, decimal.Decimal)):
        found["us"] = int(decimal.Decimal(own["us"]) * 1_000_000)
    return found


def item_text(key):
    """`meter[@tier][>tokens][[HH:MM-HH:MM/weekdays as bits]]`"""
    meter, tier, above, window = key
    text = meter + (f"@{tier}" if tier != "standard" else "") + (f">{above}" if above else "")
    if window:
        start, end, days = window
        text += f"[{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}/{days}]"
    return text
