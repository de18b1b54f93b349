"""Disk full, a directory that cannot be written, a port that is taken, a wrong configuration: one clear line, a
documented exit code, nothing half-started."""
import os
import pathlib
import pwd
import re
import resource
import shutil
import socket
import subprocess
import unittest

from county import CAREHUB, ROOT, County, Mllp, Receiver, admission, free_port, main, nhs_number, wait_until

WRONG, UNAVAILABLE, STORAGE = 1, 3, 4  # broker/app/README.md


def run(county, *arguments, command="run", preexec=None):
    return subprocess.run([CAREHUB, command, str(county.config), *arguments], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, preexec_fn=preexec)


def become(user):
    """The process that calls this is that user's from then on."""
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def for_somebody_else(county):
    """The program and all that it reads, where a user who is not root may run it; and that user. Nothing where root may
    not give a program to another: in a container that has taken this from it, or where nobody else may come in."""
    try:
        user = pwd.getpwnam("nobody")
        program = county.directory / "carehub"
        shutil.copy(CAREHUB, program)
        shutil.copytree(ROOT / "adapters", county.directory / "adapters")
        for place in (county.directory, *county.directory.rglob("*")):
            os.chown(place, user.pw_uid, user.pw_gid)
        subprocess.run([program, "--help"], preexec_fn=lambda: become(user), check=True, capture_output=True)
    except (KeyError, OSError, subprocess.SubprocessError) as fault:
        print(f"no hub can be run as another user here ({type(fault).__name__}): its own limit alone is looked at")
        return None
    text = county.config.read_text()
    county.config.write_text(text.replace(f'"{ROOT}/adapters"', f'"{county.directory}/adapters"'))
    return program, user


def one_clear_line(test, done, code, *words):
    """The documented exit code, and one line for people that holds these words. The log may say before it how far the
    scrub came: it runs beside the start."""
    test.assertEqual(done.returncode, code, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip() and not re.match(r"\S+Z info ", line)]
    test.assertEqual(len(lines), 1, done.stderr)
    for word in words:
        test.assertIn(str(word), lines[0])


def fill(test, county):
    """Sends until the hub stops for want of room; the visit numbers that were acknowledged."""
    acknowledged = []
    filler = "NTE|1||" + os.urandom(6000).hex()
    connection = Mllp(county.mllp)
    for index in range(2000):
        control_id = f"FULL{index:05d}"
        try:
            answer = connection.ask(admission(control_id, nhs_number(3000 + index), visit=control_id, extra=[filler]))
        except OSError:
            answer = None
        if answer is None:
            break
        if b"MSA|AA|" in answer:
            acknowledged.append(control_id)
        else:
            test.assertNotRegex(answer, rb"MSA\|[AC][ER]\|", "our own trouble is not the sender's")
    test.assertLess(len(acknowledged), 2000, "the disk was meant to fill up")
    wait_until(lambda: county.hub.poll() is not None, "the hub's end")
    log = county.log.read_text()
    test.assertEqual(county.hub.returncode, STORAGE, log[-2000:])
    test.assertEqual(log.count("carehub: the hub has stopped: "), 1, log[-2000:])
    return acknowledged


def everything_arrives(test, county, receiver, acknowledged):
    county.start()
    def delivered():
        return {e["data"]["admission"]["visit_number"] for e in receiver.at("/duty-desk")}
    wait_until(lambda: set(acknowledged) <= delivered(), "everything that was acknowledged", 300)
    test.assertEqual(county.stop(), 0)
    receiver.stop()


class Faults(unittest.TestCase):
    def setUp(self):
        self.county = County()

    def listens(self, port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def test_a_hub_that_falls_leaves_no_core_file(self):
        program, user = CAREHUB, None
        if os.geteuid() == 0:
            given = for_somebody_else(self.county)
            self.county = self.county if given else County()
            program, user = given or (CAREHUB, None)
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)

        def prepare():
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            if user:
                become(user)
        self.county.start(preexec=prepare, program=program)
        pid = self.county.hub.pid
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        # What nobody may dump belongs to root, and a pipe that collects core files gets none, whatever its limit. Root's
        # own processes always do, so the hub is another user's here; a process that may be dumped shows the difference.
        self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0)
        other = subprocess.Popen(["/bin/sleep", "60"], preexec_fn=prepare)
        try:
            wait_until(lambda: pathlib.Path(f"/proc/{other.pid}/comm").read_text() == "sleep\n", "the other process")
            self.assertEqual(os.stat(f"/proc/{other.pid}/environ").st_uid, user.pw_uid if user else os.geteuid())
        finally:
            other.kill()
            other.wait()
        self.county.kill()

    def test_a_port_that_is_taken(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", self.county.http))
            holder.listen()
            done = run(self.county)
        one_clear_line(self, done, UNAVAILABLE, self.county.http, "council-api")
        self.assertFalse(self.listens(self.county.mllp), "nothing half-started")

    def test_a_data_directory_that_cannot_be_written(self):
        self.county.data.write_text("a file stands where the directory should be")
        done = run(self.county)
        one_clear_line(self, done, STORAGE, self.county.data)
        self.assertFalse(self.listens(self.county.mllp))

    def test_a_second_hub_on_the_same_ledger(self):
        self.county.start()
        try:
            done = run(self.county)
            one_clear_line(self, done, STORAGE, self.county.data, "in use by another hub")
        finally:
            self.assertEqual(self.county.stop(), 0)

    def test_every_fault_of_the_configuration_at_once_with_place_and_remedy(self):
        text = self.county.config.read_text()
        text = text.replace('role = "social-care-duty"', 'rol = "social-care-duty"', 1)
        text = text.replace('agency = "holm-school"', 'agency = "holm-scool"', 1)
        text = text.replace('kind = "mllp"', 'kind = "mlpp"', 1)
        self.county.config.write_text(text)
        lines = text.splitlines()
        for command in ("check", "run"):
            done = run(self.county, command=command)
            said = done.stdout + done.stderr
            self.assertEqual(done.returncode, WRONG, said)
            for word, fix in (("rol =", "role"), ("holm-scool", "holm-school"), ("mlpp", "mllp")):
                at = next(n for n, line in enumerate(lines, 1) if word in line)
                self.assertRegex(said, rf"hub\.toml:{at}:\d+: .*{fix}", f"{command}: the place of {word}")
        self.assertFalse(self.county.data.exists(), "nothing half-started")

    def test_a_configuration_that_is_missing(self):
        done = subprocess.run([CAREHUB, "run", "/nowhere/hub.toml"], capture_output=True, text=True)
        one_clear_line(self, done, WRONG, "/nowhere/hub.toml")

    def test_a_file_at_its_size_limit_stops_the_hub_and_loses_nothing_that_was_acknowledged(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        limit = 3 * 1024 * 1024
        county.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        everything_arrives(self, county, receiver, fill(self, county))


if __name__ == "__main__":
    main()
