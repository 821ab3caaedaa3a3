"""Random sources and pipelines, with what must come out of them: worked out with numpy, not with Sluice."""

import os

import numpy
import tifffile

GOOD, FAILED, QUARANTINED = "processed", "failed", "quarantined"


class Frame:
    """One source frame: its serial number in the run, its pixels, and None where it can't be read."""

    def __init__(self, serial, pixels):
        self.serial = serial
        self.pixels = pixels


def make_source(rng, folder):
    """The text of --source and the frames that it has."""
    kind = rng.choice(["tiff", "tiff", "npy", "sim", "sim"])
    count = rng.randint(40, 400)
    shape = (2 * rng.randint(4, 96), 2 * rng.randint(4, 96))
    numbers = numpy.random.default_rng(rng.getrandbits(32))
    if kind == "sim":
        type_name = rng.choice(["uint8", "uint16", "int32", "float32"])
        text = f"sim:count={count},shape={shape[0]}x{shape[1]},type={type_name},pattern=ramp"
        return text, [Frame(n, ramp(n, shape, type_name)) for n in range(1, count + 1)]
    if kind == "npy":
        stack = numbers.integers(0, 65535, (count, *shape), dtype=numpy.uint16)
        path = os.path.join(folder, "stack.npy")
        numpy.save(path, stack)
        return f"npy:{path}", [Frame(n + 1, stack[n]) for n in range(count)]
    return make_files(rng, folder, count, shape, numbers)


def make_files(rng, folder, count, shape, numbers):
    """TIFF files of one or several pages; a few are damaged."""
    path = os.path.join(folder, "scan")
    os.makedirs(path)
    frames, number = [], 0
    while len(frames) < count:
        number += 1
        name = os.path.join(path, f"s{number}.tif")
        if rng.random() < 0.01:
            with open(name, "wb") as file:
                file.write(rng.randbytes(rng.randint(0, 200)))
            frames.append(Frame(len(frames) + 1, None))
            continue
        pages = rng.choice([1, 1, 1, 1, 3])
        stack = numbers.integers(0, 65535, (pages, *shape), dtype=numpy.uint16)
        tifffile.imwrite(
            name, stack if pages > 1 else stack[0], photometric="minisblack",
            compression=rng.choice([None, None, "zlib"]), metadata=None)
        frames += [Frame(len(frames) + 1 + page, stack[page]) for page in range(pages)]
    return f"tiff:{path}/*.tif", frames


def ramp(position, shape, type_name):
    """The simulator's pattern `ramp` (Docs/Reference/Commands.md): position plus index of the pixel."""
    count = shape[0] * shape[1]
    values = numpy.arange(position, position + count, dtype=numpy.uint64)
    if type_name == "float32":
        return values.astype(numpy.float32).reshape(shape)
    return values.astype(numpy.dtype(type_name)).reshape(shape)


class Stage:
    """One stage of a pipeline: its configuration, and its effect on an image."""

    def __init__(self, name, upstream, worker, processors, effect, directory=None):
        self.name = name
        self.upstream = upstream
        self.worker = worker
        self.processors = processors
        self.effect = effect
        self.directory = directory
        # Serial numbers of source frames for which a processor of this stage throws or crashes.
        self.failing = set()
        self.deadly = set()


def same(pixels):
    return [pixels]


def quarters(pixels):
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    return [
        pixels[:rows, :columns], pixels[:rows, columns:],
        pixels[rows:, :columns], pixels[rows:, columns:]]


def binned(pixels):
    wide = pixels.astype(numpy.uint32)
    return [wide[::2, ::2] + wide[::2, 1::2] + wide[1::2, ::2] + wide[1::2, 1::2]]


def save(directory):
    return {"AdOutputFileProcessor": {"outputDirectory": directory}}


