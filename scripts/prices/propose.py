"""The shipped prices of one provider, as the body of a proposal.

    python3 scripts/prices/propose.py PROVIDER prv_… [REGION] | curl … $GATEHOUSE_ADMIN_URL/v1/price-proposals -d @-

PROVIDER is a name in prices/book.json (openai, anthropic, bedrock, …); prv_… is the provider whose models get prices.
With REGION (eu, us, regional) the price is multiplied by what the provider charges there, where the book knows it.
"""

import json
import re
import sys

import book

ITEM = re.compile(
    r"^(?P<meter>\w+)(?:@(?P<tier>\w+))?(?:>(?P<above>\d+))?"
    r"(?:\[(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)/(?P<days>\d+)\])?$"
)
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def item(text, dollars):
    parts = ITEM.match(text)
    made = {"meter": parts["meter"], "usd_per_million": dollars}
    if parts["tier"]:
        made["tier"] = parts["tier"]
    if parts["above"]:
        made["above_prompt_tokens"] = int(parts["above"])
    if parts["start"]:
        days = [day for bit, day in enumerate(WEEKDAYS) if int(parts["days"]) >> bit & 1]
        made["window"] = {"start": parts["start"], "end": parts["end"], "weekdays": days}
    return made


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 64
    name, provider = sys.argv[1:3]
    region = sys.argv[3] if len(sys.argv) == 4 else None
    with open(book.BOOK, encoding="utf-8") as file:
        stored = json.load(file)
    entries = []
    for model in stored["models"]:
        if model["provider"] != name:
            continue
        entry = {"model": model["model"], "items": [item(*pair) for pair in model["items"].items()]}
        if region in model.get("uplifts", {}):
            entry["uplift_ppm"] = model["uplifts"][region]
        entries.append(entry)
    if not entries:
        print(f"the book has no prices of {name}", file=sys.stderr)
        return 1
    source = f"{stored['source']}, {stored['taken']}"
    print(json.dumps({"provider": provider, "source": source, "entries": entries}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
