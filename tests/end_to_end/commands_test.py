"""Every command as a user would type it."""
import datetime
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from county import CAREHUB, County, Mllp, Receiver, Watch, admission, main, nhs_number, wait_until


def commands():
    """Every command, as `carehub --help` lists them."""
    shown = subprocess.run([CAREHUB, "--help"], capture_output=True, text=True, check=True).stdout
    listed = shown.split("Subcommands:\n")[1].split("\n\n")[0]
    return re.findall(r"(?m)^  ([a-z-]+)", listed)


class Commands(unittest.TestCase):
    def test_every_command_explains_itself_with_an_example(self):
        self.assertGreater(len(commands()), 12)
        for command in commands():
            shown = subprocess.run([CAREHUB, command, "--help"], capture_output=True, text=True)
            self.assertEqual(shown.returncode, 0, command)
            self.assertRegex(shown.stdout, rf"(?m)^Usage: carehub {command} \[")
            example = shown.stdout.split("Example:")[1]
            configured = ".*hub\\.toml" if re.search(r"(?m)^Usage: .*hub\.toml", shown.stdout) else ""
            self.assertRegex(example, rf"carehub {command}{configured}", f"{command} --help shows an example")

    def test_check_is_silent_about_nothing_and_content_with_the_sample(self):
        county = County()
        done = county.carehub("check")
        self.assertEqual(done.returncode, 0)
        self.assertFalse(county.data.exists(), "check touches nothing")

    def test_try_tells_what_a_message_would_become_and_touches_nothing(self):
        county = County()
        file = county.directory / "message.hl7"
        file.write_bytes(admission("TRY1", nhs_number(701), facility="RZY02", ward="WILLOW"))
        done = county.carehub("try", "--channel", "fenbrook-adt", str(file))
        for expected in ("admission", "person.nhs_number", "PID-3", "tier4-notice", "council-duty-desk", "MSA|AA|TRY1"):
            self.assertIn(expected, done.stdout)
        self.assertFalse(county.data.exists(), "try touches nothing")
        file.write_bytes(admission("TRY2", "9990000001"))
        wrong = county.carehub("try", "--channel", "elwick-adt", str(file), check=False)
        self.assertEqual(wrong.returncode, 1, wrong.stdout + wrong.stderr)
        self.assertIn("PID-3", wrong.stdout + wrong.stderr)

    def test_a_bench_delivers_every_event_and_prints_one_object(self):
        with tempfile.TemporaryDirectory() as directory:
            for arguments in (["--events", "500"], ["--events", "500", "--curve", "--subscribers", "20"],
                              ["history", "--events", "500"]):
                done = subprocess.run([CAREHUB, "bench", *arguments, "--children", "50", "--json", "--data",
                                       str(pathlib.Path(directory) / "data")], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                told = json.loads(done.stdout)
                self.assertEqual(told["events"], 500)
                if told["work"] == "publish":
                    self.assertEqual(told["deliveries"], 1500)
                    self.assertGreater(told["published_per_second"], 0)
                else:
                    self.assertGreaterEqual(told["replayed"], 500)
                    self.assertGreater(told["timeline_rows_per_page"], 0)

    def test_publish_watch_timeline_replay_and_rebuild(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port).start()
        watch = Watch(county, "--role", "tier4-case-manager", "--agency", "march-commissioner", "--type", "admission",
                      "--tier", "4")
        try:
            number = nhs_number(702)
            connection = Mllp(county.mllp_camhs)
            self.assertIn(b"MSA|AA|", connection.ask(admission("CMD1", number, facility="RZY02", ward="WILLOW")))
            line = watch.line(0)
            self.assertIn(number, line)
            self.assertNotIn("Sample Lane", line)

            event = {"id": "0b5a8f5e-3c43-4d0c-9e0e-000000000702", "type": "safeguarding_flag",
                     "source_agency": "northmarch-council", "occurred_at": "2026-03-02T10:00+00:00",
                     "person": {"nhs_number": number, "birth_date": "2012-05-03"},
                     "safeguarding_flag": {"status": "raised"}}
            file = county.directory / "event.json"
            file.write_text(json.dumps(event))
            county.carehub("publish", "--agency", "northmarch-council", str(file))

            rows = county.rows("timeline", "--person", f"nhs:{number}", "--role", "auditor", "--by", "a tester", "--reason",
                               "test")
            told = json.dumps(rows)
            self.assertIn("admission", told)
            self.assertIn("safeguarding_flag", told)

            preview = county.carehub("replay", "--preview", "--role", "auditor", "--by", "a tester", "--reason", "test")
            self.assertRegex(preview.stdout, r"\b2\b")
            replayed = county.rows("replay", "--role", "auditor", "--by", "a tester", "--reason", "test")
            self.assertEqual(len([r for r in replayed if "admission" in json.dumps(r)]) >= 1, True)
            self.assertEqual(county.rows("dead-letters"), [])
        finally:
            watch.stop()
        self.assertEqual(county.stop(), 0)
        rebuilt = county.carehub("rebuild")
        self.assertEqual(rebuilt.returncode, 0)
        county.start()
        again = county.rows("timeline", "--person", f"nhs:{number}", "--role", "auditor", "--by", "a tester", "--reason",
                            "test")
        self.assertIn("safeguarding_flag", json.dumps(again))
        self.assertEqual(county.stop(), 0)
        receiver.stop()

    def test_a_dead_letter_is_mended(self):
        answers = [422]  # to the first delivery; the receiver takes what comes then
        receiver = Receiver(lambda path, body: answers.pop() if answers else 200)
        county = County(receiver_port=receiver.port).start()
        number = nhs_number(703)
        self.assertIn(b"MSA|AA|", Mllp(county.mllp).ask(admission("MEND1", number)))
        dead = wait_until(lambda: county.rows("dead-letters"), "the dead letter")[0]
        asked = ("--by", "a tester", "--reason", "test")
        one = ("--subscription", dead["subscription"], "--sequence", str(dead["sequence"]), *asked)
        shown = county.rows("dead-letters", "show", *one, "--role", "auditor")[0]
        file = county.directory / "mended.json"

        file.write_text("{\n")
        wrong = county.carehub("dead-letters", "mend", *one, "--event", str(file), check=False)
        self.assertEqual(wrong.returncode, 1, wrong.stdout + wrong.stderr)
        self.assertRegex(wrong.stderr, re.escape(str(file)) + ": .*line 2")
        shown["event"]["admission"]["location"]["unit"] = "The mended unit"
        file.write_text(json.dumps(shown))
        stranger = json.loads(file.read_text())
        stranger["event"]["person"]["nhs_number"] = nhs_number(704)
        stranger["event"]["person"].pop("local_identifiers", None)
        (county.directory / "stranger.json").write_text(json.dumps(stranger))
        wrong = county.carehub("dead-letters", "mend", *one, "--event", str(county.directory / "stranger.json"), check=False)
        self.assertEqual(wrong.returncode, 1, wrong.stdout + wrong.stderr)
        self.assertIn("stranger.json: person: ", wrong.stderr)
        self.assertNotIn(nhs_number(704), wrong.stderr)

        done = county.carehub("dead-letters", "mend", *one, "--event", str(file)).stdout
        self.assertIn(f"stands in for entry {dead['sequence']}", done)
        wait_until(lambda: "The mended unit" in json.dumps(receiver.received), "the mended event at its receiver")
        self.assertEqual(county.rows("dead-letters"), [])
        again = county.carehub("dead-letters", "mend", *one, "--event", str(file), check=False)
        self.assertEqual(again.returncode, 1, again.stdout + again.stderr)
        self.assertIn("it is mended already", again.stderr)

        def told():
            rows = county.rows("timeline", "--person", f"nhs:{number}", "--role", "auditor", *asked)
            return [row for row in rows if row["kind"] == "event"]
        mended, original = told()
        self.assertEqual(original["sequence"], dead["sequence"])
        self.assertEqual(mended["text"], f"stands in for entry {dead['sequence']}")
        replayed = county.rows("replay", "--role", "auditor", *asked)
        self.assertEqual([row["sequence"] for row in replayed if "event" in row], [dead["sequence"]])
        self.assertEqual(county.stop(), 0)
        county.carehub("rebuild")
        county.start()
        self.assertEqual(told(), [mended, original])
        self.assertEqual(county.rows("dead-letters"), [])
        self.assertEqual(county.stop(), 0)
        receiver.stop()

    def test_an_auditor_asks_who_knew_what_when(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port).start()
        number = nhs_number(705)
        self.assertIn(b"MSA|AA|", Mllp(county.mllp).ask(admission("AUD1", number)))
        asked = ("--by", "a tester", "--reason", "case review 4")

        def audit(*arguments, check=True):
            done = subprocess.run([CAREHUB, "audit", arguments[0], str(county.config), *arguments[1:], *asked],
                                  capture_output=True, text=True, timeout=300)
            if check:
                self.assertEqual(done.returncode, 0, done.stderr)
            return done

        def as_of(agency, at):
            done = audit("as-of", "--agency", agency, "--person", f"nhs:{number}", "--at", at, "--json", check=False)
            self.assertIn(done.returncode, (0, 7), done.stderr)
            return [json.loads(line) for line in done.stdout.splitlines()]

        def taken():
            rows = as_of("northmarch-council", "2999-01-01")
            return rows if [row["kind"] for row in rows] == ["acknowledged"] else None
        seen = wait_until(taken, "the council's acknowledgement")[0]
        self.assertEqual(seen["subscription"], "council-duty-desk")
        self.assertEqual(seen["role"], "social-care-duty")
        self.assertIn("admission", seen["event"]["type"])
        self.assertEqual(seen["rule"], "duty desk sees care events of its residents")
        self.assertEqual(as_of("northmarch-council", "2001-01-01"), [])
        then = as_of("northmarch-council", seen["offered_at"])
        self.assertEqual([row["offered_at"] for row in then], [seen["offered_at"]])
        self.assertEqual(as_of("elwick-hospital", "2999-01-01"), [])

        trail = [json.loads(line) for line in audit("trail", "--json").stdout.splitlines()]
        self.assertEqual(trail[-1]["act"], "trail", "that it was asked is in it")
        asks = [row for row in trail if row.get("act") == "as_of"]
        self.assertGreaterEqual(len(asks), 4)
        self.assertTrue(all(row["reason"] == "case review 4" for row in asks))
        self.assertNotIn(number, json.dumps(trail))
        self.assertTrue(audit("trail", "--csv").stdout.startswith("sequence,appended_at,kind,act,by,"))
        self.assertEqual(county.stop(), 0)
        receiver.stop()

    def test_a_quarter_s_figures_are_made_again(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port).start()
        number = nhs_number(706)
        message = admission("REP1", number)
        for _ in range(2):
            self.assertIn(b"MSA|AA|", Mllp(county.mllp).ask(message))

        def report(quarter, *arguments):
            done = subprocess.run([CAREHUB, "audit", "report", str(county.config), "--quarter", quarter, *arguments, "--by",
                                   "a tester", "--reason", "the board"], capture_output=True, text=True, timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn(number, done.stdout + done.stderr)
            return done

        def figures(quarter, *arguments):
            rows = [json.loads(line) for line in report(quarter, "--json", *arguments).stdout.splitlines()]
            return rows[0], {(row["group"], row["name"], row["by"]): row.get("value") for row in rows[1:]}

        today = datetime.datetime.now(datetime.timezone.utc)
        quarter = f"{today.year}-Q{(today.month - 1) // 3 + 1}"
        head, now = figures(quarter)
        self.assertEqual(head["state"], "provisional")
        self.assertEqual(now["events", "admission", "elwick-hospital"], 1)
        self.assertEqual(now["repeats", "elwick-adt", "elwick-hospital"], 1)
        self.assertTrue(report(quarter, "--csv").stdout.startswith("report,state,group,name,by,value,first_made"))
        self.assertIn("suppressed", report(quarter, "--csv").stdout)

        first, was = figures("2001-Q1")
        self.assertEqual(first["state"], "first")
        again, still = figures("2001-Q1")
        self.assertEqual((again["state"], again["sequence"]), ("again", first["sequence"]))
        self.assertEqual(still, was)
        self.assertEqual(figures("2001-Q1", "--definition", "2")[0]["state"], "first")
        self.assertEqual(county.stop(), 0)
        county.carehub("rebuild")
        county.start()
        self.assertEqual(figures("2001-Q1")[0]["sequence"], first["sequence"])
        trail = subprocess.run([CAREHUB, "audit", "trail", str(county.config), "--json", "--by", "a tester", "--reason",
                                "the board"], capture_output=True, text=True, timeout=300)
        rows = [json.loads(line) for line in trail.stdout.splitlines()]
        asked = [row["text"] for row in rows if row["kind"] == "access" and row.get("act") == "report"]
        self.assertIn("2001-Q1, definition 1", asked)
        self.assertEqual([row["sequence"] for row in rows if row["kind"] == "report"][0], first["sequence"])
        self.assertEqual(county.stop(), 0)
        receiver.stop()

    def test_a_hub_that_is_not_running_is_named(self):
        done = County().carehub("dead-letters", check=False)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertTrue(done.stderr.strip())


if __name__ == "__main__":
    main()
