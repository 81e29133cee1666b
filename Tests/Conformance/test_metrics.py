"""Metrics as Prometheus sees them: promtool finds nothing to say, a real Prometheus scrapes them, the rules hold."""

import json
import os
import pathlib
import re
import socket
import subprocess
import time

import httpx
import pytest

from prometheus import program

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture(scope="module")
def traffic(client):
    """Something to count: an answer, a stream, a refusal."""
    message = [{"role": "user", "content": "Hello"}]
    client.chat.completions.create(model="mock", messages=message)
    for _ in client.chat.completions.create(model="mock", messages=message, stream=True):
        pass
    with pytest.raises(Exception):
        client.chat.completions.create(model="no-such-model", messages=message)


def texts(admin):
    gateway = httpx.get(os.environ["GATEHOUSE_PRIVATE_URL"] + "/metrics").text
    return {"gateway": gateway, "control": admin.http.get("/metrics").text}


def test_promtool_has_nothing_to_say(admin, traffic):
    for plane, text in texts(admin).items():
        done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stdout.strip() and not done.stderr.strip(), (plane, done)


def test_the_rules_are_valid_and_alert_as_they_should():
    rules = DEPLOY / "prometheus"
    for command in (["check", "rules", "gatehouse.rules.yml"], ["test", "rules", "gatehouse.rules.test.yml"]):
        done = subprocess.run([program("promtool"), *command], cwd=rules, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_ask_for_what_there_is(admin, traffic):
    """A name that no plane tells would never alert."""
    told = set()
    for text in texts(admin).values():
        told |= set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    told |= {name + end for name in told for end in ("_bucket", "_count", "_sum")}
    # Told only once it has happened.
    told |= {"gatehouse_clock_offset_seconds", "gatehouse_usage_partitions_ahead"}
    rules = (DEPLOY / "prometheus" / "gatehouse.rules.yml").read_text()
    dashboard = (DEPLOY / "grafana" / "gatehouse.json").read_text()
    expressions = re.findall(r"expr: (.*)", rules) + [
        target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel.get("targets", [])]
    asked = set(re.findall(r"(?<![:\w])(?:gatehouse|gen_ai_client|gen_ai_server)_\w+(?!:)\b", " ".join(expressions)))
    labels = {"gatehouse_model"}
    assert len(expressions) > 30 and asked - told - labels == set()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_real_prometheus_scrapes_both_planes(tmp_path, traffic):
    gateway = os.environ["GATEHOUSE_PRIVATE_URL"].removeprefix("http://")
    control = os.environ["GATEHOUSE_ADMIN_URL"].removeprefix("https://")
    (tmp_path / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{DEPLOY}/prometheus/gatehouse.rules.yml]
scrape_configs:
  - {{job_name: gatehouse-gateway, static_configs: [{{targets: ["{gateway}"]}}]}}
  - job_name: gatehouse-control
    scheme: https
    tls_config: {{ca_file: {os.environ["GATEHOUSE_ADMIN_CA"]}}}
    static_configs: [{{targets: ["{control}"]}}]
""")
    port = free_port()
    log = open(tmp_path / "log", "wb")
    process = subprocess.Popen(
        [program("prometheus"), f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def query(expression):
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression}).json()
        except (httpx.TransportError, ValueError):
            return []  # it is not up yet
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    try:
        for _ in range(600):
            if len([value for _, value in query("up") if value == 1]) == 2 and query("gatehouse:requests:rate5m"):
                break
            time.sleep(0.1)
        assert {(metric["job"], value) for metric, value in query("up")} == {
            ("gatehouse-gateway", 1.0), ("gatehouse-control", 1.0)}
        assert sum(value for _, value in query('gatehouse_requests_total{operation="chatCompletions"}')) >= 3
        assert query('gen_ai_client_token_usage_count{gen_ai_request_model="mock-1",gen_ai_token_type="output"}')
        assert query("gatehouse_ledger_holds") == [] or query("gatehouse_ledger_holds")[0][1] == 1
        rules = httpx.get(f"http://127.0.0.1:{port}/api/v1/rules").json()["data"]["groups"]
        assert [rule["lastError"] for group in rules for rule in group["rules"] if rule.get("lastError")] == []
    finally:
        process.terminate()
        process.wait(20)
