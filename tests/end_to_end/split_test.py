"""The same configuration as one process, and split over processes."""
import base64
import hmac
import http.client
import re
import signal
import subprocess
import unittest

from county import CAREHUB, ROOT, TOKEN, County, Mllp, Receiver, admission, free_port, main, nhs_number, wait_until


def keys(path):
    subprocess.run([CAREHUB, "keys", str(path)], check=True, capture_output=True)


def told(receiver):
    """How many events the duty desk has; one may come twice."""
    return len({event["id"] for event in receiver.at("/duty-desk")})


class Elsewhere:
    """An adapter on another machine: a configuration of its own with one channel, the hub's public key, and a key."""

    def __init__(self, county, port, agency, channel, name):
        self.agency, self.name = agency, name
        self.directory = county.directory / name
        self.directory.mkdir()
        self.config = self.directory / "hub.toml"
        keys(self.directory / "own")
        (self.directory / "hub.public").write_text((county.directory / "hub.public").read_text())
        sample = county.config.read_text()
        agencies = [part for part in re.split(r"(?m)^(?=\[\[agency\]\])", sample) if f'id = "{agency}"' in part]
        self.config.write_text(f'''[hub]
name = "Elsewhere"
data = "data"
policy = "{county.directory}/policy.toml"
packs = "{ROOT}/adapters"
[connect]
endpoint = "tcp://127.0.0.1:{port}"
server_public_file = "hub.public"
secret_file = "own.secret"
{agencies[0].split("[[channel]]")[0]}
[[channel]]
name = "{name}"
agency = "{agency}"
{channel}
''')
        listens = re.search(r"port = (\d+)", channel)
        self.mllp = int(listens[1]) if listens else None
        self.process = None

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([CAREHUB, "adapter", str(self.config), "--channel", self.name], stdout=log,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until(lambda: re.search(r"(?m)^ready$", self.log()) or self.process.poll() is not None, "the adapter's `ready`")
        if self.process.poll() is not None:
            raise AssertionError(f"the adapter ended with {self.process.returncode}:\n{self.log()}")

    def log(self):
        return (self.directory / "log").read_text()

    def try_once(self, control_id, index, seconds):
        try:
            return Mllp(self.mllp).ask(admission(control_id, nhs_number(index)), seconds)
        except OSError:
            return None

    def ask(self, control_id, index):
        return wait_until(lambda: self.try_once(control_id, index, 30), f"an answer to {control_id}")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.terminate()
        return self.process.wait(120)


def allow(county, adapter, agency=None):
    """The line of the adapter's .public file goes into a [[client]] of the hub, as its people would paste it."""
    public = (adapter.directory / "own.public").read_text().strip()
    with open(county.config, "a") as config:
        config.write(f'''
[[client]]
name = "{adapter.name}"
agency = "{agency or adapter.agency}"
public_key = "{public}"
''')


def reload(county, code):
    """The hub reads its configuration again; the lines with that code which it has written since."""
    before = county.log.read_text().count(code)
    county.hub.send_signal(signal.SIGHUP)
    return wait_until(lambda: re.findall(f".* {code} .*", county.log.read_text())[before:], f"the line {code}")


class Split(unittest.TestCase):
    def test_broker_and_adapters_in_processes_of_their_own(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        county.start(command="broker")
        logs = open(county.directory / "adapters.log", "wb")
        adapters = {name: subprocess.Popen([CAREHUB, "adapter", str(county.config), "--channel", name], stdout=logs,
                                           stderr=logs, stdin=subprocess.DEVNULL)
                    for name in ("elwick-adt", "council-duty-desk")}
        try:
            def ask(control_id, index):
                def attempt():
                    try:
                        return Mllp(county.mllp).ask(admission(control_id, nhs_number(index)), 30)
                    except OSError:
                        return None
                return wait_until(attempt, f"an answer to {control_id}")
            self.assertIn(b"MSA|AA|", ask("SPLIT1", 601))
            wait_until(lambda: told(receiver) == 1, "the duty desk's event")

            # The broker restarts under its adapters; they find it again and nothing is lost.
            county.kill()
            county.start(command="broker")
            self.assertIn(b"MSA|AA|", ask("SPLIT2", 602))
            wait_until(lambda: told(receiver) == 2, "the event after the restart")

            # An adapter is killed while events wait; another takes its place at the cursor.
            adapters["council-duty-desk"].kill()
            adapters["council-duty-desk"].wait()
            self.assertIn(b"MSA|AA|", ask("SPLIT3", 603))
            adapters["council-duty-desk"] = subprocess.Popen(
                [CAREHUB, "adapter", str(county.config), "--channel", "council-duty-desk"], stdout=logs, stderr=logs,
                stdin=subprocess.DEVNULL)
            wait_until(lambda: told(receiver) == 3, "the event that waited")
        finally:
            for adapter in adapters.values():
                adapter.terminate()
                adapter.wait(120)
            self.assertEqual(county.stop(), 0)
            receiver.stop()
        self.assertEqual([a.returncode for a in adapters.values()], [0, 0])

    def test_adapters_over_tcp_each_with_its_own_configuration_and_key(self):
        receiver = Receiver()
        tcp = free_port()
        county = County(receiver_port=receiver.port, replace=[('listen = ["ipc://hub.sock"]',
            f'listen = ["ipc://hub.sock", "tcp://127.0.0.1:{tcp}"]\ncurve_secret_file = "hub.secret"')])
        keys(county.directory / "hub")
        hospital = Elsewhere(county, tcp, "elwick-hospital", f'''direction = "in"
transport = {{ kind = "mllp", address = "127.0.0.1", port = {free_port()} }}
pack = "hospital/hl7v2.toml"''', "elwick-adt")
        council = Elsewhere(county, tcp, "northmarch-council", f'''direction = "out"
role = "social-care-duty"
transport = {{ kind = "webhook", url = "http://127.0.0.1:{receiver.port}/duty-desk", allow_addresses = ["127.0.0.1"] }}''', "council-duty-desk")
        allow(county, hospital)
        county.start(command="broker")
        try:
            hospital.start()
            self.assertIn(b"MSA|AA|", hospital.ask("CURVE1", 621))
            # The council's adapter has never been here yet: the configuration made its subscription, so nothing is lost.
            council.start()
            refused = "the hub does not know this key"
            wait_until(lambda: refused in council.log(), "the line that says why")
            self.assertIn("channel=council-duty-desk code=CH-NO-HUB alarm=true", council.log())
            self.assertEqual(receiver.at("/duty-desk"), [])
            status = subprocess.run([CAREHUB, "status", str(council.config)], capture_output=True, text=True, timeout=300)
            self.assertEqual(status.returncode, 3)
            self.assertIn(refused, status.stderr)

            # The hub's people add the key and restart; the adapter, which goes on trying, needs nothing.
            self.assertEqual(county.stop(), 0)
            allow(county, council)
            county.start(command="broker")
            wait_until(lambda: told(receiver) == 1, "what waited for the council")
            # A reason that stays the same is told once.
            reasons = re.findall("code=CH-NO-HUB .*", council.log())
            self.assertTrue(all(one != other for one, other in zip(reasons, reasons[1:])), reasons)
            self.assertIn(b"MSA|AA|", hospital.ask("CURVE2", 622))
            wait_until(lambda: told(receiver) == 2, "the next one")
        finally:
            codes = [hospital.stop(), council.stop()]
            self.assertEqual(county.stop(), 0)
            receiver.stop()
        self.assertEqual(codes, [0, 0])

    def test_keys_are_changed_with_an_overlap_and_taken_off_while_the_hub_runs(self):
        tcp = free_port()
        county = County(replace=[('listen = ["ipc://hub.sock"]',
            f'listen = ["ipc://hub.sock", "tcp://127.0.0.1:{tcp}"]\ncurve_secret_file = "hub.secret"')])
        keys(county.directory / "hub")
        hospital = Elsewhere(county, tcp, "elwick-hospital", f'''direction = "in"
transport = {{ kind = "mllp", address = "127.0.0.1", port = {free_port()} }}
pack = "hospital/hl7v2.toml"''', "elwick-adt")
        allow(county, hospital)
        county.start(command="broker")

        def change(old, new):
            text = county.config.read_text()
            self.assertIn(old, text)
            county.config.write_text(text.replace(old, new))
        try:
            hospital.start()
            self.assertIn(b"MSA|AA|", hospital.ask("KEYS1", 631))

            # Both keys for a while: the hub is told of the next one, the adapter takes it when it likes.
            old = (hospital.directory / "own.public").read_text().strip()
            keys(hospital.directory / "next")
            new = (hospital.directory / "next.public").read_text().strip()
            change(f'public_key = "{old}"', f'public_key = ["{old}", "{new}"]')
            self.assertIn("2 keys may connect: 1 new, 0 taken off", reload(county, "keys-reloaded")[-1])
            self.assertIn(b"MSA|AA|", hospital.ask("KEYS2", 632))
            self.assertEqual(hospital.stop(), 0)
            hospital.config.write_text(hospital.config.read_text().replace("own.secret", "next.secret"))
            hospital.start()
            self.assertIn(b"MSA|AA|", hospital.ask("KEYS3", 633))
            change(f'public_key = ["{old}", "{new}"]', f'public_key = "{new}"')
            said = reload(county, "keys-reloaded")[-1]
            self.assertIn("1 keys may connect: 0 new, 1 taken off", said)
            self.assertIn("what has changed in the configuration beside keys, tokens, webhooks' secrets and policy waits", said)
            self.assertIn(b"MSA|AA|", hospital.ask("KEYS4", 634))

            # A configuration with a fault takes nobody off.
            change(f'public_key = "{new}"', f'publik_key = "{new}"')
            failed = reload(county, "reload_failed")[-1]
            self.assertIn("hub.toml:", failed)
            self.assertNotIn(new, failed)
            self.assertIn(b"MSA|AA|", hospital.ask("KEYS5", 635))

            # What the adapter says under a key that is not on the list any more is neither read nor answered.
            change(f'publik_key = "{new}"', f'public_key = "{old}"')
            reload(county, "keys-reloaded")
            self.assertIsNone(hospital.try_once("KEYS6", 636, 2))
            wait_until(lambda: "the hub does not know this key" in hospital.log(), "the line that says why")
            asked = county.carehub("timeline", "--person", "nhs:" + nhs_number(636), "--role", "auditor", "--by", "test",
                                   "--reason", "test", check=False)
            self.assertEqual(asked.returncode, 7, asked.stdout)

            # That it knocked is on record.
            def trail():
                asked = subprocess.run([CAREHUB, "audit", "trail", str(county.config), "--by", "test", "--reason", "test",
                                        "--json"], capture_output=True, text=True, timeout=300)
                self.assertEqual(asked.returncode, 0, asked.stderr)
                return "handshakes with a key that is not on the list" in asked.stdout
            wait_until(trail, "the entry about strangers")

            # Put back, the adapter comes again by itself, and so does the message that the hospital sends again.
            change(f'public_key = "{old}"', f'public_key = "{new}"')
            reload(county, "keys-reloaded")
            self.assertIn(b"MSA|AA|", hospital.ask("KEYS6", 636))
        finally:
            code = hospital.stop()
            self.assertEqual(county.stop(), 0)
        self.assertEqual(code, 0)

    def test_a_token_is_changed_while_the_hub_runs_and_the_old_one_is_refused_on_the_connection_that_it_opened(self):
        county = County().start()
        new = "another-token-for-this-test"
        connection = http.client.HTTPConnection("127.0.0.1", county.http, timeout=120)

        def post(token):
            """The status; an empty event is refused for what it lacks only after its token is taken."""
            connection.request("POST", "/events", "{}", {"Authorization": f"Bearer {token}",
                                                         "Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

        taken = post(TOKEN)
        self.assertNotEqual(taken, 401)
        self.assertEqual(post(new), 401)
        connection.close()
        self.assertEqual(post(TOKEN), taken)
        token = county.directory / "council.token"
        token.write_text("short")
        self.assertIn("council.token", reload(county, "reload_failed")[-1])
        self.assertEqual(post(TOKEN), taken)
        # The right one, but open to others.
        token.write_text(new + "\n")
        token.chmod(0o644)
        said = reload(county, "reload_failed")[-1]
        self.assertIn("others may read or change the secret", said)
        self.assertIn("council.token", said)
        self.assertEqual((post(new), post(TOKEN)), (401, taken))
        for command in ("check", "run"):
            refused = subprocess.run([CAREHUB, command, str(county.config)], capture_output=True, text=True,
                                     stdin=subprocess.DEVNULL, timeout=300)
            self.assertEqual(refused.returncode, 1, refused.stderr)
            self.assertIn(f"chmod 600 {token}", refused.stdout + refused.stderr)
        token.chmod(0o600)
        self.assertIn("the tokens of 1 HTTP channels", reload(county, "tokens-reloaded")[-1])
        self.assertEqual(post(TOKEN), 401)
        connection.close()
        self.assertEqual(post(new), taken)
        connection.close()
        self.assertEqual(county.stop(), 0)
        self.assertNotIn(new, county.log.read_text())

    def test_a_stolen_token_is_of_no_use_from_another_address(self):
        listed = 'tokens = [{ file = "council.token", from = ["%s"] }]'
        county = County(replace=[('token_file = "council.token"', listed % "127.0.0.2")]).start()

        def post(address):
            connection = http.client.HTTPConnection("127.0.0.1", county.http, timeout=120, source_address=(address, 0))
            connection.request("POST", "/events", "{}", {"Authorization": f"Bearer {TOKEN}",
                                                         "Content-Type": "application/json"})
            status = connection.getresponse().status
            connection.close()
            return status

        self.assertEqual(post("127.0.0.1"), 401)
        self.assertNotEqual(post("127.0.0.2"), 401)
        wait_until(lambda: "a token from an address that is not in its `from`" in county.log.read_text(), "the warning")
        county.config.write_text(county.config.read_text().replace(listed % "127.0.0.2", listed % "127.0.0.1"))
        reload(county, "tokens-reloaded")
        self.assertNotEqual(post("127.0.0.1"), 401)
        self.assertEqual(post("127.0.0.2"), 401)
        self.assertNotIn(TOKEN, county.log.read_text())
        self.assertEqual(county.stop(), 0)

    def test_a_webhooks_secrets_are_changed_while_the_hub_runs_and_the_old_ones_are_in_no_later_request(self):
        bodies = []
        receiver = Receiver(behave=lambda path, body: bodies.append((path, body)) or 200)
        desk = 'duty-desk", allow_addresses = ["127.0.0.1"]'
        county = County(receiver_port=receiver.port,
                        replace=[(desk, desk + ', token_file = "desk.token", secret_file = "desk.secret"')])

        def write(name, text, mode=0o600):
            (county.directory / name).write_text(text + "\n")
            (county.directory / name).chmod(mode)
        key = lambda number: base64.b64encode(bytes([number]) * 32).decode()
        write("desk.token", "the-first-token-of-the-desk")
        write("desk.secret", "whsec_" + key(1))
        county.start()
        sent = [0]

        def known_by():
            """Which token and key the next request to the duty desk has, for a partner that checks it with both."""
            sent[0] += 1
            self.assertIn(b"MSA|AA|", Mllp(county.mllp).ask(admission(f"HOOK{sent[0]}", nhs_number(640 + sent[0])), 300))
            at = wait_until(lambda: len(receiver.at("/duty-desk")) == sent[0] and sent[0], "the duty desk's event")
            headers = {name.lower(): text for name, text in [said for path, said, _ in receiver.received
                                                             if path == "/duty-desk"][at - 1].items()}
            body = [body for path, body in bodies if path == "/duty-desk"][at - 1]
            content = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.'.encode() + body
            sign = lambda number: base64.b64encode(hmac.digest(bytes([number]) * 32, content, "sha256")).decode()
            return (headers["authorization"].removeprefix("Bearer "),
                    [number for number in range(1, 5) if "v1," + sign(number) in headers["webhook-signature"].split()])
        first = ("the-first-token-of-the-desk", [1])
        try:
            self.assertEqual(known_by(), first)
            # A wrong one and an open one leave both as they were.
            write("desk.token", "the-next-token-of-the-desk")
            write("desk.secret", "whsec_short")
            self.assertIn("desk.secret", reload(county, "reload_failed")[-1])
            write("desk.secret", "whsec_" + key(2), mode=0o644)
            self.assertIn("desk.secret", reload(county, "reload_failed")[-1])
            self.assertEqual(known_by(), first)
            write("desk.secret", "whsec_" + key(2))
            self.assertIn("the tokens and secrets of 2 webhooks", reload(county, "secrets-reloaded")[-1])
            second = ("the-next-token-of-the-desk", [2])
            self.assertEqual(known_by(), second)
            # Secrets for another URL are not shown to this one.
            county.config.write_text(county.config.read_text().replace("/duty-desk", "/another-desk"))
            write("desk.token", "a-token-for-another-desk")
            write("desk.secret", "whsec_" + key(3))
            self.assertIn("the tokens and secrets of 1 webhooks", reload(county, "secrets-reloaded")[-1])
            self.assertEqual(known_by(), second)
        finally:
            self.assertEqual(county.stop(), 0)
            receiver.stop()
        log = county.log.read_text()
        for secret in ("token-of-the-desk", key(1), key(2), key(3)):
            self.assertNotIn(secret, log)

    def test_a_changed_policy_is_taken_while_the_hub_runs_and_a_wrong_one_leaves_the_last_good_one(self):
        county = County().start()
        policy = county.directory / "policy.toml"
        first = policy.read_text()
        changed = first.replace('"person.school", ', "")
        self.assertNotEqual(changed, first)

        def ask(*words):
            asked = subprocess.run([CAREHUB, *words, "--by", "test", "--reason", "test"], capture_output=True, text=True,
                                   stdin=subprocess.DEVNULL, timeout=300)
            self.assertEqual(asked.returncode, 0, asked.stderr)
            return asked.stdout

        def decides(text):
            """Whether it is the policy that the running hub goes by."""
            file = county.directory / "compared.toml"
            file.write_text(text)
            return "nothing changes" in ask("policy", "apply", str(county.config), str(file), "--preview")

        def changes():
            return ask("audit", "trail", str(county.config), "--json").count("configuration/reload")
        self.assertTrue(decides(first))
        policy.write_text(changed + '\n[[rule]]\nnaem = "x"\n')
        self.assertIn(f"policy.toml:{changed.count(chr(10)) + 2}:1: ", reload(county, "reload_failed")[-1])
        policy.write_text(changed)  # the commands read it too
        self.assertTrue(decides(first))
        self.assertEqual(changes(), 0)

        self.assertIn("decides from the next event on", reload(county, "policy-reloaded")[-1])
        self.assertTrue(decides(changed))
        self.assertEqual(changes(), 1)

        # What operators applied stays while nobody changes the configuration's text.
        applied = changed + "# applied\n"
        (county.directory / "applied.toml").write_text(applied)
        ask("policy", "apply", str(county.config), str(county.directory / "applied.toml"), "--yes")
        reload(county, "keys-reloaded")
        reload(county, "keys-reloaded")
        self.assertTrue(decides(applied))
        self.assertEqual(changes(), 1)

        # A good text that would leave a subscription without a rule is refused; tokens are taken all the same.
        role = '"tier4-case-manager"'
        policy.write_text(changed.replace(role, '"tier4-lead"'))
        county.config.write_text(county.config.read_text().replace(role, '"tier4-lead"'))
        before = county.log.read_text().count("tokens-reloaded")
        self.assertIn("tier4-case-manager", reload(county, "policy_reload_failed")[-1])
        self.assertGreater(county.log.read_text().count("tokens-reloaded"), before)
        self.assertTrue(decides(applied))
        self.assertEqual(county.stop(), 0)
        self.assertEqual(county.log.read_text().count(" policy-reloaded "), 1)

    def test_a_wrong_key_of_the_hub_and_another_agencys_key_are_refused_and_nothing_is_acknowledged(self):
        tcp = free_port()
        county = County(replace=[('listen = ["ipc://hub.sock"]',
            f'listen = ["ipc://hub.sock", "tcp://127.0.0.1:{tcp}"]\ncurve_secret_file = "hub.secret"')])
        keys(county.directory / "hub")
        inbound = '''direction = "in"
transport = {{ kind = "mllp", address = "127.0.0.1", port = {port} }}
pack = "hospital/hl7v2.toml"'''
        deceived = Elsewhere(county, tcp, "elwick-hospital", inbound.format(port=free_port()), "elwick-adt")
        # Somebody else's public key where the hub's should be: whoever holds it is not spoken to.
        (deceived.directory / "hub.public").write_text((deceived.directory / "own.public").read_text())
        stranger = Elsewhere(county, tcp, "fenbrook-camhs", inbound.format(port=free_port()), "fenbrook-adt")
        allow(county, deceived)
        allow(county, stranger, agency="holm-school")
        county.start(command="broker")
        try:
            deceived.start()
            stranger.start()
            wait_until(lambda: "is server_public_file the hub's own public key?" in deceived.log(), "the line of one")
            wait_until(lambda: "channel=fenbrook-adt code=CH-NO-HUB" in stranger.log(), "the line of the other")
            for adapter in (deceived, stranger):
                self.assertIsNone(adapter.try_once("CURVE3", 623, 1))
            asked = county.carehub("timeline", "--person", "nhs:" + nhs_number(623), "--role", "auditor", "--by", "test",
                                   "--reason", "test", check=False)
            self.assertEqual(asked.returncode, 7, asked.stdout)
            self.assertIn("knows nobody", asked.stderr)
        finally:
            codes = [deceived.stop(), stranger.stop()]
            self.assertEqual(county.stop(), 0)
        self.assertEqual(codes, [0, 0])


if __name__ == "__main__":
    main()
