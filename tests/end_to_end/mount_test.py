"""A disk that is full, and one that is read-only: real file systems, where this test may mount them."""
import subprocess
import unittest

import faults_test
from county import County, Mllp, Receiver, admission, main, nhs_number


class Mount(unittest.TestCase):
    def mount(self, place, *flags):
        """A small file system of its own at this place."""
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", *flags, "tmpfs", str(place)], capture_output=True)
        if done.returncode:
            self.skipTest("no right to mount a file system")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(place)])

    def test_a_read_only_file_system(self):
        county = County()
        self.mount(county.data, "-o", "ro")
        done = faults_test.run(county)
        faults_test.one_clear_line(self, done, faults_test.STORAGE, county.data)

    def test_a_full_file_system_stops_the_hub_and_loses_nothing_that_was_acknowledged(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        self.mount(county.data, "-o", "size=12m")
        county.start()
        acknowledged = faults_test.fill(self, county)
        subprocess.run(["mount", "-o", "remount,size=64m", str(county.data)], check=True)
        faults_test.everything_arrives(self, county, receiver, acknowledged)

    def test_a_backup_onto_a_full_or_a_read_only_disk_says_so_and_the_hub_goes_on(self):
        county = County()
        small, closed = county.directory / "small", county.directory / "closed"
        self.mount(small, "-o", "size=16k")
        self.mount(closed, "-o", "ro")
        county.start()
        self.addCleanup(county.stop)
        connection = Mllp(county.mllp)
        for index in range(20):
            self.assertIn(b"MSA|AA|", connection.ask(admission(f"F{index:07d}", nhs_number(700 + index))))
        asked = ["--by", "A Test", "--reason", "end to end test"]
        for place, words in ((small, "disk is full"), (closed, "read-only")):
            done = county.carehub("backup", "--ledger", str(place / "copy"), *asked, check=False)
            self.assertEqual(done.returncode, faults_test.STORAGE, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertIn(str(place), done.stderr)
            self.assertEqual(list(place.iterdir()), [])
        self.assertIn(b"MSA|AA|", connection.ask(admission("F9999999", nhs_number(799))))
        connection.close()
        self.assertIn("backup_failed", county.log.read_text())


if __name__ == "__main__":
    main()
