#include "broker/app/export_texts.hpp"

#include "broker/app/json_line.hpp"
#include "broker/app/table.hpp"

// Long because: the verifier is one text that an auditor reads from top to bottom.

namespace carehub::app {
namespace {

constexpr const char* kReadme = R"(
WHAT IS IN HERE

  entries.jsonl     Each exported entry of the ledger as it is stored: sealed. "entry" is base64 of 40 clear bytes,
                    a 24-byte nonce, the 32-byte leaf hash and the ciphertext. The clear bytes are: version, kind,
                    codec, zero (one byte each), length of the ciphertext (4), sequence (8), time of writing in
                    microseconds since 1970 (8), key id (16); numbers are little-endian.
  entries.csv       The same entries for a spreadsheet, without the sealed bytes.
  events.jsonl      What the role named above may see of the events among them, opened by the hub. Of a person the
  events.csv        newest is first; where the child has several records, "record" says under which one it is filed.
  disclosures.jsonl Of a person: to whom each of these events was offered and from whom it was withheld, opened by the
  disclosures.csv   hub, whoever the agency was. What it saw is there where the disclosure was made in the role named
                    above; what other roles saw only where the head of this page says so. "decided_in" is the number
                    of the entry that says so, "acknowledged_in" of the one that says that it was taken, "given_up_in"
                    that it was given up.
  trail.jsonl       Who asked, exported, replayed or changed what, oldest first.
  trail.csv
  proofs/           A proof for each entry: N.tlog-proof is that of entry N (format: https://c2sp.org/tlog-proof).
  checkpoint        The signed statement of how many entries the ledger had, and of the one hash over all of them
                    (format: https://c2sp.org/tlog-checkpoint).
  checkpoint.keys   The public keys that the hub has signed with, the newest last.
  export.json       Who exported what, when and why.
  verify.py         Checks all of this. It needs Python 3 and the openssl command (3.0 or newer), and nothing of ours.
  MANIFEST.sha256   The SHA-256 of every other file.

HOW TO CHECK IT

  1. Compare checkpoint.keys with the keys that the hub's people gave you another way: on paper, or years ago.
     Without that, a signature only proves that somebody signed.
  2. Compare the SHA-256 of MANIFEST.sha256 with the number that was printed when the export was made.
         sha256sum MANIFEST.sha256
  3. Is every file as it was?
         sha256sum --check --strict MANIFEST.sha256
  4. Does everything hold?
         python3 verify.py
     It takes every entry's bytes and hashes them (RFC 6962: SHA-256 of a zero byte, the clear bytes, and the SHA-256
     of nonce and ciphertext), follows the proof's hashes up to the root, compares the root with the checkpoint's,
     and checks the checkpoint's Ed25519 signature. Read it: it is short.

  If you have a checkpoint of this hub from another day, or one that a witness has signed, ask the hub's people for
  a consistency proof between the two: it shows that nothing was changed or taken away in between.

WHAT THIS PROVES, AND WHAT IT DOES NOT

  It proves that these sealed entries, with these numbers, kinds and times, are in the ledger that the checkpoint's
  signer signed for, and that none of them was changed since.
  It does not by itself prove that the opened text in events, disclosures and trail is what the sealed bytes hold: only
  the hub has the keys that open them, so that a person's data can be erased. Who must be sure has the hub open the
  entries again under supervision, and compares.
  Of a disclosure it proves that an entry of that kind (offered, withheld, acked, dead_letter), with that number, was
  written at the time that the line tells, for kind, number and time are in clear; that it is of an event that is in
  this folder; that each such entry in this folder has its line; and that there are as many lines as export.json says.
  Who forges export.json and the manifest, too, is found by the SHA-256 that was printed, and by that alone.
  So an offer cannot be made an acknowledgement by changing words: there has to be an entry that says so, of that time.
  It does not prove which event, agency, role, rule or policy that entry names: one entry tells of many events at once,
  and is sealed under a key of the hub's for the day. Two lines whose entries are of one kind and one millisecond could
  be exchanged.
  It does not prove that nothing was left out. carehub audit completeness is for that.
  The times are those of the hub's clock.

KEEP IT SAFE

  This folder holds personal data in clear. It is outside the hub: erasing a person there does not reach it, and
  whoever keeps it has to erase it, too. The hub's ledger records that it was made, by whom and why.
)";

constexpr const char* kCompletenessReadme = R"(
WHAT IS IN HERE

