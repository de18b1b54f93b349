"""Every message of the HL7 corpus, and 10,000 mutations of them, gets what its MSH-15 and MSH-16 ask for. A mutation whose
MSH can be read in more ways than one is only held to what any bytes are."""
import collections
import itertools
import os
import pathlib
import random
import re
import sys
import time
import unittest

from county import ROOT, County, Mllp, Receiver, main, wait_until

CORPUS = pathlib.Path(os.environ.get("CAREHUB_CORPUS", ROOT.parent / "shared/corpus")) / "hl7v2"
MUTATIONS = 10_000
SENDERS = 20  # a channel


BOM = b"\xef\xbb\xbf"
WISHES = (b"", b"AL", b"NE", b"ER", b"SU")  # HL7 table 0155, and not valued
PROBE = b"MSH|^~\\&|A|B|C|D|20260101000000||ADT^Z99|%s|P|2.4\r"


class Header:
    """The MSH, read by this test's own few lines. Only a usual one: neither its delimiters nor its line ends leave room for
    another reading, and it is the only one of the frame. A double quote is no delimiter, since two are the null value."""

    def __init__(self, mark, line, rest):
        self.mark, self.fields, self.rest = mark, line.split(line[3:4]), rest
        self.bar = line[3:4]
        self.fields += [b""] * (16 - len(self.fields))

    @classmethod
    def of(cls, message):
        mark = BOM if message.startswith(BOM) else b""
        line, end, rest = message[len(mark):].partition(b"\r")
        rest = end + rest
        usual = (re.match(rb"MSH([!#-/:-@\[-`{-~])(?!\1)([!#-/:-@\[-`{-~]{4})\1", line) and len(set(line[3:8])) == 5
                 and b"\n" not in line and not re.search(rb"[\r\n]\s*(MSH|BHS|FHS|BTS|FTS)", rest))
        return cls(mark, line, rest) if usual else None

    def asking(self, accept, application):
        """The message with these in MSH-15 and MSH-16."""
        fields = list(self.fields)
        fields[14:16] = accept, application
        return self.mark + self.bar.join(fields) + self.rest

    def wishes(self):
        return self.fields[14], self.fields[15]

    def is_answer(self):
        return self.fields[8].startswith(b"ACK") or re.search(rb"[\r\n]\s*MSA", self.rest) is not None


def wants(wish, success):
    return {b"": False, b"NE": False, b"ER": not success, b"SU": success}.get(wish, True)


