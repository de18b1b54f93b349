"""A sample county for a test: a real hub on free ports, its partners' systems in plain Python, and HL7 v2 messages."""
import atexit
import ctypes
import ctypes.util
import fcntl
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAREHUB = os.environ.get("CAREHUB", str(ROOT / "build/release/bin/carehub"))
START, END = b"\x0b", b"\x1c\r"
TOKEN = "a-token-for-this-test-only"


_given = {}
_counties = []
_passed = False


def free_port():
    """A port that nobody listens on, that no test has been given that still runs, on this machine, and that no connection
    on its way out takes: those have the ephemeral range."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as range_file:
        ephemeral = int(range_file.read().split()[0])
    locks = pathlib.Path(tempfile.gettempdir()) / f"carehub-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    while True:
        port = random.randrange(10_000, max(ephemeral, 11_000))
        if port in _given:
            continue
        lock = os.open(locks / str(port), os.O_RDWR | os.O_CREAT)  # held for as long as this process lives
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _given[port] = lock
        return port


def main():
    """Runs the suite. Exit code 77 when it was skipped; part of it must not be, as nobody would hear of that. What the
    counties wrote is kept when a test has failed."""
    global _passed
    result = unittest.main(verbosity=2, exit=False).result
    _passed = result.wasSuccessful()
    if result.skipped and len(result.skipped) < result.testsRun:
        print("a suite is skipped whole or not at all: move the tests that need something else to a suite of their own")
        sys.exit(1)
    sys.exit(1 if not _passed else 77 if result.skipped else 0)


@atexit.register
def _clear():
    for county in _counties:
        if county.hub and county.hub.poll() is None:
            county.hub.kill()
            county.hub.wait()
        if _passed:
            shutil.rmtree(county.directory, ignore_errors=True)
        else:
            print(f"kept: {county.directory}", flush=True)


def wait_until(condition, what, seconds=120):
    """Waits for a condition; fails with what was waited for. The bound only ends a test that hangs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for: {what}")


class _Buffer(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t), ("used", ctypes.c_size_t)]


def _zstd():
    library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    library.ZSTD_createDCtx.restype = ctypes.c_void_p
    library.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
    library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Buffer), ctypes.POINTER(_Buffer)]
    library.ZSTD_decompressStream.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    return library


ZSTD_FRAME = b"\x28\xb5\x2f\xfd"


def packed(text):
    """A zstd frame, as one that was compressed and not sealed would lie on the disk."""
    room = ctypes.create_string_buffer(2 * len(text) + 1024)
    size = _zstd().ZSTD_compress(room, len(room), text, len(text), 3)
    return room.raw[:size]


def _unpacked(held):
    """What each zstd frame in these bytes holds, as far as it can be read."""
    library, at = None, held.find(ZSTD_FRAME)
    while at >= 0:
        library = library or _zstd()
        context = library.ZSTD_createDCtx()
        frame, room = held[at:at + (1 << 20)], ctypes.create_string_buffer(1 << 20)
        into = _Buffer(ctypes.cast(room, ctypes.c_void_p), len(room), 0)
        source = _Buffer(ctypes.cast(ctypes.c_char_p(frame), ctypes.c_void_p), len(frame), 0)
        library.ZSTD_decompressStream(context, ctypes.byref(into), ctypes.byref(source))
        library.ZSTD_freeDCtx(context)
        yield room.raw[:into.used]
        at = held.find(ZSTD_FRAME, at + 1)


def _contents(place):
    """Each file in a directory and its bytes; None when one went, or got another name, while they were read."""
    contents = []
    for directory, _, names in os.walk(place):
        for file in (pathlib.Path(directory, name) for name in names):
            try:
                if stat.S_ISREG(file.stat().st_mode):
                    contents.append((file, file.read_bytes()))
            except FileNotFoundError:
                return None
    return sorted(contents)


