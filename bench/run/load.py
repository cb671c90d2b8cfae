"""Load on one server: wrk over HTTP/1.1, h2load over HTTP/2, and what it cost."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from . import deliveries
from .servers import Failed

LUA = Path(__file__).parent / "wrk.lua"


def measure(server, case, seconds, folder):
    """What one run says, with the server's processor time for each event, in microseconds."""
    path = "/" + case["sender"] + ("-" + case["routes"] if case["routes"] else "")
    drive = h2load if case["protocol"] == "h2" else wrk
    server.forget_peak()
    before = server.seconds()
    said = drive(server, case, path, seconds, folder)
    if said["requests"] < FEW:
        # Too few to say anything of one: once more, for longer, handshakes and all.
        before, said = server.seconds(), drive(server, case, path, 5 * seconds, folder)
    spent = server.seconds() - before
    bad = said.pop("refused") + said.pop("broken")
    if bad or not said["requests"]:
        raise Failed(f"{server.name}, {title(case)}: {bad} of {said['requests']} requests failed: see {server.log}")
    return said | {"cpu_total_us": spent * 1e6, "peak_mib": server.peak() / 2**20,
                   "rps": said["requests"] / said["seconds"]}


def wrk(server, case, path, seconds, folder):
    pool = folder / f"pool-{case['sender']}-{case['size']}-{case['routes']}"
    deliveries.write_pool(pool, case["sender"], case["size"], path, "localhost")
    connections = case["connections"]
    command = ["wrk", "-t", min(2, connections), "-c", connections, "-d", f"{seconds}s", "--timeout", "10s", "-s", LUA,
               f"https://127.0.0.1:{server.port}{path}"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 30,
                          env=os.environ | {"POOL": str(pool)})
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise Failed(f"wrk failed: {done.stdout}{done.stderr}")
    return json.loads(lines[-1])


def h2load(server, case, path, seconds, folder):
    """All its requests are one and the same."""
    body, headers = deliveries.delivery(case["sender"], case["size"], "evt_h2load")
    file = folder / "h2load-body"
    file.write_bytes(body)
    streams = max(1, case["connections"] // H2_CONNECTIONS)
    with tempfile.NamedTemporaryFile(dir=folder) as log:
        command = ["h2load", "-c", H2_CONNECTIONS, "-t", 2, "-m", streams, "-D", seconds, "-d", file, f"--log-file={log.name}"]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        command.append(f"https://127.0.0.1:{server.port}{path}")
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 30)
        times = sorted(int(line.split()[2]) for line in open(log.name) if line.split()[1] == "200")
    counted = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if done.returncode != 0 or not counted or not times:
        raise Failed(f"h2load failed: {done.stdout}{done.stderr}")
    good, *bad = map(int, counted.groups())
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
    return {"requests": good, "seconds": seconds, "refused": sum(bad), "broken": 0, "p50": at(0.5), "p99": at(0.99), "p999": at(0.999)}


def title(case):
    """A case in words."""
    words = [size(case["size"]), f"{case['connections']} at a time" if case["protocol"] == "h2" else f"{case['connections']} connections"]
    if case["connections"] == 1:
        words[1] = "1 connection"
    words.append("HTTP/2" if case["protocol"] == "h2" else "")
    words.append("Stripe" if case["sender"] == "stripe" else "")
    words.append({"": "", "header-routes": "10 header routes", "body-routes": "10 body routes"}[case["routes"]])
    return ", ".join(word for word in words if word)


def size(count):
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1000} kB"


H2_CONNECTIONS = 4
FEW = 100
