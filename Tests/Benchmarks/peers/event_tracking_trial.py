"""One trial of event-tracking's RoutingBackend, for scripts/bench: the events and processors of
RoutingTrial.swift, and for `rendering` its LoggerBackend, which makes a text of each event.

    python event_tracking_trial.py routing --maximum-frames 100000

One line of JSON, in the words of floor.c; a frame is an event here.
"""
import argparse
import json
import logging
import time

from eventtracking.backends.logger import LoggerBackend
from eventtracking.backends.routing import RoutingBackend
from eventtracking.processors.regex_filter import RegexFilter
from eventtracking.processors.whitelist import NameWhitelistProcessor

NAMES = [
    'frame.accepted', 'frame.done', 'frame.failed', 'frame.gap', 'worker.online', 'worker.gone',
    'run.start', 'run.finish', 'spool.open', 'drain']


class Counting:
    def __init__(self):
        self.count = 0

    def send(self, event):
        self.count += 1


class CountingLog(logging.Handler):
    """A log that counts its lines."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def emit(self, record):
        record.getMessage()
        self.count += 1


def log(name):
    """A backend that writes into a log of that name, and the log."""
    handler = CountingLog()
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return LoggerBackend(name=name, max_event_size=None), handler


def rename(event):
    if event['name'] == 'frame.failed':
        event['name'] = 'frame.error'
    return event


def enrich(event):
    event['context']['beamline'] = '13-IDD'
    event['context']['run'] = 4711
    return event


def tally(event):
    event['data']['tally'] = 1


def sample(number):
    data = {
        f'field{field}': {'id': number, 'seconds': number / 4, 'text': 'a text of some length'}
        for field in range(6)}
    data['shape'] = [512, 512]
    return {'name': NAMES[number % len(NAMES)], 'timestamp': float(number), 'data': data,
            'context': {'host': 'detector', 'stage': 'main'}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('load', choices=['routing', 'rendering'])
    parser.add_argument('--maximum-frames', type=int, default=100_000)
    options = parser.parse_args()
    count = options.maximum_frames
    if options.load == 'rendering':
        (every_backend, every), (alarms_backend, alarms) = log('every'), log('alarms')
    else:
        every_backend, alarms_backend = every, alarms = Counting(), Counting()
    branch = RoutingBackend(
        backends={'0': alarms_backend},
        processors=[NameWhitelistProcessor(whitelist=['frame.error', 'worker.gone'])])
    root = RoutingBackend(
        backends={'all': every_backend, 'branch': branch},
        processors=[
            RegexFilter(regular_expressions=[r'(frame|worker|run|spool)\.']),
            NameWhitelistProcessor(whitelist=[name for name in NAMES if name != 'frame.gap']),
            rename, enrich, tally])
    events = [sample(number) for number in range(1000)]
    for event in events:
        root.send(event)
    before = every.count + alarms.count
    cpu, begin = time.process_time(), time.perf_counter()
    for number in range(count):
        root.send(events[number % len(events)])
    elapsed, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(json.dumps({
        'frames': count, 'elapsedSeconds': elapsed, 'framesPerSecond': count / elapsed,
        'cpuSecondsPerFrame': {'controller': cpu / count},
        'deliveries': every.count + alarms.count - before}))


if __name__ == '__main__':
    main()
