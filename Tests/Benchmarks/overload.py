#!/usr/bin/env python3
"""Runs a live simulator against workers of a known capacity and prints what each overload policy makes of it.

Every point is one `sluice run`: N workers that sleep S milliseconds for a frame have a capacity of
N / S frames per millisecond, whatever the machine. Each point is checked: its account balances.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

LOADS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4]
POLICIES = ["block", "drop-oldest", "drop-newest", "sample=1/2"]


def run(arguments, policy, load, folder):
    """One point: the summary of a run with `load` times the capacity offered."""
    capacity = arguments.workers * 1000 / arguments.milliseconds
    rate = load * capacity
    name = f"{policy.replace('/', '-')}-{load}"
    summary = pathlib.Path(folder) / f"{name}.json"
    subprocess.run(
        [
            f"{arguments.bin}/sluice", "run", "--quiet",
            "--source", f"sim:count={round(rate * arguments.seconds)},shape=64x64,pattern=zero,"
            f"rate={rate},live=true",
            "--worker", f"{arguments.bin}/FaultyWorker", "--workers", str(arguments.workers),
            "--in-flight", "2", "--overload", policy,
            "--processor", f"Slow:milliseconds={arguments.milliseconds}",
            "--run-dir", f"{folder}/{name}", "--summary", str(summary),
        ],
        check=True, timeout=60 + 20 * arguments.seconds)
    return json.loads(summary.read_text())


def line(policy, load, summary):
    """The row of a point."""
    dropped = summary["dropped"]
    seconds = summary["elapsedSeconds"]
    accounted = summary["processed"] + sum(dropped.values())
    balance = summary["certificate"]["balanced"] and accounted == summary["accepted"]
    if not balance:
        sys.exit(f"the run with {policy} at {load} does not balance: {summary['certificate']}")
    latency = [
        f"{1000 * value:.1f} ms" if value is not None else "–"
        for value in (summary["latency"]["p50"], summary["latency"]["p99"])
    ]
    cells = [
        policy, f"{load:g}", str(summary["accepted"]), str(summary["processed"]),
        str(dropped.get("overload", 0)), str(dropped.get("sample", 0)),
        f"{summary['processed'] / seconds:.0f}", *latency, "yes",
    ]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, help="folder of sluice and FaultyWorker")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--milliseconds", type=float, default=20, help="time for a frame")
    parser.add_argument("--seconds", type=float, default=3, help="time for which frames are offered")
    parser.add_argument("--policy", action="append", help="only this one; repeated")
    parser.add_argument("--load", action="append", type=float, help="only this one; repeated")
    arguments = parser.parse_args()
    print("| policy | offered / capacity | offered | processed | dropped (overload) | dropped (sample) "
          "| processed / s | p50 | p99 | balanced |")
    print("| --- |" + " ---: |" * 8 + " --- |")
    with tempfile.TemporaryDirectory() as folder:
        for policy in arguments.policy or POLICIES:
            for load in arguments.load or LOADS:
                print(line(policy, load, run(arguments, policy, load, folder)), flush=True)


main()