def in_clear(place, secrets):
    """Where one of these texts stands in a file, or in the files of a directory: as it is, or only compressed. A hub
    may be at work in it: then all of it is read again."""
    if place.is_file():
        contents = [(place, place.read_bytes())]
    else:
        contents = wait_until(lambda: _contents(place), f"files in {place} that stay while they are read")
    found = []
    for file, held in contents:
        texts = (held, *_unpacked(held))
        found += [f"{secret} in {file.name}" for secret in secrets if any(secret.encode() in text for text in texts)]
    return found


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


class Receiver:
    """A partner's web server. `behave(path, body)` gives the status and may sleep; None closes without an answer."""

    def __init__(self, behave=lambda path, body: 200, port=0):
        self.received = []
        self.behave = behave
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = receiver.behave(self.path, body)
                if status is None:
                    self.close_connection = True
                    return
                if 200 <= status < 300:
                    with receiver._lock:
                        receiver.received.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def at(self, path):
        with self._lock:
            return [body for where, _, body in self.received if where == path]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class County:
    """The files of deploy/sample with ports and folders of this test's own."""

    def __init__(self, replace=(), receiver_port=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="carehub-test-"))
        _counties.append(self)
        self.hub = None
        self.config = self.directory / "hub.toml"
        self.data = self.directory / "data"
        self.files = self.directory / "files"
        self.mllp = free_port()
        self.mllp_camhs = free_port()
        self.http = free_port()
        self.receiver_port = receiver_port or free_port()
        sample = ROOT / "deploy/sample"
        for file in sample.glob("*.toml"):
            (self.directory / file.name).write_text(file.read_text())
        text = (sample / "hub.toml").read_text()
        for old, new in [
            ('data = "../../run/northmarch"', f'data = "{self.data}"'),
            ("../../run/northmarch-files", str(self.files)),
            ('packs = "../../adapters"', f'packs = "{ROOT}/adapters"'),
            ("port = 2575", f"port = {self.mllp}"),
            ("port = 2576", f"port = {self.mllp_camhs}"),
            ("port = 8081", f"port = {self.http}"),
            ("127.0.0.1:8091", f"127.0.0.1:{self.receiver_port}"),
            *replace,
        ]:
            if old not in text:
                raise AssertionError(f"deploy/sample/hub.toml no longer holds: {old}")
            text = text.replace(old, new)
        self.config.write_text(text)
        token = self.directory / "council.token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        for folder in ("holm/in", "holm/out", "priory/out"):
            (self.files / folder).mkdir(parents=True)
        self.log = self.directory / "hub.log"

    def start(self, *arguments, command="run", preexec=None, program=CAREHUB):
        with open(self.log, "ab") as log:
            at = log.tell()
            self.hub = subprocess.Popen(
                [program, command, str(self.config), *arguments], stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, preexec_fn=preexec)
        def ready():
            if self.hub.poll() is not None:
                raise AssertionError(f"the hub ended with {self.hub.returncode}:\n{self.log.read_text()[-4000:]}")
            return re.search(rb"(?m)^ready\b|\bready$", self.log.read_bytes()[at:])
        wait_until(ready, "the hub's line `ready`", 300)
        return self

    def kill(self):
        self.hub.send_signal(signal.SIGKILL)
        self.hub.wait()

    def stop(self):
        if self.hub and self.hub.poll() is None:
            self.hub.terminate()
            try:
                self.hub.wait(120)
            except subprocess.TimeoutExpired:
                self.hub.kill()
                self.hub.wait()
                raise AssertionError("the hub did not stop when it was asked to")
        return self.hub.returncode if self.hub else None

    def carehub(self, command, *arguments, check=True, **options):
        done = subprocess.run([CAREHUB, command, str(self.config), *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300, **options)
        if check and done.returncode:
            raise AssertionError(f"carehub {command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def rows(self, command, *arguments):
        """The JSON lines of a command."""
        output = self.carehub(command, *arguments, "--json").stdout
        return [json.loads(line) for line in output.splitlines() if line.strip()]


class Watch:
    """`carehub watch`, from when the hub has its subscription: what happens from then on is shown."""

    def __init__(self, county, *arguments):
        self.out = county.directory / f"watch-{len(list(county.directory.glob('watch-*.out')))}.out"
        self.said = self.out.with_suffix(".err")
        with open(self.out, "wb") as out, open(self.said, "wb") as said:
            self.process = subprocess.Popen([CAREHUB, "watch", str(county.config), *arguments, "--json"], stdout=out,
                                            stderr=said, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: "watching as" in self.said.read_text() or self.process.poll() is not None,
                       "the line `watching as`")
            if self.process.poll() is not None:
                raise AssertionError(f"the watch ended with {self.process.returncode}:\n{self.said.read_text()}")
        except BaseException:
            self.stop()
            raise

    def line(self, index):
        """The line of this number, once it is there."""
        return wait_until(lambda: self.out.read_text().split("\n")[:-1][index:], f"line {index} of the watch")[0]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
        try:
            return self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the watch did not stop when it was asked to")


class Mllp:
    """A bare MLLP connection, for what a well-behaved client library would not do."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.buffer = b""

    def send(self, message):
        self.socket.sendall(START + message + END)

    def receive(self, seconds=120):
        """The next frame's bytes, or None when the connection ended or nothing came in time."""
        self.socket.settimeout(seconds)
        try:
            while END not in self.buffer:
                part = self.socket.recv(65536)
                if not part:
                    return None
                self.buffer += part
        except (TimeoutError, ConnectionError):
            return None
        frame, self.buffer = self.buffer.split(END, 1)
        return frame[frame.index(START) + 1:]

    def ask(self, message, seconds=120):
        self.send(message)
        return self.receive(seconds)

    def close(self):
        self.socket.close()

    def __del__(self):
        if hasattr(self, "socket"):
            self.close()


def nhs_number(index):
    """A valid number of the 999 test range."""
    while True:
        digits = f"999{index:06d}"
        check = 11 - sum(int(d) * w for d, w in zip(digits, range(10, 1, -1))) % 11
        if check == 11:
            check = 0
        if check != 10:
            return digits + str(check)
        index += 500_000


def segment(name, fields):
    """A segment from {field number: text}."""
    return "|".join([name, *(str(fields.get(n, "")) for n in range(1, max(fields) + 1))])


def admission(control_id, number, event="A01", facility="RZX01", ward="SUNFLOWER", bed="3", visit=None,
              family="Testchild", given="Robin", born="20120503", authority="E10000099", school="", extra=(), accept="",
              application="", when="20260302091000", protected=""):
    """An ADT message of an acute hospital or a mental health trust, as a PAS would send it."""
    segments = [
        f"MSH|^~\\&|PAS|{facility}|CAREHUB|NORTHMARCH|{when}||ADT^{event}^ADT_A01|{control_id}|P|2.4|||{accept}|"
        f"{application}|GBR|UNICODE UTF-8",
        segment("EVN", {1: event, 2: when}),
        segment("PID", {1: 1, 3: f"{number}^^^NHS^NH~{control_id[-6:]}^^^{facility}^MR", 5: f"{family}^{given}^^^^^L",
                        7: born, 8: "M", 11: f"1 Sample Lane^^Elwick^^NM1 1AA^GBR^H", 13: "07700900001",
                        32: "01"}),
        segment("PD1", {4: "G1234567", 12: protected}),
        segment("PV1", {1: 1, 2: "I", 3: f"{ward}^BAY 1^{bed}^{facility}", 7: "C9999999^Example^Alex", 10: "420", 14: 1,
                        19: f"{visit or 'V' + control_id}^^^{facility}", 44: when}),
        segment("ZXX", {1: school, 2: authority}),
    ]
    return "\r".join([*segments, *extra]).encode() + b"\r"
