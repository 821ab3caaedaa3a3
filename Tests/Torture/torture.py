"""Seeded campaigns of faults against the real programs; see Docs/Explanations/NothingLost.md.

Every campaign makes a random source and pipeline, disturbs the run (kills, stops, garbage, full and slow disks,
the death of the controller), takes it up again until it is complete, and checks every invariant. A campaign is
made from its seed: its source, pipeline and actions are the same again, the moments are those of the machine.
"""

import argparse
import collections
import concurrent.futures
import os
import shutil
import sys
import tempfile
import time
import traceback

import machine
from campaign import Broken, Campaign


def run(seed, place, binaries, disks):
    campaign = Campaign(seed, os.path.join(place, f"seed-{seed}"), binaries, disks)
    problem = None
    try:
        campaign.go()
        shutil.rmtree(campaign.folder, ignore_errors=True)
    except Broken as error:
        problem = str(error)
    except Exception:
        problem = traceback.format_exc()
    return campaign, problem


def main():
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="seed of the first campaign (1)")
    parser.add_argument("--seconds", type=float, default=180,
                        help="no campaign begins after so many seconds; 0: only the first (180)")
    parser.add_argument("--campaigns", type=int, default=1 << 30,
                        help="most campaigns, each with the seed after the one before (no limit)")
    parser.add_argument("--jobs", type=int, default=2, help="campaigns at a time (2)")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--place", help="folder for what campaigns write (a temporary one)")
    options = parser.parse_args()

    place = os.path.abspath(options.place or tempfile.mkdtemp(prefix="sluice-torture-"))
    os.makedirs(place, exist_ok=True)
    disks, problems = machine.possible_disks(place)
    for problem in problems:
        print(problem)
    counts, failed, done, slowest, frames = collections.Counter(), [], 0, 0.0, 0
    begin = time.monotonic()
    seed = options.seed
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = set()
        while True:
            while len(running) < options.jobs and seed < options.seed + options.campaigns and (
                seed == options.seed or time.monotonic() - begin < options.seconds
            ):
                running.add(pool.submit(run, seed, place, os.path.abspath(options.bin), disks))
                seed += 1
            if not running:
                break
            ended, running = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                campaign, problem = future.result()
                done += 1
                counts.update(campaign.counts)
                frames += len(getattr(campaign, "frames", []))
                slowest = max(slowest, getattr(campaign, "slowest_end", 0.0))
                if problem:
                    failed.append(campaign.seed)
                    print(f"seed {campaign.seed} FAILED: {problem}")
                    for line in campaign.told:
                        print(f"    {line}")
                    print(f"    everything is in {campaign.folder}; again: scripts/torture --seed "
                          f"{campaign.seed} --seconds 0", flush=True)
    print(f"{done} campaigns (seeds {options.seed} to {seed - 1}) in "
          f"{time.monotonic() - begin:.0f} s, {frames} source frames, {len(failed)} failed"
          + (f": {failed}" if failed else ""))
    for action, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:8}  {action}")
    print(f"slowest end of all workers after their controller was killed: {slowest:.3f} s")
    if not failed and not options.place:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
