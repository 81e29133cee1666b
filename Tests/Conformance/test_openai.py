"""The official OpenAI package, unmodified, through a gateway to the built-in mock."""

import json
import threading
import time

import httpx
import openai
import pytest
from pydantic import BaseModel


def ask(client, text="Hello there", **members):
    return client.chat.completions.create(model="mock", messages=[{"role": "user", "content": text}], **members)


def test_chat(client, admin):
    raw = client.chat.completions.with_raw_response.create(
        model="mock", messages=[{"role": "user", "content": "Hello there"}]
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 4)
    record = admin.record(raw.headers["x-request-id"])
    # The mock costs 1 USD for a million tokens in and 2 out.
    assert record["amount_nano_usd"] == str(2 * 1000 + 4 * 2000)
    assert record["status"] == 200


def test_stream_without_asking_for_usage(client, admin):
    with client.chat.completions.with_streaming_response.create(
        model="mock", messages=[{"role": "user", "content": "a b c"}], stream=True
    ) as raw:
        identifier = raw.headers["x-request-id"]
        chunks = list(raw.parse())
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "You said: a b c"
    assert all(c.choices for c in chunks), "the usage chunk was not asked for"
    record = admin.record(identifier)
    assert record["amount_nano_usd"] == str(3 * 1000 + 5 * 2000)
    assert record["estimate"] is False


