#!/usr/bin/env python3
"""Writes every-record.bin: every kind of record of a ledger file.

Written from the description in Docs/Reference/RunDirectory.md alone; needs no packages.
"""
import pathlib
import struct


def crc32c(data: bytes) -> int:
    """CRC32C (Castagnoli), bit by bit: RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def optional(value) -> bytes:
    return struct.pack("<?", value is not None) + text(value or "")


def record(kind: int, body: bytes) -> bytes:
    body = bytes([kind]) + body
    return struct.pack("<II", len(body), crc32c(body)) + body


def variable(value: int) -> bytes:
    result = b""
    while value >= 128:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def signed(value: int) -> bytes:
    """0, -1, 1, -2 ... as 0, 1, 2, 3 ..., of differences modulo 2^64."""
    value %= 2**64
    if value >= 2**63:
        value -= 2**64
    return variable(value * 2 if value >= 0 else -value * 2 - 1)


def closings(entries) -> bytes:
    """Entries: (stage, frame, branch, unique, worker, fate, attempt, version, outputs, files, in, out)."""
    result, stage, before = b"", 0, {}
    for entry in entries:
        last = before.get(entry[0], (entry[0], 0, 0, 0, -1, 1, 0, 0, 0, 0, 0, 0))
        flags, fields = 0, b""

        def field(bit, same, data):
            nonlocal flags, fields
            if same:
                flags |= bit
            else:
                fields += data

        field(1, entry[0] == stage, variable(entry[0]))
        field(2, entry[1] == last[1] + 1 and entry[2] == last[2],
              signed(entry[1] - last[1]) + variable(entry[2]))
        field(4, (entry[3] - entry[1] - last[3] + last[1]) % 2**64 == 0, signed(entry[3] - entry[1]))
        field(8, entry[4] == last[4], variable(entry[4] + 1))
        field(16, entry[5:8] == last[5:8],
              bytes([entry[5]]) + variable(entry[6]) + variable(entry[7]))
        field(32, entry[8:10] == last[8:10], variable(entry[8]) + variable(entry[9]))
        field(64, entry[10:12] == last[10:12], variable(entry[10]) + variable(entry[11]))
        result += bytes([flags]) + fields
        stage = entry[0]
        before[stage] = entry
    return result


def file(staged, final, count, checksum, replaces) -> bytes:
    return (text(staged) + text(final)
            + struct.pack("<Q?I?", count, checksum is not None, checksum or 0, replaces))


first = (0, 17, 0, 1017, 2, 1, 0, 1, 3, 0, 2097152, 4194304)
entries = [
    first,
    (0, 18, 0, 1018, 2, 1, 0, 1, 3, 0, 2097152, 4194304),
    (1, 17, 1, 1017, 5, 0, 1, 2, 0, 0, 0, 0),
    (0, 16, 0, 2**64 - 1, -1, 3, 0, 0, 0, 0, 2**64 - 1, 0),
    (1, 17, 1025, 0, 4, 2, 2, 300, 0, 0, 0, 0),
    (1, 18, 1025, 1, 4, 4, 2, 300, 0, 1023, 0, 0),
    (0, 19, 0, 1019, -1, 5, 0, 0, 0, 0, 0, 0),
    (0, 20, 0, 1020, -1, 6, 0, 0, 0, 0, 0, 0),
]
ledger = (
    b"SLUICELG"
    + record(
        6,
        struct.pack("<I", 2) + text("k3v9x2ab") + text("tiff:scan/*.tif") + optional("f00d")
        + struct.pack("<?Q", True, 200000) + struct.pack("<I", 2)
        + text("main") + optional(None) + text("säve") + optional("main"))
    + record(7, struct.pack("<IQQB", 2, 1_795_235_200_123_456_789, 17, 0b00100))
    + record(8, text("/data/out/"))
    + record(
        9,
        closings([(1, 17, 1, 1017, 3, 1, 0, 1, 1, 2, 5, 6)]) + struct.pack("<I", 2)
        + file("/data/out/.17.part", "/data/out/17.tiff", 2097282, 0xDEADBEEF, False)
        + file("/data/out/.18.part", "/data/out/18.tiff", 0, None, True))
    + record(
        10,
        struct.pack("<Q", 1_795_235_200_200_000_000) + variable(300) + variable(2)
        + variable(len(entries)) + closings(entries))
    + record(
        11,
        struct.pack("<QQHQB", 16, 0, 0, 2**64 - 1, 3) + text("scan/16.tif")
        + text("it is no TIFF"))
    + record(
        12,
        struct.pack("<HQQBI", 1, 2, 1, 0, 4)
        + struct.pack("<I", 1) + text("threshold") + bytes([10]) + struct.pack("<d", 2.5))
    + record(13, struct.pack("<HQ", 1, 2))
    + record(14, struct.pack("<QQH", 17, 1, 1))
    + record(15, text("") + struct.pack("<8Q", 21, 1, 2, 3, 4, 5, 6, 7))
    + record(
        16,
        struct.pack("<QQH", 21, 0, 1) + struct.pack("<I", 2)
        + text("key-run") + struct.pack("<QQ", 9, 0) + text("") + struct.pack("<QQ", 8, 1025))
)
pathlib.Path(__file__).with_name("every-record.bin").write_bytes(ledger)
