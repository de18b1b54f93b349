"""Every event type comes in over every transport from an agency that may publish it and from one that may not, and goes
out over every transport to a role that may see little of it: what is refused says nothing of the event, and what leaves
holds no value that the policy keeps back. Each value of each event is like no other."""
import csv
import io
import itertools
import json
import re
import subprocess
import unittest
import urllib.error
import urllib.request

from county import CAREHUB, ROOT, TOKEN, County, Mllp, Receiver, admission, free_port, main, nhs_number, wait_until

CONFIG = """
[hub]
name = "Northmarch"
data = "{data}"
policy = "policy.toml"
packs = "{root}/adapters"

[broker]
listen = ["ipc://hub.sock"]
{agencies}
[[channel]]
name = "desk"
agency = "reader"
direction = "out"
role = "desk"
transport = {{ kind = "webhook", url = "http://127.0.0.1:{receiver}/desk", allow_addresses = ["127.0.0.1"] }}

[[channel]]
name = "notices"
agency = "reader"
direction = "out"
role = "notices"
transport = {{ kind = "webhook", url = "http://127.0.0.1:{receiver}/notices", allow_addresses = ["127.0.0.1"] }}
pack = "notices/tier4.toml"
notice = true

[[channel]]
name = "files"
agency = "reader"
direction = "out"
role = "files"
transport = {{ kind = "folder", directory = "{files}/out", name = "carehub-{{date}}-{{sequence}}.csv", create = true }}
pack = "school/notices.toml"

[[agency]]
id = "reader"
name = "Reader"
kind = "council"
codes = ["E10000099"]
roles = ["desk", "notices", "files"]
"""

AGENCY = """
[[agency]]
id = "{agency}"
name = "{agency}"
kind = "hospital"
codes = ["{code}"]
may_publish = {may_publish}

[[channel]]
name = "{agency}-mllp"
agency = "{agency}"
direction = "in"
transport = {{ kind = "mllp", address = "127.0.0.1", port = {mllp} }}
pack = "hospital/hl7v2.toml"
unmappable = "refuse"

[[channel]]
name = "{agency}-http"
agency = "{agency}"
direction = "in"
transport = {{ kind = "http", address = "127.0.0.1", port = {http}, path = "/events", token_file = "council.token" }}
pack = "council/events.toml"

[[channel]]
name = "{agency}-folder"
agency = "{agency}"
direction = "in"
transport = {{ kind = "folder", directory = "{files}/{agency}", pattern = "*.json", quiet_ms = 0, poll_ms = 100, create = true }}
pack = "council/events.toml"
"""

POLICY = """
[[rule]]
name = "desk"
role = "desk"
types = ["*"]
show = ["occurred_at", "person.nhs_number", "person.names[].family"]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "notices"
role = "notices"
types = ["*"]
show = ["person.nhs_number", "admission.visit_number"]
coarsen = [{ path = "person.birth_date", how = "to_year" }, { path = "occurred_at", how = "to_date" },
           { path = "admission.admitted_at", how = "to_month" }]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "files"
role = "files"
types = ["*"]
show = ["person.upn"]
coarsen = [{ path = "occurred_at", how = "to_date" },
           { path = "admission.reason_text", how = "replaced", by = "Absent for health reasons" }]
legal_basis = "Children Act 2004 s.10"
"""

# What the policy above shows of any event, said once more.
SHOWN = {
    "desk": {"occurred_at", "person.nhs_number", "person.names[].family"},
    "notices": {"person.nhs_number", "admission.visit_number"},
    "files": {"person.upn"},
}

MARK = re.compile(rb"zq[0-9]{6}q|999[0-9]{7}|\.[0-9]{6}(?=[+Z])|[A-Z]9[0-9]{11}")
ADT = {"A01": "admission", "A03": "discharge", "A11": "correction"}  # that the pack knows


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def upn(number):
    digits = f"9{number:011d}"
    return "ABCDEFGHJKLMNPQRTUVWXYZ"[sum(int(d) * w for d, w in zip(digits, range(2, 14))) % 23] + digits


