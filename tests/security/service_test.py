"""The systemd unit: how much it leaves open, whether it is well made, and whether a hub at work keeps to what it allows."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "end_to_end"))
from county import CAREHUB, ROOT, County, Mllp, Receiver, admission, main, nhs_number, wait_until  # noqa: E402

UNIT = ROOT / "deploy/systemd/carehub.service"
THRESHOLD = 20  # tenths: under 2.0 of 10


def set_of(name):
    """The system calls of one of systemd's sets and of the sets in it."""
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    words = [line.split("#")[0].strip() for line in said.splitlines()[1:]]
    calls = set()
    for word in filter(None, words):
        calls |= set_of(word) if word.startswith("@") else {word}
    return calls


def values_of(key):
    return [value.strip() for value in re.findall(rf"(?m)^{key}=(.*)$", UNIT.read_text())]


def allowed_calls():
    calls = set()
    for value in values_of("SystemCallFilter"):
        words = value.lstrip("~").split()
        named = set().union(*(set_of(word) if word.startswith("@") else {word} for word in words))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


class Service(unittest.TestCase):
    def test_the_unit_leaves_little_open(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager",
                               UNIT], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)

    def test_the_unit_is_well_made(self):
        with tempfile.TemporaryDirectory() as directory:
            copy = pathlib.Path(directory, UNIT.name)
            copy.write_text(UNIT.read_text().replace("/usr/local/bin/carehub", CAREHUB))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--generators=no", "--recursive-errors=no", copy],
                                  capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_a_hub_at_work_keeps_to_what_the_unit_allows(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        trace = county.directory / "trace"
        traced = county.directory / "traced-carehub"
        # -D: the hub is this test's own child, and hears its signals.
        traced.write_text(f'#!/bin/sh\nexec strace -D -f -qq -o "{trace}" "{CAREHUB}" "$@"\n')
        traced.chmod(0o700)
        county.start(program=str(traced))
        mllp = Mllp(county.mllp_camhs)
        answer = mllp.ask(admission("SERVICE1", nhs_number(171), facility="RZY02", ward="WILLOW",
                                    school="900101^Holm Lane School"))
        self.assertIn(b"MSA|AA|", answer)
        wait_until(lambda: receiver.at("/tier4-notices"), "the Tier 4 notice")
        wait_until(lambda: list((county.files / "holm/out").glob("*.csv")), "the school's file")
        county.carehub("timeline", "--by", "A Tester", "--reason", "a test", "--role", "social-care-duty", "--person",
                       "nhs:" + nhs_number(171))
        mllp.close()
        self.assertEqual(county.stop(), 0)
        receiver.stop()
        lines = trace.read_text(errors="replace").splitlines()
        calls = {found.group(1) for found in (re.match(r"\d+ +(?:<\.\.\. )?(\w+)[( ]", line) for line in lines) if found}
        self.assertGreater(len(calls), 40, "strace saw the hub at work")
        self.assertEqual(calls - allowed_calls(), set())
        families = {found.group(1) for found in re.finditer(r"\bsocket(?:pair)?\((\w+)", "\n".join(lines))}
        self.assertLessEqual(families, set(values_of("RestrictAddressFamilies")[0].split()))
        executable = [line for line in lines if re.search(r"\b(mmap|mprotect|pkey_mprotect)\(", line) and
                      "PROT_WRITE" in line and "PROT_EXEC" in line]
        self.assertEqual(executable, [])


if __name__ == "__main__":
    missing = [name for name in ("systemd-analyze", "strace") if shutil.which(name) is None]
    if missing:
        print("skipped: there is no " + ", ".join(missing))
        sys.exit(77)
    main()
