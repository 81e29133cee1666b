"""The shipped price book: prices/book.json, one model a line, written from public facts and checked against them.

    python3 scripts/prices/book.py write     writes the book anew
    python3 scripts/prices/book.py check     compares it with the list, and lists every difference

The facts come from LiteLLM's model price list (MIT licence), which names the provider's page for most models. Where the
list is absent the check is skipped, and says so.
"""

import collections
import json
import pathlib
import re
import sys

import litellm

BOOK = pathlib.Path(__file__).resolve().parents[2] / "prices/book.json"
LIST_VERSION = "1.106.2"
TAKEN = "2026-11-26"

# Our name of a provider -> theirs, and what their keys begin with before the provider's own name of a model.
PROVIDERS = {
    "openai": (["openai", "text-completion-openai"], ["openai/"]),
    "anthropic": (["anthropic"], ["anthropic/"]),
    "gemini": (["gemini"], ["gemini/"]),
    "mistral": (["mistral", "codestral"], ["mistral/", "codestral/"]),
    "cohere": (["cohere", "cohere_chat"], ["cohere/", "cohere_chat/"]),
    "deepseek": (["deepseek"], ["deepseek/"]),
    "xai": (["xai"], ["xai/"]),
    "groq": (["groq"], ["groq/"]),
    "together": (["together_ai"], ["together_ai/"]),
    "fireworks": (["fireworks_ai", "fireworks_ai-embedding-models"], ["fireworks_ai/"]),
    "amazon-nova": (["amazon_nova"], ["amazon-nova/", "amazon_nova/"]),
    "bedrock": (["bedrock", "bedrock_converse", "bedrock_mantle"], ["bedrock_converse/", "bedrock_mantle/", "bedrock/"]),
    "azure": (["azure", "azure_ai", "azure_text"], ["azure_ai/", "azure_text/", "azure/"]),
    "vertex": (["vertex_ai"], ["vertex_ai/"]),
}
MODES = {
    "chat", "responses", "completion", "embedding", "rerank", "moderation", "audio_transcription", "audio_speech",
    "image_generation", "ocr", "video_generation", "realtime",
}
# Keys that name no model of the provider: classes of sizes, sizes and qualities of images, regions, commitments.
NOT_A_MODEL = re.compile(
    r"-up-to-|-to-\d+b$|-above-|\d+-x-\d+|max-x-max|/steps|commitment|\*|^fireworks-ai-|^together-ai-|moe-up"
)


def names(key, entry):
    """(our provider, the provider's own name of the model), or None where the key names none."""
    theirs = entry["litellm_provider"]
    for ours, (sources, prefixes) in PROVIDERS.items():
        if theirs in sources or (ours == "vertex" and theirs.startswith("vertex_ai")):
            name = key
            for prefix in prefixes:
                name = name.removeprefix(prefix)
            if NOT_A_MODEL.search(name):
                return None
            # A region before the name prices the same model elsewhere; the model's own line has the uplift.
            if ours in ("azure", "bedrock") and "/" in name:
                return None
            if ours == "together" and "/" not in name:
                return None
            if ours == "fireworks" and not name.startswith("accounts/"):
                return None
            return ours, name
    return None


def dollars(nano):
    """Nano-dollars as decimal dollars."""
    whole, rest = divmod(nano, 10**9)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")


def build(prices):
    """The book's models by (provider, name), and what of the list is not in it by reason."""
    models, reasons = {}, collections.defaultdict(list)
    for key in sorted(prices):
        entry = prices[key]
        named = names(key, entry)
        if named is None:
            if any(entry["litellm_provider"] in sources for sources, _ in PROVIDERS.values()):
                reasons["names a class, a size, a region or a commitment, not a model"].append(key)
            continue
        if entry.get("mode") not in MODES:
            reasons[f"is of the kind {entry.get('mode')}"].append(key)
            continue
        if (entry.get("deprecation_date") or "9999") <= TAKEN:
            reasons["is withdrawn"].append(key)
            continue
        items, uplifts, left_out = litellm.convert(entry)
        if not items:
            reasons["has no price that a meter measures"].append(key)
            continue
        if not any(items.values()):
            reasons["is free of charge or unpriced: nothing is shipped as free"].append(key)
            continue
        made = {
            "provider": named[0], "model": named[1],
            "items": {litellm.item_text(k): dollars(items[k]) for k in sorted(items, key=litellm.item_text)},
        }
        if uplifts:
            made["uplifts"] = uplifts
        if left_out:
            made["left_out"] = left_out
        if entry.get("source"):
            made["source"] = entry["source"]
        if named in models and models[named]["items"] != made["items"]:
            reasons["is priced otherwise under another name"].append(key)
            continue
        models[named] = made
    return models, reasons


def text(models):
    lines = [json.dumps(models[named], ensure_ascii=False) for named in sorted(models)]
    head = {
        "unit": "US dollars for a million units",
        "source": f"LiteLLM model price list {LIST_VERSION}, MIT licence",
        "taken": TAKEN,
    }
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    return "{\n" + ",\n".join(members) + ',\n"models": [\n' + ",\n".join(lines) + "\n]\n}\n"


def stored():
    with open(BOOK, encoding="utf-8") as file:
        return {(model["provider"], model["model"]): model for model in json.load(file)["models"]}


def check(models, reasons):
    book = stored()
    differences = 0
    for named in sorted(models.keys() | book.keys()):
        mine, listed = book.get(named), models.get(named)
        name = "/".join(named)
        if mine is None or listed is None:
            print(f"{name}: only in {'the list' if mine is None else 'the book'}")
            differences += 1
            continue
        for item in sorted(mine["items"].keys() | listed["items"].keys()):
            pair = mine["items"].get(item), listed["items"].get(item)
            if pair[0] != pair[1]:
                print(f"{name} {item}: {pair[0]} in the book, {pair[1]} in the list")
                differences += 1
        if mine.get("uplifts") != listed.get("uplifts"):
            print(f"{name} uplifts: {mine.get('uplifts')} in the book, {listed.get('uplifts')} in the list")
            differences += 1
    print(f"{len(book)} models in the book, {differences} differences to the list")
    for reason, keys in sorted(reasons.items()):
        print(f"of the list, {len(keys)} not in the book: {reason} (such as {', '.join(keys[:3])})")
    fields = collections.Counter(field for model in book.values() for field in model.get("left_out", []))
    for field, count in sorted(fields.items()):
        print(f"of {count} models the book leaves out: {field}")
    return 0 if differences == 0 else 1


def main():
    prices = litellm.load()
    if prices is None:
        print("SKIPPED: the public list is not here; the book is not checked against it")
        return 0
    models, reasons = build(prices)
    if sys.argv[1:] == ["write"]:
        BOOK.parent.mkdir(exist_ok=True)
        BOOK.write_text(text(models), encoding="utf-8")
        print(f"{len(models)} models written")
        return 0
    if sys.argv[1:] == ["check"]:
        return check(models, reasons)
    print(__doc__)
    return 64


if __name__ == "__main__":
    sys.exit(main())
