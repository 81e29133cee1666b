"""Everything that a measurement needs, started on this machine and ended again."""
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request

from . import scenarios

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, "Benchmarks", ".build", "release")
BINARIES = os.path.join(ROOT, ".build", "release")
PROXY_CORE, OTHER_CORE = "0", "1"
GATEWAY_PORT, GATEWAY_TLS_PORT, NGINX_PORT, NGINX_TLS_PORT = 28080, 28443, 22000, 23000


def run(*command: str, **settings) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **settings)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


PACKAGES = {
    "nginx": "nginx-light", "taskset": "util-linux", "openssl": "openssl", "valgrind": "valgrind", "strip": "binutils"}


def install(*programs: str):
    """Installs the packages of programs that are missing."""
    missing = [PACKAGES[name] for name in programs if not shutil.which(name)]
    if missing:
        print("Installing: " + " ".join(missing), flush=True)
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        run(*as_root, "apt-get", "update", "-qq")
        run(*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
            "--no-install-recommends", *missing)


class Stack:
    """
    With `proxies`: what is compared, a gateway with and one without TLS, and nginx. Without: only what a gateway that is
    started with `start_gateway` needs.
    """

    def __init__(self, folder: str, proxies: bool = True):
        self.folder = folder
        self.proxies = proxies
        self.processes: list[subprocess.Popen] = []
        self.environment = dict(
            os.environ, GATEHOUSE_DEV_STATE=f"{folder}/state", GATEHOUSE_GATEWAY_PORT="28081",
            GATEHOUSE_PRIVATE_PORT="29091", GATEHOUSE_CONTROL_PORT="27070",
        )

    def __enter__(self):
        try:
            self._tools()
            self._control_plane()
            self._upstream()
            self._routes()
            self.keys = {
                "": self.key, "budgets": self.budgeted_key(), "limits": self.budgeted_key(limits=True)}
            if self.proxies:
                self.gateway = self.start_gateway("plain", GATEWAY_PORT)
                self.gateway_tls = self.start_gateway("tls", GATEWAY_TLS_PORT, tls=True)
                self.nginx = self._nginx()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.end(process)
        self.processes = []
        subprocess.run(["scripts/dev", "reset"], cwd=ROOT, env=self.environment, capture_output=True, check=False)

    @staticmethod
    def end(process: subprocess.Popen):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()

    # What is needed

    def _tools(self):
        install("taskset", *(("nginx", "openssl") if self.proxies else ()))
        run("swift", "build", "-c", "release", "--package-path", f"{ROOT}/Benchmarks")
        subprocess.run(["scripts/dev", "build"], cwd=ROOT, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def launch(self, core: str, *command: str, log: str, environment=None) -> subprocess.Popen:
        with open(f"{self.folder}/{log}.log", "ab") as output:
            process = subprocess.Popen(
                ["taskset", "-c", core, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env=environment or os.environ, cwd=self.folder,
            )
        self.processes.append(process)
        return process

    def _control_plane(self):
        run("scripts/dev", "up", cwd=ROOT, env=self.environment)
        lines = run("scripts/dev", "env", cwd=ROOT, env=self.environment).splitlines()
        self.settings = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self.key = self.settings["GATEHOUSE_KEY"]
        seed = open(f"{self.folder}/state/seed.env").read().splitlines()
        self.seed = dict(line.split("=", 1) for line in seed)
        for name in ("control", "gateway"):
            pid = open(f"{self.folder}/state/run/{name}.pid").read().strip()
            run("taskset", "-a", "-p", "-c", OTHER_CORE, pid)
        postmaster = open(f"{self.folder}/state/postgres/postmaster.pid").readline().strip()
        run("taskset", "-a", "-p", "-c", OTHER_CORE, postmaster)

    def api(self, method: str, path: str, body: dict | None) -> dict:
        request = urllib.request.Request(
            self.settings["GATEHOUSE_ADMIN_URL"] + path, data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "authorization": "Bearer " + self.settings["GATEHOUSE_ADMIN_TOKEN"],
                "content-type": "application/json",
            })
        context = ssl.create_default_context(cafile=self.settings["GATEHOUSE_ADMIN_CA"])
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return json.loads(answer.read() or b"{}")

    def _upstream(self):
        shapes = []
        for name, shape in scenarios.SHAPES.items():
            shapes += ["--serve", f"{scenarios.PORTS[name]}:{shape}"]
        self.launch(OTHER_CORE, f"{TOOLS}/bench-upstream", *shapes, log="upstream")

    def _routes(self):
        for name, port in scenarios.PORTS.items():
            provider = self.api("POST", "/v1/providers", {
                "name": f"bench {name}", "kind": "openai-compatible", "base_url": f"http://127.0.0.1:{port}/v1"})
            model = self.api("POST", "/v1/models", {
                "provider": provider["id"], "name": "bench", "context_window": 128000, "max_output_tokens": 4096})
            secret = self.api("POST", "/v1/credentials", {
                "provider": provider["id"], "name": "bench", "secret": "sk-bench-0123456789"})
            self.api("POST", "/v1/prices", {"model": model["id"], "items": [
                {"meter": "input", "usd_per_million": "1.00"}, {"meter": "output", "usd_per_million": "2.00"}]})
            self.api("POST", "/v1/routes", {
                "alias": name, "targets": [{"model": model["id"], "credential": secret["id"]}]})

    def budgeted_key(self, limits: bool = False) -> str:
        """A key whose requests pay into five hard budgets: of its organization, unit, project (two) and itself.

        With `limits` they count for three rate limits too: of its organization, project and itself.
        """
        organization = self.api("POST", "/v1/organizations", {"name": "limited" if limits else "budgeted"})["id"]
        self.api("PUT", f"/v1/gateway-groups/{self.seed['GROUP']}/organizations/{organization}", None)
        unit = self.api("POST", "/v1/units", {"parent": organization, "name": "unit"})["id"]
        project = self.api("POST", "/v1/projects", {"parent": unit, "name": "project"})["id"]
        key = self.api("POST", "/v1/virtual-keys", {"project": project, "name": "key"})
        for scope, period in [
                (organization, "year"), (unit, "quarter"), (project, "month"), (project, "day"), (key["id"], "total")]:
            self.api("POST", "/v1/budgets", {
                "scope": scope, "name": "bench", "amount_usd": "1000000", "period": period,
                "time_zone": "Europe/Berlin"})
        for scope, meter, period in [
                (organization, "concurrent_requests", None), (project, "requests", "minute"),
                (key["id"], "total_tokens", "minute")] if limits else []:
            self.api("POST", "/v1/rate-limits", {
                "scope": scope, "name": "bench", "meter": meter, "amount": 1000000000} | (
                    {"period": period} if period else {}))
        return key["secret"]

    def start_gateway(
        self, name: str, port: int, tls: bool = False, under=(), core=PROXY_CORE, binary=""
    ) -> subprocess.Popen:
        token = self.api("POST", "/v1/join-tokens", {"group": self.seed["GROUP"], "ttl_seconds": 600})["secret"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GATEHOUSE_")}
        environment |= {
            "GATEHOUSE_CONTROL_URL": self.settings["GATEHOUSE_ADMIN_URL"],
            "GATEHOUSE_CONTROL_CA_FILE": self.settings["GATEHOUSE_ADMIN_CA"],
            "GATEHOUSE_STATE_DIR": f"{self.folder}/gateway-{name}", "GATEHOUSE_GATEWAY_NAME": f"bench-{name}",
            "GATEHOUSE_LISTEN": f"127.0.0.1:{port}", "GATEHOUSE_PRIVATE_LISTEN": f"127.0.0.1:{port + 1000}",
            "GATEHOUSE_JOIN_TOKEN": token, "GATEHOUSE_LOOPS": "1",
        }
        if tls:
            self._certificate()
            environment |= {
                "GATEHOUSE_TLS_CERT_FILE": f"{self.folder}/tls.crt", "GATEHOUSE_TLS_KEY_FILE": f"{self.folder}/tls.key"}
        process = self.launch(
            core, *under, binary or f"{BINARIES}/gatehouse-gateway", log=f"gateway-{name}", environment=environment)
        self._wait(f"http://127.0.0.1:{port + 1000}/readyz", process, f"gateway-{name}")
        return process

    def _wait(self, url: str, process: subprocess.Popen, log: str, seconds: int = 180):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if urllib.request.urlopen(url, timeout=5).status == 200:
                    return
            except OSError:
                pass
            if process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"bench: {log} is not ready:\n" + open(f"{self.folder}/{log}.log").read()[-1500:])

    def _certificate(self):
        if not os.path.exists(f"{self.folder}/tls.crt"):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=localhost", "-keyout", f"{self.folder}/tls.key", "-out",
                f"{self.folder}/tls.crt")

    def _nginx(self) -> subprocess.Popen:
        self._certificate()
        servers = []
        for name, port in scenarios.PORTS.items():
            offset = port - scenarios.BASE_PORT
            servers.append(f"""
    upstream {name} {{ server 127.0.0.1:{port}; keepalive 512; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{NGINX_PORT + offset} backlog=4096;
        listen 127.0.0.1:{NGINX_TLS_PORT + offset} ssl backlog=4096;
        location / {{ proxy_pass http://{name}; }}
    }}""")
        path = f"{self.folder}/nginx.conf"
        with open(path, "w") as file:
            file.write(f"""
worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx-error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; tcp_nodelay on;
    client_max_body_size 32m; client_body_buffer_size 2m; proxy_buffering off; proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;
    proxy_http_version 1.1; proxy_set_header Connection "";
    client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
    ssl_certificate {self.folder}/tls.crt; ssl_certificate_key {self.folder}/tls.key; ssl_session_cache none;
    {''.join(servers)}
}}
""")
        # As root nginx gives up its rights, and then cannot write into root's folder.
        extra = ["-g", "user root;"] if os.geteuid() == 0 else []
        process = self.launch(PROXY_CORE, "nginx", "-e", f"{self.folder}/nginx-error.log", "-c", path, *extra, log="nginx")
        time.sleep(0.5)
        if process.poll() is not None:
            sys.exit("bench: nginx did not start:\n" + open(f"{self.folder}/nginx.log").read()[-1500:])
        return process
