"""What an auditor takes home: an export of a running hub is checked by Python's hashlib and openssl alone."""
import base64
import csv
import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

from county import CAREHUB, County, Mllp, Receiver, Watch, admission, main, nhs_number, wait_until

ASKED = ["--role", "auditor", "--by", "A Reader", "--reason", "case review 4"]
ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tree_root(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1", tree_root(leaves[:split]), tree_root(leaves[split:]))


def openssl_accepts(key, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / name for name in ("key", "message", "signature")]
        for file, data in zip(files, (ED25519 + key, message, signature)):
            file.write_bytes(data)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", files[0], "-rawin",
                               "-in", files[1], "-sigfile", files[2]], capture_output=True).returncode == 0


def lines_of(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def verifies(folder):
    """By the two ways that README.txt names."""
    sums = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"], cwd=folder,
                          capture_output=True, text=True)
    script = subprocess.run([sys.executable, "-I", str(folder / "verify.py")], capture_output=True, text=True)
    return sums.returncode == 0, script.returncode == 0, script.stdout + script.stderr


def rewrite_manifest(folder):
    names = [line.split("  ", 1)[1] for line in (folder / "MANIFEST.sha256").read_text().splitlines()]
    (folder / "MANIFEST.sha256").write_text("".join(
        hashlib.sha256((folder / name).read_bytes()).hexdigest() + "  " + name + "\n" for name in names))


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.receiver = Receiver()
        cls.county = County(receiver_port=cls.receiver.port).start()
        cls.one, cls.other = nhs_number(911), nhs_number(912)
        # What a watch was offered is never acknowledged.
        cls.watch = Watch(cls.county, "--role", "social-care-duty", "--agency", "northmarch-council")
        connection = Mllp(cls.county.mllp)
        for number, family in ((cls.one, "Exportwood"), (cls.other, "Otherwise")):
            for event in ("A01", "A03"):
                answer = connection.ask(admission(f"X{event}{number[-6:]}", number, event=event, family=family))
                if b"MSA|AA|" not in answer:
                    raise AssertionError(answer)
        connection.close()
        wait_until(lambda: cls.receiver.received, "something delivered")

    @classmethod
    def tearDownClass(cls):
        cls.watch.stop()
        cls.county.stop()
        cls.receiver.stop()

    def export(self, name, *arguments, check=True):
        into = self.county.directory / name
        done = subprocess.run([CAREHUB, "audit", "export", str(self.county.config), "--into", str(into), *ASKED,
                               *arguments, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=300)
        if check and done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return into, done

    def test_hashlib_alone_recomputes_the_leaves_and_the_root_of_the_whole_ledger_and_openssl_checks_its_signature(self):
        whole, _ = self.export("whole", "--from", "1")
        checkpoint = (whole / "checkpoint").read_text()
        origin, size, root = checkpoint.split("\n")[:3]
        entries = lines_of(whole, "entries.jsonl")
        self.assertEqual([entry["sequence"] for entry in entries], list(range(1, len(entries) + 1)))
        self.assertGreaterEqual(int(size), len(entries))
        leaves = []
        for entry in entries:
            stored = base64.b64decode(entry["entry"])
            self.assertEqual(struct.unpack_from("<Q", stored, 8)[0], entry["sequence"])
            leaves.append(sha256(b"\0", stored[:40], sha256(stored[40:64], stored[96:])))
            self.assertEqual(leaves[-1].hex(), entry["leaf"])
        self.assertEqual(len(leaves), int(size), "the checkpoint is that of the exported entries")
        self.assertEqual(base64.b64encode(tree_root(leaves)).decode(), root)
        name, _, encoded = (whole / "checkpoint.keys").read_text().splitlines()[-1].split("+", 2)
        self.assertEqual(name, origin)
        body, signature = checkpoint.split("\n\n")
        signed = base64.b64decode(signature.splitlines()[0].split(" ")[2])
        key = base64.b64decode(encoded)[1:]
        self.assertTrue(openssl_accepts(key, body.encode() + b"\n", signed[4:]))
        self.assertFalse(openssl_accepts(key, body.encode() + b" ", signed[4:]))

    def test_one_person_s_export_holds_what_the_timeline_shows_with_a_proof_each_and_nothing_of_others(self):
        into, done = self.export("person", "--person", f"nhs:{self.one}")
        told = json.loads(done.stdout)
        manifest = hashlib.sha256((into / "MANIFEST.sha256").read_bytes()).hexdigest()
        self.assertEqual(told["manifest_sha256"], manifest)
        events = lines_of(into, "events.jsonl")
        timeline = self.county.rows("timeline", "--person", f"nhs:{self.one}", *ASKED)
        self.assertEqual([(row["sequence"], row["kind"]) for row in events if row["kind"] == "event"],
                         [(row["sequence"], row["kind"]) for row in timeline if row["kind"] == "event"])
        self.assertEqual(len([row for row in events if row["kind"] == "event"]), 2)
        with open(into / "events.csv", newline="") as file:
            self.assertEqual(len(list(csv.DictReader(file))), len(events))
        acts = [row for row in lines_of(into, "trail.jsonl") if row["reason"] == "export: case review 4"]
        self.assertTrue(acts, "the export itself is on record")
        proven = {row["sequence"] for row in lines_of(into, "entries.jsonl")}
        shown = lines_of(into, "disclosures.jsonl")
        decided = {row[name] for row in shown for name in ("decided_in", "acknowledged_in", "given_up_in") if name in row}
        self.assertEqual(proven, {row["sequence"] for row in events} | decided |
                         {row["sequence"] for row in lines_of(into, "trail.jsonl")})
        self.assertLessEqual({row["sequence"] for row in shown}, {row["sequence"] for row in events})
        with open(into / "disclosures.csv", newline="") as file:
            self.assertEqual([int(row["decided_in"]) for row in csv.DictReader(file)], [row["decided_in"] for row in shown])
        # What each agency is told by itself is what the folder says of all.
        for agency in {row["agency"] for row in shown}:
            self.assertEqual([row["decided_in"] for row in self.shown_to(agency)],
                             [row["decided_in"] for row in shown if row["agency"] == agency])
        self.assertEqual({f"{number}.tlog-proof" for number in proven}, {path.name for path in (into / "proofs").iterdir()})
        self.assertEqual(verifies(into)[:2], (True, True), verifies(into)[2])
        for path in into.rglob("*"):
            if path.is_file():
                self.assertNotIn(self.other.encode(), path.read_bytes(), path)
                self.assertNotIn(b"Otherwise", path.read_bytes(), path)
        # The hub's own verifier agrees about each.
        for number in sorted(proven):
            subprocess.run([CAREHUB, "audit", "verify", str(into / "proofs" / f"{number}.tlog-proof"), "--keys",
                            str(into / "checkpoint.keys")], check=True, capture_output=True)

    def test_a_flipped_byte_in_any_file_is_found(self):
        into, _ = self.export("flipped", "--person", f"nhs:{self.one}")
        files = sorted(path.relative_to(into) for path in into.rglob("*") if path.is_file())
        self.assertGreater(len(files), 12)
        manifest = hashlib.sha256((into / "MANIFEST.sha256").read_bytes()).hexdigest()
        for name in files:
            data = bytearray((into / name).read_bytes())
            for at in sorted({0, len(data) // 2, len(data) - 1} - {-1}):
                data[at] ^= 0x20
                (into / name).write_bytes(data)
                sums, script, _ = verifies(into)
                same = hashlib.sha256((into / "MANIFEST.sha256").read_bytes()).hexdigest() == manifest
                self.assertFalse(sums and script and same, f"byte {at} of {name}")
                if name.name not in ("MANIFEST.sha256", "verify.py"):
                    self.assertFalse(sums, f"byte {at} of {name}")
                    self.assertFalse(script, f"byte {at} of {name}")
                data[at] ^= 0x20
                (into / name).write_bytes(data)
        self.assertEqual(verifies(into)[:2], (True, True))

    def test_who_changes_the_manifest_too_is_found_by_the_proofs(self):
        into, _ = self.export("forged", "--person", f"nhs:{self.one}")
        lines = (into / "entries.jsonl").read_text().splitlines()
        first = json.loads(lines[0])
        stored = bytearray(base64.b64decode(first["entry"]))
        stored[-1] ^= 1
        stored[64:96] = sha256(b"\0", bytes(stored[:40]), sha256(bytes(stored[40:64]), bytes(stored[96:])))
        first["entry"], first["leaf"] = base64.b64encode(stored).decode(), bytes(stored[64:96]).hex()
        (into / "entries.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
        rewrite_manifest(into)
        sums, script, said = verifies(into)
        self.assertTrue(sums)
        self.assertFalse(script)
        self.assertIn(f"entry {first['sequence']}: its proof is about something else", said)

    def test_a_disclosure_that_was_made_more_or_less_than_it_was_is_found_with_the_manifest_rewritten(self):
        wait_until(lambda: any(row["kind"] == "acknowledged" for row in self.shown_to("*")), "something acknowledged")
        into, _ = self.export("shown", "--person", f"nhs:{self.one}")
        self.assertEqual(verifies(into)[:2], (True, True), verifies(into)[2])
        rows = lines_of(into, "disclosures.jsonl")
        acked = next(row for row in rows if row["kind"] == "acknowledged")
        other = next(row for row in rows if row["kind"] != "acknowledged")
        offered = {key: value for key, value in acked.items() if not key.startswith("acknowledged")}
        # One entry may say of several deliveries that they were taken.
        by_one = [row for row in rows if row.get("acknowledged_in") == acked["acknowledged_in"]]
        forged = {
            "an offer made an acknowledgement in words": ([other], {**other, "kind": "acknowledged"}),
            "by the entry of the offer": ([other], {
                **other, "kind": "acknowledged", "acknowledged_in": other["decided_in"],
                "acknowledged_at": other.get("offered_at", "")}),
            "by another's entry": ([other], {
                **other, "kind": "acknowledged", "acknowledged_in": acked["acknowledged_in"],
                "acknowledged_at": "2026-03-02T10:00:00.000Z"}),
            "by an entry that is not here": ([other], {
                **other, "kind": "acknowledged", "acknowledged_in": 1 << 40,
                "acknowledged_at": acked["acknowledged_at"]}),
            "at another time": ([acked], {**acked, "acknowledged_at": "2026-03-02T10:00:00.000Z"}),
            "decided in another entry": ([acked], {**acked, "decided_in": acked["acknowledged_in"]}),
            "an acknowledgement made an offer": (by_one, {**offered, "kind": "offered"}),
            "not a word of it": (by_one, None),
            "of an event that is not here": ([acked], {**acked, "sequence": acked["sequence"] + 1000}),
            "of an entry that is no event": ([acked], {**acked, "sequence": acked["decided_in"]}),
            "told twice": ([], acked),
            "told twice instead of another": ([other], acked),
        }
        for name, (instead_of, line) in forged.items():
            kept = [row for row in rows if row not in instead_of] + ([line] if line else [])
            (into / "disclosures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
            rewrite_manifest(into)
            sums, script, text = verifies(into)
            self.assertTrue(sums, name)
            self.assertFalse(script, name)
            self.assertIn("disclosure", text, name)
        (into / "disclosures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        rewrite_manifest(into)
        self.assertEqual(verifies(into)[:2], (True, True), verifies(into)[2])

    def test_a_line_made_more_or_less_is_found_with_the_manifest_rewritten(self):
        into, _ = self.export("counted", "--person", f"nhs:{self.one}")
        for name in ("events.jsonl", "trail.jsonl", "disclosures.jsonl"):
            text = (into / name).read_text()
            lines = text.splitlines(keepends=True)
            for forged in (lines[1:], [*lines, lines[-1]]):
                (into / name).write_text("".join(forged))
                rewrite_manifest(into)
                sums, script, said = verifies(into)
                self.assertEqual((sums, script), (True, False), name)
                self.assertIn(f"{name}: {len(forged)} lines, and export.json says {len(lines)}", said)
            (into / name).write_text(text)
        told = (into / "export.json").read_text()
        (into / "export.json").write_text(told.replace('"trail_rows":', '"trail_rows":1'))
        rewrite_manifest(into)
        self.assertEqual(verifies(into)[:2], (True, False))
        (into / "export.json").write_text(told)
        rewrite_manifest(into)
        self.assertEqual(verifies(into)[:2], (True, True), verifies(into)[2])

    def shown_to(self, agency):
        done = subprocess.run([CAREHUB, "audit", "as-of", str(self.county.config), "--agency", agency, "--person",
                               f"nhs:{self.one}", "--at", "2999-01-01", *ASKED[2:], "--json"], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=120, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_a_span_by_number_holds_every_entry_in_it_and_a_file_that_is_in_the_way_is_left_alone(self):
        into, _ = self.export("span", "--from", "3", "--to", "5")
        self.assertEqual([row["sequence"] for row in lines_of(into, "entries.jsonl")], [3, 4, 5])
        self.assertEqual(verifies(into)[:2], (True, True))
        before = (into / "MANIFEST.sha256").read_bytes()
        _, again = self.export("span", "--from", "1", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)
        self.assertEqual((into / "MANIFEST.sha256").read_bytes(), before)

    def test_what_cannot_be_exported_leaves_no_folder(self):
        for name, arguments, code in (("late", ["--from", "9000000000"], 7),
                                      ("nobody", ["--person", f"nhs:{nhs_number(999)}"], 7),
                                      ("past", ["--from", "2001-01-01", "--to", "2001-12-31"], 7),
                                      ("backwards", ["--from", "5", "--to", "3"], 2)):
            into, done = self.export(name, *arguments, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertFalse(into.exists())
            self.assertFalse(into.with_name(name + ".draft").exists())

    def test_a_timeline_is_shown_to_leave_nothing_out_and_one_with_an_event_less_is_found(self):
        into = self.county.directory / "all"
        asked = [CAREHUB, "audit", "completeness", str(self.county.config), "--person", f"nhs:{self.one}", *ASKED, "--json"]
        done = subprocess.run([*asked, "--into", str(into)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads((into / "completeness.json").read_text())
        timeline = self.county.rows("timeline", "--person", f"nhs:{self.one}", *ASKED)
        self.assertEqual(said["events"], sorted({row["sequence"] for row in timeline}))
        self.assertEqual(verifies(into)[:2], (True, True), verifies(into)[2])
        # The whole ledger's clear bytes are there, so that its root is recomputed in another way than the script's.
        data = [base64.b64decode(line) for line in (into / "leaves.txt").read_text().splitlines()]
        self.assertEqual(base64.b64encode(tree_root([sha256(b"\0", leaf) for leaf in data])).decode(),
                         (into / "checkpoint").read_text().split("\n")[2])
        # Somebody takes an event away, everywhere but in the leaves, and writes the manifest anew.
        gone = said["events"][0]
        kept = [line for line in (into / "events.jsonl").read_text().splitlines() if json.loads(line)["sequence"] != gone]
        (into / "events.jsonl").write_text("".join(line + "\n" for line in kept))
        said["events"].remove(gone)
        (into / "completeness.json").write_text(json.dumps(said) + "\n")
        rewrite_manifest(into)
        sums, script, text = verifies(into)
        self.assertTrue(sums)
        self.assertFalse(script)
        self.assertIn("other events are under this person's keys", text)

    def test_an_entry_is_proven_by_the_running_hub(self):
        done = subprocess.run([CAREHUB, "audit", "prove", "2", str(self.county.config), "--by", "A Reader", "--reason",
                               "case review 4"], capture_output=True, text=True, check=True)
        file = self.county.directory / "2.tlog-proof"
        file.write_text(done.stdout)
        held = subprocess.run([CAREHUB, "audit", "verify", str(file), "--keys", str(self.county.data / "checkpoint.keys")],
                              capture_output=True, text=True)
        self.assertIn("the proof holds: entry 2", held.stdout, held.stderr)


if __name__ == "__main__":
    main()
