#!/usr/bin/env python3
"""Writes every-record.bin: one record of every kind of a ledger file.

Written from the description in Sources/ControllerRuntime/LedgerFile.swift alone; needs no packages.
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


def record(kind: int, body: bytes) -> bytes:
    body = bytes([kind]) + body
    return struct.pack("<II", len(body), crc32c(body)) + body


def intent(frame, branch, stage, staged, final, count, checksum, replaces) -> bytes:
    return record(
        2,
        struct.pack("<QQ", frame, branch) + text(stage) + text(staged) + text(final)
        + struct.pack("<Q?I?", count, checksum is not None, checksum or 0, replaces))


ledger = (
    b"SLUICELG"
    + record(1, text("k3v9x2ab"))
    + intent(17, 1, "save", "out/.17.k3v9x2ab", "out/000017.tiff", 2097282, 0xDEADBEEF, False)
    + intent(18, 0, "säve", "out/.18", "out/18", 0, None, True)
    + record(3, text("out/000017.tiff"))
    + record(
        4,
        struct.pack("<QQ", 19, 0) + text("save") + struct.pack("<QB", 2**64 - 1, 3)
        + text("it is no TIFF"))
    + record(5, text("") + struct.pack("<7Q", 21, 1, 2, 3, 4, 5, 6))
)
pathlib.Path(__file__).with_name("every-record.bin").write_bytes(ledger)
