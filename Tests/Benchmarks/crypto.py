"""scripts/bench --crypto: encryption against PvaPy's classes and against openssl's bare cipher.

Subjects take turns; ratios are formed within a turn and reported as median and interval.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile


def trial(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f'{" ".join(command)} failed:\n{result.stderr}')
    return json.loads(result.stdout.splitlines()[-1])['megabytesPerSecond']


def bare(byte_count, seconds, operation):
    """AES-256-GCM of openssl on one buffer, in megabytes per second."""
    command = ['openssl', 'speed', '-mr', '-evp', 'aes-256-gcm', '-bytes', str(byte_count),
               '-seconds', str(max(1, round(seconds)))]
    if operation == 'decrypt':
        command.insert(2, '-decrypt')
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r'\+F:\d+:AES-256-GCM:([\d.]+)', output, re.I).group(1)) / 1e6


def middle(values):
    return f'{statistics.median(values):7.0f}'


def ratio(over, under):
    values = sorted(a / b for a, b in zip(over, under))
    return f'{statistics.median(values):6.2f} ({values[0]:.2f} to {values[-1]:.2f})'


def main():
    parser = argparse.ArgumentParser(prog='scripts/bench --crypto')
    parser.add_argument('--crypto', action='store_true')
    parser.add_argument('--bin', required=True)
    parser.add_argument('--python', help='interpreter with pvapy; without it PvaPy is left out')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--sizes', default='128,512,1024,2048')
    parser.add_argument('--json', help='write the rows as a JSON array')
    parser.add_argument('--no-build', action='store_true')
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, 'key.pem')
        subprocess.run(['openssl', 'genrsa', '-traditional', '-out', key, '2048'], check=True,
                       capture_output=True)
        os.chmod(key, 0o600)
        print('uint16 images, MB/s of pixels (10^6 bytes), medians; ratios with their range')
        print('width  what     sluice   pvapy*  PvaPy  openssl  sluice/openssl        '
              'sluice/PvaPy           pvapy*/PvaPy')
        for width in map(int, options.sizes.split(',')):
            for operation in ('encrypt', 'decrypt'):
                found = {'sluice': [], 'pvapy': [], 'peer': [], 'openssl': []}
                rest = [operation, str(width), str(options.seconds), key]
                for _ in range(options.pairs):
                    for form in ('sluice', 'pvapy'):
                        found[form].append(
                            trial([options.bin + '/CryptoBenchmark', form] + rest))
                    if options.python:
                        found['peer'].append(
                            trial([options.python, here + '/peers/pvapy_crypto.py'] + rest))
                    found['openssl'].append(bare(2 * width * width, options.seconds, operation))
                rows.append(dict(found, width=width, operation=operation))
                peer = found['peer']
                print(f"{width:5}  {operation}  {middle(found['sluice'])}  "
                      f"{middle(found['pvapy'])} {middle(peer) if peer else '      -'}  "
                      f"{middle(found['openssl'])}  {ratio(found['sluice'], found['openssl'])}  "
                      + (f"{ratio(found['sluice'], peer)}  {ratio(found['pvapy'], peer)}"
                         if peer else ''), flush=True)
        print('* the format pvapy, by Sluice')
    if options.json:
        with open(options.json, 'w') as file:
            json.dump(rows, file, indent=1)


if __name__ == '__main__':
    main()
