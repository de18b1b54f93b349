"""sslscan at every TLS port of a hub, and slowhttptest at its HTTP listener while others post to it."""
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import unittest
import urllib.request
import uuid
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "end_to_end"))
from county import TOKEN, County, free_port, main, nhs_number, resident_mb  # noqa: E402

PROTOCOLS = {("ssl", "2"): False, ("ssl", "3"): False, ("tls", "1.0"): False, ("tls", "1.1"): False,
             ("tls", "1.2"): True, ("tls", "1.3"): True}
CIPHERS = {  # of a listener whose key is RSA; each has forward secrecy and authenticates what it encrypts
    "TLSv1.3": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
    "TLSv1.2": {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"},
}
CONNECTIONS_MAX = 200
ATTACKERS = 3 * CONNECTIONS_MAX
BUSY_FILES = CONNECTIONS_MAX // 2  # an attack that never had so many open has shown nothing
MEMORY_MB = 256  # that all bodies under way may hold together
SECONDS = 15  # of each slow attack
MODES = {
    "slow headers": ["-H", "-i", "2", "-x", "24"],
    "slow body": ["-B", "-i", "2", "-x", "24", "-s", "8192", "-f", "application/json"],
    "slow read": ["-X", "-k", "10", "-n", "2", "-w", "1", "-y", "32", "-z", "1", "-t", "GET"],
}


def certificate(directory):
    """A key and a certificate of its own, for this run alone."""
    key, made = directory / "hub.key", directory / "hub.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
                   check=True, capture_output=True)
    key.chmod(0o600)


def scanned(port):
    """What sslscan finds at a port."""
    done = subprocess.run(["sslscan", "--xml=-", "--no-colour", f"127.0.0.1:{port}"], check=True, capture_output=True,
                          text=True, timeout=300)
    found = xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")
    if found is None:
        raise AssertionError(f"sslscan found nothing at port {port}:\n{done.stdout}{done.stderr}")
    return found


def chosen_compression(port):
    """What a listener chooses of a TLS 1.2 client that would rather compress. Debian's sslscan cannot ask that, and its
    OpenSSL neither, so the ClientHello is made by hand (RFC 5246 section 7.4.1.2)."""
    extensions = bytes.fromhex("000a00040002001d" "000d0006000404010804" "000b00020100")
    hello = (b"\x03\x03" + os.urandom(32) + b"\0" + bytes.fromhex("0002c02f") + b"\x02\x01\x00" +
             len(extensions).to_bytes(2, "big") + extensions)
    handshake = b"\x01" + len(hello).to_bytes(3, "big") + hello
    with socket.create_connection(("127.0.0.1", port), timeout=120) as peer:
        peer.sendall(b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake)
        bytes_of = peer.makefile("rb")
        record = bytes_of.read(5)
        answer = bytes_of.read(int.from_bytes(record[3:], "big"))
    if record[0] != 22 or answer[0] != 2:
        raise AssertionError(f"no ServerHello at port {port} but {record.hex()} {answer.hex()}")
    after_session = 4 + 2 + 32 + 1 + answer[4 + 2 + 32]
    return answer[after_session + 2]


