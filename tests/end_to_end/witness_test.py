"""Another agency's witness holds the hub to its own history, and anybody recomputes its root from what it serves."""
import base64
import hashlib
import json
import subprocess
import unittest
import urllib.error
import urllib.request

from county import CAREHUB, County, Mllp, Receiver, admission, free_port, main, nhs_number, wait_until


def run(*arguments):
    return subprocess.run([CAREHUB, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=300)


def make(*arguments):
    done = run(*arguments)
    if done.returncode:
        raise AssertionError(f"{arguments[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


class Witness:
    """A witness elsewhere: a CURVE key of its own, the hub's public keys, and a memory."""

    def __init__(self, county, port):
        self.directory = county.directory / "witness"
        self.directory.mkdir()
        self.out = self.directory / "out"
        self.port = port
        self.process = None
        make("keys", self.directory / "own")
        self.public = (self.directory / "own.public").read_text().strip()
        self.key = make("witness", "keygen", "--name", "witness.march.example", "--key",
                        self.directory / "witness.key").strip()

    def arguments(self):
        return ["witness", "--hub", f"tcp://127.0.0.1:{self.port}", "--hub-public-file", self.directory / "hub.public",
                "--secret-file", self.directory / "own.secret", "--keys", self.directory / "hub.keys",
                "--key", self.directory / "witness.key", "--memory", self.directory / "seen", "--json"]

    def meet(self, county):
        """The hub's people hand out their public keys."""
        (self.directory / "hub.public").write_text((county.directory / "hub.public").read_text())
        (self.directory / "hub.keys").write_text((county.data / "checkpoint.keys").read_text())

    def start(self):
        with open(self.out, "ab") as out:
            self.process = subprocess.Popen([CAREHUB, *map(str, self.arguments()), "--interval", "1"], stdout=out,
                                            stderr=out, stdin=subprocess.DEVNULL)

    def cosigned(self):
        """How many entries the newest cosigned tree has."""
        whole = self.out.read_text().split("\n")[:-1]
        sizes = [json.loads(line)["entries"] for line in whole if line.startswith("{")]
        return sizes[-1] if sizes else 0

    def once(self):
        return run(*self.arguments(), "--once")

    def word(self):
        """How many entries it cosigns now; None when it does not."""
        done = self.once()
        return json.loads(done.stdout)["entries"] if done.returncode == 0 else None

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def county_with_witness(within_s=0, receiver_port=None):
    """A hub over TCP that serves its tiles, whose signing key lies outside of its data, and a witness that it knows."""
    tcp, tiles = free_port(), free_port()
    county = County(receiver_port=receiver_port, replace=[
        ('listen = ["ipc://hub.sock"]',
         f'listen = ["ipc://hub.sock", "tcp://127.0.0.1:{tcp}"]\ncurve_secret_file = "hub.secret"'),
        ('packs = "', f'signing_key_file = "log.key"\nwitness_within_s = {within_s}\npacks = "')])
    make("keys", county.directory / "hub")
    witness = Witness(county, tcp)
    with open(county.config, "a") as config:
        config.write(f'''
[tiles]
port = {tiles}
[[witness]]
name = "March Provider Collaborative"
key = "{witness.key}"
[[client]]
name = "march-witness"
agency = "march-commissioner"
public_key = "{witness.public}"
''')
    county.tiles = tiles
    return county, witness


def get(county, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{county.tiles}/{path}", timeout=120) as answer:
        return answer.read(), dict(answer.headers)


def admit(county, first, count):
    mllp = Mllp(county.mllp)
    for index in range(first, first + count):
        answer = mllp.ask(admission(f"WIT{index:04d}", nhs_number(index)))
        if answer is None or b"MSA|AA" not in answer:
            raise AssertionError("an admission was not taken")
    mllp.close()


def body_of(checkpoint):
    return checkpoint[:checkpoint.index("\n\n") + 1]


def size_of(checkpoint):
    return int(checkpoint.split("\n")[1])


def newest(county):
    try:
        return get(county, "checkpoint")[0].decode()
    except urllib.error.HTTPError:
        return "\n0\n"  # nothing is signed yet


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves):
    """RFC 6962 section 2.1, by nothing but SHA-256."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def tile_name(index):
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03d}")
    return "/".join(parts)


class Witnesses(unittest.TestCase):
    def test_a_witness_cosigns_and_is_missed_and_anybody_recomputes_the_root(self):
        receiver = Receiver()
        county, witness = county_with_witness(within_s=2, receiver_port=receiver.port)
        county.start()
        try:
            witness.meet(county)
            witness.start()
            admit(county, 800, 150)
            wait_until(lambda: witness.cosigned() > 256, "the witness's word over what came in")
            kept = county.data / "checkpoint.cosigned"
            wait_until(lambda: kept.exists() and size_of(kept.read_text()) > 256, "the hub's copy of it")
            self.assertIn("\n\u2014 witness.march.example ", kept.read_text())

            # All is quiet: the newest checkpoint is the one that was cosigned, and is served with the cosignature.
            def cosigned():
                text = newest(county)
                if "witness.march.example" not in text:
                    return None
                return text if body_of(get(county, "checkpoint.cosigned")[0].decode()) == body_of(text) else None
            served = wait_until(cosigned, "the cosignature beside the newest checkpoint")
            size = size_of(served)
            leaves, full = b"", size // 256
            for index in range(full):
                tile, headers = get(county, f"tile/0/{tile_name(index)}")
                self.assertEqual(headers["Content-Type"], "application/octet-stream")
                self.assertIn("immutable", headers["Cache-Control"])
                leaves += tile
            if size % 256:
                leaves += get(county, f"tile/0/{tile_name(full)}.p/{size % 256}")[0]
            self.assertEqual(len(leaves), 32 * size)
            root = root_of([leaves[at:at + 32] for at in range(0, len(leaves), 32)])
            self.assertEqual(base64.b64encode(root).decode(), served.split("\n")[2])
            above = get(county, f"tile/1/000.p/{full}")[0]
            self.assertEqual(above[:32], root_of([leaves[at:at + 32] for at in range(0, 256 * 32, 32)]))
            for path, status in (("tile/0/999", 404), ("tile/0/00", 400), ("tile/entries/000", 404), ("events", 404)):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    get(county, path)
                self.assertEqual(refused.exception.code, status, path)
                refused.exception.close()

            # The witness falls silent, and what comes in is not covered any more.
            def missed():
                log = county.log.read_text()
                return log.rfind("witness_missing") - log.rfind("witness_back")
            witness.stop()
            admit(county, 960, 1)
            wait_until(lambda: missed() > 0, "the alarm")
            witness.start()
            wait_until(lambda: missed() < 0, "the alarm's end")
            self.assertIn("cosigned_entries", county.carehub("status", "--json").stdout)
        finally:
            witness.stop()
            self.assertEqual(county.stop(), 0)
            receiver.stop()

    def test_a_hub_whose_data_is_another_history_is_not_signed_and_found_out(self):
        county, witness = county_with_witness()
        county.start()
        try:
            witness.meet(county)
            admit(county, 920, 5)
            first = wait_until(witness.word, "the first word")
            admit(county, 930, 5)
            signed = wait_until(lambda: (lambda size: size if size and size > first else None)(witness.word()),
                                "a word over more")
            self.assertEqual(county.stop(), 0)

            # Somebody puts other data in its place, and keeps the key.
            county.data.rename(county.directory / "true-data")
            county.start()
            wait_until(lambda: size_of(newest(county)) > 0, "a checkpoint")
            self.assertIsNone(witness.word())  # it is smaller than what was signed
            admit(county, 700, 90)
            wait_until(lambda: size_of(newest(county)) > signed, "a larger tree")
            found = witness.once()
            self.assertEqual(found.returncode, 5, found.stderr)
            self.assertIn("SHOWS ANOTHER HISTORY", found.stderr)
            self.assertEqual(found.stdout, "")
            evidence = sorted((witness.directory / "seen").glob("*.fork.*"))
            self.assertEqual(len(evidence), 2)
            origins = {text.read_text().split("\n")[0] for text in evidence}
            self.assertEqual(len(origins), 1)
            self.assertEqual(county.stop(), 0)

            # The true data is back; nothing is signed until a person has looked at the evidence and taken it away.
            county.data.rename(county.directory / "false-data")
            (county.directory / "true-data").rename(county.data)
            county.start()
            self.assertEqual(witness.once().returncode, 5)
            for file in evidence:
                file.unlink()
            self.assertGreaterEqual(wait_until(witness.word, "the witness's word over the true data"), signed)
        finally:
            witness.stop()
            self.assertEqual(county.stop(), 0)


if __name__ == "__main__":
    main()
