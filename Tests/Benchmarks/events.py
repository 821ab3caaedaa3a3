"""100 000 events through routers, renderers and exporters, in one process each."""
import sys

import figures

EVENTS = ('--maximum-frames', '100000')
TITLES = {
    'routing': 'Events through a router',
    'rendering': 'Events through a router, each made a text',
    'exporting': 'Events through a pool into two files'}


def routing(trials, options):
    """Through a router of five processors and a branch."""
    return section(trials, options, 'routing', 'event-tracking')


def rendering(trials, options):
    """The same, and the backends make texts."""
    return section(trials, options, 'rendering', 'event-tracking')


def exporting(trials, options):
    """Through a pool of two file exporters."""
    return section(trials, options, 'exporting', 'resilient-exporters')


def section(trials, options, load, peer):
    found = trials.turns(load, 0, 1, options.pairs, options.seconds, EVENTS)
    rows = [row_of(load, subject, found, peer) for subject in found]
    if len({row['deliveries'] for row in rows if row['eventsPerSecond']}) > 1:
        trials.failures.append(f'{load}: the subjects delivered different numbers of events')
        print(trials.failures[-1], file=sys.stderr)
    print(f'\n{TITLES[load]}\n')
    print(figures.table(
        ['load', 'subject', 'events/s', 'CPU µs an event', 'deliveries', f'to {peer}'],
        [[row['load'], row['subject'], figures.short(row['eventsPerSecond']),
          figures.short(row['cpuSecondsPerEvent'] * 1e6), figures.short(row['deliveries']),
          figures.ratio_text(row.get('ratioToPeer'), row.get('ratioToPeerInterval'))]
         for row in rows if row['eventsPerSecond']]), flush=True)
    return rows


def row_of(load, subject, found, peer):
    kept = [trial for trial in found[subject] if trial]
    row = {
        'load': load, 'subject': subject,
        'eventsPerSecond': figures.merged(kept, ('framesPerSecond',)),
        'cpuSecondsPerEvent': figures.merged(kept, ('cpuSecondsPerFrame', 'controller')),
        'deliveries': figures.merged(kept, ('deliveries',)),
        'trials': [trial['framesPerSecond'] for trial in kept]}
    if subject != peer and peer in found:
        values = figures.ratios(found[subject], found[peer])
        row['peer'] = peer
        row['ratioToPeer'] = figures.median(values)
        row['ratioToPeerInterval'] = figures.interval(values)
    return row