  leaves.txt         One line for each entry of the span, base64 of 72 bytes: the 40 clear bytes of the entry, and the
                     SHA-256 of its nonce and ciphertext. The clear bytes are: version, kind (1 is an event), codec,
                     zero (one byte each), length (4), sequence (8), time of writing in microseconds since 1970 (8),
                     and the id of the key that it is sealed under (16); numbers are little-endian.
  completeness.json  The span, the hashes of the ledger's tree to the left and to the right of it, the ids of the
                     person's keys, the events that the timeline shows, and those that it leaves out.
  events.jsonl       The timeline, opened by the hub, as the role named above may see it; the newest first.
  events.csv
  checkpoint         The signed statement of how many entries the ledger had, and of the one hash over all of them
                     (format: https://c2sp.org/tlog-checkpoint).
  checkpoint.keys    The public keys that the hub has signed with, the newest last.
  export.json        Who asked for this, when and why.
  verify.py          Checks all of this. It needs Python 3 and the openssl command (3.0 or newer), and nothing of ours.
  MANIFEST.sha256    The SHA-256 of every other file.

HOW IT IS CONSTRUCTED, AND HOW TO CHECK IT

  The hub seals each child's events under keys of that child's own, and the id of the key stands in clear in every
  entry. leaves.txt holds the clear part of every entry of the span, one after the other. Hashed, with the hashes
  beside them, they give the root that the checkpoint is signed for: so none of them can be missing, added, or other
  than it was written. The events under the person's keys can then be counted by anybody, and must be those of the
  timeline. To check: compare checkpoint.keys with the keys that the hub's people gave you another way, compare the
  SHA-256 of MANIFEST.sha256 with the number that was printed, and run
         sha256sum --check --strict MANIFEST.sha256
         python3 verify.py

WHAT THIS PROVES, AND WHAT IT DOES NOT

  It proves that every event of the span under the keys that completeness.json names is in the timeline, or is named as
  left out. A record of this person of which the role is shown no event has keys that nobody here knows: it is not
  counted, and "records_not_shown" names it.
  It does not prove that these are all keys of this person: the hub says so. It tells of every record that a link or
  merge, which was not taken back, joins to the one that was asked about: "record" in events.jsonl says under which one
  an event is filed. A child whom no message named as the same one has other keys, and an event that names no child has
  its unit's.
  It does not prove that the opened text is what the sealed bytes hold: only the hub has the keys. Nor that everything
  that happened was sent to the hub.
  Where the hub says that something has been erased, the keys of that are not known any more.

KEEP IT SAFE

  This folder holds personal data in clear. It is outside the hub: erasing a person there does not reach it, and
  whoever keeps it has to erase it, too. The hub's ledger records that it was made, by whom and why.
)";

/// What both verifiers begin with.
constexpr const char* kVerifierBegin = R"PY(#!/usr/bin/env python3
"""Checks this folder with Python's standard library and the openssl command. Exit code 0: all of it holds."""
import base64
import datetime
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = "MANIFEST.sha256"
ED25519 = bytes.fromhex("302a300506032b6570032100")  # how a DER public key of Ed25519 begins (RFC 8410)
faults = []


def sha256(data):
    return hashlib.sha256(data).digest()


def text_of(name):
    return (HERE / name).read_bytes().decode("utf-8")


def fault(text):
    faults.append(text)
    print("WRONG:", text)


def check_manifest():
    listed = {}
    for line in text_of(MANIFEST).splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    there = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*") if not path.is_dir()} - {MANIFEST}
    for name in sorted(there - listed.keys()):
        fault(f"{name} is not in the manifest")
    for name in sorted(listed.keys() - there):
        fault(f"{name} is missing")
    for name in sorted(listed.keys() & there):
        if hashlib.sha256((HERE / name).read_bytes()).hexdigest() != listed[name]:
            fault(f"{name} is not the file that was exported")


def openssl_accepts(public_key, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / name for name in ("key", "message", "signature")]
        for file, data in zip(files, (ED25519 + public_key, message, signature)):
            file.write_bytes(data)
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", files[0],
                               "-rawin", "-in", files[1], "-sigfile", files[2]], capture_output=True)
    return done.returncode == 0


