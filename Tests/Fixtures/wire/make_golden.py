#!/usr/bin/env python3
"""Writes the golden messages of WireTests, independently of the Swift code.

Plain Python, no packages: the checksum is the bit-by-bit definition of CRC32C (RFC 3720, appendix
B.4: reflected polynomial 0x82F63B78), the layout is that of Docs/WireProtocol.md.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF


def message(kind, request, body=b"", payload=b"", version=1, magic=b"SLCE", body_crc=None,
            body_count=None, payload_count=None):
    head = magic + struct.pack(
        "<HHQIII", version, kind, request,
        len(body) if body_count is None else body_count,
        len(payload) if payload_count is None else payload_count,
        crc32c(body) if body_crc is None else body_crc)
    return head + struct.pack("<I", crc32c(head)) + body + payload


def text(value):
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded


fields = (
    struct.pack("<BHIQ", 0xFE, 0xFEDC, 0xFEDCBA98, 0xFEDCBA9876543210)
    + struct.pack("<bhiq", -2, -300, -70000, -5_000_000_000)
    + struct.pack("<fd", 1.5, -0.1)
    + struct.pack("<BB", 1, 0)
    + text("Grüße, 検出器") + text("")
    + struct.pack("<I", 3) + bytes([7, 8, 9])
    + bytes([0xAA, 0xBB])
)
pixels = bytes(range(200))

files = {
    "empty": message(1, 0),
    "fields": message(2, 0x0123456789ABCDEF, fields),
    "payload": message(3, 42, b"below are pixels", pixels) + message(4, 43, b"after them"),
    "stream": b"".join(
        message(10 + n, 1000 + n, bytes((n * 7 + i) & 255 for i in range(n * 13)),
                bytes((n + i) & 255 for i in range(50)) if n % 3 == 2 else b"")
        for n in range(9)),
    "bad-magic": message(1, 1, b"x", magic=b"GET "),
    "bad-version": message(1, 1, b"x", version=2),
    "bad-header-checksum": message(1, 1, b"x")[:31] + b"\x00" + b"x",
    "bad-body-checksum": message(1, 1, b"x", body_crc=0x12345678),
    "bad-body-too-large": message(1, 1, b"x", body_count=(1 << 20) + 1),
    "bad-payload-too-large": message(1, 1, b"", payload_count=(1 << 30) + 1),
    "bad-truncated": message(1, 1, b"this body is cut off")[:-5],
}

for name, data in files.items():
    (HERE / f"{name}.bin").write_bytes(data)
