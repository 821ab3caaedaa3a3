#!/usr/bin/env python3
"""Writes the golden messages beside this file from the tables of Docs/WireProtocol.md.

It shares no code with Sluice, so that agreement is proof. Run it again only to add messages: the
bytes of a version of the protocol never change.
"""
import os
import struct

FOLDER = os.path.dirname(os.path.abspath(__file__))
HELLO, DESCRIBE, START, CONFIGURE, PROCESS, GET_STATS, RESET_STATS, STOP, PING = range(1, 10)
WELCOME, DESCRIPTION, REPLY, RESULT, STATISTICS, STARTED, CONFIGURED, STAGING = range(64, 72)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def message(kind, request_id, body=b"", payload=b""):
    head = struct.pack(
        "<4sHHQIII", b"SLCE", 1, kind, request_id, len(body), len(payload), crc32c(body))
    return head + struct.pack("<I", crc32c(head)) + body + payload


def pack(form, *values):
    return struct.pack("<" + form, *values)


def text(value):
    data = value.encode()
    return pack("I", len(data)) + data


def many(parts):
    parts = list(parts)
    return pack("I", len(parts)) + b"".join(parts)


def string(value):
    return pack("B", 11) + text(value)


def structure(*fields):
    return many(text(name) + value for name, value in fields)


def dimension(size, offset=0, full_size=None, binning=1, reverse=0):
    return pack("qqqiB", size, offset, size if full_size is None else full_size, binning, reverse)


def image(code, *dimensions, mode=0, codec=""):
    return (pack("BBB", 0, code, mode) + text(codec) + pack("B", len(dimensions))
            + b"".join(dimensions))


def slot(pool, number, count):
    return pack("BHIQ", 1, pool, number, count)


def inline(offset, count):
    return pack("BQQ", 0, offset, count)


def frame(unique_id, location, payload, seconds=0, nanoseconds=0, source="", attributes=()):
    return (pack("Qqi", unique_id, seconds, nanoseconds) + text(source) + location + payload
            + many(attributes))


def attribute(name, value, description="", source_type=-1, source=""):
    return text(name) + value + text(description) + pack("i", source_type) + text(source)


def process(frame_id, descriptor, branch=0, version=1, attempt=0, leases=()):
    return pack("QQQI", frame_id, branch, version, attempt) + many(
        pack("I", lease) for lease in leases) + descriptor


def result(unique_id, outcome=b"\x00", time=0, bytes_in=0, bytes_out=0, count=0, outputs=(),
           files=()):
    return (pack("QQQQ", unique_id, time, bytes_in, bytes_out) + outcome + pack("I", count)
            + many(outputs) + many(files))


def hello(capabilities=0, parent=0, run="", stage="", worker=0, incarnation=0, wants=0, channels=("", ""),
          level="info", status=0xFFFFFFFF, pools=(), newest=1):
    return (pack("HHQI", 1, newest, capabilities, parent) + text(run) + text(stage)
            + pack("IIB", worker, incarnation, wants) + text(channels[0]) + text(channels[1])
            + text(level) + pack("I", status) + many(pools))


def statistic(key, unit, aggregation, counter, description, kind, value):
    return (text(key) + text(unit) + pack("BB", aggregation, counter) + text(description)
            + pack("B", kind) + value)


SIMPLE = image(6, dimension(1024), dimension(512))
ALL_VALUES = [
    ("boolean", pack("BB", 0, 1)), ("int8", pack("Bb", 1, -1)), ("int16", pack("Bh", 2, -2)),
    ("int32", pack("Bi", 3, -3)), ("int64", pack("Bq", 4, -4)), ("uint8", pack("BB", 5, 5)),
    ("uint16", pack("BH", 6, 6)), ("uint32", pack("BI", 7, 7)), ("uint64", pack("BQ", 8, 8)),
    ("float32", pack("Bf", 9, 0.5)), ("float64", pack("Bd", 10, -0.25)),
    ("string", string("µm")),
]
PIXELS = bytes(range(0, 160, 20))
SCALED = bytes(min(255, 2 * value) for value in PIXELS)
SMALL = image(5, dimension(4), dimension(2))

