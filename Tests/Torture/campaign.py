"""One campaign: a random run that is disturbed, taken up again until it is complete, and checked."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import numpy
import tifffile

import machine
import pipelines

# A run that neither ends nor goes on for this long is a fault of Sluice (or of the torture).
LIFE_SECONDS = 120
# A controller that was killed takes its workers with it within a second, says the design; the rest is
# for a machine that is busy with other campaigns.
ORPHAN_SECONDS = 5
MAXIMUM_LIVES = 40


class Broken(Exception):
    """An invariant that does not hold."""


class Campaign:
    def __init__(self, seed, folder, binaries, disks):
        self.seed = seed
        self.folder = folder
        self.binaries = binaries
        self.rng = random.Random(seed)
        self.mark = f"{os.getpid()}-{seed}"
        self.counts = {}
        self.told = []
        self.run_directory = os.path.join(folder, "run")
        self.disk = None
        self.disk_kind = self.rng.choice([None, None, *disks]) if disks else None
        self.disk_moment = threading.Lock()

    # Making

    def prepare(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        rng = self.rng
        self.source, self.frames = pipelines.make_source(rng, self.folder)
        self.stages = pipelines.make_stages(rng, self.folder, self.frames)
        self.expected = pipelines.Expected(self.stages, self.frames)
        disk = os.path.join(self.folder, "disk")
        os.makedirs(disk)
        if self.disk_kind:
            total = sum(pixels.nbytes + 4096 for pixels in self.expected.files.values())
            self.disk = self.disk_kind(disk, max(16, (2 * total >> 20) + 8))
        if self.disk and rng.random() < 0.3:
            self.run_directory = os.path.join(disk, "run")
        seconds = rng.uniform(1, 5)
        document = {
            "source": self.source,
            "rate": max(10, round(len(self.frames) / seconds)),
            "plane": rng.choice(["shared", "shared", "inline"]),
            "durability": rng.choice(["none", "none", "file", "run"]),
            "stallTimeLimit": "60s",
            "statistics": {"period": rng.choice(["100ms", "1s"])},
            "stages": [self.stage_document(stage) for stage in self.stages],
        }
        self.pipeline = os.path.join(self.folder, "pipeline.yaml")
        with open(self.pipeline, "w") as file:
            json.dump(document, file, indent=1)  # JSON is YAML, too

    def stage_document(self, stage):
        rng = self.rng
        document = {
            "name": stage.name, "workers": rng.randint(1, 3),
            "worker": os.path.join(self.binaries, stage.worker),
            "inFlight": rng.choice([1, 2, 4, 8]),
            "policy": rng.choice(["least-loaded", "round-robin", "hash"]),
            "frameTimeLimit": "1s", "responseTimeLimit": "2s", "stopTimeLimit": "3s",
            "processors": stage.processors,
        }
        if stage.upstream:
            document["from"] = stage.upstream
        return document

    # Running

    def sluice(self, *arguments, **options):
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no")
        environment[machine.MARK] = self.mark
        return subprocess.Popen(
            [os.path.join(self.binaries, "sluice"), *arguments], cwd=self.folder, env=environment,
            stdin=subprocess.DEVNULL, **options)

    def ask(self, *arguments):
        """Runs a command that answers; exit code, standard output, standard error."""
        process = self.sluice(
            *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            output, errors = process.communicate(timeout=LIFE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Broken(f"sluice {' '.join(arguments)} did not answer in {LIFE_SECONDS} s")
        return process.returncode, output, errors

    def note(self, action):
        self.counts[action] = self.counts.get(action, 0) + 1
        self.told.append(f"{time.monotonic() - self.begun:.3f} s: {action}")

    def live(self, arguments, disturb):
        """One life of the controller; its exit code, negative when it was killed."""
        log = open(os.path.join(self.folder, "out.txt"), "a")
        process = self.sluice(*arguments, stdout=log, stderr=log)
        rng = random.Random(self.rng.getrandbits(64))
        begin = time.monotonic()
        stopped = []
        while process.poll() is None:
            if time.monotonic() - begin > LIFE_SECONDS:
                self.told.append("it was still running; sent SIGKILL")
                process.kill()
                process.wait()
                raise Broken(f"a life lasted longer than {LIFE_SECONDS} s")
            try:
                process.wait(timeout=rng.uniform(0.02, 0.5))
            except subprocess.TimeoutExpired:
                if disturb and time.monotonic() - begin < LIFE_SECONDS / 3:
                    self.disturb(process, rng, stopped)
        for pid in stopped:
            machine.send(pid, signal.SIGCONT)
        if self.disk:
            self.disk.hold(False)
        log.close()
        left, elapsed = machine.wait_until_gone(self.mark, ORPHAN_SECONDS)
        if left:
            raise Broken(f"processes {left} were left {ORPHAN_SECONDS} s after their controller")
        if process.returncode < 0:
            self.slowest_end = max(self.slowest_end, elapsed)
        return process.returncode

    def disturb(self, process, rng, stopped):
        action = rng.choices(
            ["kill", "stop", "other", "garbage", "garbage-in", "controller", "drain", "now", "disk",
             "status", "nothing"], [10, 4, 3, 3, 2, 2, 0.7, 0.7, 3, 2, 6])[0]
        if action == "controller":
            self.note("kill -9 of the controller")
            return machine.send(process.pid, signal.SIGKILL)
        if action in ("drain", "now"):
            self.note("stop --now" if action == "now" else "stop")
            return self.sluice(
                "stop", self.run_directory, *(["--now"] if action == "now" else []),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(LIFE_SECONDS)
        if action == "status":
            self.note("status and stats")
            for word in ("status", "stats"):
                self.sluice(word, self.run_directory, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL).wait(LIFE_SECONDS)
            return None
        if action == "disk":
            return self.hold_disk(rng)
        workers = machine.children(process.pid)
        if action == "nothing" or not workers:
            return None
        return self.disturb_worker(action, rng.choice(workers), rng, stopped)

    def disturb_worker(self, action, worker, rng, stopped):
        if action == "kill":
            self.note("kill -9 of a worker")
            machine.send(worker, signal.SIGKILL)
        elif action == "other":
            number = rng.choice([signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGINT,
                                 signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT])
            self.note(f"{number.name} to a worker")
            machine.send(worker, number)
        elif action == "stop":
            self.note("SIGSTOP of a worker")
            machine.send(worker, signal.SIGSTOP)
            if rng.random() < 0.6:
                time.sleep(rng.uniform(0.01, 0.5))
                machine.send(worker, signal.SIGCONT)
            else:
                stopped.append(worker)
        elif machine.write_garbage(worker, rng, towards_worker=action == "garbage-in"):
            self.note("garbage to a worker" if action == "garbage-in" else "garbage from a worker")

    def hold_disk(self, rng):
        if not self.disk:
            return
        self.note("full disk" if isinstance(self.disk, machine.SmallDisk) else "slow disk")
        self.disk.hold(True)
        time.sleep(rng.uniform(0.05, 1))
        self.disk.hold(False)

    def go(self):
        """The whole campaign; raises `Broken` when something is not as it must be."""
        self.begun = time.monotonic()
        self.slowest_end = 0.0
        self.prepare()
        try:
            code = self.live(["run", self.pipeline, "--run-dir", self.run_directory], True)
            lives = 1
            while not self.is_complete():
                lives += 1
                if lives > MAXIMUM_LIVES:
                    raise Broken(f"the run was not complete after {MAXIMUM_LIVES} lives")
                code = self.live(self.next_life(), lives < MAXIMUM_LIVES / 4)
                self.note("life taken up again")
            self.retry_innocent()
            self.check(code)
        finally:
            if self.disk:
                self.disk.close()

    def next_life(self):
        if not os.path.exists(os.path.join(self.run_directory, "configuration.yaml")):
            # It was killed before it had said what it was to do: there is nothing to take up.
            shutil.rmtree(self.run_directory, ignore_errors=True)
            return ["run", self.pipeline, "--run-dir", self.run_directory]
        workers = str(self.rng.randint(1, 3))
        if self.rng.random() < 0.5:
            return ["run", "--run-dir", self.run_directory, "--resume", "--workers", workers]
        return ["run", self.pipeline, "--run-dir", self.run_directory, "--resume",
                "--workers", workers]

    def summary(self):
        try:
            with open(os.path.join(self.run_directory, "summary.json")) as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def is_complete(self):
        """Whether the last life went to the end of the source. A killed one has left no summary, or the
        one of a life before it, whose end was another."""
        summary = self.summary()
        return summary is not None and summary["end"] == "completed"

    def rows(self):
        code, output, errors = self.ask("ledger", self.run_directory, "--format", "json")
        if code != 0:
            raise Broken(f"sluice ledger failed ({code}): {errors}")
        return [json.loads(line) for line in output.splitlines()]

    def retry_innocent(self):
        """A frame that was hit by three of our kills is quarantined: `retry` must bring it through."""
        for _ in range(5):
            deadly = {key for key, fate in self.expected.outcomes.items()
                      if fate == pipelines.QUARANTINED}
            innocent = [row for row in self.rows() if row["outcome"] == "quarantined"
                        and (row["stage"], row["frame"]) not in deadly]
            if not innocent:
                return
            self.note("retry of a frame that was killed three times by chance")
            self.live(["retry", self.run_directory], False)
        raise Broken(f"retry does not bring {innocent} through")

    # Checking

    def check(self, code):
        self.check_account()
        self.check_rows()
        self.check_tree()
        verify, output, errors = self.ask("verify", self.run_directory)
        if verify != 0:
            raise Broken(f"sluice verify says ({verify}): {output}{errors}")

    def check_account(self):
        summary = self.summary()
        roots = list(self.expected.roots.values())
        wanted = {
            "accepted": len(roots), "processed": roots.count("processed"),
            "failed": roots.count("failed"), "quarantined": roots.count("quarantined"),
            "filtered": 0, "inFlight": 0, "dropped": {}}
        found = {key: summary[key] for key in wanted}
        found["dropped"] = {key: n for key, n in found["dropped"].items() if n}
        if found != wanted:
            raise Broken(f"the account is {found}, it should be {wanted}")
        if not summary["certificate"]["balanced"]:
            raise Broken(f"the certificate: {summary['certificate']}")
        if summary["certificate"]["files"] != len(self.expected.files):
            raise Broken(f"the certificate counts {summary['certificate']['files']} files, "
                         f"there should be {len(self.expected.files)}")

    def check_rows(self):
        found = {}
        for row in self.rows():
            key = (row["stage"], row["frame"])
            if key in found:
                raise Broken(f"two rows of the ledger say what became of {key}")
            found[key] = row["outcome"]
        if found != self.expected.outcomes:
            wrong = {key: (found.get(key), self.expected.outcomes.get(key))
                     for key in found.keys() | self.expected.outcomes.keys()
                     if found.get(key) != self.expected.outcomes.get(key)}
            raise Broken(f"outcomes differ (found, expected): {dict(list(wrong.items())[:20])}")

    def check_tree(self):
        found = set()
        for place in {stage.directory for stage in self.stages if stage.directory}:
            for name in os.listdir(place):
                found.add(os.path.join(place, name))
        wanted = set(self.expected.files)
        if found != wanted:
            raise Broken(f"missing: {sorted(wanted - found)[:5]}, "
                         f"too many: {sorted(found - wanted)[:5]}")
        for path, pixels in self.expected.files.items():
            read = tifffile.imread(path)
            if read.dtype != pixels.dtype or not numpy.array_equal(read, pixels):
                raise Broken(f"{path} has other pixels than numpy worked out")
        leftovers = [os.path.join(place, name) for place, _, names in os.walk(self.folder)
                     for name in names if name.endswith(".part")]
        if leftovers:
            raise Broken(f"left over: {leftovers[:5]}")
