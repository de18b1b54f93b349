"""A hub is backed up while it works, and restored: whole, up to an entry, after an erasure, with a damaged or a
half-written backup. What stands in the ledger's copy gives nothing away, and no hub signs for another's log."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import unittest

from county import CAREHUB, County, Mllp, Receiver, admission, main, nhs_number, wait_until

REASON = ["--by", "A Test", "--reason", "end to end test"]
TIMELINE = ["--role", "auditor", *REASON]
ORIGIN = "hub.northmarch.example/restored"
KEY_FILES = {"vault", "master.key", "signing.key"}


def run(*arguments, check=True):
    done = subprocess.run([CAREHUB, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=300)
    if check and done.returncode:
        raise AssertionError(f"carehub {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def stands_still(pid):
    """Each of its threads has stopped."""
    try:
        states = [(thread / "stat").read_text().rsplit(")", 1)[1].split()[0]
                  for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # one ends
        return False
    return set(states) == {"T"}


def audit(directory):
    return run("audit", "verify", "--ledger", directory)


class Backup(unittest.TestCase):
    def setUp(self):
        self.receiver = Receiver()
        self.county = County(receiver_port=self.receiver.port)
        self.county.start()
        self.top = self.county.directory
        self.ledger, self.vault = self.top / "ledger-copy", self.top / "vault-copy"
        self.admitted = 0

    def tearDown(self):
        self.county.stop()
        self.receiver.stop()

    def admit(self, number, event="A01", family="Stayhere"):
        self.admitted += 1
        connection = Mllp(self.county.mllp)
        answer = connection.ask(admission(f"B{self.admitted:07d}", number, event=event, family=family))
        self.assertIn(b"MSA|AA|", answer)
        connection.close()

    def timeline(self, number, check=True):
        return self.county.carehub("timeline", "--person", f"nhs:{number}", *TIMELINE, "--json", check=check)

    def story(self, number):
        """What the timeline tells of the child itself, and not of who has asked since."""
        rows = [json.loads(line) for line in self.timeline(number).stdout.splitlines()]
        return [row for row in rows if row.get("kind", "event") == "event"]

    def back_up(self, ledger=None, vault=None, check=True):
        return self.county.carehub("backup", "--ledger", str(ledger or self.ledger), "--vault",
                                   str(vault or self.vault), *REASON, "--json", check=check)

    def restore(self, *arguments, ledger=None, vault=None, into=None, origin=ORIGIN, check=True):
        return run("restore", self.county.config, "--ledger", ledger or self.ledger, "--vault", vault or self.vault,
                   "--into", into or self.top / "restored", "--master-key", self.top / "master.key", "--origin", origin,
                   *REASON, "--json", *arguments, check=check)

    def erase(self, person):
        return json.loads(self.county.carehub("erase", "--person", person, *REASON, "--yes", "--json").stdout)

    def keep_master_key(self):
        shutil.copy(self.county.data / "master.key", self.top / "master.key")

    def run_on(self, data):
        """The county's hub runs on another data directory from now on."""
        self.county.stop()
        text = self.county.config.read_text()
        self.county.config.write_text(text.replace(f'data = "{self.county.data}"', f'data = "{data}"'))
        self.county.data = data
        self.county.start()

    def test_a_hub_that_is_backed_up_goes_on_receiving_and_its_copy_is_whole(self):
        stop, answers, count = threading.Event(), [], [0]

        def publish():
            connection = Mllp(self.county.mllp)
            while not stop.is_set():
                count[0] += 1
                answers.append(connection.ask(admission(f"L{count[0]:07d}", nhs_number(count[0] % 50))))
            connection.close()

        publisher = threading.Thread(target=publish, daemon=True)
        publisher.start()
        self.addCleanup(stop.set)
        wait_until(lambda: len(answers) > 50, "some receipts")
        before = len(answers)
        told = json.loads(self.back_up().stdout)
        during = len(answers)
        wait_until(lambda: len(answers) > during, "a receipt after the backup")
        stop.set()
        publisher.join()
        self.assertTrue(all(answer and b"MSA|AA|" in answer for answer in answers))
        self.assertGreaterEqual(told["sequence"], before)
        self.assertIn(f"{told['sequence']} entries", audit(self.ledger).stdout)
        names = {file.name for file in self.ledger.rglob("*")}
        self.assertEqual(names & KEY_FILES, set())
        self.assertIn("checkpoint.keys", names)
        self.assertEqual({file.name for file in self.vault.iterdir()}, {"vault", "vault.places"})
        secrets = [(self.county.data / "master.key").read_text().strip(), "PRIVATE+KEY", "Testchild", nhs_number(1)]
        for file in self.ledger.rglob("*"):
            if file.is_file():
                held = file.read_bytes()
                self.assertEqual([secret for secret in secrets if secret.encode() in held], [], file.name)
        trail = run("audit", "trail", self.county.config, *REASON, "--json").stdout
        counts = {row.get("kind"): row.get("count") for row in self.county.rows("status")}
        self.assertEqual(counts["scrub_faults"], 0)
        self.assertEqual(counts["scrub_first_bad_entry"], 0)
        self.assertIn("ledger-copy", trail)
        self.assertIn("backup", trail)

    def test_a_backup_that_cannot_be_made_says_why_and_leaves_nothing(self):
        self.admit(nhs_number(901))
        self.ledger.mkdir()
        there = self.back_up(check=False)
        self.assertEqual(there.returncode, 4)
        self.assertIn("exists", there.stderr)
        self.ledger.rmdir()
        nested = self.back_up(vault=self.ledger / "vault", check=False)
        self.assertNotEqual(nested.returncode, 0)
        self.assertIn("keep them apart", nested.stderr)
        own = self.back_up(ledger=self.county.data / "copy", check=False)
        self.assertIn("data directory", own.stderr)
        lost = self.back_up(ledger=self.top / "no" / "place", check=False)
        self.assertEqual(lost.returncode, 7)
        self.assertIn("mount its disk", lost.stderr)
        unwritable = self.back_up(ledger="/proc/carehub-copy", check=False)
        self.assertEqual(unwritable.returncode, 4)
        self.assertFalse(self.ledger.exists())
        self.assertFalse(self.vault.exists())
        self.back_up()

    def stopped_at(self, draft, pause):
        """Asks for a backup, and lets the hub do a little of it at a time until it stands still in the middle: is there
        only a draft now?"""
        self.county.hub.send_signal(signal.SIGSTOP)
        asking = subprocess.Popen([CAREHUB, "backup", str(self.county.config), "--ledger", str(self.ledger), "--vault",
                                   str(self.vault), *REASON], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL)
        self.addCleanup(asking.wait)
        self.addCleanup(asking.kill)
        while not draft.exists() and not self.ledger.exists():
            self.assertIsNone(asking.poll(), "the backup has ended without a copy")
            self.county.hub.send_signal(signal.SIGCONT)
            time.sleep(pause)
            self.county.hub.send_signal(signal.SIGSTOP)
            wait_until(lambda: stands_still(self.county.hub.pid), "the hub to stand still")
        if draft.exists():
            return True
        self.county.hub.send_signal(signal.SIGCONT)
        self.assertEqual(asking.wait(300), 0)
        return False

    def test_a_hub_that_is_killed_in_the_middle_leaves_no_backup(self):
        draft = self.top / "ledger-copy.unfinished"
        for index in range(40):
            self.admit(nhs_number(910 + index))
        rounds = 1
        while not self.stopped_at(draft, pause=0.001 / rounds):
            # It did all of it in one go.
            rounds += 1
            self.assertLessEqual(rounds, 100, "the copy was never met at work")
            shutil.rmtree(self.ledger)
            shutil.rmtree(self.vault)
        self.county.kill()
        self.assertTrue(draft.exists())
        self.assertFalse(self.ledger.exists())
        self.keep_master_key()
        refused = self.restore(ledger=draft, vault=self.county.data, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("cut short", refused.stderr)
        self.county.start()
        again = self.back_up(check=False)
        self.assertEqual(again.returncode, 4)
        self.assertIn("ledger-copy.unfinished", again.stderr)
        shutil.rmtree(draft)
        shutil.rmtree(self.vault, ignore_errors=True)
        self.back_up()
        audit(self.ledger)

    def test_what_is_restored_tells_the_same_and_signs_for_itself(self):
        number = nhs_number(931)
        self.admit(number)
        self.admit(number, event="A03")
        before = self.story(number)
        self.back_up()
        self.keep_master_key()
        same = self.restore(origin="carehub/northmarch", check=False)
        self.assertNotEqual(same.returncode, 0)
        told = json.loads(self.restore().stdout)
        restored = self.top / "restored"
        self.assertEqual(told["restored_to"], told["backup_entries"])
        self.assertIn(ORIGIN, audit(restored).stdout)
        keys = (restored / "checkpoint.keys").read_text()
        self.assertIn(ORIGIN, keys)
        self.assertNotIn("carehub/northmarch+", keys)
        self.assertIn("carehub/northmarch", (restored / "restored.checkpoint").read_text())
        self.assertEqual(self.restore(check=False).returncode, 4)
        self.run_on(restored)
        self.assertEqual(self.story(number), before)
        self.admit(nhs_number(932))
        trail = run("audit", "trail", self.county.config, *REASON, "--json").stdout
        self.assertIn('"restore"', trail)
        self.county.stop()
        audit(restored)

    def test_a_restore_up_to_an_entry_leaves_out_what_came_later_but_no_erasure(self):
        first, gone, later = nhs_number(941), nhs_number(942), nhs_number(943)
        self.admit(first)
        self.admit(gone, family="Vanishwood")
        self.back_up(self.top / "early-ledger", self.top / "early-vault")
        until = max(row["sequence"] for row in self.story(first) + self.story(gone))
        self.admit(later)
        self.county.carehub("erase", "--person", f"nhs:{gone}", *REASON, "--yes")
        self.back_up(vault=self.top / "late-vault")
        self.keep_master_key()
        before = self.story(first)
        # The older vault still has the keys of whom the newer ledger has erased.
        told = json.loads(self.restore("--to-sequence", str(until), vault=self.top / "early-vault").stdout)
        self.assertEqual(told["restored_to"], until)
        self.assertGreaterEqual(told["erasures_honoured"], 1)
        self.assertGreaterEqual(told["keys_destroyed"], 1)
        self.assertGreaterEqual(told["entries"], told["backup_entries"])
        restored = self.top / "restored"
        audit(restored)
        self.run_on(restored)
        self.assertEqual(self.story(first), before)
        self.assertNotEqual(self.timeline(later, check=False).returncode, 0)
        self.assertNotEqual(self.timeline(gone, check=False).returncode, 0)
        everything = self.county.carehub("replay", *TIMELINE).stdout
        self.assertNotIn("Vanishwood", everything)
        self.assertNotIn(gone, everything)

    def test_an_older_vault_with_a_newer_ledger_gives_nothing_of_the_erased_away(self):
        gone, kept = nhs_number(951), nhs_number(952)
        self.admit(gone, family="Vanishwood")
        self.admit(kept)
        self.back_up()
        self.county.carehub("erase", "--person", f"nhs:{gone}", *REASON, "--yes")
        self.back_up(ledger=self.top / "newer", vault=self.top / "newer-vault")
        self.keep_master_key()
        told = json.loads(self.restore(ledger=self.top / "newer").stdout)
        self.assertGreaterEqual(told["keys_destroyed"], 1)
        self.run_on(self.top / "restored")
        self.assertNotEqual(self.timeline(gone, check=False).returncode, 0)
        self.assertEqual(len(self.story(kept)), 1)
        self.assertNotIn("Vanishwood", self.county.carehub("replay", *TIMELINE).stdout)
        self.county.stop()
        for file in (self.top / "restored").rglob("*"):
            if file.is_file():
                self.assertNotIn(b"Vanishwood", file.read_bytes())

    def test_a_copy_that_the_hub_made_elsewhere_is_named_until_it_is_gone_and_so_is_what_it_was_restored_from(self):
        first, second = nhs_number(971), nhs_number(972)
        self.admit(first, family="Vanishwood")
        self.admit(second, family="Vanishwood")
        self.back_up()
        told = self.erase(f"nhs:{first}")
        self.assertFalse(told["complete"])
        self.assertIn(str(self.vault), told["text"])
        shutil.rmtree(self.vault)
        again = self.erase(f"sequence:{told['recorded_as']}")
        self.assertTrue(again["complete"], again)
        # What a hub was restored from, and the data directory before it, have the keys as well.
        newer = self.top / "newer-vault"
        self.back_up(ledger=self.top / "newer", vault=newer)
        self.keep_master_key()
        self.restore(ledger=self.top / "newer", vault=newer)
        old = self.county.data
        self.run_on(self.top / "restored")
        told = self.erase(f"nhs:{second}")
        self.assertFalse(told["complete"])
        self.assertIn(str(newer / "vault"), told["text"])
        self.assertIn(str(old / "vault"), told["text"])
        shutil.rmtree(newer)
        shutil.rmtree(old)
        again = self.erase(f"sequence:{told['recorded_as']}")
        self.assertTrue(again["complete"], again)

    def test_a_hub_whose_configuration_has_no_whole_path_notes_down_where_its_vault_is(self):
        self.county.stop()
        text = self.county.config.read_text()
        self.county.config.write_text(text.replace(f'data = "{self.county.data}"', 'data = "data"'))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.top)
        self.county.config = self.county.config.relative_to(self.top)
        self.county.start()
        self.admit(nhs_number(981))
        self.back_up()
        self.assertIn(f" {self.county.data.resolve()}\n", (self.vault / "vault.places").read_text())

    def test_a_damaged_backup_and_a_vault_that_is_too_old_restore_nothing(self):
        self.admit(nhs_number(961))
        self.back_up(self.top / "early-ledger", self.top / "early-vault")
        self.county.stop()
        self.county.start()  # another process mints its keys in another block
        for index in range(300):
            self.admit(nhs_number(1000 + index))
        self.back_up()
        self.keep_master_key()
        old = self.restore(vault=self.top / "early-vault", check=False)
        self.assertEqual(old.returncode, 5)
        self.assertIn("older than the ledger", old.stderr)
        largest = max((file for file in (self.ledger / "ledger").iterdir() if file.suffix in (".sst", ".log")),
                      key=lambda file: file.stat().st_size)
        held = bytearray(largest.read_bytes())
        held[len(held) // 2] ^= 1
        largest.write_bytes(held)
        damaged = self.restore(check=False)
        self.assertEqual(damaged.returncode, 5)
        self.assertFalse((self.top / "restored").exists())
        self.assertFalse((self.top / "restored.unfinished").exists())


if __name__ == "__main__":
    main()
