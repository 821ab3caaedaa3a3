"""One trial of a pool of resilient-exporters, for scripts/bench: the events of ExportingTrial.swift into two files.

    python resilient_exporters_trial.py --directory DIR --maximum-frames 100000

One line of JSON, in the words of floor.c; a frame is an event here.
"""
import argparse
import json
import os
import sys
import tempfile
import time
import types

from event_tracking_trial import sample

# The package can't be imported without the driver of PostgreSQL, which is not used here.
sys.modules.setdefault('psycopg2', types.ModuleType('psycopg2'))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--directory', required=True)
    parser.add_argument('--maximum-frames', type=int, default=100_000)
    options = parser.parse_args()
    # Importing it makes a file with a random name in the working directory.
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        os.chdir(folder)
        import resilient_exporters
        measure(resilient_exporters.exporters, options)
        os.chdir(options.directory)


def measure(exporters, options):
    count = options.maximum_frames
    paths = [os.path.join(options.directory, f'{name}.jsonl') for name in ('one', 'two')]
    files = [exporters.FileExporter(path) for path in paths]
    # Otherwise it asks a public web site after each event whether there is a network.
    pool = exporters.ExporterPool(files, manual_reexport=True)
    events = [sample(number) for number in range(1000)]
    cpu, begin = time.process_time(), time.perf_counter()
    for number in range(count):
        pool.send(events[number % len(events)])
    # Lines lie in buffers of the process until then.
    for file in files:
        file.stop()
    elapsed, cpu = time.perf_counter() - begin, time.process_time() - cpu
    lines = 0
    for path in paths:
        with open(path, 'rb') as file:
            lines += sum(1 for _ in file)
    print(json.dumps({
        'frames': count, 'elapsedSeconds': elapsed, 'framesPerSecond': count / elapsed,
        'cpuSecondsPerFrame': {'controller': cpu / count}, 'deliveries': lines}))


main()