SESSION = [
    (">", "hello", message(HELLO, 1, hello(parent=4242, run="r1", stage="scale", wants=1))),
    ("<", "welcome", message(
        WELCOME, 1, pack("HQI", 1, 0, 4243) + text("python_worker 1 (Python)"))),
    (">", "start", message(
        START, 2, pack("Q", 1) + many([text("PyScale") + structure(("gain", string("2")))]))),
    ("<", "reply", message(REPLY, 2, pack("H", 0))),
    (">", "process", message(PROCESS, 3, process(0, frame(1, inline(0, 8), SMALL)), PIXELS)),
    ("<", "result", message(RESULT, 3, result(
        1, time=1000, bytes_in=8, bytes_out=8, count=1,
        outputs=[frame(1, inline(0, 8), SMALL)]), SCALED)),
    (">", "stop", message(STOP, 4)),
    ("<", "reply", message(REPLY, 4, pack("H", 0))),
]

MESSAGES = {
    "hello": message(HELLO, 1, hello(
        capabilities=15, parent=77, run="run-1", stage="save", worker=3, incarnation=2, wants=1,
        channels=("in", "out"), level="debug", status=5,
        pools=[pack("HIBQI", 0, 3, 0, 1 << 21, 64), pack("HIBQI", 1, 4, 1, 4096, 1)])),
    "welcome": message(WELCOME, 1, pack("HQI", 1, 5, 78) + text("worker")),
    "describe": message(DESCRIBE, 2),
    "description": message(DESCRIPTION, 2, many([
        text("PyScale") + text("Multiplies pixels.") + pack("I", 1) + many([
            text("gain") + text("number") + pack("B", 1) + text("1") + text("0 … 1000") + text("")
            + text("Factor.") + pack("B", 1),
            text("mask") + text("path") + pack("B", 0) + text("") + text("px") + text("")
            + pack("B", 0)]),
        text("Pass") + text("") + pack("I", 0) + many([])])),
    "start": message(START, 3, pack("Q", 1) + many([
        text("PyScale") + structure(("gain", string("2"))),
        text("Pass") + structure(
            *ALL_VALUES, ("list", pack("B", 12) + many([string("a"), pack("BB", 0, 0)])),
            ("inner", pack("B", 13) + structure(("x", pack("Bd", 10, 1.5)))))])),
    "configure-prepare": message(CONFIGURE, 4, pack("QQBI", 2, 1, 0, 0) + structure(
        ("gain", string("3")))),
    "configure-abandon": message(CONFIGURE, 5, pack("QQBI", 2, 1, 1, 0) + structure()),
    "configure-apply": message(CONFIGURE, 17, pack("QQBI", 2, 1, 2, 0) + structure()),
    "process-slot": message(PROCESS, 6, process(
        41, frame(42, slot(0, 7, 1 << 20), SIMPLE, 1700000000, 5, "sim"), version=2, attempt=1,
        leases=[9, 10])),
    "process-inline": message(PROCESS, 7, process(0, frame(1, inline(0, 8), SMALL)), PIXELS),
    "process-checksum": message(
        PROCESS, 7, process(0, frame(1, inline(0, 8), SMALL)) + pack("I", crc32c(PIXELS)), PIXELS),
    "process-reference": message(PROCESS, 8, process(5, frame(
        6, pack("B", 2) + text("tiff") + text("scan/é.tif") + pack("Q", 3), b"\x01",
        source="é.tif"), branch=1025)),
    "process-bytes": message(PROCESS, 9, process(5, frame(
        6, inline(2, 3), pack("B", 2) + text("encrypted"))), b"..abc"),
    "process-structure": message(PROCESS, 10, process(5, frame(
        6, inline(0, 0), pack("B", 3) + text("peaks") + structure(("n", pack("BI", 7, 2)))))),
    "process-attributes": message(PROCESS, 11, process(5, frame(
        6, slot(0, 1, 18), image(
            6, dimension(3), dimension(3, 10, 1000, 2, 1), dimension(1, -1)),
        seconds=-1, nanoseconds=999999999,
        attributes=[attribute(name, value) for name, value in ALL_VALUES] + [
            attribute("ring", pack("Bd", 10, 5.5), "Ring current", 2, "S:SRcurrentAI"),
            attribute("undefined", b"\xff")]))),
    "process-compressed": message(PROCESS, 12, process(5, frame(
        6, slot(1, 2, 1000), image(
            9, dimension(3), dimension(100), dimension(80), mode=2, codec="bslz4")))),
    "getStats": message(GET_STATS, 13),
    "statistics": message(STATISTICS, 13, pack("IIQQ", 3, 2, 2000, 1000) + many([
        text("PyScale") + pack("I", 0) + pack("Q", 4) + pack("9Q", *range(1, 10))
        + pack("BQ", 1, 41) + pack("QQQ", 5, 100, 105)
        + many([pack("IQ", 5, 1), pack("IQ", 82, 1)]) + many([
            statistic("nFilesSaved", "count", 0, 1, "Files.", 0, pack("Q", 7)),
            statistic("drift", "", 4, 0, "", 1, pack("q", -7)),
            statistic("rate", "Hz", 3, 0, "", 2, pack("d", 0.5)),
            statistic("last", "", 4, 0, "", 3, text("é")),
            statistic("on", "", 4, 0, "", 4, pack("B", 1))]),
        text("Pass") + pack("I", 1) + pack("10Q", *[0] * 10) + b"\x00" + pack("QQQ", 0, 0, 0)
        + many([]) + many([])])),
    "resetStats": message(RESET_STATS, 14),
    "stop": message(STOP, 15),
    "ping": message(PING, 16),
    "reply-success": message(REPLY, 16, pack("H", 0)),
    "reply-failure": message(REPLY, 4, pack("H", 2) + text("gain is -1; the least is 0")),
    "result-processed": message(RESULT, 6, result(
        42, time=1500, bytes_in=1 << 20, bytes_out=1 << 20, count=1)),
    "result-filtered": message(RESULT, 6, result(42, b"\x01")),
    "result-failed": message(RESULT, 6, result(
        42, b"\x02" + pack("I", 1) + text("no such file"))),
    "result-returned": message(RESULT, 6, result(42, b"\x03" + text("version 2 is unknown"))),
    "result-outputs": message(RESULT, 6, result(
        42, count=3, outputs=[
            frame(42, slot(1, 9, 8), SMALL), frame(42, b"\x03", b"\x01"),
            frame(43, inline(0, 2), pack("B", 2) + text("t"))],
        files=[
            text("out/.r1.tmp") + text("out/42.tiff") + pack("QBIB", 1234, 1, 0xE3069283, 0),
            text("a") + text("b") + pack("QBB", 0, 0, 1)]), b"ab"),
    "result-checksum": message(
        RESULT, 6, result(42, count=1, outputs=[frame(43, inline(0, 2), pack("B", 2) + text("t"))])
        + pack("I", crc32c(b"ab")), b"ab"),
    "result-held": message(RESULT, 6, result(42, b"\x04" + text("out: No space left on device"))),
    "hello-2": message(HELLO, 1, hello(capabilities=31, newest=2)),
    "welcome-2": message(WELCOME, 1, pack("HQI", 2, 16, 78) + text("worker")),
    "hello-3": message(HELLO, 1, hello(
        capabilities=63, worker=5, newest=3) + pack("I", 2)),
    "welcome-3": message(WELCOME, 1, pack("HQI", 3, 48, 78) + text("worker")),
    "result-claims": message(RESULT, 6, result(
        42, b"\x05" + many([text("key-run") + pack("QQ", 9, 0), text("") + pack("QQ", 8, 1025)])
        + b"\x00", count=1)),
    "result-claims-filtered": message(RESULT, 6, result(
        42, b"\x05" + many([text("key-run") + pack("QQ", 10, 0)]) + b"\x01")),
    "started": message(STARTED, 0, pack("Q", 6)),
    "configured": message(CONFIGURED, 0, pack("QH", 2, 0)),
    "configured-failed": message(CONFIGURED, 0, pack("QH", 2, 4) + text("no mask")),
    "staging": message(STAGING, 0, text("/data/münchen")),
    "session-to-worker": b"".join(part for way, _, part in SESSION if way == ">"),
    "session-from-worker": b"".join(part for way, _, part in SESSION if way == "<"),
}


def hexdump():
    """The worked example of Docs/WireProtocol.md."""
    lines = []
    for way, name, part in SESSION:
        lines.append(f"{way} {name}, {len(part)} bytes")
        for start in range(0, len(part), 16):
            lines.append(f"  {start:04x}  " + " ".join(f"{b:02x}" for b in part[start:start + 16]))
    return "\n".join(lines)


if __name__ == "__main__":
    assert crc32c(b"123456789") == 0xE3069283
    for name, data in MESSAGES.items():
        with open(os.path.join(FOLDER, name + ".bin"), "wb") as file:
            file.write(data)
    print(hexdump())