class Schema:
    """The tables and enumerations of event.fbs."""

    def __init__(self):
        text = re.sub(r"//.*", "", (ROOT / "schemas/event.fbs").read_text())
        self.tables = {
            name: re.findall(r"(\w+)\s*:\s*(\[?\w+\]?)", body)
            for name, body in re.findall(r"table (\w+) \{(.*?)\}", text, re.S)}
        self.enums = {
            name: re.findall(r"(\w+)(?:\s*=\s*\d+)?", body)
            for name, body in re.findall(r"enum (\w+) : ubyte \{(.*?)\}", text, re.S)}
        self.types = self.enums["EventType"][1:]


class Marker:
    """Events with a value of its own in each field, and whose value it is."""

    NOT_THE_SENDERS = {"source_agency", "source_channel", "received_at", "mapping_name", "mapping_version", "restrictions"}

    def __init__(self, schema):
        self.schema = schema
        self.paths = {}
        self.count = itertools.count(1)

    def mark(self, path, text, value=None):
        assert text.encode() not in self.paths
        self.paths[text.encode()] = path
        return value or text

    def new(self, path):
        return self.mark(path, f"zq{next(self.count):06d}q")

    def value(self, kind, path):
        if kind.startswith("["):
            return [self.value(kind[1:-1], path + "[]")]
        if kind in self.schema.tables:
            return {name: self.value(below, f"{path}.{name}" if path else name)
                    for name, below in self.schema.tables[kind] if name not in self.NOT_THE_SENDERS}
        if kind in self.schema.enums:
            return ("local" if kind == "OrganisationScheme" else "verified" if kind == "NhsNumberStatus" else
                    self.schema.enums[kind][1])
        if kind == "Time":
            part = f"{next(self.count):06d}"
            return self.mark(path, f".{part}", f"2025-06-01T09:10:11.{part}+00:00")
        if kind == "Date":
            return "2012-05-03"
        if kind != "string":
            return 3
        if path.endswith("nhs_number"):
            return self.mark(path, nhs_number(next(self.count)))
        if path.endswith(".upn"):
            return self.mark(path, upn(next(self.count)))
        return self.new(path)

    def event(self, type_name):
        made = self.value("Event", "")
        for name in self.schema.types:
            if name != type_name:
                made.pop(name)
        # The sender's own number is theirs to hear again.
        made["id"] = f"0b5a8f5e-3c43-4d0c-9e0e-{next(self.count):012d}"
        made["type"] = type_name
        return made

    def in_bytes(self, data):
        return {self.paths[found] for found in MARK.findall(data) if found in self.paths}


