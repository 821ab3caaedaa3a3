"""A long run with two workers, one of which is killed every second: constant memory, no frame lost or doubled."""

import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import machine


def memory(pid):
    """Private and shared resident bytes of a process (RssAnon, RssShmem of /proc/PID/status), 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            text = file.read()
    except OSError:
        return 0
    return sum(int(n) * 1024 for n in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", text, re.M))


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800, help="how long (1800)")
    parser.add_argument("--period", type=float, default=1, help="seconds between two kills (1)")
    parser.add_argument("--shape", default="512x512", help="rows x columns of a frame (512x512)")
    parser.add_argument("--rate", type=float, default=400, help="frames per second (400)")
    parser.add_argument("--seed", type=int, default=1, help="which workers are killed (1)")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()

    rng = random.Random(options.seed)
    place = tempfile.mkdtemp(prefix="sluice-soak-")
    run = os.path.join(place, "run")
    pipeline = os.path.join(place, "pipeline.yaml")
    with open(pipeline, "w") as file:
        json.dump({
            "source": f"sim:count=0,shape={options.shape},type=uint16,pattern=ramp",
            "rate": options.rate,
            "stages": [
                {"name": "all", "workers": 2, "processors": ["PixelStatistics"]},
                {"name": "some", "from": "source", "workers": 1, "overload": "sample=1/100",
                 "processors": [{"AdOutputFileProcessor": {"outputDirectory": f"{place}/out"}}]},
            ]}, file)
    mark = f"soak-{os.getpid()}"
    environment = dict(os.environ, SWIFT_BACKTRACE="enable=no")
    environment[machine.MARK] = mark
    sluice = os.path.join(options.bin, "sluice")
    process = subprocess.Popen(
        [sluice, "run", pipeline, "--run-dir", run], env=environment, stdin=subprocess.DEVNULL)

    begin, kills, samples = time.monotonic(), 0, []
    while (elapsed := time.monotonic() - begin) < options.seconds:
        time.sleep(max(0, begin + (kills + 1) * options.period - time.monotonic()))
        if process.poll() is not None:
            sys.exit(f"the run ended by itself with exit code {process.returncode}")
        workers = machine.children(process.pid)
        samples.append((elapsed, memory(process.pid), descriptors(process.pid)))
        if workers and machine.send(rng.choice(workers), signal.SIGKILL):
            kills += 1
    subprocess.run([sluice, "stop", run], env=environment, check=True)
    code = process.wait(timeout=120)
    left, _ = machine.wait_until_gone(mark, 5)

    with open(os.path.join(run, "summary.json")) as file:
        summary = json.load(file)
    edge = min(60, options.seconds / 4)
    last = samples[-1][0]
    first_minute = [s for s in samples if 2 <= s[0] < 2 + edge]
    last_minute = [s for s in samples if s[0] > last - edge]
    rows = subprocess.Popen(
        [sluice, "ledger", run, "--stage", "all", "--format", "csv"], stdout=subprocess.PIPE,
        text=True)
    seen, doubled, other = bytearray(summary["accepted"] + 1), 0, 0
    header = rows.stdout.readline().strip().split(",")
    frame, outcome = header.index("frame"), header.index("outcome")
    for line in rows.stdout:
        fields = line.split(",")
        number = int(fields[frame])
        doubled += seen[number]
        seen[number] = 1
        other += fields[outcome] not in ("processed", "quarantined")
    lost = summary["accepted"] - sum(seen)
    verify = subprocess.run([sluice, "verify", run], capture_output=True, text=True)

    print(f"{kills} workers killed in {last:.0f} s; {summary['certificate']['statement']}")
    for what, column in (("resident memory of the controller, MB", 1), ("its descriptors", 2)):
        scale = 1e6 if column == 1 else 1
        print(f"{what}: first minute {statistics.mean(s[column] for s in first_minute) / scale:.2f}, "
              f"last minute {statistics.mean(s[column] for s in last_minute) / scale:.2f}, "
              f"most {max(s[column] for s in samples) / scale:.2f}")
    print(f"lost {lost}, doubled {doubled}, other outcomes {other}; verify: "
          f"{verify.stdout.strip().splitlines()[-1] if verify.stdout else verify.stderr.strip()}")
    grown = (statistics.mean(s[1] for s in last_minute)
             > 1.05 * statistics.mean(s[1] for s in first_minute) + 4e6)
    leaked = max(s[2] for s in last_minute) > max(s[2] for s in first_minute) + 8
    good = (summary["certificate"]["balanced"] and lost == doubled == other == 0
            and verify.returncode == 0 and not left and not grown and not leaked
            and code in (0, 1))
    if left:
        print(f"processes left: {left}")
    print("nothing was lost" if good else "FAILED: see above; everything is in " + place)
    if good:
        shutil.rmtree(place)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
