"""The other end of encrypted frames: PvaPy's own classes, with their objects as bytes in files.

    pvapy_peer.py encrypt KEY FOLDER SIGN     makes NAME.enc and NAME.raw for every kind of image
    pvapy_peer.py decrypt KEY FOLDER VERIFY   reads every *.enc, writes its pixels as NAME.out

The bytes of an object are what pvAccess sends of it: FieldDesc and value, little-endian.
"""
import glob
import json
import os
import struct
import sys

import numpy
import pvaccess as pva
from pvapy.objects.cipher import Cipher
from pvapy.objects.encryptedData import EncryptedData
from pvapy.utility.adImageUtility import AdImageUtility
from pvapy.utility.encryptionManager import EncryptionManager

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
         "float32", "float64"]


def sized(data):
    if isinstance(data, str):
        data = data.encode()
    head = bytes([len(data)]) if len(data) < 254 else b"\xfe" + struct.pack("<I", len(data))
    return head + data


def encode(encrypted):
    form = (b"\x80" + sized(EncryptedData.PVA_TYPE_ID) + b"\x05" + sized("objectId") + b"\x27"
            + sized("data") + b"\x60" + sized("key") + b"\x60" + sized("signature") + b"\x60"
            + sized("cipher") + b"\x80" + sized(Cipher.PVA_TYPE_ID) + b"\x02" + sized("name")
            + b"\x60" + sized("parameters") + b"\x82")
    value = (struct.pack("<Q", encrypted["objectId"]) + sized(encrypted["data"])
             + sized(encrypted["key"]) + sized(encrypted["signature"])
             + sized(encrypted["cipher"]["name"]))
    parameters = encrypted["cipher"]["parameters"][0]["value"]
    value += (b"\x80\x00\x02" + sized("mode") + b"\x25" + sized("keyLength") + b"\x25"
              + struct.pack("<HH", parameters["mode"], parameters["keyLength"]))
    return form + value


class Reader:
    """Reads an object that follows the form above; the form itself is skipped by its length."""

    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, count):
        self.place += count
        return self.data[self.place - count:self.place]

    def sized(self):
        first = self.take(1)[0]
        return self.take(struct.unpack("<I", self.take(4))[0] if first == 254 else first)

    def form(self):
        code = self.take(1)[0]
        if code != 0x80:
            return code
        self.sized()
        return [(self.sized().decode(), self.form()) for _ in range(self.take(1)[0])]

    def value(self, form):
        if isinstance(form, list):
            return {name: self.value(inner) for name, inner in form}
        if form == 0x27:
            return struct.unpack("<Q", self.take(8))[0]
        if form == 0x25:
            return struct.unpack("<H", self.take(2))[0]
        if form == 0x82:
            return self.value(self.form())
        assert form == 0x60, form
        return self.sized()


def decode(data):
    reader = Reader(data)
    value = reader.value(reader.form())
    assert reader.place == len(data)
    cipher = Cipher({"name": value["cipher"]["name"].decode()})
    cipher["parameters"] = ({"value": value["cipher"]["parameters"]},
                            {"value": {"mode": pva.USHORT, "keyLength": pva.USHORT}})
    return EncryptedData({
        "objectId": value["objectId"], "data": value["data"].decode(), "key": value["key"],
        "signature": value["signature"], "cipher": cipher})


def attributes(array):
    array["attribute"] = [
        pva.NtAttribute("ColorMode", pva.PvInt(0)),
        pva.NtAttribute("Sample", pva.PvString("Gr\u00fcn")),
        pva.NtAttribute("Exposure", pva.PvDouble(0.125)),
        pva.NtAttribute("Gain", pva.PvInt(-3)),
    ]


def encrypt(manager, folder, sign):
    for index, name in enumerate(TYPES):
        values = numpy.arange(35 * 21).reshape(21, 35)
        image = (values * 1000003 - 7).astype(name)
        array = AdImageUtility.generateNtNdArray2D(index + 1, image)
        attributes(array)
        with open(f"{folder}/{name}.enc", "wb") as file:
            file.write(encode(manager.encrypt(array, index + 1, sign)))
        with open(f"{folder}/{name}.raw", "wb") as file:
            file.write(image.tobytes())
    structure = pva.PvObject(
        {"a": pva.INT, "b": [pva.DOUBLE], "s": pva.STRING, "t": {"x": pva.UBYTE},
         "u": pva.ULONG, "st": [{"q": pva.INT}], "flag": pva.BOOLEAN},
        {"a": -5, "b": [1.0, 2.5], "s": "h\u00e9", "t": {"x": 3}, "u": 2**64 - 1,
         "st": [{"q": 1}, {"q": 2}], "flag": True}, "my:type:1.0")
    with open(f"{folder}/structure.enc", "wb") as file:
        file.write(encode(manager.encrypt(structure, 99, sign)))


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


def decrypt(manager, folder, verify):
    for path in sorted(glob.glob(f"{folder}/*.enc")):
        found = manager.decrypt(decode(open(path, "rb").read()), verify)
        stem = os.path.splitext(path)[0]
        if not isinstance(found, pva.NtNdArray):
            print(json.dumps({"name": os.path.basename(stem), "type": found.getFullName()
                              if hasattr(found, "getFullName") else "",
                              "value": {key: plain(value) for key, value in found.get().items()}}))
            continue
        (field, pixels), = found["value"][0].items()
        with open(stem + ".out", "wb") as file:
            file.write(numpy.asarray(pixels).tobytes())
        print(json.dumps({
            "name": os.path.basename(stem), "field": field, "dtype": str(pixels.dtype),
            "sizes": [dimension["size"] for dimension in found["dimension"]],
            "uniqueId": found["uniqueId"], "codec": found["codec"]["name"],
            "seconds": found["dataTimeStamp"]["secondsPastEpoch"],
            "attributes": {attribute["name"]: plain(attribute["value"][0]["value"])
                           for attribute in found["attribute"]}}))


if __name__ == "__main__":
    command, key, folder, flag = sys.argv[1:5]
    {"encrypt": encrypt, "decrypt": decrypt}[command](EncryptionManager(key), folder, flag == "1")
