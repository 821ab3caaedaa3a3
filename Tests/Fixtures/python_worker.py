#!/usr/bin/env python3
"""A Sluice worker in plain Python, written from Docs/WireProtocol.md alone.

It offers one processor, PyScale: pixels of uint8 and uint16 times `gain`, held within their type.
"""
import array
import mmap
import os
import struct
import sys
import time

HELLO, DESCRIBE, START, CONFIGURE, PROCESS, GET_STATS, RESET_STATS, STOP, PING = range(1, 10)
WELCOME, DESCRIPTION, REPLY, RESULT, STATISTICS, STARTED, CONFIGURED = range(64, 71)
UNKNOWN_PROCESSOR, CONFIGURATION, WRONG_STATE, HOOK, UNSUPPORTED = range(1, 6)
NO_DESCRIPTOR = 0xFFFFFFFF
VALUES = ["?", "b", "h", "i", "q", "B", "H", "I", "Q", "f", "d"]  # by value code
CRC = [0] * 256
for n in range(256):
    c = n
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    CRC[n] = c


def crc32c(data):
    crc, table = 0xFFFFFFFF, CRC
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def pack(form, *values):
    return struct.pack("<" + form, *values)


def text(value):
    data = value.encode()
    return pack("I", len(data)) + data


class Refused(Exception):
    """A command that is not carried out: code and reason."""