def make_stages(rng, folder, frames):
    """A random pipeline over these frames."""
    out = os.path.join(folder, "disk", "out")
    can_bin = frames[0].pixels is not None and frames[0].pixels.dtype == numpy.uint16 and all(
        frame.pixels is None or frame.pixels.dtype == numpy.uint16 for frame in frames)
    shapes = ["save", "save", "split", "deep", "fan"]
    if can_bin:
        shapes += ["bin", "bin"]
    shape = rng.choice(shapes)
    if shape == "save":
        stages = [Stage("save", None, "FaultyWorker", [save(out + "/a")], same, out + "/a")]
    elif shape == "split":
        stages = [
            Stage("split", None, "ExampleWorker", ["SplitProcessor"], quarters),
            Stage("save", "split", "FaultyWorker", [save(out + "/a")], same, out + "/a")]
    elif shape == "deep":
        stages = [
            Stage("first", None, "FaultyWorker", [save(out + "/a")], same, out + "/a"),
            Stage("split", "first", "ExampleWorker", ["SplitProcessor"], quarters),
            Stage("last", "split", "FaultyWorker", [save(out + "/b")], same, out + "/b")]
    elif shape == "fan":
        stages = [
            Stage("one", None, "FaultyWorker", [save(out + "/a")], same, out + "/a"),
            Stage("two", "source", "FaultyWorker", [save(out + "/b")], same, out + "/b")]
    else:
        stages = [
            Stage("bin", None, "ExampleWorker", ["BinByTwo", save(out + "/a")], binned, out + "/a"),
            Stage("again", "bin", "FaultyWorker", [save(out + "/b")], same, out + "/b")]
    for stage in stages:
        if stage.worker == "FaultyWorker":
            add_faults(rng, stage, len(frames), folder)
    return stages


def add_faults(rng, stage, count, folder):
    """Processors that throw or crash for chosen frames, before or behind the one that writes."""
    def place(processor):
        stage.processors.insert(rng.choice([0, len(stage.processors)]), processor)

    if rng.random() < 0.3:
        stage.failing = {rng.randint(1, count) for _ in range(rng.randint(1, 3))}
        place({"Faulty": {"misdeed": "throw", "frames": sorted(stage.failing)}})
    if rng.random() < 0.2:
        stage.deadly = {rng.randint(1, count)} - stage.failing
        if stage.deadly:
            misdeed = rng.choice(["segfault", "abort", "exit0", "exit1", "closeOutput", "garbage"])
            stage.processors.insert(
                0, {"Faulty": {"misdeed": misdeed, "frames": sorted(stage.deadly)}})
    if rng.random() < 0.4:
        # Kills its worker once, for any frame: the next worker goes on.
        marker = os.path.join(folder, f"once-{stage.name}")
        misdeed = rng.choice(["segfault", "exit0", "kill", "closeOutput", "garbage", "hang"])
        frame = rng.randint(1, count)
        place({"Faulty": {"misdeed": misdeed, "frames": [frame], "once": marker}})


class Expected:
    """What must be true at the end, by stage and frame key, and the files with their pixels."""

    def __init__(self, stages, frames):
        self.outcomes = {}
        self.files = {}
        self.roots = {}
        for frame in frames:
            fates = []
            for stage in stages:
                if stage.upstream in (None, "source"):
                    self.follow(stages, stage, frame, str(frame.serial), frame.serial,
                                frame.pixels, fates)
            self.roots[frame.serial] = (
                QUARANTINED if QUARANTINED in fates else FAILED if FAILED in fates else GOOD)

    def follow(self, stages, stage, frame, key, unique_id, pixels, fates):
        def close(fate):
            self.outcomes[(stage.name, key)] = fate
            fates.append(fate)

        if pixels is None or frame.serial in stage.failing:
            return close(FAILED)
        if frame.serial in stage.deadly:
            return close(QUARANTINED)
        outputs = stage.effect(pixels)
        if stage.directory:
            self.files[f"{stage.directory}/{unique_id:06}.tiff"] = outputs[0]
        close(GOOD)
        for consumer in stages:
            if consumer.upstream != stage.name:
                continue
            for index, output in enumerate(outputs):
                child = unique_id if len(outputs) == 1 else unique_id * 4 + index
                self.follow(stages, consumer, frame, f"{key}/{index}", child, output, fates)
