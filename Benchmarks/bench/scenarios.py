"""What is measured: the shapes of answers, and the requests that ask for them."""
from dataclasses import dataclass

BASE_PORT = 21000

# name -> what a port of the upstream answers
SHAPES = {
    "json1k": "json:1024",
    "json64k": "json:65536",
    "json1m": "json:1048576",
    "fast": "events:200:150:0",
    "paced": "events:40:150:20000",
}
PORTS = {name: BASE_PORT + 1 + index for index, name in enumerate(SHAPES)}


@dataclass(frozen=True)
class Scenario:
    name: str
    shape: str
    body: int = 1024
    connections: int = 32
    tls: bool = False
    # requests a second; 0: closed loop, as fast as they are answered
    rate: int = 0

    @property
    def streams(self) -> bool:
        return SHAPES[self.shape].startswith("events")

    @property
    def events(self) -> int:
        """Events of one answer, with the three that end it."""
        return int(SHAPES[self.shape].split(":")[1]) + 3 if self.streams else 0


ALL = [
    Scenario("json 1K, 1 connection", "json1k", connections=1),
    Scenario("json 1K, 32 connections", "json1k"),
    Scenario("json 1K, 512 connections", "json1k", connections=512),
    Scenario("json 1K, fixed rate", "json1k", rate=2000),
    Scenario("json 1K over TLS", "json1k", tls=True),
    Scenario("64K request", "json1k", body=65536),
    Scenario("1M request", "json1k", body=1048576, connections=8),
    Scenario("64K answer", "json64k"),
    Scenario("1M answer", "json1m", connections=8),
    Scenario("fast events", "fast"),
    Scenario("fast events over TLS", "fast", tls=True),
    Scenario("paced events", "paced", connections=256),
    Scenario("paced events over TLS", "paced", connections=256, tls=True),
]