def codes_wanted(accept, application, outcome):
    """MSA-1 of each answer to a message with these wishes that is accepted (AA), at fault (AE) or rejected (AR); HL7 v2.5.1
    section 2.9. CA says that the message is stored, and a refused one is too: only where the application level does not
    tell of the error must the accept level."""
    if not accept and not application:
        return [outcome]
    success = outcome == b"AA"
    told = wants(application, success)
    stored = success or told
    codes = [b"CA" if stored else b"C" + outcome[1:]] if wants(accept, stored) else []
    return codes + [outcome] * told


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = {f.name: f.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
                        for f in sorted(CORPUS.glob("*.hl7"))}
        assert len(cls.messages) >= 20, f"only {len(cls.messages)} messages in {CORPUS}"
        cls.receiver = Receiver()
        cls.county = County(receiver_port=cls.receiver.port).start()
        cls.slowest_s = 0

    @classmethod
    def tearDownClass(cls):
        print(f"the slowest answer came after {cls.slowest_s * 1000:.0f} ms", flush=True)
        cls.county.stop()
        cls.receiver.stop()

    def listening(self, port):
        probe = Mllp(port)
        answer = probe.ask(PROBE % b"PROBE")
        probe.close()
        return answer is not None and b"PROBE" in answer

    def send(self, connection, message):
        """Sends a message, and after it the same in original mode, whose one answer tells what became of it, and a probe."""
        self.probes = getattr(self, "probes", 0) + 1
        marker = b"PROBE%08d" % self.probes
        connection.send(message)
        if head := Header.of(message):
            connection.send(head.asking(b"", b""))
        connection.send(PROBE % marker)
        return marker, time.monotonic()

    def receive(self, connection, marker, began):
        """All answers that come before the answer to the probe."""
        answers = []
        while True:
            answer = connection.receive()
            self.assertIsNotNone(answer, "the connection ended, or nothing came")
            type(self).slowest_s = max(self.slowest_s, time.monotonic() - began)
            if marker in answer:
                return answers
            answers.append(answer)

    def check(self, message, answers):
        """What became of the message, or None where only what holds for any bytes could be checked."""
        head = Header.of(message)
        codes = self.codes(answers)
        if head is None:
            self.assertLessEqual(len(answers), 2 * message.count(b"MSH") + 1)
            return None
        if head.is_answer():
            self.assertEqual(codes, [], "an acknowledgment is never acknowledged")
            return None
        self.assertGreater(len(codes), 0, "not answered in original mode")
        outcome = codes.pop()
        self.assertIn(outcome, (b"AA", b"AE", b"AR"))
        self.assertEqual(codes, codes_wanted(*head.wishes(), outcome), head.fields[8:16])
        if re.fullmatch(rb"[!-~]{1,100}", head.fields[9]):
            for answer in answers:
                self.assertEqual(re.search(rb"\rMSA.(?:..).([^\r]*)", answer)[1].split(head.bar)[0], head.fields[9])
        return outcome

    def codes(self, answers):
        """MSA-1 of each; one that says no has an ERR that names the place."""
        codes = []
        for answer in answers:
            found = re.search(rb"\rMSA.([AC][AER])", answer)
            self.assertIsNotNone(found, "an answer without MSA")
            codes.append(found[1])
            if found[1][1:] != b"A":
                self.assertRegex(answer, rb"\rERR..?[A-Z][A-Z0-9]{2}", "an error names the place")
        return codes

    def test_every_file_with_every_wish_on_a_channel_that_refuses_and_on_one_that_keeps(self):
        outcomes = collections.Counter()
        for port in (self.county.mllp, self.county.mllp_camhs):
            connection = Mllp(port)
            for name, message in self.messages.items():
                head = Header.of(message)
                self.assertIsNotNone(head, name)
                for asked in (message, *(head.asking(*both) for both in itertools.product(WISHES, WISHES))):
                    with self.subTest(file=name, port=port, wishes=Header.of(asked).wishes()):
                        outcomes[self.check(asked, self.receive(connection, *self.send(connection, asked)))] += 1
            connection.close()
        print(f"files: {dict(outcomes)}", flush=True)
        self.assertGreater(outcomes[b"AA"], 100)
        self.assertGreater(outcomes[b"AR"] + outcomes[b"AE"], 100)
        self.assertTrue(self.listening(self.county.mllp))

    def test_a_channel_that_keeps_answers_accept_and_raises_an_alarm(self):
        message = b"MSH|^~\\&|PAS|RZY02|CAREHUB|X|20260302091000||ADT^A99^ADT_A01|KEEP1|P|2.4\rPID|1||KEEPME^^^RZY02^MR\r"
        keeps, refuses = Mllp(self.county.mllp_camhs), Mllp(self.county.mllp)
        self.assertIn(b"MSA|AA|KEEP1", keeps.ask(message))
        wait_until(lambda: "CH-UNMAPPABLE" in self.county.log.read_text(), "the alarm")
        self.assertNotIn("KEEPME", self.county.log.read_text())
        self.assertRegex(refuses.ask(message), rb"MSA\|A[ER]\|KEEP1")
        keeps.close()
        refuses.close()

    def test_ten_thousand_mutations_inside_an_intact_frame(self):
        asked = os.environ.get("CAREHUB_SEED", "1")
        seed = random.randrange(2**32) if asked == "random" else int(asked)
        print(f"seed {seed} (CAREHUB_SEED=N or CAREHUB_SEED=random for others)", flush=True)
        rng = random.Random(seed)
        originals = list(self.messages.values())
        connections = [Mllp(port) for port in (self.county.mllp, self.county.mllp_camhs) for _ in range(SENDERS)]
        outcomes = collections.Counter()
        for first in range(0, MUTATIONS, len(connections)):
            sent = []
            for number, connection in enumerate(connections, first):
                message = mutated(rng, rng.choice(originals))
                if head := Header.of(message):
                    message = head.asking(rng.choice(WISHES), rng.choice(WISHES))
                sent.append((number, message, connection, *self.send(connection, message)))
            for number, message, connection, marker, began in sent:
                try:
                    outcomes[self.check(message, self.receive(connection, marker, began))] += 1
                except AssertionError as fault:
                    raise AssertionError(f"mutation {number} of seed {seed}: {fault}") from fault
        print(f"{MUTATIONS} mutations: {dict(outcomes)}", flush=True)
        # Most have an MSH that this test reads, too, and each outcome met each wish.
        self.assertLess(outcomes[None], MUTATIONS // 4)
        for outcome in (b"AA", b"AE", b"AR"):
            self.assertGreater(outcomes[outcome], 5, outcome)
        self.assertTrue(self.listening(self.county.mllp))
        self.assertIsNone(self.county.hub.poll())


def mutated(rng, original):
    message = bytearray(original)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(message)) if message else 0
        kind = rng.randrange(5)
        if kind == 0 and message:
            message[at] = rng.randrange(256)
        elif kind == 1:
            message[at:at + rng.randrange(1, 40)] = b""
        elif kind == 2:
            message[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
        elif kind == 3:
            message[at:at] = rng.choice([b"\r", b"|", b"^", b"~", b"\\", b"&", b'""', b"\\X0D\\"])
        else:
            message[at:] = message[at:at + rng.randrange(1, 400)]
    # The frame stays intact: neither its start nor its end may stand inside.
    return bytes(message).replace(b"\x0b", b"?").replace(b"\x1c", b"?")


if __name__ == "__main__":
    if not CORPUS.is_dir():
        print(f"SKIPPED: no corpus at {CORPUS}; set CAREHUB_CORPUS")
        sys.exit(77)
    main()
