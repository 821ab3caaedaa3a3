"""How each subject is run once: a command that prints one line of JSON."""
import json
import os
import shutil
import subprocess
import sys

ELEMENT_BYTES = 2
IN_FLIGHT = 8
# Files of one trial lie in memory until it ends.
MAXIMUM_WRITTEN_BYTES = 1_500_000_000
# A trial that takes this long has hung.
TIME_LIMIT_SECONDS = 120


class Trials:
    """Runs trials of all subjects in one scratch directory, which should lie on tmpfs."""

    def __init__(self, binaries, scratch, peers, verbose):
        self.binaries = os.path.abspath(binaries)
        self.scratch = scratch
        self.here = os.path.dirname(os.path.abspath(__file__))
        root = os.path.dirname(os.path.dirname(self.here))
        python = os.path.join(root, '.venv-bench', 'bin', 'python')
        self.python = python if peers and os.path.exists(python) else None
        self.verbose = verbose
        self.failures = []

    def turns(self, load, width, workers, pairs, seconds, extra=()):
        """The trials of every subject, taken in turns: {subject: [trial or None, …]}."""
        subjects = self.subjects(load)
        found = {subject: [] for subject in subjects}
        for turn in range(pairs):
            # Every other turn backwards, so that nobody is always first.
            for subject in subjects if turn % 2 == 0 else subjects[::-1]:
                found[subject].append(self.run(subject, load, width, workers, seconds, extra))
        return found

    def pairs(self, load, width, pairs, seconds, with_it, without):
        """Sluice with and without something, in turns: [(trial with it, trial without), …].

        `with_it` and `without` are further options of the trial; a pair of which one failed is left out.
        """
        found = []
        for turn in range(pairs):
            done = {}
            for name in (True, False) if turn % 2 == 0 else (False, True):
                done[name] = self.run(
                    'sluice', load, width, 1, seconds, with_it if name else without)
            if all(done.values()):
                found.append((done[True], done[False]))
        return found

    def subjects(self, load):
        """Who can carry the load."""
        found = ['floor', 'sluice']
        if load == 'process':
            found += ['sluice-staged', 'sluice-committed']
        if load == 'routing':
            return ['sluice'] + (['event-tracking'] if self.python else [])
        if load == 'rendering':
            return ['sluice', 'sluice-influx'] + (['event-tracking'] if self.python else [])
        if load == 'exporting':
            return ['sluice', 'sluice-background'] + (
                ['resilient-exporters'] if self.python else [])
        if self.python and load in ('hand-over', 'sum', 'process', 'latency'):
            found.append('pvapy')
        return found

    def run(self, subject, load, width=128, workers=1, seconds=1.0, extra=()):
        """One trial; None when it failed, which is told once and does not end the others."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.makedirs(self.scratch)
        command = self.command(subject, load, width, workers, seconds) + list(extra)
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                timeout=TIME_LIMIT_SECONDS)
            lines = [line for line in done.stdout.splitlines() if line.startswith('{')]
            if done.returncode == 0 and lines:
                if self.verbose:
                    print(subject, load, width, workers, lines[-1], file=sys.stderr)
                return json.loads(lines[-1])
            reason = done.stderr.strip()[-500:] or f'exit code {done.returncode}'
        except subprocess.TimeoutExpired:
            reason = f'no answer after {TIME_LIMIT_SECONDS} s'
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
        self.failures.append(f'{subject} {load} {width}² {workers} worker(s): {reason}')
        print(self.failures[-1], file=sys.stderr)
        return None

    def command(self, subject, load, width, workers, seconds):
        if subject == 'event-tracking':
            return [
                self.python, os.path.join(self.here, 'peers', 'event_tracking_trial.py'), load]
        if subject == 'resilient-exporters':
            os.makedirs(os.path.join(self.scratch, 'out'))
            return [
                self.python, os.path.join(self.here, 'peers', 'resilient_exporters_trial.py'),
                '--directory', os.path.join(self.scratch, 'out')]
        byte_count = width * width * ELEMENT_BYTES
        options = ['--workers', str(workers), '--seconds', str(seconds)]
        options += ['--directory', os.path.join(self.scratch, 'out')]
        if load in ('write', 'process'):
            options += ['--maximum-frames', str(max(40, MAXIMUM_WRITTEN_BYTES // byte_count))]
        if load in ('write', 'process', 'exporting'):
            os.makedirs(os.path.join(self.scratch, 'out'))
        if subject == 'floor':
            load_name = 'hand-over' if load == 'latency' else load
            in_flight = 1 if load == 'latency' else IN_FLIGHT
            return [
                os.path.join(self.binaries, 'sluice-floor'), '--load', load_name, '--bytes',
                str(byte_count), '--in-flight', str(in_flight), '--rest',
                '1000' if load == 'latency' else '0'] + options
        if subject == 'pvapy':
            script = os.path.join(self.here, 'peers', 'pvapy_trial.py')
            return [
                self.python, script, load, '--width', str(width), '--images',
                str(IN_FLIGHT * workers)] + options
        if subject.startswith('sluice-'):
            options += ['--files', subject.removeprefix('sluice-')]
        return [
            os.path.join(self.binaries, 'SluiceBenchmark'), load, '--width', str(width),
            '--run-directory', os.path.join(self.scratch, 'run'), '--worker',
            os.path.join(self.binaries, 'sluice-worker')] + options

    def calls_per_frame(self, subject, load, width, counts=(2000, 12000), extra=()):
        """System calls per frame of all processes, from two runs that differ only in their frames."""
        if shutil.which('strace') is None:
            return None
        totals = []
        for count in counts:
            shutil.rmtree(self.scratch, ignore_errors=True)
            os.makedirs(self.scratch)
            report = os.path.join(self.scratch, 'calls')
            command = self.command(subject, load, width, 1, 60)
            command += ['--maximum-frames', str(count), '--warm-up', '0', *extra]
            done = subprocess.run(
                ['strace', '-f', '-c', '-o', report] + command, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=TIME_LIMIT_SECONDS)
            if done.returncode != 0:
                return None
            with open(report) as file:
                lines = file.read().splitlines()
            # The columns end where their headings do; some versions of strace leave one of a total empty.
            edge = next(line.index(' calls') + len(' calls') for line in lines if ' calls' in line)
            total = [line for line in lines if line.endswith(' total')][-1]
            totals.append(int(total[:edge].split()[-1]))
        shutil.rmtree(self.scratch, ignore_errors=True)
        return (totals[1] - totals[0]) / (counts[1] - counts[0])