def check_signature(text):
    """Gives the tree's size and root when a key of the log's own name has signed them."""
    body, _, signatures = text.partition("\n\n")
    body += "\n"
    origin, size, root = body.split("\n")[:3]
    signers = 0
    largest = {}
    for line in text_of("checkpoint.keys").splitlines():
        key, mark, count = line.partition(" signs no tree of more than ")
        if line.startswith("# ") and mark:
            largest[key[2:]] = min(int(count.split(" ")[0]), largest.get(key[2:], int(size)))
    for line in text_of("checkpoint.keys").splitlines():
        if not line or line.startswith("#"):
            continue
        name, key_id, encoded = line.split("+", 2)
        key = base64.b64decode(encoded, validate=True)
        if key[0] != 1 or len(key) != 33:
            continue
        if sha256(name.encode() + b"\n" + key)[:4].hex() != key_id:
            fault(f"checkpoint.keys: {key_id} is not the id of its key")
        for signature in signatures.splitlines():
            dash, signer, encoded = signature.split(" ")
            signed = base64.b64decode(encoded, validate=True)
            if dash == "\u2014" and signer == name == origin and signed[:4].hex() == key_id:
                if int(size) > largest.get(f"{name}+{key_id}", int(size)):
                    fault("the key that signed the checkpoint was replaced before there were so many entries")
                elif openssl_accepts(key[1:], body.encode(), signed[4:]):
                    signers += 1
                else:
                    fault("the checkpoint's signature is not that of its key")
    if not signers:
        fault("none of the keys has signed the checkpoint")
    return int(size), base64.b64decode(root, validate=True)


)PY";

constexpr const char* kVerifierOfEntries =
    R"PY(DECIDED = {"offered": 3, "acknowledged": 3, "withheld": 6}  # kinds of entries
EVENT, ACKED, DEAD_LETTER = 1, 4, 7
COUNTED = {"entries": "entries", "events": "event_rows", "trail": "trail_rows", "disclosures": "disclosure_rows"}


def root_of(leaf, index, size, path):
    """RFC 9162, section 2.1.3.2."""
    node, last, value = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ValueError("the proof is too long")
        if node % 2 or node == last:
            value = sha256(b"\1" + step + value)
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            value = sha256(b"\1" + value + step)
        node, last = node // 2, last // 2
    if last:
        raise ValueError("the proof is too short")
    return value


def check_entry(line, checkpoint, size, root):
    """Checks its bytes, its leaf, its proof. Gives the entry's number, and its kind and time of writing."""
    number = line["sequence"]
    stored = base64.b64decode(line["entry"], validate=True)
    clear, nonce, leaf, ciphertext = stored[:40], stored[40:64], stored[64:96], stored[96:]
    data = clear + sha256(nonce + ciphertext)
    _, kind, _, _, length, sequence, at_us = struct.unpack("<BBBBIQq", clear[:24])
    if sequence != number or length != len(ciphertext) or kind != line["kind_number"]:
        fault(f"entry {number}: its clear bytes say something else than its line")
    if sha256(b"\0" + data) != leaf or leaf.hex() != line["leaf"]:
        fault(f"entry {number}: its leaf is not the hash of its bytes")
    proof, _, signed = text_of(f"proofs/{number}.tlog-proof").partition("\n\n")
    lines = proof.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or lines[1] != "extra " + base64.b64encode(data).decode():
        fault(f"entry {number}: its proof is about something else")
    if lines[2] != f"index {number - 1}" or signed != checkpoint:
        fault(f"entry {number}: its proof is for another place or another checkpoint")
    path = [base64.b64decode(step, validate=True) for step in lines[3:]]
    if root_of(sha256(b"\0" + data), number - 1, size, path) != root:
        fault(f"entry {number}: its proof does not lead to the checkpoint's root")
    return number, (kind, time_text(at_us))


