"""People sign in to a real hub's console over TLS, with a password and a code; and those who should not, do not."""
import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import re
import ssl
import struct
import subprocess
import time
import unittest
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
    """A hub with a console, and a certificate of its own."""

    def __init__(self):
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
                         'tls = { certificate_file = "console.pem", key_file = "console.key" }\n')
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

    def log(self):
        return self.county.log.read_text()


class SignIn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.console = Console()
        cls.secrets = {name: cls.console.add(name) for name in ("jo", "kim", "lee")}
        cls.console.county.start()

    @classmethod
    def tearDownClass(cls):
        cls.console.county.stop()

    def now(self, name):
        return code(self.secrets[name], int(time.time()) // 30)

    def test_who_has_password_and_code_is_told_who_he_is_until_he_signs_out(self):
        browser = Browser(self.console, "127.0.0.2")
        self.assertEqual(browser.ask("GET", "/").headers["Location"], "/sign-in")
        self.assertEqual(browser.sign_in("jo", PASSWORD, "000000").status, 403)
        self.assertEqual(browser.sign_in("jo", "wrong horse battery", self.now("jo")).status, 403)
        used = self.now("jo")
        answer = browser.sign_in("jo", PASSWORD, used)
        self.assertEqual(answer.status, 303)
        cookie = next(one for one in answer.headers.get_all("Set-Cookie") if one.startswith("__Host-carehub="))
        for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, cookie)
        page = browser.ask("GET", "/")
        self.assertEqual(page.status, 200)
        self.assertIn("<strong>jo</strong>", page.text)
        self.assertIn(ROLES, page.text)
        self.assertEqual(page.headers["Strict-Transport-Security"], "max-age=31536000")
        self.assertEqual(page.headers["Cache-Control"], "no-store")
        self.assertIn("frame-ancestors 'none'", page.headers["Content-Security-Policy"])
        other = Browser(self.console, "127.0.0.2")
        self.assertEqual(other.sign_in("jo", PASSWORD, used).status, 403, "a code is good once")
        kept = dict(browser.cookies)
        form = re.search(r'value="([0-9a-f]{64})"', page.text).group(1)
        self.assertEqual(browser.ask("POST", "/sign-out", {"form": "0" * 64}).status, 403)
        self.assertEqual(browser.ask("POST", "/sign-out", {"form": form},
                                     headers={"Origin": "https://evil.example"}).status, 403)
        self.assertEqual(browser.ask("GET", "/").status, 200)
        self.assertEqual(browser.ask("POST", "/sign-out", {"form": form},
                                     headers={"Origin": f"https://127.0.0.1:{self.console.port}"}).status, 303)
        browser.cookies = kept
        self.assertEqual(browser.ask("GET", "/").status, 303, "a session that was ended stays so")

    def test_an_account_that_is_removed_is_signed_out_while_the_hub_runs(self):
        browser = Browser(self.console, "127.0.0.3")
        self.assertEqual(browser.sign_in("kim", PASSWORD, self.now("kim")).status, 303)
        self.assertEqual(browser.ask("GET", "/").status, 200)
        self.console.accounts("remove", "kim")
        county.wait_until(lambda: browser.ask("GET", "/").status == 303, "the end of the session")
        self.assertEqual(browser.sign_in("kim", PASSWORD, self.now("kim")).status, 403)

    def test_a_flood_of_attempts_takes_neither_the_memory_nor_the_loop_of_the_hub(self):
        browsers = [Browser(self.console, f"127.0.1.{1 + i % 200}") for i in range(60)]
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda at: browsers[at].sign_in(f"name{at}", "wrong horse", "000000"), range(60)))
        statuses = [answer.status for answer in answers]
        self.assertLessEqual(set(statuses), {403, 503})
        self.assertIn(503, statuses)
        for answer in answers:
            if answer.status == 503:
                self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertLess(county.resident_mb(self.console.county.hub.pid), 1200)  # one comparison takes 256 MiB
        self.assertTrue(self.console.county.rows("status"))
        browser = Browser(self.console, "127.0.0.4")
        for _ in range(5):
            self.assertEqual(browser.sign_in("lee", "wrong horse", "000000").status, 403)
        answer = browser.sign_in("lee", PASSWORD, self.now("lee"))
        self.assertEqual(answer.status, 429)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        county.wait_until(lambda: "not let in since the last such line" in self.console.log(), "the summary")

    def test_what_is_secret_is_in_no_line_of_the_log(self):
        browser = Browser(self.console, "127.0.0.5")
        browser.sign_in("nobody", PASSWORD, "123456")
        log = self.console.log()
        for secret in (PASSWORD, PASSWORD.replace(" ", "+"), *self.secrets.values(), *browser.cookies.values()):
            if secret:
                self.assertNotIn(secret, log)


if __name__ == "__main__":
    county.main()
