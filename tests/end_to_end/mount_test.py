"""A disk that is full, and one that is read-only: real file systems, where this test may mount them."""
import subprocess
import unittest

import faults_test
from county import County, Receiver, main


class Mount(unittest.TestCase):
    def mount(self, county, *flags):
        """A small file system of its own for the data directory."""
        county.data.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", *flags, "tmpfs", str(county.data)], capture_output=True)
        if done.returncode:
            self.skipTest("no right to mount a file system")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(county.data)])

    def test_a_read_only_file_system(self):
        county = County()
        self.mount(county, "-o", "ro")
        done = faults_test.run(county)
        faults_test.one_clear_line(self, done, faults_test.STORAGE, county.data)

    def test_a_full_file_system_stops_the_hub_and_loses_nothing_that_was_acknowledged(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        self.mount(county, "-o", "size=12m")
        county.start()
        acknowledged = faults_test.fill(self, county)
        subprocess.run(["mount", "-o", "remount,size=64m", str(county.data)], check=True)
        faults_test.everything_arrives(self, county, receiver, acknowledged)


if __name__ == "__main__":
    main()
