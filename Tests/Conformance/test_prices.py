"""The shipped price book: made from what it says it is, and taken by a running control plane."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOK = json.loads((ROOT / "prices/book.json").read_text())["models"]
PROVIDERS = sorted({model["provider"] for model in BOOK})


def script(name, *arguments):
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/prices" / f"{name}.py", *arguments], capture_output=True, text=True, check=False
    )
    return made.returncode, made.stdout


def test_the_book_is_the_list():
    code, text = script("book", "check")
    if "SKIPPED" in text:
        pytest.skip(text.strip())
    assert code == 0, text
    print(text)


def test_the_cases_are_what_python_computes():
    code, text = script("cases", "check")
    assert code == 0, text


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_s_prices_are_proposed_and_approved(admin, name):
    provider = admin.create("/v1/providers", {"name": f"book of {name}", "kind": "mock"})["id"]
    known = [model for model in BOOK if model["provider"] == name][:3]
    models = {
        model["model"]: admin.create("/v1/models", {"provider": provider, "name": model["model"]})["id"]
        for model in known
    }
    code, body = script("propose", name, provider)
    assert code == 0
    proposal = admin.create("/v1/price-proposals", json.loads(body))
    count = sum(model["provider"] == name for model in BOOK)
    assert proposal["entries"] == {
        "new": len(known), "changed": 0, "unchanged": 0, "unknown_model": count - len(known),
    }
    path = f"/v1/price-proposals/{proposal['id']}"
    approved = admin.http.post(path + "/approve")
    assert approved.status_code == 200, approved.text
    for model in known:
        price = admin.first(f"/v1/prices?model={models[model['model']]}")
        assert len(price["items"]) == len(model["items"])
        for item in price["items"]:
            text = item["meter"] + ("" if item["tier"] == "standard" else "@" + item["tier"])
            text += f">{item['above_prompt_tokens']}" if item["above_prompt_tokens"] else ""
            if "window" not in item:
                assert float(model["items"][text]) == float(item["usd_per_million"])
    # Proposed again there is nothing to change.
    again = admin.create("/v1/price-proposals", json.loads(body))
    assert again["entries"]["unchanged"] == len(known) and again["entries"]["new"] == 0
