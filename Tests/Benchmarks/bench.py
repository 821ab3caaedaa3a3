"""The benchmark of Sluice; scripts/bench builds what it needs and calls this.

Subjects take turns within every row, so that whatever else the machine does hits all of them; ratios
are formed within a turn and reported as median and interval. Wall clock is never a pass or a fail.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile

import events
import figures
import telemetry
from trials import Trials

SIZES = (128, 512, 1024, 2048, 4096)
LOADS = ('hand-over', 'sum', 'write')
SECTIONS = ('stream', 'process', 'latency', 'control', 'statistics', 'cost', 'telemetry', 'routing',
            'rendering', 'exporting')


def main():
    options = parse()
    place = options.directory or ('/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
    scratch = tempfile.mkdtemp(prefix='sluice-bench-', dir=place)
    trials = Trials(options.bin, os.path.join(scratch, 'trial'), options.peers, options.verbose)
    machine = describe_machine()
    print(f"{machine['date']}  {machine['processor']}, {machine['processors']} processors, "
          f"load {machine['loadAverage']}, commit {machine['commit']}, {options.pairs} pairs")
    rows = []
    try:
        for section in options.sections:
            found = {'stream': stream, 'process': process, 'latency': latency,
                     'control': control, 'statistics': statistics,
                     'cost': cost, 'telemetry': telemetry.section, 'routing': events.routing,
                     'rendering': events.rendering, 'exporting': events.exporting}[section](trials, options)
            rows += [dict(row, **machine) for row in found]
            if options.json:
                with open(options.json, 'w') as file:
                    json.dump(rows, file, indent=1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if trials.failures else 0


def parse():
    parser = argparse.ArgumentParser(
        prog='scripts/bench', description='Measures Sluice against a bare C program and PvaPy.')
    parser.add_argument('--json', metavar='FILE', help='write the rows as a JSON array')
    parser.add_argument('--quick', action='store_true', help='fewer sizes, about two minutes')
    parser.add_argument('--pairs', type=int, help='turns of each row (3 with --quick, else 15)')
    parser.add_argument('--seconds', type=float, help='length of one trial (0.4 or 1)')
    parser.add_argument('--peers', action='store_true', help='measure PvaPy, event-tracking and resilient-exporters, too')
    parser.add_argument('--sizes', help='widths of the square frames: 128,1024')
    parser.add_argument('--workers', help='numbers of workers: 1,2')
    parser.add_argument('--loads', help='hand-over,sum,write')
    parser.add_argument('--sections', help=','.join(SECTIONS))
    parser.add_argument('--calls', action='store_true', help='count system calls with strace')
    parser.add_argument('--directory', help='scratch place (default /dev/shm, which is tmpfs)')
    parser.add_argument('--no-build', action='store_true', help='use what was built before')
    parser.add_argument('--verbose', action='store_true', help='print every trial')
    parser.add_argument('--bin', default='.build/release', help=argparse.SUPPRESS)
    options = parser.parse_args()
    quick = options.quick
    options.pairs = options.pairs or (3 if quick else 15)
    options.seconds = options.seconds or (0.4 if quick else 1.0)

    def words(text, default):
        return text.split(',') if text else list(default)

    options.sizes = [int(word) for word in words(options.sizes, (128, 1024) if quick else SIZES)]
    options.workers = [int(word) for word in words(options.workers, (1, 2))]
    options.loads = words(options.loads, LOADS)
    options.sections = words(options.sections, SECTIONS)
    return options


def describe_machine():
    processor = platform.machine()
    try:
        with open('/proc/cpuinfo') as lines:
            processor = next(line.split(':')[1].strip() for line in lines if 'model name' in line)
    except (OSError, StopIteration):
        pass
    commit = subprocess.run(
        ['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True).stdout.strip()
    return {
        'date': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%MZ'),
        'processor': processor, 'processors': os.cpu_count(),
        'loadAverage': round(os.getloadavg()[0], 2), 'commit': commit or None}


def row_of(load, width, workers, subject, found):
    trials = [trial for trial in found[subject] if trial]
    row = {
        'load': load, 'shape': [width, width], 'type': 'uint16', 'workers': workers,
        'subject': subject}
    for key in ('framesPerSecond', 'bytesPerSecond', 'peakResidentBytes', 'poolBytes'):
        row[key] = figures.merged(trials, (key,))
    for key in ('privateBytes', 'cpuSecondsPerFrame', 'threadSecondsPerFrame', 'switchesPerFrame',
                'latencySeconds'):
        values = figures.medians(trials, key)
        if values:
            row[key] = values
    row['trials'] = [trial['framesPerSecond'] for trial in trials]
    for other, name in (('floor', 'Floor'), ('pvapy', 'PvaPy')):
        if other in found:
            values = figures.ratios(found[subject], found[other])
            row[f'ratioTo{name}'] = figures.median(values)
            row[f'ratioTo{name}Interval'] = figures.interval(values)
    return row


HEAD = ['load', 'subject', 'shape', 'workers', 'frames/s', 'MB/s', 'to floor', 'to PvaPy',
        'CPU µs controller', 'workers', 'private MB', 'pool MB']


def cells_of(row):
    cpu, private = row.get('cpuSecondsPerFrame') or {}, row.get('privateBytes') or {}
    rate = row['bytesPerSecond']
    micro = {key: value * 1e6 for key, value in cpu.items()}
    mega = sum(private.values()) / 1e6 if private else None
    pool = row.get('poolBytes')
    return [
        row['load'], row['subject'], f"{row['shape'][0]}²", str(row['workers']),
        figures.short(row['framesPerSecond'], 4), figures.short(rate / 1e6 if rate else None),
        figures.ratio_text(row.get('ratioToFloor'), row.get('ratioToFloorInterval')),
        figures.ratio_text(row.get('ratioToPvaPy'), row.get('ratioToPvaPyInterval')),
        figures.short(micro.get('controller')), figures.short(micro.get('workers')),
        figures.short(mega), figures.short(pool / 1e6 if pool is not None else None)]


def print_rows(title, rows):
    print(f'\n{title}\n')
    print(figures.table(HEAD, [cells_of(row) for row in rows if row['framesPerSecond']]), flush=True)


def stream(trials, options):
    """Frames through workers: every load, size and number of workers."""
    rows = []
    for load in options.loads:
        for width in options.sizes:
            for workers in options.workers:
                found = trials.turns(load, width, workers, options.pairs, options.seconds)
                group = [row_of(load, width, workers, subject, found) for subject in found]
                if options.calls and workers == 1:
                    for row in group:
                        if row['subject'] != 'pvapy':
                            row['systemCallsPerFrame'] = trials.calls_per_frame(
                                row['subject'], load, width,
                                (2000, 12000) if width < 1024 else (100, 300))
                rows += group
        print_rows(f'Frames through workers: {load}', [row for row in rows if row['load'] == load])
    for row in rows:
        if row.get('systemCallsPerFrame') is not None:
            print(f"system calls per frame, {row['load']} {row['shape'][0]}² {row['subject']}: "
                  f"{row['systemCallsPerFrame']:.2f}")
    return rows


def process(trials, options):
    """AdOutputFileProcessor.process() alone, in one process, against open/write/close."""
    rows = []
    for width in options.sizes:
        found = trials.turns('process', width, 1, options.pairs, options.seconds)
        rows += [row_of('process', width, 1, subject, found) for subject in found]
    print_rows('AdOutputFileProcessor.process() alone', rows)
    return rows


def latency(trials, options):
    """One frame in flight."""
    rows = []
    for width in [width for width in options.sizes if width in (128, 1024, 2048)]:
        found = trials.turns('latency', width, 1, options.pairs, options.seconds)
        for subject in found:
            row = row_of('latency', width, 1, subject, found)
            for other, name in (('floor', 'Floor'), ('pvapy', 'PvaPy')):
                pairs = zip(found[subject], found.get(other, []))
                values = [
                    mine['latencySeconds']['p50'] / theirs['latencySeconds']['p50']
                    for mine, theirs in pairs if mine and theirs]
                row[f'latencyRatioTo{name}'] = figures.median(values)
                row[f'latencyRatioTo{name}Interval'] = figures.interval(values)
            rows.append(row)
    print('\nLatency of one frame in flight\n')
    cells = [[
        row['subject'], f"{row['shape'][0]}²",
        *(figures.short((row.get('latencySeconds') or {}).get(key, 0) * 1e6)
          for key in ('p50', 'p99')),
        figures.ratio_text(row['latencyRatioToFloor'], row['latencyRatioToFloorInterval']),
        figures.ratio_text(row['latencyRatioToPvaPy'], row['latencyRatioToPvaPyInterval'])]
        for row in rows if row['framesPerSecond']]
    print(figures.table(
        ['subject', 'shape', 'p50 µs', 'p99 µs', 'p50 to floor', 'p50 to PvaPy'], cells), flush=True)
    return rows


def control(trials, options):
    """Start, getStats and stop of an idle worker."""
    rows = []
    subjects = ['sluice'] + (['pvapy'] if trials.python else [])
    found = {subject: [] for subject in subjects}
    for _ in range(min(options.pairs, 5)):
        for subject in subjects:
            found[subject].append(trials.run(subject, 'control', 128, 1, options.seconds))
    keys = ('startSeconds', 'getStatsSeconds', 'stopSeconds', 'gatheringCpuSeconds')
    for subject in subjects:
        done = [trial for trial in found[subject] if trial]
        row = {'load': 'control', 'shape': [128, 128], 'type': 'uint16', 'workers': 1,
               'subject': subject}
        row.update({key: figures.merged(done, (key,)) for key in keys})
        rows.append(row)
    print('\nControl, milliseconds\n')
    print(figures.table(
        ['subject', 'of', 'start to first result', 'getStats', 'stop, drained and reaped',
         'CPU of one gathering'],
        [[row['subject'], 'one idle worker']
         + [figures.short(row[key] * 1e3 if row[key] is not None else None) for key in keys]
         for row in rows]), flush=True)
    return rows


def statistics(trials, options):
    """What gathering statistics ten times a second costs, in CPU time per frame."""
    rows = []
    for load, width in (('hand-over', 128), ('sum', 1024)):
        found = trials.pairs(
            load, width, options.pairs, options.seconds,
            *(('--statistics-period-ms', period) for period in ('100', '3600000')))
        pairs = figures.differences(found)['cpu']
        rows.append({
            'load': 'statistics-10-Hz', 'of': load, 'shape': [width, width], 'type': 'uint16',
            'workers': 1, 'subject': 'sluice', 'cpuDifference': figures.median(pairs),
            'cpuDifferenceInterval': figures.interval(pairs)})
    print('\nStatistics at 10 Hz: further CPU time per frame\n')
    for row in rows:
        print(f"{row['of']} {row['shape'][0]}²: {figures.percent(row, 'cpu')}")
    return rows


def calls_on_and_off(trials, load, width, off):
    """System calls per frame with all and with none: medians of five alternating counts, for how often threads
    wake each other is chance."""
    counts = (2000, 12000) if width < 1024 else (100, 300)
    found = [
        (trials.calls_per_frame('sluice', load, width, counts),
         trials.calls_per_frame('sluice', load, width, counts, off)) for _ in range(5)]
    found = [pair for pair in found if None not in pair]
    return [figures.median(side) for side in zip(*found)] if found else (None, None)


def cost(trials, options):
    """What supervision, ledger and journal cost together: the same load with all of them and with none."""
    off = ('--run-directory', 'none', '--supervision', 'off')
    rows = []
    for load in options.loads:
        for width in [width for width in options.sizes if width >= 512]:
            found = trials.pairs(load, width, options.pairs, options.seconds, (), off)
            row = {'load': 'cost', 'of': load, 'shape': [width, width], 'type': 'uint16',
                   'workers': 1, 'subject': 'sluice', **figures.difference_row(found)}
            if options.calls:
                row['systemCallsPerFrame'], row['systemCallsPerFrameOff'] = calls_on_and_off(
                    trials, load, width, off)
            rows.append(row)
    print('\nSupervision, ledger and journal: with all against with none\n')
    for row in rows:
        calls = ''
        if row.get('systemCallsPerFrame') and row.get('systemCallsPerFrameOff'):
            calls = (f"; system calls per frame {row['systemCallsPerFrame']:.3f} against "
                     f"{row['systemCallsPerFrameOff']:.3f}")
        print(f"{row['of']} {row['shape'][0]}²: CPU time per frame {figures.percent(row, 'cpu')}, "
              f"frames/s {figures.percent(row, 'rate')}{calls}", flush=True)
    return rows


if __name__ == '__main__':
    sys.exit(main())
