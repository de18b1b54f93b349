"""An admission enters over MLLP from an HL7 library that is not ours, and each agency gets what it may know."""
import csv
import json
import re
import unittest
import urllib.error
import urllib.request

import hl7
from hl7.client import MLLPClient

from county import TOKEN, County, Receiver, admission, in_clear, main, nhs_number, packed, wait_until

SCHOOL = "900101^Holm Lane School"
AUTHORITY = "E10000099"


class Pipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.receiver = Receiver()
        cls.county = County(receiver_port=cls.receiver.port).start()

    @classmethod
    def tearDownClass(cls):
        code = cls.county.stop()
        cls.receiver.stop()
        assert code == 0, f"the hub ended with {code}"

    def send(self, message, port=None):
        with MLLPClient("127.0.0.1", port or self.county.mllp) as client:
            return hl7.parse(client.send_message(message).decode().strip("\x0b\x1c\r"))

    def duty_desk(self, number):
        return [e for e in self.receiver.at("/duty-desk") if e["data"].get("person", {}).get("nhs_number") == number]

    def school_files(self):
        return sorted((self.county.files / "holm/out").glob("*.csv"))

    def test_an_acute_admission_reaches_council_and_school_each_in_its_own_view(self):
        number = nhs_number(101)
        ack = self.send(admission("PIPE0001", number, family="Quillfeather", school=SCHOOL))
        self.assertEqual(str(ack.segment("MSA")[1]), "AA")
        self.assertEqual(str(ack.segment("MSA")[2]), "PIPE0001")
        event = wait_until(lambda: self.duty_desk(number), "the duty desk's webhook")[0]
        self.assertEqual(event["specversion"], "1.0")
        self.assertEqual(event["data"]["type"], "admission")
        self.assertEqual(event["data"]["person"]["home_authority"]["code"], AUTHORITY)
        self.assertEqual(event["data"]["admission"]["location"]["site"]["code"], "RZX01")
        self.assertEqual(event["data"]["admission"]["consultant"]["name"], "Alex Example")
        self.assertNotIn("gp_practice", event["data"]["person"])

        file = wait_until(lambda: [f for f in self.school_files() if b"Quillfeather" in f.read_bytes()],
                          "the school's file")[0]
        raw = file.read_bytes()
        rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
        self.assertEqual(len(rows), 1)
        self.assertIn("Absent for health reasons", ",".join(rows[0].values()))
        for withheld in (number, "RZX01", "SUNFLOWER", "Example", "NM1 1AA", "2012"):
            self.assertNotIn(withheld.encode(), raw, f"{withheld} is not the school's to know")
        self.assertTrue(raw.endswith(b"\r\n"))
        wait_until(lambda: all(path.suffix == ".csv" for path in (self.county.files / "holm/out").iterdir()),
                   "nothing but whole files")

    def test_a_tier_4_admission_is_a_notice_to_the_commissioner_and_an_acute_one_is_not(self):
        acute, tier4 = nhs_number(102), nhs_number(103)
        self.send(admission("PIPE0002", acute))
        ack = self.send(admission("PIPE0003", tier4, facility="RZY02", ward="WILLOW", family="Merriweather"),
                        self.county.mllp_camhs)
        self.assertEqual(str(ack.segment("MSA")[1]), "AA")
        notices = wait_until(lambda: [n for n in self.receiver.at("/tier4-notices")
                                      if n["data"]["person"]["nhs_number"] == tier4], "the Tier 4 notice")
        self.assertEqual(notices[0]["data"]["admission"]["tier"], 4)
        self.assertNotIn("addresses", notices[0]["data"]["person"])
        self.assertNotIn("contacts", notices[0]["data"]["person"])
        wait_until(lambda: self.duty_desk(acute), "the duty desk's event")
        self.assertFalse([n for n in self.receiver.at("/tier4-notices") if n["data"]["person"]["nhs_number"] == acute])

    def test_a_child_at_a_sensitive_address_is_told_of_without_anything_that_tells_where(self):
        number = nhs_number(117)
        ack = self.send(admission("PIPE0017", number, family="Larkspur", school=SCHOOL, protected="Y"))
        self.assertEqual(str(ack.segment("MSA")[1]), "AA")
        wait_until(lambda: self.duty_desk(number), "the duty desk's event")
        told = json.dumps(self.duty_desk(number))
        self.assertIn("Larkspur", told)
        for withheld in ("Sample Lane", "NM1", "07700900001", "G1234567", "900101", "Holm Lane", AUTHORITY):
            self.assertNotIn(withheld, told)

    def test_the_same_message_twice_is_told_once_and_gets_the_old_receipt(self):
        number = nhs_number(104)
        message = admission("PIPE0004", number)
        again = message.replace(b"||20120503|", b"||20120503|").replace(b"NORTHMARCH|20260302091000",
                                                                        b"NORTHMARCH|20260302091507")
        self.assertEqual(str(self.send(message).segment("MSA")[1]), "AA")
        self.assertEqual(str(self.send(message).segment("MSA")[1]), "AA")
        self.assertEqual(str(self.send(again).segment("MSA")[1]), "AA", "a resend with a new MSH-7")
        wait_until(lambda: self.duty_desk(number), "the duty desk's event")
        self.send(admission("PIPE0005", nhs_number(105)))
        wait_until(lambda: self.duty_desk(nhs_number(105)), "a later event")
        self.assertEqual(len(self.duty_desk(number)), 1)

    def test_a_control_id_that_comes_again_with_other_content_is_a_new_event(self):
        first, second = nhs_number(106), nhs_number(107)
        self.assertEqual(str(self.send(admission("PIPE0006", first)).segment("MSA")[1]), "AA")
        self.assertEqual(str(self.send(admission("PIPE0006", second)).segment("MSA")[1]), "AA")
        wait_until(lambda: self.duty_desk(first) and self.duty_desk(second), "both events")

    def test_an_error_names_segment_and_field_and_never_the_value(self):
        ack = self.send(admission("PIPE0007", "9990000001"))
        self.assertEqual(str(ack.segment("MSA")[1]), "AE")
        self.assertIn("PID", str(ack.segment("ERR")))
        self.assertNotIn("9990000001", str(ack))
        self.assertNotIn("9990000001", self.county.log.read_text())

    def test_an_adult_is_acknowledged_and_leaves_nothing_behind(self):
        number = nhs_number(108)
        before = self.county.rows("status")
        ack = self.send(admission("PIPE0008", number, born="19700101"))
        self.assertEqual(str(ack.segment("MSA")[1]), "AA")
        self.send(admission("PIPE0009", nhs_number(109)))
        wait_until(lambda: self.duty_desk(nhs_number(109)), "a later event")
        self.assertEqual(self.duty_desk(number), [])
        timeline = self.county.carehub("timeline", "--person", f"nhs:{number}", "--role", "auditor", "--by", "test",
                                       "--reason", "test", "--json", check=False)
        self.assertNotIn("admission", timeline.stdout)
        self.assertTrue(before)

    def post(self, body, token=TOKEN):
        request = urllib.request.Request(f"http://127.0.0.1:{self.county.http}/events", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def flag(self, event_id, number):
        return {"id": event_id, "type": "safeguarding_flag", "occurred_at": "2026-03-02T10:00+00:00",
                "person": {"nhs_number": number, "birth_date": "2012-05-03",
                           "home_authority": {"code": AUTHORITY, "scheme": "gss"}},
                "safeguarding_flag": {"status": "raised", "reason": {"system": "http://snomed.info/sct",
                                                                     "code": "836881000000105"}}}

    def test_a_council_posts_an_event_and_gets_the_receipt(self):
        number = nhs_number(110)
        flag = self.flag("0b5a8f5e-3c43-4d0c-9e0e-000000000110", number)
        status, answer = self.post(flag)
        self.assertEqual(status, 200, answer)
        self.assertRegex(json.dumps(answer), r'"sequence":\s*[1-9]')
        again, second = self.post(flag)
        self.assertEqual(again, 200)
        sequence = re.search(r'"sequence":\s*(\d+)', json.dumps(answer)).group(1)
        self.assertIn(f'"sequence": {sequence}', json.dumps(second))
        flag["safeguarding_flag"]["status"] = "closed"
        self.assertEqual(self.post(flag)[0], 409, "the same id with other content")
        wait_until(lambda: self.duty_desk(number), "the duty desk's event")

    def test_a_batch_keeps_the_good_and_names_the_bad(self):
        good = self.flag("0b5a8f5e-3c43-4d0c-9e0e-000000000111", nhs_number(111))
        bad = self.flag("0b5a8f5e-3c43-4d0c-9e0e-000000000112", "9990000001")
        status, answer = self.post([good, bad])
        self.assertEqual(status, 422, answer)
        self.assertIn("person.nhs_number", json.dumps(answer))
        self.assertNotIn("9990000001", json.dumps(answer))
        wait_until(lambda: self.duty_desk(nhs_number(111)), "the good event")

    def test_a_wrong_token_lets_nothing_in(self):
        status, _ = self.post(self.flag("0b5a8f5e-3c43-4d0c-9e0e-000000000113", nhs_number(113)), "another-token")
        self.assertEqual(status, 401)

    def test_no_log_line_holds_a_name_or_a_number(self):
        number = nhs_number(114)
        self.send(admission("PIPE0014", number, family="Zephyrhill"))
        wait_until(lambda: self.duty_desk(number), "the duty desk's event")
        secrets = [number, "Zephyrhill", "Quillfeather", "Merriweather", "Robin", "Sample Lane", "20120503", "2012-05-03",
                   "07700900001", "NM1 1AA", TOKEN]
        self.assertEqual(in_clear(self.county.log, secrets), [])

    def test_nothing_of_a_person_is_in_clear_on_disk(self):
        number = nhs_number(115)
        self.send(admission("PIPE0015", number, family="Thistlewood"))
        wait_until(lambda: self.duty_desk(number), "the duty desk's event")
        secrets = [number, "Thistlewood", "Robin", "Sample Lane", "20120503", "2012-05-03", "07700900001", "NM1 1AA"]
        self.assertEqual(in_clear(self.county.data, secrets), [])
        # The search would have found them, though no reader of the file would.
        for secret in secrets:
            planted = b"\x01" + packed(("".join(f"{n * 7919:x} " for n in range(99)) + secret).encode())
            self.assertNotIn(secret.encode(), planted)
            (self.county.data / "planted").write_bytes(planted)
            self.assertEqual(in_clear(self.county.data, secrets), [f"{secret} in planted"])
        (self.county.data / "planted").unlink()

    def test_timeline_shows_what_each_was_offered(self):
        number = nhs_number(116)
        self.send(admission("PIPE0016", number, school=SCHOOL))
        wait_until(lambda: self.duty_desk(number), "the duty desk's event")
        rows = self.county.rows("timeline", "--person", f"nhs:{number}", "--role", "auditor", "--by", "test",
                                "--reason", "end to end test")
        self.assertTrue(any("admission" in json.dumps(row) for row in rows), rows)
        self.assertIn("council-duty-desk", json.dumps(rows))


if __name__ == "__main__":
    main()
