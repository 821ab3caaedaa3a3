"""One trial of PvaPy, for scripts/bench: the same loads and sizes as the floor and Sluice.

    python pvapy_trial.py LOAD --width 1024 --workers 1 --seconds 1

hand-over and sum go through UserMpWorkerController and a queue of eight; hand-over looks at one pixel,
which is the least that a Python processor can do with a frame. process calls AdOutputFileProcessor
directly. latency has one frame in flight, control starts and stops workers. One line of JSON, in the
words of floor.c.
"""
import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import time

import numpy

IN_FLIGHT = 8


def cpu_seconds(process):
    """User and system CPU seconds of a process (Linux: the CPU clock of a process id)."""
    return time.clock_gettime((~process << 3) | 2)


def memory(process):
    """Private bytes of a process: what no other process shares with it on purpose."""
    wanted = {'RssAnon': 0, 'VmSwap': 0}
    with open(f'/proc/{process}/status') as lines:
        for line in lines:
            key = line.split(':')[0]
            if key in wanted:
                wanted[key] = int(line.split()[1]) * 1024
    return sum(wanted.values())


def images(width, count):
    """Different images; made once, sent many times."""
    numbers = numpy.random.default_rng(1)
    return [numbers.integers(0, 65535, (width, width), dtype=numpy.uint16) for _ in range(count)]


class Worker:
    """A PvaPy worker with its queue and what it has done."""

    def __init__(self, number, load):
        from pvapy.hpc.userMpDataProcessor import UserMpDataProcessor
        from pvapy.hpc.userMpWorkerController import UserMpWorkerController

        class Processor(UserMpDataProcessor):
            def __init__(self, number):
                UserMpDataProcessor.__init__(self, number)
                self.done = multiprocessing.Value('q', 0, lock=False)
                self.at = multiprocessing.Value('d', 0.0, lock=False)
                self.total = 0

            def process(self, image):
                self.at.value = time.perf_counter()
                self.total += int(image.sum()) if load == 'sum' else int(image[0, 0])
                self.done.value += 1

        self.processor = Processor(number)
        self.queue = multiprocessing.Queue(IN_FLIGHT)
        self.controller = UserMpWorkerController(number, self.processor, self.queue)
        self.controller.start()
        self.sent = 0

    @property
    def process_id(self):
        return self.controller.uwProcess.pid

    def put(self, image):
        self.queue.put(image)
        self.sent += 1

    def wait(self):
        while self.processor.done.value < self.sent:
            time.sleep(0.0001)


def stream(options):
    """Frames per second, CPU time and memory through the workers."""
    pool = images(options.width, options.images)
    workers = [Worker(index + 1, options.load) for index in range(options.workers)]
    for worker in workers:
        for index in range(3):
            worker.put(pool[index % len(pool)])
        worker.wait()
    processes = [worker.process_id for worker in workers]
    own, theirs = cpu_seconds(os.getpid()), sum(map(cpu_seconds, processes))
    begin = time.perf_counter()
    frames = 0
    while time.perf_counter() < begin + options.seconds:
        workers[frames % len(workers)].put(pool[frames % len(pool)])
        frames += 1
    for worker in workers:
        worker.wait()
    elapsed = time.perf_counter() - begin
    row = result(frames, elapsed, options.width)
    row['cpuSecondsPerFrame'] = {
        'controller': (cpu_seconds(os.getpid()) - own) / frames,
        'workers': (sum(map(cpu_seconds, processes)) - theirs) / frames,
    }
    row['privateBytes'] = {
        'controller': memory(os.getpid()), 'workers': sum(map(memory, processes))}
    row['poolBytes'] = 0
    row['peakResidentBytes'] = sum(row['privateBytes'].values())
    finish(workers)
    return row