def rows(name):
    with open(HERE / name, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def time_text(at_us):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=at_us // 1000)
    return at.isoformat(timespec="milliseconds") + "Z"


def check_disclosures(proven):
    """What a line says was done must be an entry of that kind, written when the line says."""
    named = set()
    events = {row["sequence"] for row in rows("events.jsonl")}
    lines = set()
    for line, row in enumerate(rows("disclosures.jsonl"), 1):
        place = f"disclosures.jsonl, line {line}"
        kind = row["kind"]
        if row["sequence"] not in events or proven.get(row["sequence"], (0,))[0] != EVENT:
            fault(f"{place}: its disclosure is of entry {row['sequence']}, which is no event of this folder")
        if row["decided_in"] <= row["sequence"]:
            fault(f"{place}: a disclosure is decided behind its event, not before it")
        same = tuple(str(row.get(name)) for name in ("sequence", "subscription", "role", "decided_in"))
        if same in lines:
            fault(f"{place}: it tells of a disclosure that another line tells of")
        lines.add(same)
        if kind not in DECIDED or (kind == "acknowledged") != ("acknowledged_in" in row):
            fault(f"{place}: it says {kind}, and not by which entry, or names one that says something else")
            continue
        claims = [("decided_in", DECIDED[kind], row["withheld_at" if kind == "withheld" else "offered_at"])]
        if kind == "acknowledged":
            claims.append(("acknowledged_in", ACKED, row["acknowledged_at"]))
        if "given_up_in" in row:
            claims.append(("given_up_in", DEAD_LETTER, None))
        for name, wanted, at in claims:
            number = row[name]
            named.add(number)
            if number not in proven:
                fault(f"{place}: entry {number} is told of, and not proven")
            elif proven[number][0] != wanted or at not in (None, proven[number][1]):
                fault(f"{place}: entry {number} is of another kind or another time than {name} says")
    for number, (kind, _) in proven.items():
        if kind in (*DECIDED.values(), ACKED, DEAD_LETTER) and number not in named:
            fault(f"entry {number} is of a disclosure that disclosures.jsonl does not tell of")


def check_counts(size):
    """What export.json says how many lines there are. A line made more or less is found, be its entry proven or not."""
    told = json.loads(text_of("export.json"))
    for file, count in COUNTED.items():
        there = sum(1 for _ in rows(f"{file}.jsonl")) if (HERE / f"{file}.jsonl").exists() else 0
        if there != told[count]:
            fault(f"{file}.jsonl: {there} lines, and export.json says {told[count]}")
    if size != told["tree_size"]:
        fault("export.json tells of another tree than the checkpoint")


def check():
    check_manifest()
    checkpoint = text_of("checkpoint")
    size, root = check_signature(checkpoint)
    check_counts(size)
    proven = {number: clear for number, clear in
              (check_entry(line, checkpoint, size, root) for line in rows("entries.jsonl"))}
    for name in ("events.jsonl", "trail.jsonl"):
        for number in {row["sequence"] for row in rows(name)} - proven.keys():
            fault(f"{name}: entry {number} is told of, and not proven")
    if (HERE / "disclosures.jsonl").exists():
        check_disclosures(proven)
    return len(proven)


)PY";

constexpr const char* kVerifierOfSpan = R"PY(def root_of(first, end, span, leaves, beside):
    """The root over leaves with numbers above `first` up to `end` (RFC 6962, section 2.1)."""
    if end < span["first"] or first >= span["last"]:
        return bytes.fromhex(next(beside))
    if end - first == 1:
        return leaves[first - span["first"] + 1]
    middle = first + (1 << (end - first - 1).bit_length() - 1)
    left = root_of(first, middle, span, leaves, beside)
    return sha256(b"\1" + left + root_of(middle, end, span, leaves, beside))


