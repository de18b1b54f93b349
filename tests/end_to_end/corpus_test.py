"""Every message of the HL7 corpus, and 10,000 mutations of them, gets what its MSH-15 and MSH-16 ask for."""
import os
import pathlib
import random
import re
import sys
import unittest

from county import ROOT, County, Mllp, Receiver, wait_until

CORPUS = pathlib.Path(os.environ.get("CAREHUB_CORPUS", ROOT.parent / "shared/corpus")) / "hl7v2"
MUTATIONS = 10_000


def header(message):
    """MSH-9, MSH-10, MSH-15 and MSH-16, read by this test's own few lines; None when there is no readable MSH."""
    first = re.split(rb"[\r\n]", message.lstrip(b"\xef\xbb\xbf\r\n \t"), maxsplit=1)[0]
    if not first.startswith(b"MSH") or len(first) < 8:
        return None
    fields = first.split(first[3:4])
    fields += [b""] * (20 - len(fields))
    return {"type": fields[8], "id": fields[9], "accept": fields[14], "application": fields[15]}


def answers_wanted(head):
    """The number of answers: (least, most), and the codes allowed, by HL7 v2.5 section 2.9."""
    if not head["accept"] and not head["application"]:
        return (1, 1), {b"AA", b"AE", b"AR"}
    least = most = 0
    for wish in (head["accept"], head["application"]):
        if wish == b"AL":
            least += 1
            most += 1
        elif wish in (b"ER", b"SU"):
            most += 1
    return (least, most), {b"CA", b"CE", b"CR", b"AA", b"AE", b"AR"}


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = sorted(CORPUS.glob("*.hl7"))
        cls.receiver = Receiver()
        cls.county = County(receiver_port=cls.receiver.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.county.stop()
        cls.receiver.stop()

    def listening(self, port):
        probe = Mllp(port)
        answer = probe.ask(b"MSH|^~\\&|A|B|C|D|20260101000000||ADT^Z99|PROBE|P|2.4\r")
        probe.close()
        return answer is not None and b"PROBE" in answer

    def ask(self, port, message):
        """All answers to one message: what comes before the answer to a probe that follows it."""
        connection = Mllp(port)
        connection.send(message)
        connection.send(b"MSH|^~\\&|A|B|C|D|20260101000000||ADT^Z99|PROBE-END|P|2.4\r")
        answers = []
        while True:
            answer = connection.receive()
            self.assertIsNotNone(answer, "the connection ended, or nothing came")
            if b"PROBE-END" in answer:
                break
            answers.append(answer)
        connection.close()
        return answers

    def check(self, port, message):
        head = header(message)
        answers = self.ask(port, message)
        if head is None:
            return
        codes = [re.search(rb"(?m)^MSA.(..)", a.replace(b"\r", b"\n")) for a in answers]
        self.assertTrue(all(codes), "an answer without MSA")
        (least, most), allowed = answers_wanted(head)
        self.assertGreaterEqual(len(answers), least, head)
        self.assertLessEqual(len(answers), most, head)
        for code, answer in zip(codes, answers):
            self.assertIn(code.group(1), allowed, head)
            if code.group(1) in (b"AE", b"AR", b"CE", b"CR"):
                self.assertRegex(answer, rb"(?m)[\r\n]ERR.", "an error names the place")

    def test_every_file_on_a_channel_that_refuses_and_on_one_that_keeps(self):
        for file in self.files:
            for port in (self.county.mllp, self.county.mllp_camhs):
                with self.subTest(file=file.name, port=port):
                    self.check(port, file.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r"))
        self.assertTrue(self.listening(self.county.mllp))

    def test_a_channel_that_keeps_answers_accept_and_raises_an_alarm(self):
        message = b"MSH|^~\\&|PAS|RZY02|CAREHUB|X|20260302091000||ADT^A99^ADT_A01|KEEP1|P|2.4\rPID|1||KEEPME^^^RZY02^MR\r"
        answer = Mllp(self.county.mllp_camhs).ask(message)
        self.assertIn(b"MSA|AA|KEEP1", answer)
        wait_until(lambda: "CH-UNMAPPABLE" in self.county.log.read_text(), "the alarm")
        self.assertNotIn("KEEPME", self.county.log.read_text())
        answer = Mllp(self.county.mllp).ask(message)
        self.assertRegex(answer, rb"MSA\|A[ER]\|KEEP1")

    def test_ten_thousand_mutations_inside_an_intact_frame(self):
        seed = int(os.environ.get("CAREHUB_SEED", random.randrange(2**32)))
        print(f"seed {seed} (run again with CAREHUB_SEED)", flush=True)
        rng = random.Random(seed)
        originals = [f.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r") for f in self.files]
        connections = [Mllp(self.county.mllp), Mllp(self.county.mllp_camhs)]
        for number in range(MUTATIONS):
            message = bytearray(rng.choice(originals))
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
            mutated = bytes(message).replace(b"\x0b", b"?").replace(b"\x1c", b"?")
            connection = connections[number % 2]
            marker = f"END{number:08d}".encode()
            connection.send(mutated)
            connection.send(b"MSH|^~\\&|A|B|C|D|20260101000000||ADT^Z99|" + marker + b"|P|2.4\r")
            while True:
                answer = connection.receive()
                self.assertIsNotNone(answer, f"mutation {number} of seed {seed} ended the connection")
                if marker in answer:
                    break
        self.assertTrue(self.listening(self.county.mllp))
        self.assertIsNone(self.county.hub.poll())


if __name__ == "__main__":
    if not CORPUS.is_dir():
        print(f"SKIPPED: no corpus at {CORPUS}; set CAREHUB_CORPUS")
        sys.exit(77)
    unittest.main(verbosity=2)
