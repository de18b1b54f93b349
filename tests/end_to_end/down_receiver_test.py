"""A webhook that is down, slow or answers 500 holds up nobody else, and gets everything in order when it is back."""
import collections
import threading
import unittest

from county import County, Mllp, Receiver, admission, free_port, main, nhs_number, wait_until

CHILDREN, ROUNDS = 20, 5


class DownReceiver(unittest.TestCase):
    def setUp(self):
        # The commissioner's notices go to a server of their own, so that the council's can fail alone.
        self.council_port = free_port()
        self.notices = Receiver()
        self.county = County(receiver_port=self.council_port, replace=[
            (f"http://127.0.0.1:{self.council_port}/tier4-notices", f"http://127.0.0.1:{self.notices.port}/tier4-notices"),
        ]).start()

    def tearDown(self):
        self.county.stop()
        self.notices.stop()

    def play(self):
        """Every child is admitted to the Tier 4 unit in rounds; the council hears of all, the commissioner too."""
        connection = Mllp(self.county.mllp_camhs)
        for round_ in range(ROUNDS):
            for child in range(CHILDREN):
                visit = f"{child}-{round_}"
                ack = connection.ask(admission(f"D{self.offset + child:03d}{round_:02d}", nhs_number(self.offset + child),
                                               facility="RZY02", ward="WILLOW", visit=visit))
                self.assertIn(b"MSA|AA|", ack)
        connection.close()

    def check_council(self, receiver):
        everything = CHILDREN * ROUNDS
        def distinct():
            return {e["id"]: e for e in receiver.at("/duty-desk")}
        wait_until(lambda: len(distinct()) >= everything, "everything at the council", 300)
        rounds = collections.defaultdict(list)
        seen = set()
        for event in receiver.at("/duty-desk"):
            if event["id"] in seen:
                continue
            seen.add(event["id"])
            rounds[event["data"]["person"]["nhs_number"]].append(int(event["data"]["admission"]["visit_number"].split("-")[1]))
        self.assertEqual(len(rounds), CHILDREN)
        for order in rounds.values():
            self.assertEqual(order, list(range(ROUNDS)), "each child's events in order")
        self.assertEqual(self.county.rows("dead-letters"), [])

    def commissioner_got_everything(self):
        wait_until(lambda: len({e["id"] for e in self.notices.at("/tier4-notices")}) >= CHILDREN * ROUNDS,
                   "everything at the commissioner while the council is away", 300)

    def test_down(self):
        self.offset = 200
        self.play()
        self.commissioner_got_everything()
        receiver = Receiver(port=self.council_port)
        self.check_council(receiver)
        receiver.stop()

    def test_answers_500_to_everything_for_a_while(self):
        self.offset = 300
        well = threading.Event()
        receiver = Receiver(lambda path, body: 200 if well.is_set() else 500, self.council_port)
        self.play()
        self.commissioner_got_everything()
        well.set()
        self.check_council(receiver)
        receiver.stop()

    def test_slow(self):
        self.offset = 400
        well = threading.Event()
        self.addCleanup(well.set)
        receiver = Receiver(lambda path, body: 200 if well.wait() else 500, self.council_port)
        self.play()
        self.commissioner_got_everything()
        self.assertEqual(receiver.at("/duty-desk"), [], "it has answered nobody yet")
        well.set()
        self.check_council(receiver)
        receiver.stop()

    def test_goes_down_in_the_middle_and_the_hub_restarts(self):
        self.offset = 500
        closing, asked = threading.Event(), threading.Event()
        closing.set()
        def behave(path, body):
            asked.set()
            return None if closing.is_set() else 200
        receiver = Receiver(behave, self.council_port)
        self.play()
        self.commissioner_got_everything()
        self.county.stop()
        asked.clear()
        self.county.start()
        self.assertTrue(asked.wait(300), "the hub that was started again tries again")
        closing.clear()
        self.check_council(receiver)
        receiver.stop()


if __name__ == "__main__":
    main()
