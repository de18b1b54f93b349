#!/usr/bin/env python3
"""Plays the sample county's messages through the hub's real sockets and folders, tells the story as it goes, and shows
where each message went. Exit code 1 when an answer or an arrival is not as messages/stories.toml says.

Played again, every message is known: the senders get their old receipts, and what lies with the partners in the end is
still what messages/stories.toml says, nothing twice."""
import argparse
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request

WAIT_S = 20
SAMPLE = pathlib.Path(__file__).resolve().parent


def over_mllp(transport, message):
    with socket.create_connection((transport["address"], transport["port"]), timeout=WAIT_S) as connection:
        connection.sendall(b"\x0b" + message + b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            part = connection.recv(65536)
            if not part:
                return "no answer", ""
            answer += part
    code = re.search(rb"[\r\n]MSA.(\w\w)", answer)
    error = re.search(rb"[\r\n](ERR[^\r]*)", answer)
    return code.group(1).decode() if code else "no MSA", error.group(1).decode(errors="replace") if error else ""


def over_http(transport, message):
    url = f"http://{transport['address']}:{transport['port']}{transport['path']}"
    token = (SAMPLE / transport["token_file"]).read_text().strip()
    request = urllib.request.Request(url, data=message, headers={"Content-Type": "application/json",
                                                                 "Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return str(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return str(error.code), error.read().decode()


def over_folder(directory, name, message):
    """Drops the file as an SFTP client would, under another name first, and waits for what the hub makes of it."""
    for folder in ("done", "refused"):
        for old in (directory / folder).glob(f"{name}*"):
            old.unlink()
    part = directory / f".{name}.part"
    part.write_bytes(message)
    part.rename(directory / name)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        reasons = list((directory / "refused").glob(f"{name}*.reason.txt"))
        done = (directory / "done" / name).exists()
        if reasons and (done or (directory / "refused" / name).exists()):
            return ("partly" if done or "accepted" in reasons[0].read_text() else "refused"), reasons[0].read_text()
        if done:
            return "taken", ""
        time.sleep(0.05)
    return "not taken", ""


class Partners:
    """What has arrived at each outbound channel's end."""

    def __init__(self, channels, config, files):
        self.places = {}
        for channel in channels:
            transport = channel["transport"]
            if transport["kind"] == "webhook":
                name = urllib.parse.urlparse(transport["url"]).path.strip("/")
                self.places[channel["name"]] = (files / "received" / name, "*.json")
            else:
                self.places[channel["name"]] = ((config.parent / transport["directory"]).resolve(), "*.csv")

    def count(self, channel):
        folder, pattern = self.places[channel]
        return len(list(folder.glob(pattern)))

    def wait_for(self, wanted):
        """The channels that did not reach their count."""
        end = time.monotonic() + WAIT_S
        while True:
            late = [name for name, count in wanted.items() if self.count(name) < count]
            if not late or time.monotonic() > end:
                return late
            time.sleep(0.02)


def wait_until_taken(carehub, config):
    """The subscriptions for which something waits in spite of all patience. What a message sets off is offered in the
    same step that gives its receipt, so when nothing waits any more, nothing can come any more."""
    end = time.monotonic() + WAIT_S
    while True:
        told = subprocess.run([carehub, "status", config, "--json"], stdout=subprocess.PIPE, text=True, check=True).stdout
        rows = [json.loads(line) for line in told.splitlines()]
        waiting = {row["subscription"]: row["waiting"] for row in rows if "subscription" in row}
        if not waiting:
            raise SystemExit("carehub status names no subscription")
        waiting = {name: count for name, count in waiting.items() if count}
        if not waiting or time.monotonic() > end:
            return waiting
        time.sleep(0.05)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", type=pathlib.Path, default=SAMPLE / "hub.toml")
    arguments.add_argument("--carehub", type=pathlib.Path, required=True, help="the program, to ask the hub what waits")
    arguments.add_argument("--files", type=pathlib.Path, required=True, help="folder of the partners' files")
    options = arguments.parse_args()

    hub = tomllib.loads(options.config.read_text())
    channels = {channel["name"]: channel for channel in hub["channel"]}
    stories = tomllib.loads((SAMPLE / "messages/stories.toml").read_text())["story"]
    outbound = [channel for channel in hub["channel"] if channel["direction"] == "out"]
    partners = Partners(outbound, options.config, options.files)

    totals = {channel["name"]: 0 for channel in outbound}
    for story in stories:
        for step in story["step"]:
            for name in step["gets"]:
                totals[name] += step["events"]
    again = any(partners.count(name) for name in totals)
    if again:
        print("These messages were played before: each sender gets its old answer, and nobody is told twice.")

    wanted, faults = dict.fromkeys(totals, 0), []
    for story in stories:
        print(f"\n{story['title']}\n  {story['tells']}")
        for step in story["step"]:
            channel = channels[step["channel"]]
            transport = channel["transport"]
            message = (SAMPLE / "messages" / story["folder"] / step["file"]).read_bytes()
            if transport["kind"] == "mllp":
                answer, detail = over_mllp(transport, message)
            elif transport["kind"] == "http":
                answer, detail = over_http(transport, message)
            else:
                directory = (options.config.parent / transport["directory"]).resolve()
                answer, detail = over_folder(directory, step["file"], message)
            print(f"  {step['channel']:>15} -> {answer:<6} {step['happens']}", flush=True)
            if answer != step["answer"]:
                faults.append(f"{step['file']}: answered {answer}, expected {step['answer']} {detail}")
            if answer not in ("AA", "CA") and step.get("error") and not names_place(step["error"], detail):
                faults.append(f"{step['file']}: the answer does not name {step['error']}: {detail}")
            if again:
                continue
            for name in step["gets"]:
                wanted[name] += step["events"]
            late = partners.wait_for(wanted)
            for name, what in step["gets"].items():
                if name not in late:
                    print(f"  {'':>15}    {name} was told: {what}")
            for name in late:
                faults.append(f"{step['file']}: nothing arrived at {name}")
                wanted[name] = partners.count(name)

    for name, count in wait_until_taken(options.carehub, options.config).items():
        faults.append(f"{name}: {count} deliveries still wait")
    print("\nWhere it all went")
    for name, count in totals.items():
        arrived = partners.count(name)
        print(f"  {name:<18} {arrived:>3} in {partners.places[name][0]}")
        if arrived != count:
            faults.append(f"{name}: {arrived} arrived, {count} expected of these stories alone (what was sent beside them "
                          "counts, too: deploy/run.sh --stop, then remove run/, starts afresh)")
    for fault in faults:
        print(f"NOT AS EXPECTED: {fault}", file=sys.stderr)
    return 1 if faults else 0


def names_place(place, text):
    """PV1-44 stands in an ERR as PV1^1^44 (before 2.5: PV1^1^44^code), elsewhere as it is written."""
    parts = re.fullmatch(r"([A-Z][A-Z0-9]{2})-(\d+)", place)
    return place in text or bool(parts and re.search(rf"{parts[1]}\^\d*\^{parts[2]}\b", text))


if __name__ == "__main__":
    sys.exit(main())
