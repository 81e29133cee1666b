"""What the conformance tests share: the running Gatehouse that `scripts/dev env` describes."""

import os
import ssl
import time

import httpx
import openai
import pytest


@pytest.fixture(scope="session")
def gateway():
    return os.environ["GATEHOUSE_URL"]


@pytest.fixture(scope="session")
def key():
    return os.environ["GATEHOUSE_KEY"]


class Admin:
    """The control plane's API, as an administrator."""

    def __init__(self):
        context = ssl.create_default_context(cafile=os.environ["GATEHOUSE_ADMIN_CA"])
        self.http = httpx.Client(
            base_url=os.environ["GATEHOUSE_ADMIN_URL"],
            headers={"Authorization": "Bearer " + os.environ["GATEHOUSE_ADMIN_TOKEN"]},
            verify=context,
            timeout=20,
        )

    def create(self, path, body):
        answer = self.http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def first(self, path):
        return self.http.get(path).json()["items"][0]

    def record(self, request_id):
        """The usage record of a request, once it is there."""
        for _ in range(200):
            items = self.http.get("/v1/usage/records", params={"request": request_id}).json()["items"]
            if items:
                assert len(items) == 1
                return items[0]
            time.sleep(0.05)
        raise AssertionError(f"{request_id} was not recorded")


@pytest.fixture(scope="session")
def admin():
    return Admin()


@pytest.fixture(scope="session")
def project(admin):
    return admin.first("/v1/projects")["id"]


@pytest.fixture
def new_key(admin, project):
    """Makes a key and returns (its resource, a client that uses it), once the gateway knows it."""

    def make(**members):
        made = admin.create("/v1/virtual-keys", {"project": project, "name": f"test {time.time_ns()}", **members})
        wait_until_known(made["secret"])
        return made, client_of(made["secret"])

    return make


def client_of(key):
    return openai.OpenAI(base_url=os.environ["GATEHOUSE_URL"] + "/v1", api_key=key, max_retries=0, timeout=20)


def wait_until_known(key):
    for _ in range(200):
        answer = httpx.get(os.environ["GATEHOUSE_URL"] + "/v1/models", headers={"Authorization": f"Bearer {key}"})
        if answer.status_code != 401 or answer.json()["error"]["code"] != "invalid_api_key":
            return
        time.sleep(0.05)
    raise AssertionError("the gateway does not know the key")


@pytest.fixture(scope="session")
def client(key):
    return client_of(key)