def latency(options):
    """One frame in flight: from put to the call of process, which is the earliest result there is."""
    pool = images(options.width, 2)
    worker = Worker(1, 'hand-over')
    times = []
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times) < 20:
        begin = time.perf_counter()
        worker.put(pool[len(times) % 2])
        # Asleep: a busy loop would hold the lock that the queue's own thread needs.
        worker.wait()
        times.append(worker.processor.at.value - begin)
        time.sleep(0.001)
    times = sorted(times[5:])
    row = result(len(times), sum(times), options.width)
    row['latencySeconds'] = {
        'p50': times[len(times) // 2], 'p99': times[len(times) - 1 - len(times) // 100]}
    finish([worker])
    return row


def control(options):
    """Seconds of start to the first frame, of getStats and of stop, medians of seven workers."""
    image = images(128, 1)[0]
    first, stats, stop = [], [], []
    for index in range(options.repetitions):
        begin = time.perf_counter()
        worker = Worker(1, 'hand-over')
        worker.put(image)
        worker.wait()
        first.append(time.perf_counter() - begin)
        for _ in range(20):
            begin = time.perf_counter()
            worker.controller.getStats()
            stats.append(time.perf_counter() - begin)
        # Not in step with the worker's own period of one second.
        time.sleep(0.15 * (index % 7))
        begin = time.perf_counter()
        worker.controller.stop()
        stop.append(time.perf_counter() - begin)
    return {
        'startSeconds': statistics.median(first), 'getStatsSeconds': statistics.median(stats),
        'stopSeconds': statistics.median(stop)}


def process(options):
    """AdOutputFileProcessor.process() alone: one TIFF per image."""
    from pvapy.hpc.adOutputFileProcessor import AdOutputFileProcessor
    from pvapy.utility.adImageUtility import AdImageUtility
    pool = images(options.width, options.images)
    objects = [
        AdImageUtility.generateNtNdArray2D(index, image) for index, image in enumerate(pool)]
    os.makedirs(options.directory, exist_ok=True)
    processor = AdOutputFileProcessor({'outputDirectory': options.directory})
    processor.processorId = 1
    frames, warm_up = 0, 8
    begin = cpu = 0.0
    while frames < options.maximum_frames and (
            frames <= warm_up or time.perf_counter() < begin + options.seconds):
        if frames == warm_up:
            begin, cpu = time.perf_counter(), cpu_seconds(os.getpid())
        item = objects[frames % len(objects)]
        item['uniqueId'] = frames
        processor.process(item)
        frames += 1
    row = result(frames - warm_up, time.perf_counter() - begin, options.width)
    used = cpu_seconds(os.getpid()) - cpu
    row['cpuSecondsPerFrame'] = {'controller': used / row['frames'], 'workers': 0}
    row['privateBytes'] = {'controller': memory(os.getpid()), 'workers': 0}
    row['poolBytes'], row['peakResidentBytes'] = 0, row['privateBytes']['controller']
    processor.stop()
    shutil.rmtree(options.directory, ignore_errors=True)
    return row


def result(frames, elapsed, width):
    return {
        'framesPerSecond': frames / elapsed, 'bytesPerSecond': frames / elapsed * width * width * 2,
        'frames': frames, 'elapsedSeconds': elapsed}


def finish(workers):
    # Its stop waits for the worker's period of one second, which is not what is measured here.
    for worker in workers:
        worker.controller.uwProcess.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('load', choices=('hand-over', 'sum', 'process', 'latency', 'control'))
    parser.add_argument('--width', type=int, default=128)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--images', type=int, default=8)
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--maximum-frames', type=int, default=1 << 40)
    parser.add_argument('--directory', default='/dev/shm/sluice-bench-pvapy')
    parser.add_argument('--repetitions', type=int, default=7)
    options = parser.parse_args()
    works = {'latency': latency, 'control': control, 'process': process}
    row = works.get(options.load, stream)(options)
    print(json.dumps(row))
    sys.stdout.flush()
    # EPICS' static destructors may wait for threads that nobody needs any more.
    os._exit(0)


if __name__ == '__main__':
    main()
