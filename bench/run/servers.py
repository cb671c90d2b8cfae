"""The servers under test and the stub: started, watched through /proc, stopped."""

import http.client
import os
import resource
import socket
import ssl
import subprocess
import time
from pathlib import Path

from . import deliveries

AES_KEY = "00112233445566778899aabbccddeeff" * 2
TICKS = os.sysconf("SC_CLK_TCK")
NAMES = {"floor-http": "hyper + rustls alone", "floor": "the floor", "plain": "this program, AES off",
         "sealed": "this program", "go": "Go", "go-no-gzip": "Go without gzip"}


class Failed(Exception):
    """A server that does not do what it should."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tls():
    """A client's settings: who the server is does not matter here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Process:
    """A program on a port of its own, until it is stopped."""

    def __init__(self, name, command, environment, log):
        self.name, self.log = name, log or "its output with --logs FOLDER"
        self.started = time.monotonic()
        with open(log or os.devnull, "ab") as out:
            self.child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out, env=os.environ | environment)

    def stop(self):
        self.child.kill()
        self.child.wait()

    def _status(self, key):
        text = Path(f"/proc/{self.child.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith(key + ":"))
        return int(line.split()[1]) * 1024

    def seconds(self):
        """Processor time so far, user and system: what the kernel says in ticks of 10 ms, or its threads in nanoseconds."""
        process = Path(f"/proc/{self.child.pid}")
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        threads = sum(int(file.read_text().split()[0]) for file in process.glob("task/*/schedstat"))
        return max((int(fields[11]) + int(fields[12])) / TICKS, threads / 1e9)

    def resident(self):
        return self._status("VmRSS")

    def peak(self):
        return self._status("VmHWM")

    def forget_peak(self):
        Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")


class Server(Process):
    """One under test."""

    def __init__(self, name, command, environment, log, port):
        self.port = port
        super().__init__(name, command, environment, log)
        self.startup = self._until("/health/live", "GET", b"", {}, 30)
        self.fresh = self.resident()

    def ready(self):
        """Until an event is taken: Temporal may be connected later than the listener is there."""
        body, headers = deliveries.delivery("shopify", 1000, "bench-ready")
        self._until("/shopify", "POST", body, headers, 30)

    def ask(self, method, path, body=b"", headers=None):
        """The status of one request on a connection of its own."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=tls())
        try:
            connection.request(method, path, body, headers or {})
            return connection.getresponse().status
        finally:
            connection.close()

    def _until(self, path, method, body, headers, patience):
        last = None
        while time.monotonic() - self.started < patience:
            if self.child.poll() is not None:
                raise Failed(f"{self.name} ended by itself with {self.child.returncode}: see {self.log}")
            try:
                last = self.ask(method, path, body, headers)
                if last == 200:
                    return time.monotonic() - self.started
            except (OSError, http.client.HTTPException) as error:
                last = error
            time.sleep(0.001)
        raise Failed(f"{self.name} does not answer {method} {path} with 200 but {last}: see {self.log}")


class World:
    """Programs, folder and stub; hands out servers and stops everything at the end."""

    def __init__(self, programs, folder, logs):
        self.programs, self.folder, self.logs, self.running = programs, folder, logs, []
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.files = hard
        self.temporal, self._reports = f"127.0.0.1:{free_port()}", free_port()
        self.stub = self._keep(Process("stub", [programs["stub"], self.temporal, f"127.0.0.1:{self._reports}"], {}, self._log("stub")))
        for name in ("plain", "sealed"):
            (folder / f"{name}.toml").write_text(settings(self.temporal, folder, name == "sealed"))

    def program(self, name):
        """What is run; any other name is another build of the program."""
        kinds = {"plain": "forwarder", "sealed": "forwarder", "floor-http": "floor", "go-no-gzip": "go"}
        return self.programs[kinds.get(name, name)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.stop()

    def _keep(self, process):
        self.running.append(process)
        return process

    def _log(self, name):
        """A line for each event adds up: by default nobody keeps them."""
        return self.logs / f"{name}.log" if self.logs else None

    def start(self, name):
        """A new server of this kind, answering."""
        port = free_port()
        listen, cert, key = f"127.0.0.1:{port}", self.folder / "cert.pem", self.folder / "key.pem"
        secrets = {"SHOPIFY_WEBHOOKS_KEY": deliveries.SECRET, "BENCH_AES_KEY": AES_KEY}
        if name in ("floor-http", "floor"):
            command = [listen, cert, key] + ([self.temporal] if name == "floor" else [])
        elif name in ("go", "go-no-gzip"):
            command = [listen, cert, key, self.temporal]
            secrets |= {"AES_KEY": AES_KEY, "GZIP": "on" if name == "go" else "off"}
        else:
            file = self.folder / ("plain.toml" if name == "plain" else "sealed.toml")
            command = ["--config", file, "--port", port, "--host", "127.0.0.1"]
        return self._keep(Server(name, [self.program(name), *command], secrets, self._log(name), port))

    def stop(self, server):
        server.stop()
        self.running.remove(server)

    def report(self):
        """What the stub has seen since the last report: calls by method, counts by workflow id."""
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", self._reports), timeout=5) as connection:
                    lines = connection.makefile().read().splitlines()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        else:
            raise Failed("the stub does not report")
        calls, ids = {}, {}
        for line in lines:
            kind, count, name = line.split(" ", 2)
            (calls if kind == "call" else ids)[name] = int(count)
        return calls, ids


def settings(temporal, folder, sealed):
    """The program's settings file: a path for every kind of case."""
    secret = 'secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]'
    text = f'[server]\nidle_timeout = "620s"\n[server.tls]\ncert = "{folder}/cert.pem"\nkey = "{folder}/key.pem"\n[temporal]\naddress = "http://{temporal}"\n'
    if sealed:
        text += '[encryption]\nkeys = [{ id = "bench", key = "env:BENCH_AES_KEY" }]\n'
    for sender in ("shopify", "stripe"):
        for routes in ROUTES:
            name = sender + ("-" + routes if routes else "")
            text += f'[[source]]\nname = "{name}"\npath = "/{name}"\nprovider = "{sender}"\n{secret}\n'
            for number in range(10 if routes else 0):
                text += f"[[source.route]]\nwhen = '{ROUTES[routes].format(number)}'\ntask_queue = \"other-{number}\"\n"
    return text


# No condition holds: all ten are asked.
ROUTES = {"": "", "header-routes": 'topic == "orders/{0}" || headers["content-type"] == "text/{0}"', "body-routes": 'has(body.name) && body.name == "#{0}"'}
