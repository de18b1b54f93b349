"""A hub with a console for a test, and a browser as far as cookies go."""
import base64
import hashlib
import hmac
import http.client
import json
import re
import ssl
import struct
import subprocess
import urllib.parse

import county

PASSWORD = "correct horse battery"
ROLES = "tier4-case-manager"


def code(secret, step):
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


class Browser:
    """A browser's cookies and nothing else of it."""

    def __init__(self, console, address="127.0.0.1"):
        self.console, self.address, self.cookies = console, address, {}

    def ask(self, method, path, fields=None, headers=None):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.console.port, context=self.console.trust, timeout=120, source_address=(self.address, 0))
        body = urllib.parse.urlencode(fields) if fields is not None else None
        connection.request(method, path, body, {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **(headers or {})})
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def form(self, path="/sign-in"):
        return re.search(r'name="form" value="([0-9a-f]{64})"', self.ask("GET", path).text).group(1)

    def sign_in(self, account, password, one_time_code, **more):
        return self.ask("POST", "/sign-in", {"form": self.form(), "account": account, "password": password,
                                             "code": one_time_code}, **more)


class Console:
    """A hub with a console, and a certificate of its own. `more`: behind its part of the configuration."""

    def __init__(self, more=lambda console: ""):
        self.port = county.free_port()
        self.county = county.County()
        folder = self.county.directory
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", folder / "console.key", "-out", folder / "console.pem"],
                       check=True, capture_output=True)
        (folder / "console.key").chmod(0o600)
        with open(self.county.config, "a") as config:
            config.write(f'\n[console]\nlisten = "127.0.0.1:{self.port}"\nidle_minutes = 1\n'
                         'tls = { certificate_file = "console.pem", key_file = "console.key" }\n' + more(self))
        self.trust = ssl.create_default_context(cafile=folder / "console.pem")
        self.password_file = folder / "password"
        self.password_file.touch(0o600)
        self.password_file.write_text(PASSWORD + "\n")

    def accounts(self, action, *arguments):
        return subprocess.run([county.CAREHUB, "accounts", action, self.county.config, *arguments], check=True,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300).stdout

    def add(self, name):
        """The secret of its codes."""
        told = self.accounts("add", name, "--roles", ROLES, "--password-file", self.password_file)
        return re.search(r"secret=([A-Z2-7]{32})&", told).group(1)

    def trail(self):
        told = subprocess.run([county.CAREHUB, "audit", "trail", self.county.config, "--json", "--by", "A Reader",
                               "--reason", "to see who signed in"], check=True, capture_output=True, text=True, timeout=300)
        return [json.loads(line) for line in told.stdout.splitlines()]

    def account(self, name):
        """Its id."""
        return next(row["id"] for row in map(json.loads, self.accounts("list", "--json").splitlines()) if row["name"] == name)

    def log(self):
        return self.county.log.read_text()