def test_stream_with_usage(client):
    chunks = list(ask(client, "a b", stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 2 + 4


def test_tools(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    answer = ask(client, "What is the weather?", tools=tools)
    call = answer.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {})
    assert answer.choices[0].finish_reason == "tool_calls"
    chunks = list(ask(client, "What is the weather?", tools=tools, stream=True))
    names = [c.choices[0].delta.tool_calls[0].function.name for c in chunks if c.choices[0].delta.tool_calls]
    assert names == ["weather"]


def test_structured_output(client):
    class Reply(BaseModel):
        answer: str

    answer = client.chat.completions.parse(
        model="mock", messages=[{"role": "user", "content": "hi"}], response_format=Reply
    )
    assert answer.choices[0].message.parsed.answer == "You said: hi"


def test_completions(client):
    answer = client.completions.create(model="mock", prompt="one two")
    assert answer.choices[0].text == "You said: one two"
    chunks = list(client.completions.create(model="mock", prompt="one two", stream=True))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == "You said: one two"


def test_embeddings(client, admin):
    raw = client.embeddings.with_raw_response.create(model="mock", input=["a b", "c"], encoding_format="float")
    answer = raw.parse()
    assert [row.index for row in answer.data] == [0, 1]
    assert answer.usage.prompt_tokens == 3
    assert admin.record(raw.headers["x-request-id"])["amount_nano_usd"] == "3000"


def test_responses(client, admin):
    raw = client.responses.with_raw_response.create(model="mock", input="Hello")
    answer = raw.parse()
    assert answer.output_text == "You said: Hello"
    assert admin.record(raw.headers["x-request-id"])["amount_nano_usd"] == str(1 * 1000 + 3 * 2000)


def test_responses_stream(client):
    events = list(client.responses.create(model="mock", input="Hello", stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "You said: Hello"
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.output_tokens == 3


def test_moderations(client):
    assert client.moderations.create(model="mock", input="be nice").results[0].flagged is False


def test_models(client):
    assert "mock" in [m.id for m in client.models.list()]
    assert client.models.retrieve("mock").id == "mock"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


def test_unknown_members_reach_the_provider(client):
    """The mock's own member passes through: the gateway keeps what it does not know."""
    answer = ask(client, extra_body={"mock": {"words": 7}, "some_future_member": {"nested": [1, 2, {"x": None}]}})
    assert answer.usage.completion_tokens == 7


# Errors: the class of the exception, the code, and what it says.


def test_unknown_key(gateway):
    client = openai.OpenAI(base_url=gateway + "/v1", api_key="sk-gh-" + "0" * 66, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id.startswith("req_")


def test_disabled_key(admin, new_key):
    made, client = new_key()
    assert ask(client).choices
    etag = admin.http.get(f"/v1/virtual-keys/{made['id']}").headers["etag"]
    changed = admin.http.patch(f"/v1/virtual-keys/{made['id']}", json={"status": "disabled"}, headers={"If-Match": etag})
    assert changed.status_code == 200, changed.text
    for _ in range(200):
        try:
            ask(client)
        except openai.AuthenticationError as error:
            assert error.code == "key_disabled"
            assert error.body["id"] == made["id"]
            return
        time.sleep(0.02)
    raise AssertionError("the key still works")


def test_expired_key(new_key):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    _, client = new_key(expires_at=soon)
    for _ in range(300):
        try:
            ask(client)
        except openai.AuthenticationError as error:
            assert error.code == "key_expired"
            return
        time.sleep(0.02)
    raise AssertionError("the key has not expired")


def test_rotation_with_overlap(admin, new_key):
    made, old = new_key()
    rotated = admin.http.post(f"/v1/virtual-keys/{made['id']}/rotate", json={"overlap_seconds": 600})
    assert rotated.status_code in (200, 201), rotated.text
    from conftest import client_of, wait_until_known

    wait_until_known(rotated.json()["secret"])
    assert ask(client_of(rotated.json()["secret"])).choices
    assert ask(old).choices


def test_model_not_allowed(new_key):
    _, client = new_key(allowed_models=["something-else"])
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(client)
    assert caught.value.code == "model_not_allowed"
    assert [m.id for m in client.models.list()] == []


def test_network_not_allowed(new_key):
    _, client = new_key(allowed_networks=["203.0.113.0/24"])
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(client)
    assert caught.value.code == "network_not_allowed"


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=[])
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


def test_rate_limited_by_the_provider(client):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, extra_body={"mock": {"status": 429}})
    assert caught.value.code == "upstream_rate_limited"
    assert int(caught.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "status, expected",
    [(400, openai.BadRequestError), (404, openai.NotFoundError), (422, openai.UnprocessableEntityError),
     (500, openai.InternalServerError), (503, openai.InternalServerError), (401, openai.InternalServerError)],
)
def test_provider_errors(client, status, expected):
    with pytest.raises(expected):
        ask(client, extra_body={"mock": {"status": status}})


def test_bad_requests(gateway, key):
    def post(content, **headers):
        return httpx.post(
            gateway + "/v1/chat/completions", content=content,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers},
        )

    for content, code, param in [
        (b"", "invalid_json", None),
        (b"not json", "invalid_json", None),
        (b"[1]", "invalid_json", None),
        (b'{"messages":[]}', "invalid_body", "model"),
        (b'{"model":7}', "invalid_body", "model"),
        (b'{"model":"mock","model":"other","messages":[]}', "invalid_body", "model"),
        (b'{"model":"mock","mod\\u0065l":"other","messages":[]}', "invalid_body", "model"),
        (b'{"model":"mock","stream":"yes","messages":[]}', "invalid_body", "stream"),
        (b'{"model":"mock","max_tokens":-1,"messages":[]}', "invalid_body", "max_tokens"),
        (b'{"model":"mock","messages":[]} trailing', "invalid_json", None),
        (b'{"model":"mock","messages":"\xff"}', "invalid_json", None),
    ]:
        answer = post(content)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param), content
    assert post(b"{}", **{"Content-Type": "text/plain"}).status_code == 415
    assert post(b"{}", **{"Content-Encoding": "gzip"}).status_code == 415
    assert httpx.get(gateway + "/v1/chat/completions").json()["error"]["code"] == "method_not_allowed"
    assert httpx.post(gateway + "/v1/files").json()["error"]["code"] == "endpoint_not_found"
    assert httpx.get(gateway + "/").status_code == 404


# Streams that end badly.


def test_client_leaves_a_stream(client, admin):
    with client.chat.completions.with_streaming_response.create(
        model="mock", messages=[{"role": "user", "content": "x"}], stream=True,
        extra_body={"mock": {"words": 2000, "event_delay_ms": 20}},
    ) as raw:
        identifier = raw.headers["x-request-id"]
        for _, chunk in zip(range(5), raw.iter_lines()):
            pass
    record = admin.record(identifier)
    assert record["outcome"] == "client_aborted"
    assert record["estimate"] is True
    assert int(record["amount_nano_usd"]) > 0


def test_provider_cuts_a_stream(client):
    with pytest.raises(openai.APIError) as caught:
        for _ in ask(client, stream=True, extra_body={"mock": {"words": 50, "cut_after_events": 3}}):
            pass
    assert caught.value.code == "upstream_failed"


def test_provider_hangs_up(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, extra_body={"mock": {"hang_up": True}})
    assert caught.value.code == "upstream_failed"


def test_usage_left_out_is_estimated(client, admin):
    raw = client.chat.completions.with_raw_response.create(
        model="mock", messages=[{"role": "user", "content": "x"}], extra_body={"mock": {"omit_usage": True}}
    )
    assert admin.record(raw.headers["x-request-id"])["estimate"] is True


def test_large_answers_and_requests(client):
    answer = ask(client, extra_body={"mock": {"words": 100_000}})
    assert answer.usage.completion_tokens == 100_000
    text = "word " * 400_000
    answer = ask(client, text, max_tokens=3)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (400_000, 3)


def test_many_at_once(client):
    errors = []

    def work(number):
        try:
            for round in range(10):
                text = f"thread {number} round {round}"
                assert ask(client, text).choices[0].message.content == "You said: " + text
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_tags(admin, new_key):
    parent = admin.first("/v1/organizations")["id"]
    project = admin.create(
        "/v1/projects",
        {"name": f"tagged {time.time_ns()}", "parent": parent, "tags": [{"name": "team", "required": True}, {"name": "env"}]},
    )
    _, client = new_key(project=project["id"], tags={"env": "test"})
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client)
    assert refused.value.code == "tag_required"
    assert "'team'" in refused.value.message
    with pytest.raises(openai.BadRequestError) as undeclared:
        ask(client, extra_headers={"gatehouse-tags": "team=a,owner=me"})
    assert undeclared.value.code == "tag_not_declared"
    raw = client.chat.completions.with_raw_response.create(
        model="mock",
        messages=[{"role": "user", "content": "Hello"}],
        extra_headers={"gatehouse-tags": "team=red, env=prod"},
    )
    assert admin.record(raw.headers["x-request-id"])["tags"] == {"team": "red", "env": "test"}
