"""What the torture does to processes and file systems, and what it finds out about them. Linux only."""

import ctypes
import os
import random
import shutil
import signal
import subprocess
import time

MARK = "SLUICE_TORTURE"


def environment_of(pid):
    """The environment of a process as bytes; empty when it is gone or nobody's business."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def state_and_parent(pid):
    """The state letter and the parent of a process, None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1])
    except (OSError, IndexError):
        return None


def marked_processes(mark):
    """All living processes that inherited the mark of one campaign, zombies among them by their parent."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and wanted in environment_of(name).split(b"\0"):
            found.append(int(name))
    return found


def children(pid):
    """The living children of a process (no zombies)."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            facts = state_and_parent(name)
            if facts and facts[1] == pid and facts[0] != "Z":
                found.append(int(name))
    return found


def send(pid, number):
    """Sends a signal; False when the process is gone."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def wait_until_gone(mark, seconds):
    """Waits until no process of a campaign is left; those that still are after `seconds`, and the time it took."""
    begin = time.monotonic()
    while True:
        left = marked_processes(mark)
        elapsed = time.monotonic() - begin
        if not left or elapsed > seconds:
            return left, elapsed
        time.sleep(0.01)


def pipes(pid, writable):
    """Numbers of a process's pipe ends of one direction, without standard input, output and error."""
    found = []
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    errors = read_link(f"/proc/{pid}/fd/2")
    for name in names:
        if int(name) <= 2:
            continue
        target = read_link(f"/proc/{pid}/fd/{name}")
        if not target.startswith("pipe:") or target == errors:
            continue
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                flags = int([l for l in file if l.startswith("flags:")][0].split()[1], 8)
        except (OSError, IndexError):
            continue
        if (flags & os.O_ACCMODE == os.O_WRONLY) == writable:
            found.append(int(name))
    return found


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def write_garbage(pid, rng, towards_worker):
    """Writes random bytes into one of a worker's protocol pipes; False when that was not possible."""
    ends = pipes(pid, writable=not towards_worker)
    if not ends:
        return False
    garbage = rng.randbytes(rng.choice([1, 7, 64, 500]))
    try:
        number = os.open(f"/proc/{pid}/fd/{rng.choice(ends)}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        os.write(number, garbage)
        return True
    except OSError:
        return False
    finally:
        os.close(number)


class SmallDisk:
    """A tmpfs of a few megabytes, which can be filled and emptied."""

    def __init__(self, path, megabytes):
        self.path = path
        os.makedirs(path, exist_ok=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "sluice-torture", path],
            check=True, capture_output=True)
        self.ballast = os.path.join(path, ".ballast")

    def fill(self):
        """Takes all space that is left; a disk that is full already stays so."""
        try:
            number = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        except OSError:
            return
        try:
            while os.write(number, b"\0" * 65536) > 0:
                pass
        except OSError:
            pass
        finally:
            os.close(number)

    def empty(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)

    def hold(self, is_held):
        """Fills it, or gives the space back."""
        self.fill() if is_held else self.empty()

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)


class SlowDisk:
    """An ext4 file system in a file, which can be frozen: every write waits until it is thawed."""

    def __init__(self, path, megabytes):
        self.path = path
        self.image = path + ".image"
        os.makedirs(path, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", self.image, path], check=True, capture_output=True)
        shutil.rmtree(os.path.join(path, "lost+found"), ignore_errors=True)

    def hold(self, is_held):
        """Freezes or thaws it."""
        subprocess.run(
            ["fsfreeze", "-f" if is_held else "-u", self.path], check=False, capture_output=True)

    def close(self):
        self.hold(False)
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)
        os.unlink(self.image)


def possible_disks(folder):
    """The kinds of disk that can be made here, with a sentence for each that can't."""
    kinds, problems = [], []
    for kind in (SmallDisk, SlowDisk):
        try:
            disk = kind(os.path.join(folder, kind.__name__), 16)
            disk.hold(True)
            disk.hold(False)
            disk.close()
            kinds.append(kind)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", b"") or str(error).encode()
            problems.append(f"skipped: {kind.__name__}: {reason.decode().strip() or error}")
    return kinds, problems