def check():
    check_manifest()
    size, root = check_signature(text_of("checkpoint"))
    span = json.loads(text_of("completeness.json"))
    keys, leaves, under = set(span["keys"]), [], []
    for number, line in enumerate(text_of("leaves.txt").splitlines(), span["first"]):
        data = base64.b64decode(line, validate=True)
        _, kind, _, _, _, sequence, _ = struct.unpack("<BBBBIQq", data[:24])
        if len(data) != 72 or sequence != number:
            fault(f"leaves.txt: there is another entry in the place of {number}")
        leaves.append(sha256(b"\0" + data))
        if kind == 1 and data[24:40].hex() in keys:
            under.append(number)
    beside = iter(span["beside"])
    if size != span["tree_size"] or len(leaves) != span["last"] - span["first"] + 1:
        fault("the span is not the one that completeness.json names")
    elif root_of(0, size, span, leaves, beside) != root or next(beside, None) is not None:
        fault("the entries do not lead to the checkpoint's root")
    if under != sorted(span["events"] + span["left_out"]):
        fault("other events are under this person's keys than completeness.json names")
    shown = [json.loads(line)["sequence"] for line in text_of("events.jsonl").splitlines()]
    if set(shown) != set(span["events"]):
        fault("events.jsonl tells of other events than completeness.json")
    told = json.loads(text_of("export.json"))
    if [told[name] for name in ("entries", "event_rows", "tree_size")] != [len(leaves), len(shown), size]:
        fault("export.json counts other entries or events than there are")
    for record in span["records_not_shown"]:
        fault(f"record {record} of this person is not counted: the role is shown no event of it")
    for number in span["left_out"]:
        fault(f"entry {number} is under one of this person's keys, and the timeline leaves it out")
    return len(leaves)


)PY";

constexpr const char* kVerifierEnd = R"PY(if __name__ == "__main__":
    try:
        count = check()
    except (ValueError, KeyError, TypeError, IndexError, OSError, struct.error) as wrong:
        fault(f"it cannot be read to its end: {type(wrong).__name__}: {wrong}")
    if faults:
        sys.exit(f"{len(faults)} faults: this export is not what it says")
    print(f"all of it holds: {count} entries under one signed checkpoint. Are these the keys that you were given?")
    print(text_of("checkpoint.keys"), end="")
)PY";

std::string facts_text(const char* title, const ExportFacts& facts) {
  std::string text = title + printable(facts.hub) + "\n\n";
  const auto add = [&text](const char* name, const std::string& value) {
    text += "  " + std::string(name) + printable(value) + "\n";
  };
  add("made at:       ", facts.at);
  add("by:            ", facts.by);
  add("why:           ", facts.reason);
  add("about:         ", facts.about);
  add("as the role:   ", facts.role);
  add("signed by:     ", facts.origin);
  add("entries:       ", std::to_string(facts.entries));
  add("tree size:     ", std::to_string(facts.tree_size));
  if (!facts.remark.empty()) add("the hub says:  ", facts.remark);
  return text;
}

}  // namespace

void add_remark(ExportFacts& facts, const std::string& remark) {
  if (remark.empty() || remark.starts_with("looked as far")) return;
  if (("; " + facts.remark + "; ").find("; " + remark + "; ") != std::string::npos) return;
  facts.remark += (facts.remark.empty() ? "" : "; ") + remark;
}

std::string export_readme(const ExportFacts& facts) {
  std::string text = facts_text("EXPORT FROM THE LEDGER OF ", facts);
  if (facts.every_view) text += "  with:          what every role saw, in disclosures\n";
  if (facts.withheld > 0) {
    text +=
        "\n  " + std::to_string(facts.withheld) +
        " events of this span are not in events: the role may not see them. Their sealed entries are here.\n";
  }
  return text + kReadme;
}

std::string export_json(const ExportFacts& facts) {
  return JsonLine()
             .add("hub", facts.hub)
             .add("origin", facts.origin)
             .add("exported_at", facts.at)
             .add("by", facts.by)
             .add("reason", facts.reason)
             .add("about", facts.about)
             .add("role", facts.role)
             .add_flag("every_view", facts.every_view)
             .add("remark", facts.remark)
             .add("entries", facts.entries)
             .add("event_rows", facts.rows)
             .add("disclosure_rows", facts.disclosures)
             .add("trail_rows", facts.acts)
             .add("withheld", facts.withheld)
             .add("tree_size", facts.tree_size)
             .text() +
         "\n";
}

std::string export_verifier() { return std::string(kVerifierBegin) + kVerifierOfEntries + kVerifierEnd; }

std::string completeness_readme(const ExportFacts& facts) {
  std::string text = facts_text("A TIMELINE FROM THE LEDGER OF ", facts);
  if (facts.withheld > 0) {
    text +=
        "\n  " + std::to_string(facts.withheld) +
        " events of this person are NOT in it, as the role may not see them: completeness.json names them.\n";
  }
  return text + kCompletenessReadme;
}

std::string completeness_verifier() { return std::string(kVerifierBegin) + kVerifierOfSpan + kVerifierEnd; }

}  // namespace carehub::app
