"""One trial of PvaPy's own classes, for scripts/bench --crypto.

    python pvapy_crypto.py encrypt|decrypt WIDTH SECONDS PRIVATE-KEY

Calls process() of AdImageDataEncryptor or AdImageDataDecryptor on one image again and again; a line of
JSON says frames and megabytes (10^6 bytes of pixels) per second.
"""
import json
import sys
import time

import numpy
from pvapy.hpc.adImageDataDecryptor import AdImageDataDecryptor
from pvapy.hpc.adImageDataEncryptor import AdImageDataEncryptor
from pvapy.hpc.dataDecryptor import DataDecryptor
from pvapy.utility.adImageUtility import AdImageUtility


def main():
    operation, width, seconds, key = sys.argv[1:5]
    width, seconds = int(width), float(seconds)
    image = (numpy.arange(width * width) * 2654435761 >> 13).astype('uint16')
    array = AdImageUtility.generateNtNdArray2D(1, image.reshape(width, width))
    settings = {'privateKeyFilePath': key}
    encryptor = AdImageDataEncryptor(settings)
    encryptor.objectIdField = 'uniqueId'
    subject, given = encryptor, array
    if operation == 'decrypt':
        given = encryptor.process(array)
        subject = AdImageDataDecryptor(settings)
        # Its own process makes an NtNdArray of the encrypted object first, which loses the fields.
        subject.process = lambda item: DataDecryptor.process(subject, item)
        subject.objectIdField = 'objectId'
    count, started = 0, time.perf_counter()
    while True:
        subject.process(given)
        count += 1
        elapsed = time.perf_counter() - started
        if elapsed >= seconds:
            break
    print(json.dumps({'frames': count,
                      'megabytesPerSecond': count * image.nbytes / elapsed / 1e6}))


if __name__ == '__main__':
    main()
