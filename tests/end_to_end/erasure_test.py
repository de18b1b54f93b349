"""A child is erased: nothing of theirs can be read any more, whatever happens in between; all others are untouched."""
import json
import shutil
import subprocess
import unittest

from county import CAREHUB, County, Mllp, Receiver, admission, in_clear, main, nhs_number, wait_until

REASON = ["--by", "A Test", "--reason", "end to end test"]
TIMELINE = ["--role", "auditor", *REASON]


class Erasure(unittest.TestCase):
    def setUp(self):
        self.receiver = Receiver()
        self.county = County(receiver_port=self.receiver.port)
        self.copies = self.county.directory / "copies"
        self.copies.mkdir()
        text = self.county.config.read_text()
        self.county.config.write_text(text.replace("[hub]\n", f'[hub]\nvault_copies = "{self.copies}"\n', 1))
        self.county.start()
        self.gone, self.kept = nhs_number(811), nhs_number(812)
        connection = Mllp(self.county.mllp)
        for each, family in ((self.gone, "Vanishwood"), (self.kept, "Staywell")):
            for event in ("A01", "A03"):
                control = f"E{event}{each[-6:]}"
                visit = f"{family.upper()}-VISIT"
                answer = connection.ask(admission(control, each, event=event, family=family, visit=visit))
                self.assertIn(b"MSA|AA|", answer)
        # A message that cannot be taken is kept as it came.
        wrong = admission("EBAD" + self.gone[-6:], self.gone, family="Vanishwood").replace(b"20120503", b"2012X503")
        self.assertNotIn(b"MSA|AA|", connection.ask(wrong))
        connection.close()
        wait_until(lambda: self.receiver.at("/duty-desk") or self.receiver.received, "something delivered")

    def tearDown(self):
        self.county.stop()
        self.receiver.stop()

    def timeline(self, number):
        return self.county.carehub("timeline", "--person", f"nhs:{number}", *TIMELINE, "--json", check=False)

    def settled(self, number):
        """The timeline once all that was offered has been acknowledged: it says the same from then on."""
        def told():
            done = self.timeline(number)
            kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
            return done.stdout if done.returncode == 0 and "acked" in kinds and "offered" not in kinds else None
        return wait_until(told, "an acknowledgement of each delivery")

    def erase(self, person, *arguments, check=True):
        done = self.county.carehub("erase", "--person", person, *REASON, *arguments, "--json", check=check)
        return json.loads(done.stdout) if done.stdout.strip() else done

    def test_nothing_of_an_erased_person_can_be_read_and_all_others_stay(self):
        before = self.settled(self.kept)
        self.county.stop()
        backup = self.county.directory / "backup"
        shutil.copytree(self.county.data, backup, ignore=shutil.ignore_patterns("vault", "state", "*.sock", "master.key"))
        self.county.start()
        made = self.county.directory / "made-by-the-hub"
        self.county.carehub("backup", "--ledger", str(made), *REASON)
        preview = self.erase(f"nhs:{self.gone}", "--preview")
        self.assertEqual(preview["events"], 2)
        self.assertEqual(preview["refusals"], 1)
        self.assertEqual(self.timeline(self.gone).returncode, 0)
        told = self.erase(f"nhs:{self.gone}", "--yes")
        self.assertTrue(told["complete"], told)
        self.assertEqual(told["events"], 2)
        self.assertNotEqual(self.timeline(self.gone).returncode, 0)
        self.assertEqual(self.timeline(self.kept).stdout, before)
        # Pages over everything go on.
        agency = self.county.carehub("replay", *TIMELINE)
        self.assertNotIn(self.gone, agency.stdout)
        self.assertIn(self.kept, agency.stdout)
        again = self.erase(f"nhs:{self.gone}", "--yes", check=False)
        self.assertNotEqual(getattr(again, "returncode", 0), 0)
        self.county.stop()
        secrets = [self.gone, "Vanishwood", "VANISHWOOD-VISIT", "Robin", "20120503", "2012-05-03", "2012X503", "Sample Lane",
                   "07700900001", "NM1 1AA"]
        for place in (self.county.data, backup, made, self.county.log):
            self.assertEqual(in_clear(place, secrets), [], place)
        # Every entry is read, and its hash compared.
        self.county.carehub("rebuild")
        self.county.start()
        self.assertEqual(self.timeline(self.kept).stdout, before)
        self.assertNotEqual(self.timeline(self.gone).returncode, 0)
        # The ledger as it was before the erasure gives nothing away with the vault as it is now.
        self.county.stop()
        for name in ("vault", "master.key"):
            shutil.copy(self.county.data / name, backup / name)
        shutil.rmtree(self.county.data)
        shutil.move(backup, self.county.data)
        self.county.start()
        self.assertEqual(self.timeline(self.kept).stdout, before)
        self.assertNotEqual(self.timeline(self.gone).returncode, 0)
        everything = self.county.carehub("replay", *TIMELINE).stdout
        self.assertNotIn(self.gone, everything)
        self.assertNotIn("Vanishwood", everything)

    def test_an_older_copy_of_the_vault_is_named_and_an_erasure_is_complete_once_it_is_gone(self):
        shutil.copy(self.county.data / "vault", self.copies / "vault.monday")
        told = self.erase(f"nhs:{self.gone}", "--yes")
        self.assertFalse(told["complete"])
        self.assertIn("vault.monday", told["text"])
        (self.copies / "vault.monday").unlink()
        told = self.erase(f"sequence:{told['recorded_as']}", "--yes")
        self.assertTrue(told["complete"])

    def test_an_older_vault_that_is_put_back_loses_the_keys_again_before_anything_is_served(self):
        shutil.copy(self.county.data / "vault", self.county.directory / "older")
        self.erase(f"nhs:{self.gone}", "--yes")
        self.county.stop()
        shutil.copy(self.county.directory / "older", self.county.data / "vault")
        self.county.start()
        self.assertIn("erasure-finished", self.county.log.read_text())
        self.assertNotEqual(self.timeline(self.gone).returncode, 0)
        self.assertEqual(self.timeline(self.kept).returncode, 0)

    def test_a_hub_that_is_killed_while_it_erases_has_finished_at_the_next_start_or_not_begun(self):
        for index in range(5):
            number = nhs_number(820 + index)
            connection = Mllp(self.county.mllp)
            self.assertIn(b"MSA|AA|", connection.ask(admission(f"KILL{index}", number, family="Vanishwood")))
            connection.close()
            vault = self.county.data / "vault"
            inode = vault.stat().st_ino
            asking = subprocess.Popen([CAREHUB, "erase", str(self.county.config), "--person", f"nhs:{number}",
                                       *REASON, "--yes", "--json"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            if index % 2:
                wait_until(lambda: vault.stat().st_ino != inode, "a new vault")
            self.county.kill()
            asking.kill()
            asking.communicate()
            self.county.start()
            there = self.timeline(number).returncode == 0
            if index % 2:
                self.assertFalse(there)
            if there:
                self.assertTrue(self.erase(f"nhs:{number}", "--yes")["complete"])
            self.assertNotEqual(self.timeline(number).returncode, 0)
            self.assertEqual(self.timeline(self.kept).returncode, 0)

    def test_a_new_event_after_an_erasure_begins_anew(self):
        self.erase(f"nhs:{self.gone}", "--yes")
        connection = Mllp(self.county.mllp)
        self.assertIn(b"MSA|AA|", connection.ask(admission("ENEW0001", self.gone, family="Vanishwood")))
        connection.close()
        rows = [json.loads(line) for line in self.timeline(self.gone).stdout.splitlines()]
        self.assertEqual(len([row for row in rows if row.get("kind", "event") == "event"]), 1, rows)

    def test_nothing_is_erased_without_a_yes_or_of_nobody(self):
        asked = self.county.carehub("erase", "--person", f"nhs:{self.gone}", *REASON, check=False)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("--yes", asked.stderr)
        nobody = self.county.carehub("erase", "--person", f"nhs:{nhs_number(899)}", *REASON, "--yes", check=False)
        self.assertNotEqual(nobody.returncode, 0)
        self.assertEqual(self.timeline(self.gone).returncode, 0)

    def test_the_vault_gets_another_master_key_and_the_ledger_says_so(self):
        self.county.stop()
        master = self.county.data / "master.key"
        before = master.read_text()
        done = rotate(self.county)
        self.assertRegex(done, "recorded as entry [0-9]+")
        self.assertNotEqual(master.read_text(), before)
        self.county.start()
        self.assertEqual(self.timeline(self.gone).returncode, 0)


def rotate(county):
    done = subprocess.run([CAREHUB, "vault", "rotate", str(county.config), "--by", "A Test", "--reason", "a test"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
