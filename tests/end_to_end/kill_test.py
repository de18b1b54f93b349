"""kill -9 right after an AA, a hundred times at random moments under load: every acknowledged message is in the ledger
once, and every subscriber gets it."""
import collections
import json
import os
import random
import re
import subprocess
import threading
import time
import unittest

from county import CAREHUB, County, Mllp, Receiver, admission, main, nhs_number, wait_until

KILLS = int(os.environ.get("CAREHUB_KILLS", "100"))
SENDERS = 4


def audited(county):
    """Every entry, tile and checkpoint of the ledger as it lies there; how many entries there are."""
    done = subprocess.run([CAREHUB, "audit", "verify", "--ledger", str(county.data), "--json"], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode:
        raise AssertionError(f"the audit ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    told = json.loads(done.stdout.splitlines()[-1])
    if told["faults"] or not told["entries"]:
        raise AssertionError(done.stdout + done.stderr)
    return told["entries"]


class Kill(unittest.TestCase):
    def test_every_acknowledged_message_survives(self):
        seed = int(os.environ.get("CAREHUB_SEED", random.randrange(2**32)))
        print(f"seed {seed} (run again with CAREHUB_SEED)", flush=True)
        rng = random.Random(seed)  # of this thread; each sender has its own
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        acknowledged, sent = set(), collections.Counter()
        lock = threading.Lock()
        number = 0

        def sender(stop, first_ack, serial):
            count, chosen = 0, random.Random(f"{seed} {serial}")
            while not stop.is_set():
                try:
                    connection = Mllp(county.mllp_camhs)
                    while not stop.is_set():
                        control_id = f"K{serial:05d}{count:05d}"
                        count += 1
                        message = admission(control_id, nhs_number(1000 + chosen.randrange(200)), facility="RZY02",
                                            ward="WILLOW", visit=control_id, school="900101^Holm Lane School")
                        with lock:
                            sent[control_id] += 1
                        answer = connection.ask(message)
                        if answer is None:
                            break
                        if re.search(rb"MSA\|AA\|" + control_id.encode(), answer):
                            with lock:
                                acknowledged.add(control_id)
                            first_ack.set()
                    connection.close()
                except OSError:
                    time.sleep(0.01)

        for kill in range(KILLS):
            county.start()
            stop, first_ack = threading.Event(), threading.Event()
            threads = []
            for _ in range(SENDERS):
                number += 1
                threads.append(threading.Thread(target=sender, args=(stop, first_ack, number)))
            for thread in threads:
                thread.start()
            self.assertTrue(first_ack.wait(300), f"no AA after restart {kill}")
            time.sleep(rng.random() * 0.25)
            county.kill()
            stop.set()
            for thread in threads:
                thread.join()
            if (kill + 1) % 10 == 0:
                entries = audited(county)
                print(f"{kill + 1} kills, {len(acknowledged)} acknowledged, {entries} entries verified", flush=True)

        county.start()
        rows = county.rows("replay", "--role", "auditor", "--by", "test", "--reason", "kill test", "--type", "admission")
        sequences = collections.defaultdict(list)
        for row in rows:
            if found := re.search(r'"source_message_id":\s*"(K\d+)"', json.dumps(row)):
                sequences[found[1]].append(row["sequence"])
        held = {control_id: len(own) for control_id, own in sequences.items()}
        missing = [c for c in acknowledged if c not in held]
        doubled = [c for c, n in held.items() if n > 1]
        self.assertEqual(missing, [], "acknowledged and not in the ledger")
        self.assertEqual(doubled, [], "in the ledger twice")

        def delivered(path):
            return {e["data"]["admission"]["visit_number"] for e in receiver.at(path)}
        for path in ("/duty-desk", "/tier4-notices"):
            wait_until(lambda: acknowledged <= delivered(path), f"everything acknowledged at {path}", 300)
            orders = collections.defaultdict(list)
            for event in receiver.at(path):
                orders[event["data"]["person"]["nhs_number"]].append(int(event["sequence"]))
            for order in orders.values():
                firsts = list(dict.fromkeys(order))
                self.assertEqual(firsts, sorted(firsts), "a child's events in order")

        # The school's folder: a file an event, named by its sequence; it comes twice as the same file.
        wanted = {sequences[control_id][0] for control_id in acknowledged}
        def in_the_folder():
            files = (county.files / "holm/out").glob("carehub-*.csv")
            return {int(file.stem.split("-")[-1]): file for file in files}
        wait_until(lambda: wanted <= in_the_folder().keys(), "everything acknowledged in the school's folder", 300)
        for file in in_the_folder().values():
            self.assertTrue(file.read_bytes().endswith(b"\r\n"), f"{file.name} is whole")
        print(f"{KILLS} kills: {sum(sent.values())} sent, {len(acknowledged)} acknowledged, {sum(held.values())} in the "
              f"ledger", flush=True)
        self.assertEqual(county.stop(), 0)
        self.assertGreaterEqual(audited(county), len(acknowledged))
        receiver.stop()


if __name__ == "__main__":
    main()
