"""`make bench`: what an event costs, this program beside the floor and beside Go, in one run. See README.md beside this folder."""

import argparse
import datetime
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from . import connections, gate, load, report, tools
from .servers import NAMES, Failed, World

SIZES = (3_000, 100_000, 1_000_000)
FAILURES = (Failed, tools.Lacking)


def arguments():
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__.split(". See")[0])
    parser.add_argument("--quick", action="store_true", help="the main cases, short rounds: under four minutes once all is built")
    parser.add_argument("--rounds", type=int, help="of which the medians count (5; quick: 3)")
    parser.add_argument("--seconds", type=int, help="of one run of load (3; quick: 1)")
    parser.add_argument("--program", help="measure this build of the program instead of building it")
    parser.add_argument("--target", type=Path, default=os.environ.get("CARGO_TARGET_DIR", tools.ROOT / "target"), help="cargo's folder")
    parser.add_argument("--out", type=Path, help="folder of performance.md, .json and .svg (docs; quick: target/bench/report)")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PROGRAM",
                        help="another build of the program to compare with, or a script that starts one; any number of times")
    parser.add_argument("--logs", type=Path, help="folder for what the servers say; without it nobody keeps it")
    parser.add_argument("--no-allocations", action="store_true", help="do not count allocations: that builds a test program")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.seconds = args.seconds or (1 if args.quick else 3)
    args.target = Path(args.target).resolve()
    args.also = dict(one.split("=", 1) for one in args.also)
    if args.logs:
        args.logs.mkdir(parents=True, exist_ok=True)
    args.out = args.out or (args.target / "bench" / "report" if args.quick else tools.ROOT / "docs")
    return args


def cases(quick):
    """Every case, with the servers that are measured in it."""
    def case(size, connections, servers=tuple(NAMES), sender="shopify", routes="", protocol="h1"):
        return {"size": size, "connections": connections, "sender": sender, "routes": routes, "protocol": protocol, "servers": servers}
    ours = ["sealed"]
    small = SIZES[:1] if quick else SIZES[:2]
    if quick:
        compared = [case(3_000, 1), case(3_000, 32), case(100_000, 32)]
    else:
        # 256 bodies of 1 MB are over the program's memory budget: it answers 503, as it should.
        compared = [case(size, count) for size in SIZES for count in (1, 32, 256) if size * count < 200_000_000]
        compared += [case(size, 32, protocol="h2") for size in small]
    variations = [case(size, 32, ours, sender, routes) for size in small
                  for sender, routes in (("stripe", ""), ("shopify", "header-routes"), ("shopify", "body-routes"), ("stripe", "body-routes"))]
    return compared + variations


def measure_connections(world, quick, say):
    """Start-up, memory when fresh, handshakes, idle connections: of servers that have done nothing else."""
    counts = [2_000] if quick else [2_000, 10_000]
    counts = [count for count in counts if count * 5 / 4 < world.files]
    found = {}
    for name in NAMES:
        say(f"start-up, handshakes and idle connections: {NAMES[name]}")
        starts = []
        for _ in range(3 if quick else 7):
            server = world.start(name)
            starts.append(server)
            world.stop(server)
        server = world.start(name)
        server.ready()
        fresh = server.resident()
        idle = connections.idle(server, counts)
        world.stop(server)
        server = world.start(name)
        found[name] = {"startup_ms": statistics.median(one.startup for one in starts) * 1000, "fresh_mib": fresh / 2**20,
                       "idle_kib": idle, "size_mib": world.program(name).stat().st_size / 2**20}
        found[name] |= connections.handshakes(server, 200 if quick else 1000)
        world.stop(server)
    return found


def measure_load(world, args, found, say):
    """Each case, all servers in turn, round after round: what disturbs one disturbs all."""
    servers = {name: world.start(name) for name in NAMES}
    for server in servers.values():
        gate.check(world, server)
    plan = cases(args.quick)
    total, done, began = args.rounds * sum(len(case["servers"]) for case in plan), 0, time.monotonic()
    for case in plan:
        case["runs"], case["failures"] = {name: [] for name in case["servers"]}, []
        for _ in range(args.rounds):
            for name in case["servers"]:
                done += 1
                left = (time.monotonic() - began) / done * (total - done)
                said = f"{done}/{total}, {left:.0f} s left: {load.title(case)}, {NAMES[name]}"
                try:
                    run = load.measure(servers[name], case, args.seconds, world.folder)
                except Failed as failure:
                    # The others' figures are not lost for it.
                    case["failures"].append(str(failure))
                    say(f"{said}: FAILED: {failure}")
                    continue
                opened = case["connections"] if case["protocol"] == "h1" else load.H2_CONNECTIONS
                run["cpu_us"] = (run.pop("cpu_total_us") - opened * found[name]["full_us"]) / run["requests"]
                case["runs"][name].append(run)
                say(f"{said}: {run['cpu_us']:.0f} us, {run['rps']:.0f}/s")
        case["median"] = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in case["runs"].items() if runs}
    return plan


def allocations(world, args, say):
    """Lines of `allocations: ...`, of a test program that counts them."""
    if args.no_allocations:
        return []
    say("counting allocations (builds a test program)")
    text = tools.run("cargo", "test", "--quiet", "--locked", "--bench", "allocations", "--target-dir", args.target, "--", world.temporal)
    return [line.removeprefix("allocations: ") for line in text.splitlines() if line.startswith("allocations: ")]


def main():
    args, began = arguments(), time.monotonic()
    say = lambda text: print(f"[{time.monotonic() - began:4.0f} s] {text}", file=sys.stderr, flush=True)
    # A stop from outside stops the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        tools.install(say)
        programs = tools.build(say, args.target, args.program) | {name: Path(path).resolve() for name, path in args.also.items()}
        NAMES.update((name, name) for name in args.also)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            tools.certificate(folder)
            with World(programs, Path(folder), args.logs) as world:
                found = measure_connections(world, args.quick, say)
                plan = measure_load(world, args, found, say)
                counted = allocations(world, args, say)
    except FAILURES as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    result = {"date": datetime.date.today().isoformat(), "quick": args.quick, "rounds": args.rounds, "seconds": args.seconds,
              "machine": tools.machine(), "versions": tools.versions(args.program), "servers": found, "cases": plan, "allocations": counted}
    args.out.mkdir(parents=True, exist_ok=True)
    text = report.markdown(result)
    (args.out / "performance.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "performance.svg").write_text(report.plot(result))
    report.put(args.out / "performance.md", text)
    print(text)
    say(f"written to {args.out}")
    failures = [failure for case in plan for failure in case["failures"]]
    if failures:
        sys.exit("bench: " + "\n".join(failures))


if __name__ == "__main__":
    main()
