"""What a run needs: wrk and h2load found or installed, the programs built, a certificate made."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TOOLS = {"wrk": "wrk", "h2load": "nghttp2-client"}


class Lacking(Exception):
    """Something that the machine does not have and that cannot be installed."""


def run(*command, cwd=ROOT, **more):
    """Runs to the end; its output is shown only if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        raise Lacking(f"{command[0]} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def install(say):
    """wrk and h2load."""
    missing = {tool: package for tool, package in TOOLS.items() if not shutil.which(tool)}
    if not missing:
        return
    names, packages = " and ".join(missing), " ".join(missing.values())
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Lacking(f"This machine lacks {names}: on Debian and Ubuntu, apt install {packages}; on macOS, brew install wrk nghttp2")
    say(f"installing {names}")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing.values())


def build(say, target, forwarder):
    """The paths of the programs: of ours, unless `forwarder` names one that is there."""
    programs = {}
    cargo = ["cargo", "build", "--release", "--locked", "--quiet"]
    if forwarder:
        programs["forwarder"] = Path(forwarder).resolve()
    else:
        say("building the program (once; some minutes)")
        run(*cargo, "--bin", "temporal-webhook-forwarder", "--target-dir", target)
        programs["forwarder"] = target / "release" / "temporal-webhook-forwarder"
    say("building the floor and the stub")
    own = target / "bench"
    run(*cargo, "--target-dir", own, cwd=BENCH)
    programs |= {name: own / "release" / name for name in ("floor", "stub")}
    say("building the Go program")
    programs["go"] = own / "go-forwarder"
    run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", programs["go"], ".", cwd=BENCH / "go")
    return programs


def certificate(folder):
    """cert.pem and key.pem of localhost, P-256, made by the program that Go brings."""
    root = run("go", "env", "GOROOT").strip()
    run("go", "run", f"{root}/src/crypto/tls/generate_cert.go", "--host", "localhost,127.0.0.1", "--ecdsa-curve", "P256", cwd=folder)


def machine():
    """What it ran on."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(pages / 2**30), "system": f"{platform.system()} {platform.release()}"}


def versions(forwarder):
    """What it was built and measured with; nobody knows of which commit a program is that was there."""
    commit = run("git", "rev-parse", "--short", "HEAD").strip()
    changed = run("git", "status", "--porcelain", "--untracked-files=no").strip()
    commit = "unknown, built before" if forwarder else commit + (" and changes" if changed else "")
    sdk = re.search(r"go\.temporal\.io/sdk (\S+)", (BENCH / "go" / "go.mod").read_text())
    found = {"commit": commit, "rustc": run("rustc", "--version").split()[1],
             "go": run("go", "env", "GOVERSION").strip()[2:], "Temporal's Go SDK": sdk.group(1) if sdk else "?"}
    lock = (BENCH / "Cargo.lock").read_text()
    for name in ("hyper", "rustls", "tonic"):
        found[name] = re.search(rf'name = "{name}"\nversion = "(.*)"', lock).group(1)
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout
    found["wrk"] = re.search(r"wrk (?:debian/)?(\S+)", wrk).group(1)
    found["h2load"] = run("h2load", "--version").split("/")[-1].strip()
    return found
