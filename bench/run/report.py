"""What was measured as Markdown and as a plot."""

from . import load, scaling
from .servers import NAMES

BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what make bench writes -->"
COLOURS = {"floor-http": "#9aa5b1", "floor": "#52606d", "plain": "#f7a072", "sealed": "#d64545", "go": "#2b8fb8", "go-no-gzip": "#7fc4dd"}
OTHER = "#8a63a8"


def put(file, text):
    """Replaces what an earlier run wrote; the rest of the page stays."""
    old = file.read_text() if file.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def markdown(result):
    parts = [conditions(result), "![Processor time per event, in times of the floor](performance.svg)", "### An event",
             "Microseconds of processor time for each event (user and system, of the server alone), and in times of the floor's and of Go's. Temporal's Go SDK compresses requests unless told not to, which does nothing for encrypted payloads: both are measured.",
             compared(result), "### Beside Shopify without routes",
             "What the same event costs this program (encrypted) if its id and type are in the body, or if ten conditions are asked first and none holds.",
             variations(result), "### Latency, throughput, memory",
             "Closed loop: the load generator, the server and the stub share the cores. `p` in milliseconds, peak memory in MiB.",
             latency(result), "### Connections, start-up, size", servers(result)]
    parts += ["### What it takes for so many a second", scaled(result)]
    if result["allocations"]:
        parts += ["### Allocations", "\n".join(f"- {line}" for line in result["allocations"])]
    return "\n\n".join(parts)


def conditions(result):
    machine, versions = result["machine"], result["versions"]
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    kind = "A quick run: two digits at most. " if result["quick"] else ""
    return (f"{kind}Measured {result['date']} on {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
            f"{listed}. Medians of {result['rounds']} interleaved rounds of {result['seconds']} s.")


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)] + rows
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def of_all(result):
    return [case for case in result["cases"] if "floor" in case["servers"]]


def columns(result):
    return list(of_all(result)[0]["servers"])


def compared(result):
    rows = []
    for case in of_all(result):
        cpu = {name: median["cpu_us"] for name, median in case["median"].items()}
        times = lambda name: f"{cpu['sealed'] / cpu[name]:.2f}" if {"sealed", name} <= cpu.keys() else "failed"
        rows.append([load.title(case)] + [f"{cpu[name]:.0f}" if name in cpu else "failed" for name in case["servers"]]
                    + [times(name) for name in ("floor", "go", "go-no-gzip")])
    return table(["", *(NAMES[name] for name in columns(result)), "times the floor", "times Go", "times Go without gzip"], rows)


def variations(result):
    alone = [case for case in result["cases"] if "floor" not in case["servers"] and "sealed" in case["median"]]
    rows = []
    for case in alone:
        cpu = case["median"]["sealed"]["cpu_us"]
        base = next(other for other in of_all(result) if other["protocol"] == "h1"
                    and (other["size"], other["connections"]) == (case["size"], case["connections"]))
        plain = base["median"]["sealed"]["cpu_us"] if "sealed" in base["median"] else float("nan")
        rows.append([load.title(case), f"{cpu:.0f}", f"{plain:.0f}", f"{cpu - plain:+.0f}"])
    return table(["", "us", "Shopify, no routes", "difference"], rows)


def latency(result):
    rows = []
    for case in of_all(result):
        for name, median in case["median"].items():
            milliseconds = [f"{median[key] / 1000:.2f}" for key in ("p50", "p99", "p999")]
            rows.append([load.title(case), NAMES[name], f"{median['rps']:.0f}", *milliseconds, f"{median['peak_mib']:.0f}"])
    return table(["", "", "requests/s", "p50", "p99", "p99.9", "peak"], rows)


def servers(result):
    found = result["servers"]
    counts = list(next(iter(found.values()))["idle_kib"])
    rows = []
    for name, one in found.items():
        resumed = f"{one['resumed_us']:.0f}" if one["resumed_us"] is not None else f"{one['resumed_share']:.0%} resumed"
        rows.append([NAMES[name], f"{one['full_us']:.0f}", resumed, f"{one['startup_ms']:.0f}", f"{one['size_mib']:.1f}", f"{one['fresh_mib']:.1f}"]
                    + [f"{one['idle_kib'][count]:.0f}" for count in counts])
    idle = [f"KiB per idle connection of {int(count):,}" for count in counts]
    return table(["", "full handshake, us", "resumed, us", "start-up, ms", "size, MiB", "fresh, MiB", *idle], rows)


def scaled(result):
    """From the price of an event of 3 kB, 32 at a time, encrypted."""
    case = next(case for case in of_all(result) if (case["size"], case["connections"], case["protocol"]) == (3_000, 32, "h1"))
    if "sealed" not in case["median"]:
        return "Not measured."
    cpu = case["median"]["sealed"]["cpu_us"] / 1e6
    return "\n\n".join([
        f"An event costs {cpu * 1e6:.0f} us, so a core that does nothing else does {1 / cpu:,.0f} a second. On paper, with replicas of {scaling.CORES} cores that are half busy:",
        table(["events a second", "cores busy", "replicas", "calls in flight", "writes a second in Temporal", "history shards", "Cloud's Actions a second", "Actions a month for starts"], scaling.on_paper(cpu)),
        f"Simulated, one replica and one source ({scaling.PERMITS} starts in flight): Poisson arrivals for ten seconds, three times as many in the first, a start takes 10 ms (p99 60 ms); and the same with a Temporal that does not answer for two seconds. What is not answered with 200 is 503 within the deadline, and comes again.",
        table(["events a second", "cores busy", "200 at the first try", "p50, ms", "p99, ms", "with the stop: 200 at the first try", "p99, ms"], scaling.simulated(cpu)),
    ])


def plot(result):
    """Bars of the processor time per event, in times of the floor's."""
    cases = [case for case in of_all(result) if "floor" in case["median"]]
    names, height, left, scale_width, gap = columns(result), 14, 210, 520, 16
    block = height * len(names) + gap
    ratios = [{name: case["median"][name]["cpu_us"] / case["median"]["floor"]["cpu_us"] for name in names if name in case["median"]} for case in cases]
    most = max(max(ratio.values()) for ratio in ratios)
    unit = scale_width / most
    top, total = 60, 60 + block * len(cases) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + scale_width + 130}" height="{total}" font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="100%" fill="white"/><text x="10" y="20" font-size="14">Processor time per event, in times of the floor ({result["date"]})</text>']
    at = 10
    for name in names:
        out.append(f'<rect x="{at}" y="32" width="12" height="12" fill="{COLOURS.get(name, OTHER)}"/><text x="{at + 17}" y="42">{NAMES[name]}</text>')
        at += 40 + 7 * len(NAMES[name])
    for row, (case, ratio) in enumerate(zip(cases, ratios)):
        y = top + row * block
        out.append(f'<text x="{left - 8}" y="{y + block / 2}" text-anchor="end">{load.title(case)}</text>')
        for bar, name in enumerate(ratio):
            cpu, width = case["median"][name]["cpu_us"], ratio[name] * unit
            out.append(f'<rect x="{left}" y="{y + bar * height}" width="{width:.1f}" height="{height - 2}" fill="{COLOURS.get(name, OTHER)}"/>'
                       f'<text x="{left + width + 5:.1f}" y="{y + bar * height + 10}" font-size="10">{ratio[name]:.2f} ({cpu:,.0f} us)</text>')
    x = left + unit
    out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6}" y2="{total - 10}" stroke="#52606d" stroke-dasharray="3"/></svg>')
    return "\n".join(out) + "\n"