class Disclosure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = Schema()
        cls.marker = Marker(cls.schema)
        cls.bodies = []
        cls.receiver = Receiver(cls.take)
        cls.county = County(receiver_port=cls.receiver.port)
        cls.may_publish = {"even": cls.schema.types[0::2], "odd": cls.schema.types[1::2]}
        cls.ports = {agency: {"mllp": free_port(), "http": free_port()} for agency in cls.may_publish}
        agencies = "".join(
            AGENCY.format(agency=agency, code=code, may_publish=json.dumps(cls.may_publish[agency]), files=cls.county.files,
                          **cls.ports[agency])
            for agency, code in (("even", "RZX01"), ("odd", "RZY02")))
        cls.county.config.write_text(CONFIG.format(
            data=cls.county.data, root=ROOT, agencies=agencies, receiver=cls.receiver.port, files=cls.county.files))
        (cls.county.directory / "policy.toml").write_text(POLICY)
        cls.county.start()
        cls.taken = 0

    @classmethod
    def tearDownClass(cls):
        code = cls.county.stop()
        cls.receiver.stop()
        assert code == 0, f"the hub ended with {code}"

    @classmethod
    def take(cls, path, body):
        cls.bodies.append((path.strip("/"), body))
        return 200

    def cases(self):
        for agency, types in self.may_publish.items():
            for type_name in self.schema.types:
                yield agency, type_name, type_name in types

    def judge(self, agency, type_name, may, answer, refused, because=b"may not publish"):
        """An answer's bytes hold nothing of the event; a refusal says who decides, and the others are taken."""
        self.assertEqual(refused, not may, f"{agency} publishes {type_name}: {answer[:300]}")
        self.assertEqual(self.marker.in_bytes(answer), set())
        if may:
            type(self).taken += 1
        else:
            self.assertIn(because, answer)

    def test_1_over_http_each_type_is_taken_or_refused_as_the_configuration_says(self):
        for agency, type_name, may in self.cases():
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.ports[agency]['http']}/events", data=json.dumps(self.marker.event(type_name)).encode(),
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"})
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    status, told = answer.status, str(answer.headers).encode() + answer.read()
            except urllib.error.HTTPError as error:
                status, told = error.code, str(error.headers).encode() + error.read()
            self.assertIn(status, (200, 201, 202, 403, 422))
            self.judge(agency, type_name, may, told, status >= 400)

    def test_2_out_of_a_folder_each_type_is_taken_or_refused_as_the_configuration_says(self):
        for agency, type_name, may in self.cases():
            place = self.county.files / agency
            name = f"{type_name}.json"
            hidden = place / f".{name}"
            hidden.write_text(json.dumps(self.marker.event(type_name)))
            hidden.rename(place / name)
            reason = place / "refused" / f"{name}.reason.txt"
            wait_until(lambda: (place / "done" / name).exists() or reason.exists(), f"what became of {agency}'s {name}")
            self.judge(agency, type_name, may, reason.read_bytes() if reason.exists() else b"", reason.exists())

    def test_3_over_mllp_each_type_is_taken_or_refused_as_the_configuration_says(self):
        for number, (agency, (trigger, type_name)) in enumerate(itertools.product(self.may_publish, ADT.items())):
            mark = self.marker
            message = admission(
                f"DISC{number:04d}", mark.mark("person.nhs_number", nhs_number(next(mark.count))), event=trigger,
                ward=mark.new("location.ward"), family=mark.new("person.names[].family"),
                given=mark.new("person.names[].given[]"), visit=mark.new(f"{type_name}.visit_number"),
                facility="RZX01" if agency == "even" else "RZY02")
            connection = Mllp(self.ports[agency]["mllp"])
            answer = connection.ask(message)
            connection.close()
            self.assertIn(f"DISC{number:04d}".encode(), answer)
            self.judge(agency, type_name, type_name in self.may_publish[agency], answer, b"|AA|" not in answer,
                       b"Unsupported event code")

    def test_4_what_leaves_holds_nothing_that_the_policy_keeps_back(self):
        self.assertGreater(self.taken, 2 * len(self.schema.types))
        out = self.county.files / "out"
        leaving = {
            "desk": lambda: [body for path, body in list(self.bodies) if path == "desk"],
            "notices": lambda: [body for path, body in list(self.bodies) if path == "notices"],
            "files": lambda: [file.read_bytes() for file in out.glob("*.csv")],
        }
        for role, shown in SHOWN.items():
            parts = wait_until(lambda: (lambda all: len(all) >= self.taken and all)(leaving[role]()),
                               f"{self.taken} deliveries to {role}")
            self.assertEqual(len(parts), self.taken)
            seen = set().union(*(self.marker.in_bytes(part) for part in parts))
            self.assertEqual(seen - shown, set(), f"what {role} gets")
            self.assertEqual(shown - seen, set(), f"what {role} was to get")
        headers = json.dumps([kept for _, kept, _ in self.receiver.received]).encode()
        self.assertEqual(self.marker.in_bytes(headers), set(), "what the webhooks' headers say")

    def diff(self, old, new, *arguments):
        done = subprocess.run([CAREHUB, "policy", "diff", str(self.county.config), str(old), str(new), "--by", "A Test",
                               "--reason", "a review", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
        told = done.stdout + done.stderr
        self.assertEqual(self.marker.in_bytes(told), set(), "what a diff says of the events' values")
        self.assertNotRegex(told, rb"999[0-9]{7}|zq[0-9]{6}q")
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_5_a_diff_says_who_would_see_more_and_less_under_another_policy_and_no_value(self):
        draft = self.county.directory / "draft.toml"
        draft.write_text(POLICY.replace('"person.nhs_number", "person.names[].family"]', '"person.names[].family", "person.upn"]')
                         .replace('how = "to_month"', 'how = "to_year"'))
        code, out, err = self.diff("current", draft, "--csv")
        self.assertEqual(code, 0, err)
        rows = list(csv.DictReader(io.StringIO(out, newline="")))
        of = lambda **cells: [row for row in rows if all(row[name] == cell for name, cell in cells.items())]
        self.assertEqual({row["role"] for row in rows}, {"desk", "notices"})
        self.assertEqual({row["agency"] for row in rows}, {"reader"})
        self.assertEqual({(row["field"], row["before"], row["after"], row["change"]) for row in of(role="desk")},
                         {("person.nhs_number", "shown", "withheld", "less"), ("person.upn", "withheld", "shown", "more")})
        self.assertEqual([(row["event"], row["field"], row["before"], row["after"], row["change"]) for row in of(role="notices")],
                         [("admission", "admission.admitted_at", "to_month", "to_year", "less")])
        flags = of(role="desk", event="safeguarding_flag", field="person.upn")
        self.assertEqual(len(flags), 1)
        self.assertEqual((flags[0]["rule_before"], flags[0]["rule_after"]), ("desk", "desk"))
        self.assertGreaterEqual(int(flags[0]["events"]), 2)
        self.assertGreater(int(flags[0]["first_example"]), 0)
        tried = re.search(r"^(\d+) events of 30 days tried; 1 pair of role and agency would see more, 2 less$", err, re.M)
        self.assertTrue(tried, err)
        self.assertEqual(int(tried[1]), self.taken)

        code, out, err = self.diff("current", draft, "--json")
        self.assertEqual((code, err), (0, ""))
        said = json.loads(out)
        self.assertEqual((said["days"], said["events"], said["pairs_more"], said["pairs_less"]), (30, self.taken, 1, 2))
        self.assertEqual((said["erased"], said["unopened"], said["only_in_one"], said["left_out"]), (0, 0, [], []))
        self.assertEqual([{name: str(value) for name, value in change.items()} for change in said["changes"]], rows)

        code, out, err = self.diff("current", draft, "--days", "1")
        self.assertEqual(code, 0, err)
        self.assertIn(f"{self.taken} events of 1 day tried; ", out)
        self.assertRegex(out, r"(?m)^role +agency +event +field +before +after ")
        for days in ("0", "4000"):
            self.assertEqual(self.diff("current", draft, "--days", days)[0], 2)

        code, out, err = self.diff(draft, draft)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("nothing changes: nobody would see more or less of them", out)

    def test_6_a_policy_with_a_fault_is_refused_with_its_place_and_the_right_word(self):
        wrong = self.county.directory / "wrong.toml"
        wrong.write_text(POLICY.replace('"person.upn"', '"person.upm"', 1))
        line = 1 + next(at for at, text in enumerate(wrong.read_text().split("\n")) if "person.upm" in text)
        code, out, err = self.diff("current", wrong)
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, rf"wrong\.toml:{line}:\d+: ")
        self.assertIn("Did you mean `upn`?", err)


if __name__ == "__main__":
    main()
