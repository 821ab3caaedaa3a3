"""What telemetry costs: the same run with exporters and a page that is read, and without."""
import socket
import threading
import urllib.error
import urllib.request

import figures

# A set of statistics comes each second: a window has to hold several.
SHORTEST_SECONDS = 3.0


class PageReader:
    """Reads the page of a run once a second, as Prometheus would, as long as somebody serves it."""

    def __init__(self, port):
        self.url = f'http://127.0.0.1:{port}/metrics'
        self.count = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.read)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def read(self):
        while not self.ended.wait(1):
            try:
                with urllib.request.urlopen(self.url, timeout=1) as answer:
                    self.count += b'sluice_run_accepted' in answer.read()
            except (OSError, urllib.error.URLError):
                pass


def free_port():
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]


def section(trials, options):
    """CPU time per frame with a file, an absent destination with a spool, and a page that is read, against none."""
    rows = []
    for load in options.loads:
        # Files of a trial are limited: those of a longer window would end the run in the middle of it.
        seconds = options.seconds if load == 'write' else max(options.seconds, SHORTEST_SECONDS)
        for width in [width for width in options.sizes if width >= 512]:
            port = free_port()
            with PageReader(port) as reader:
                found = trials.pairs(
                    load, width, options.pairs, seconds,
                    ('--telemetry', 'on', '--page-port', str(port)), ())
            row = {'load': 'telemetry', 'of': load, 'shape': [width, width], 'type': 'uint16',
                   'workers': 1, 'subject': 'sluice', 'seconds': seconds,
                   'pagesRead': reader.count,
                   'recordsDelivered': figures.merged(
                       [mine for mine, _ in found], ('deliveries',)),
                   **figures.difference_row(found)}
            # What the threads of telemetry took, where their names tell: the rest is the engine's.
            row['threadSecondsPerFrame'] = figures.medians(
                [mine for mine, _ in found], 'threadSecondsPerFrame')
            rows.append(row)
    print('\nTelemetry: with all against with none\n')
    for row in rows:
        print(f"{row['of']} {row['shape'][0]}²: CPU time per frame {figures.percent(row, 'cpu')}, "
              f"frames/s {figures.percent(row, 'rate')}; {row['pairs']} pairs, "
              f"{row['pagesRead']} pages read", flush=True)
    return rows
