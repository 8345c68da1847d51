"""Runs deploy/compose.yaml by podman-compose, as a client, as Twilio and as the operator who stops it.

It is alone in its network namespace, so the published ports are those of the file, and nothing goes any further.
"""

import base64
import json
import os
import pathlib
import re
import resource
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

FOLDER = pathlib.Path(os.environ["FOLDER"])
PROJECT = pathlib.Path.cwd()
ADDED = FOLDER / "compose.yaml"
SETTINGS = dict(
    line.split("=", 1) for line in (PROJECT / "deploy/.env").read_text().splitlines() if "=" in line and line[0] != "#"
)
API = "http://127.0.0.1:4000"
PROMETHEUS = "http://127.0.0.1:9090"
# The user of deploy/Dockerfile.
USER = "65532"
# What deploy/compose.yaml lets each take for its end, in seconds.
GRACE = {"api": 40, "worker": 25, "prometheus": 10, "redis": 30, "postgres": 60}
# From outside, as a proxy on the machine names it.
CLIENT = "203.0.113.7"


class Twilio(BaseHTTPRequestHandler):
    """Takes messages as Twilio does, and keeps them."""

    messages: list[dict[str, str]] = []
    seconds_to_answer = 0.0

    def do_POST(self) -> None:
        account = SETTINGS["TWILIO_SID"]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = base64.b64encode(f"{account}:{SETTINGS['TWILIO_API_KEY']}".encode()).decode()
        taken = (
            self.path == f"/2010-04-01/Accounts/{account}/Messages.json"
            and self.headers["Authorization"] == f"Basic {key}"
        )
        if taken:
            self.messages.append(dict(urllib.parse.parse_qsl(body)))
            time.sleep(self.seconds_to_answer)
        answer = {"sid": f"SM{len(self.messages):032x}", "status": "queued", "error_code": None}
        text = json.dumps(answer if taken else {"code": 20003, "message": "Authenticate"}).encode()
        self.send_response(201 if taken else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def write_added() -> None:
    """What this run adds to deploy/compose.yaml: Twilio is the test itself, behind the network's gateway."""
    files, processes = (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    added = {
        "services": {
            # Where the machine lets nobody have as many as the file, or podman by itself, asks for.
            "api": {"ulimits": {"nofile": min(65536, files), "nproc": processes}},
            "worker": {
                "extra_hosts": ["twilio.test:172.30.64.1"],
                "volumes": [f"{FOLDER}/authorities.pem:/etc/ssl/certs/ca-certificates.crt:ro"],
            },
        }
    }
    ADDED.write_text(json.dumps(added))


def start_twilio() -> None:
    """Under a name and an authority that only this run's workers know."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(FOLDER / "authorities.pem")
    (FOLDER / "authorities.pem").chmod(0o644)
    server = ThreadingHTTPServer(("0.0.0.0", 8443), Twilio)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("twilio.test").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def eventually(what: str, seconds: float, look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(0.2)


def run(*command: str) -> str:
    """Its output; what went wrong is shown."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def compose(*arguments: str) -> str:
    files = ["--file", f"{PROJECT}/deploy/compose.yaml", "--file", str(ADDED)]
    # Docker keeps nothing but what is mounted writable in a container that may only be read.
    return run("podman-compose", *files, "--podman-run-args=--read-only-tmpfs=false", *arguments)


def containers(service: str) -> list[dict]:
    names = run("podman", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.service={service}").split()
    return json.loads(run("podman", "inspect", *names))


def healthy(service: str) -> bool:
    """Podman lets systemd run the checks of health, which is not here."""
    return all(
        subprocess.run(["podman", "healthcheck", "run", found["Id"]], capture_output=True).returncode == 0
        for found in containers(service)
    )


def start() -> None:
    """In the order of `depends_on`, which podman itself cannot keep: before 4.6 it does not wait until a container is
    healthy, and it starts none that depends on one that has done its work."""
    start_services("postgres", "redis", "prometheus")
    compose("up", "--detach", "--no-build", "--no-deps", "migration")
    (migration,) = containers("migration")
    assert run("podman", "wait", migration["Id"]).strip() == "0", run("podman", "logs", migration["Id"])
    start_services("api", "worker")


def start_services(*services: str) -> None:
    compose("up", "--detach", "--no-build", "--no-deps", *services)
    for service in services:
        if service != "prometheus":
            eventually(f"{service} is not healthy", 60, lambda service=service: healthy(service))


def ask(path: str, body: dict | None = None, token: str | None = None) -> tuple[int, dict]:
    headers = {"Content-Type": "application/json", "X-Forwarded-For": CLIENT}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(API + path, data, headers), timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer)


def send(number: str) -> str:
    """Sends an OTP; the id of its delivery."""
    status, answer = ask("/signup", {"name": "Asha", "phone_number": number})
    assert status == 200, answer
    return answer["delivery_id"]


def otp_of(number: str) -> str:
    def look() -> str | None:
        sent = [message for message in Twilio.messages if message["To"] == number]
        assert len(sent) <= 1, f"sent more than once: {sent}"
        return sent[0]["Body"] if sent else None

    return re.findall(r"password is (\d{6})", eventually("no SMS came", 20, look))[0]


def sign_in(number: str) -> str:
    otp = otp_of(number)
    wrong = "000001" if otp == "000000" else "000000"
    status, answer = ask("/signup", {"phone_number": number, "otp": wrong})
    assert (status, answer["code"]) == (401, "invalid_otp"), answer
    status, answer = ask("/signup", {"phone_number": number, "otp": otp})
    assert status == 200, answer
    return answer["token"]


def is_signed_in(token: str) -> None:
    assert ask("/protected", token=token) == (200, {"data": "Protected"})


def was_sent(delivery: str) -> bool:
    return ask(f"/deliveries/{delivery}")[1].get("status") == "sent"


def check_bounds() -> None:
    """What the files say of each program holds in the kernel."""
    for found in containers("api") + containers("worker"):
        process = pathlib.Path(f"/proc/{found['State']['Pid']}")
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
        assert set(status["Uid"].split() + status["Gid"].split()) == {USER}, status
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}, status
        assert status["NoNewPrivs"] == "1", status
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
        writable = {mount[4] for mount in mounts if "rw" in mount[5].split(",")}
        assert "/" not in writable and "/tmp" not in writable, writable
    assert len(containers("worker")) == 2
    (api,) = containers("api")
    authorities = run("podman", "exec", api["Id"], "grep", "--count", "BEGIN CERTIFICATE", "/etc/ssl/certs/ca-certificates.crt")
    assert int(authorities) > 50, authorities
    told = run("podman", "image", "inspect", "cheershare") + run("podman", "history", "--no-trunc", "cheershare")
    assert not [name for name, value in SETTINGS.items() if len(value) > 20 and value in told]


def check_sign_in() -> str:
    """A whole conversation, whose client is the one that the proxy names."""
    number = "+919876543210"
    delivery = send(number)
    otp_of(number)
    level = compose("exec", "-T", "api", "api", "bucket", "show", "address", CLIENT, "--json")
    assert 0.9 < json.loads(level)["level"] <= 1, level
    token = sign_in(number)
    is_signed_in(token)
    assert ask("/protected", token="A" * 26)[0] == 401
    assert eventually("the delivery is not told as sent", 5, lambda: was_sent(delivery))
    return token


def check_metrics() -> None:
    """Prometheus finds every process by the names of the Compose file."""

    def look() -> bool:
        with urllib.request.urlopen(f"{PROMETHEUS}/api/v1/targets", timeout=5) as answer:
            targets = json.load(answer)["data"]["activeTargets"]
        return sorted((target["labels"]["job"], target["health"]) for target in targets) == [
            ("api", "up"),
            ("worker", "up"),
            ("worker", "up"),
        ]

    eventually("not every process is scraped", 40, look)


def stop(service: str) -> None:
    """All of its containers at once, each within its grace and by its own end."""
    since = time.monotonic()
    compose("stop", service)
    took = time.monotonic() - since
    print(f"   stopped {service}: {took:.1f} s")
    assert took < GRACE[service]
    for found in containers(service):
        assert found["State"]["Status"] == "exited" and found["State"]["ExitCode"] == 0, found["State"]


def check_stop() -> None:
    """A worker that is stopped finishes its SMS; what waits while all is stopped goes out afterwards."""
    begun, waiting = "+919876543211", "+919876543212"
    Twilio.seconds_to_answer = 2
    delivery = send(begun)
    otp_of(begun)
    stop("worker")
    Twilio.seconds_to_answer = 0
    assert was_sent(delivery)
    send(waiting)
    for service in ["api", "prometheus", "redis", "postgres"]:
        stop(service)
    assert waiting not in [message["To"] for message in Twilio.messages]
    start()
    is_signed_in(sign_in(waiting))


def step(name: str, what: Callable[[], object]) -> object:
    since = time.monotonic()
    done = what()
    print(f"   {name}: {time.monotonic() - since:.1f} s", flush=True)
    return done


def main() -> None:
    start_twilio()
    write_added()
    step("started and migrated", start)
    step("bounds", check_bounds)
    token = step("an OTP, a sign-in, an authenticated request", check_sign_in)
    step("metrics", check_metrics)
    step("stopped and started", check_stop)
    is_signed_in(token)


main()