class Reader:
    """Takes fields from a body, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def text(self):
        count = self.take("I")
        self.at += count
        return bytes(self.data[self.at - count:self.at]).decode()

    def value(self):
        code = self.take("B")
        if code == 255:
            return None
        if code == 11:
            return self.text()
        if code == 12:
            return [self.value() for _ in range(self.take("I"))]
        return self.structure() if code == 13 else self.take(VALUES[code])

    def structure(self):
        return {self.text(): self.value() for _ in range(self.take("I"))}


class Worker:
    def __init__(self):
        self.input, self.output = os.dup(0), os.dup(1)
        os.dup2(2, 1)  # a print anywhere goes to standard error
        self.pools, self.status, self.gains, self.version = {}, None, {}, None
        self.begun, self.finished = 0, 0
        self.reset()

    def reset(self):
        self.since, self.counts = time.monotonic_ns(), [0] * 9
        self.last = None

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            part = os.read(self.input, count - len(data))
            if not part:
                sys.exit("the controller is gone")
            data += part
        return data

    def send(self, kind, request_id, body=b"", payload=b""):
        head = struct.pack(
            "<4sHHQIII", b"SLCE", 1, kind, request_id, len(body), len(payload), crc32c(body))
        data = memoryview(head + pack("I", crc32c(head)) + body + payload)
        while data:
            data = data[os.write(self.output, data):]

    def serve(self):
        kind = 0
        while kind != STOP:
            head = self.read(32)
            magic, version, kind, request_id, size, payload, body_crc, crc = struct.unpack(
                "<4sHHQIIII", head)
            if magic != b"SLCE" or version != 1 or crc32c(head[:28]) != crc or size > 1 << 20:
                sys.exit("damaged header")
            body = self.read(size)
            if crc32c(body) != body_crc:
                sys.exit("damaged body")
            self.carry_out(kind, request_id, Reader(body), self.read(payload))

    def carry_out(self, kind, request_id, body, payload):
        data = {HELLO: self.hello, DESCRIBE: self.describe, GET_STATS: self.statistics}.get(kind)
        if kind == PROCESS:
            return self.process(request_id, body, payload)
        if data:
            return self.send(*data(body, request_id))
        try:
            if kind == START:
                self.start(body)
            elif kind == CONFIGURE:
                self.configure(body)
            elif kind == RESET_STATS:
                self.reset()
            elif kind not in (STOP, PING):
                raise Refused(UNSUPPORTED, f"message type {kind} is not known")
            self.send(REPLY, request_id, pack("H", 0))
        except Refused as refused:
            code, reason = refused.args
            self.send(REPLY, request_id, pack("H", code) + text(reason))

    def hello(self, body, request_id):
        lowest, highest, capabilities, parent = body.take("HHQI")
        _run, _stage = body.text(), body.text()
        self.worker, self.incarnation, self.wants_outputs = body.take("IIB")
        _channels, _level = (body.text(), body.text()), body.text()
        status, count = body.take("II")
        if parent and os.getppid() != parent:
            sys.exit("the controller is gone")
        for _ in range(count):
            pool, descriptor, writable, slot_size, slots = body.take("HIBQI")
            protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
            memory = mmap.mmap(descriptor, slot_size * slots, mmap.MAP_SHARED, protection)
            self.pools[pool] = (memoryview(memory), slot_size, slots)
            if writable:
                self.output_pool = pool
        if status != NO_DESCRIPTOR:
            self.status = mmap.mmap(status, 4096)
        # Of what version 2 adds, only `apply` is for a worker without files.
        version = next((known for known in (2, 1) if lowest <= known <= highest), 0)
        self.checks_payload = version >= 2
        used = capabilities & (1 | (4 if self.status else 0))
        return WELCOME, request_id, pack("HQI", version, used, os.getpid()) + text(
            "python_worker 1 (Python)")

    def describe(self, _body, request_id):
        gain = b"".join([
            text("gain"), text("number"), b"\x01", text("1"), text("0 … 65535"), text(""),
            text("Factor for every pixel."), b"\x01"])
        return DESCRIPTION, request_id, pack("I", 1) + text("PyScale") + text(
            "Multiplies uint8 and uint16 pixels by a gain.") + pack("II", 1, 1) + gain

    def gain(self, settings, default):
        for name in settings:
            if name != "gain":
                raise Refused(CONFIGURATION, f"PyScale has no setting '{name}', only 'gain'")
        try:
            gain = float(settings.get("gain", default))
        except (TypeError, ValueError):
            raise Refused(CONFIGURATION, f"gain is {settings['gain']!r}, not a number") from None
        if not 0 <= gain <= 65535:
            raise Refused(CONFIGURATION, f"gain is {gain}; it is 0 to 65535")
        return gain

    def start(self, body):
        version, count = body.take("QI")
        names = [(body.text(), body.structure()) for _ in range(count)]
        if self.gains:
            raise Refused(WRONG_STATE, "the processors are started already")
        if [name for name, _ in names] != ["PyScale"]:
            raise Refused(UNKNOWN_PROCESSOR, "this worker offers one processor, PyScale")
        self.gains, self.version = {version: self.gain(names[0][1], 1)}, version

    def configure(self, body):
        version, base, phase, index = body.take("QQBI")
        changes = body.structure()
        if phase == 1:
            if version != self.version:
                self.gains.pop(version, None)
            return
        if phase == 2:
            if version not in self.gains:
                raise Refused(CONFIGURATION, f"configuration version {version} is not known")
            self.version = version
            return
        if base not in self.gains or version in self.gains or index != 0:
            raise Refused(CONFIGURATION, f"version {base} of processor {index} cannot be changed")
        self.gains[version] = self.gain(changes, self.gains[base])

    def process(self, request_id, body, payload):
        if payload and self.checks_payload:
            if crc32c(payload) != struct.unpack("<I", body.data[-4:])[0]:
                sys.exit("damaged payload")
            body.data = body.data[:-4]
        frame_id, _branch = body.take("QQ")
        version, _attempt, count = body.take("QII")
        leases = [body.take("I") for _ in range(count)]
        begin = body.at
        unique_id, _seconds, _nanoseconds = body.take("Qqi")
        body.text()
        head = body.data[begin:body.at]
        if version not in self.gains:
            return self.send(RESULT, request_id, pack("4QB", unique_id, 0, 0, 0, 3) + text(
                f"configuration version {version} is not known") + pack("3I", 0, 0, 0))
        if version != self.version:
            self.version = version
            self.send(CONFIGURED, 0, pack("QH", version, 0))
        started = time.monotonic_ns()
        self.announce(request_id, started)
        self.counts[0] += 1
        self.last = max(self.last or 0, frame_id)
        try:
            pixels, shape, rest = self.frame(body, payload)
            scaled = self.scale(shape[1], pixels)
        except Exception as error:  # whatever it is, it fails this frame alone
            self.counts[3] += 1
            outcome, outputs, scaled, pixels = pack("BI", 2, 0) + text(str(error)), 0, b"", b""
        else:
            self.counts[1] += 1
            self.counts[5] += 1
            outcome, outputs = b"\x00", 1
        took = time.monotonic_ns() - started
        self.finish(took, len(pixels), len(scaled))
        body, payload = pack("I", 0), b""
        if outputs and self.wants_outputs:
            if leases:
                memory, size, _ = self.pools[self.output_pool]
                memory[leases[0] * size:leases[0] * size + len(scaled)] = scaled
                place = pack("BHIQ", 1, self.output_pool, leases[0], len(scaled))
            else:
                place, payload = pack("BQQ", 0, 0, len(scaled)), scaled
            body = pack("I", 1) + head + place + shape + rest
        self.send(RESULT, request_id, pack(
            "4Q", unique_id, took, len(pixels), len(scaled)) + outcome + pack("I", outputs)
            + body + pack("I", 0), payload)

    def frame(self, body, payload):
        """Pixels, and the bytes of payload and attributes, which the output takes over."""
        where = body.take("B")
        if where == 0:
            offset, size = body.take("QQ")
            pixels = memoryview(payload)[offset:offset + size]
        elif where == 1:
            pool, slot, size = body.take("HIQ")
            memory, slot_size, slots = self.pools[pool]
            if slot >= slots or size > slot_size:
                raise ValueError(f"there is no slot {slot} with {size} bytes")
            pixels = memory[slot * slot_size:slot * slot_size + size]
        else:
            raise ValueError("PyScale cannot read files; send the pixels")
        begin = body.at
        kind = body.take("B")
        if kind != 0:
            raise ValueError("PyScale takes images only")
        body.take("BB")
        if body.text() or len(pixels) != size:
            raise ValueError("PyScale takes whole, uncompressed images only")
        count = body.take("B")
        body.at += 29 * count
        return pixels, body.data[begin:body.at], body.data[body.at:]

    def scale(self, element_type, pixels):
        gain, code = self.gains[self.version], {5: "B", 6: "H"}.get(element_type)
        if code is None:
            raise ValueError("PyScale takes uint8 and uint16")
        most = 255 if code == "B" else 65535
        values = array.array(code, bytes(pixels))
        return array.array(code, (min(most, int(value * gain + 0.5)) for value in values)).tobytes()

    def announce(self, request_id, now):
        self.begun += 1
        if self.status:
            self.status[8:24] = pack("QQ", now, self.begun)
            self.status[0:8] = pack("Q", request_id)
        else:
            self.send(STARTED, 0, pack("Q", request_id))

    def finish(self, took, bytes_in, bytes_out):
        self.finished += 1
        if self.status:
            self.status[0:8] = bytes(8)
            self.status[24:32] = pack("Q", self.finished)
        for place, value in ((6, bytes_in), (7, bytes_out), (8, took)):
            self.counts[place] += value

    def statistics(self, _body, request_id):
        processors = b""
        if self.gains:
            last = b"\x00" if self.last is None else pack("BQ", 1, self.last)
            no_distribution = pack("QQQI", 0, 0, 0, 0)
            processors = text("PyScale") + pack("I10Q", 0, 0, *self.counts) + last + no_distribution
            processors += pack("I", 1) + text("currentGain") + text("") + pack("BB", 4, 0) + text(
                "The gain in use.") + pack("Bd", 2, self.gains[self.version])
        return STATISTICS, request_id, pack("IIQQI", self.worker, self.incarnation, (
            time.monotonic_ns()), self.since, 1 if self.gains else 0) + processors


if __name__ == "__main__":
    Worker().serve()