def open_files(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:  # only root looks into a hub
        return None


class Posts(threading.Thread):
    """A council that goes on posting, each time over a connection of its own, and again when that is closed on it."""

    TRIES = 5

    def __init__(self, county):
        super().__init__(daemon=True)
        self.county = county
        self.over = threading.Event()
        self.statuses, self.cut_off, self.fault = [], 0, None

    def run(self):
        trust = ssl.create_default_context(cafile=self.county.directory / "hub.pem")
        while not self.over.wait(0.05):
            event = {"id": str(uuid.uuid4()), "type": "safeguarding_flag", "occurred_at": "2026-03-02T10:00+00:00",
                     "person": {"nhs_number": nhs_number(len(self.statuses)), "birth_date": "2012-05-03",
                                "home_authority": {"code": "E10000099", "scheme": "gss"}},
                     "safeguarding_flag": {"status": "raised", "reason": {"system": "http://snomed.info/sct",
                                                                          "code": "836881000000105"}}}
            request = urllib.request.Request(
                f"https://127.0.0.1:{self.county.http}/events", data=json.dumps(event).encode(),
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"})
            try:
                self.statuses.append(self.post(request, trust))
            except OSError as fault:
                self.fault = repr(fault)
                return

    def post(self, request, trust):
        for left in reversed(range(self.TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=120, context=trust) as answer:
                    return answer.status
            except OSError:
                self.cut_off += 1
                if left == 0:
                    raise


class Scans(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tiles = free_port()
        tls = 'tls = { certificate_file = "hub.pem", key_file = "hub.key" }'
        cls.county = County(replace=[
            ('token_file = "council.token" }',
             f'token_file = "council.token", connections_max = {CONNECTIONS_MAX}, {tls} }}'),
            ("# [tiles] ", f"[tiles]\nport = {tiles}\n{tls}\n# "),
        ])
        text = cls.county.config.read_text()
        port = f"port = {cls.county.mllp} }}"
        assert text.count(port) == 1, text
        cls.county.config.write_text(text.replace(port, f"port = {cls.county.mllp}, {tls} }}"))
        certificate(cls.county.directory)
        cls.county.start()
        cls.ports = {"MLLP": cls.county.mllp, "HTTP": cls.county.http, "tiles": tiles}

    @classmethod
    def tearDownClass(cls):
        cls.county.stop()

    def test_no_port_offers_an_old_protocol_a_weak_cipher_or_a_known_weakness(self):
        for name, port in self.ports.items():
            with self.subTest(port=name):
                found = scanned(port)
                self.assertEqual({(each.get("type"), each.get("version")): each.get("enabled") == "1"
                                  for each in found.findall("protocol")}, PROTOCOLS)
                offered = {}
                for cipher in found.findall("cipher"):
                    offered.setdefault(cipher.get("sslversion"), set()).add(cipher.get("cipher"))
                self.assertEqual(offered, CIPHERS)
                self.assertEqual(found.find("renegotiation").get("supported"), "0")
                hearts = {each.get("sslversion"): each.get("vulnerable") for each in found.findall("heartbleed")}
                self.assertEqual(hearts, {"TLSv1.2": "0", "TLSv1.3": "0"})
                self.assertEqual(chosen_compression(port), 0)
                print(f"{name}: " + ", ".join(sorted(set().union(*offered.values()))), flush=True)

    def test_slow_clients_neither_keep_others_out_nor_grow_the_hub(self):
        for name, options in MODES.items():
            with self.subTest(attack=name):
                self.under_attack(name, options)

    def under_attack(self, name, options):
        pid = self.county.hub.pid
        files, memory = open_files(pid), resident_mb(pid)
        posts = Posts(self.county)
        posts.start()
        attack = subprocess.Popen(
            ["slowhttptest", *options, "-c", str(ATTACKERS), "-r", str(CONNECTIONS_MAX // 2), "-l", str(SECONDS),
             "-v", "1", "-j", f"a=b\r\nAuthorization: Bearer {TOKEN}",
             "-u", f"https://127.0.0.1:{self.county.http}{'/healthz' if name == 'slow read' else '/events'}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        said = []
        reader = threading.Thread(target=lambda: said.extend(attack.stdout), daemon=True)
        reader.start()
        most_files = 0
        while attack.poll() is None:
            most_files = max(most_files, open_files(pid) or 0)
            reader.join(0.1)
        reader.join()
        attack.stdout.close()
        posts.over.set()
        posts.join(240)
        self.assertIsNone(self.county.hub.poll(), "the hub has ended")
        told = "".join(said)
        print(f"{name}: {len(posts.statuses)} posts taken, {posts.cut_off} tries cut off, {most_files - (files or 0)} files more, "
              f"{resident_mb(pid) - memory:.0f} MB more", flush=True)
        self.assertEqual(attack.returncode, 0, told)
        self.assertIsNone(posts.fault)
        self.assertEqual(set(posts.statuses), {200}, told)
        if files is not None:
            self.assertGreater(most_files - files, BUSY_FILES, told)
            self.assertLess(most_files - files, CONNECTIONS_MAX + 50)
        self.assertLess(resident_mb(pid) - memory, MEMORY_MB)


if __name__ == "__main__":
    main()
