"""People sign in to a real hub's console by a provider that is not ours, over TLS; and those who should not, do not."""
import http.client
import json
import re
import ssl
import subprocess
import sys
import unittest
import urllib.parse

import county
from console import Browser, Console

NODE = county.ROOT / "build/tools/node"
MODULES = county.ROOT / "build/tools/node_modules"
SECRET = "a-client-secret-of-this-test-alone-7Rq"
PEOPLE = {"jo": ["tier4-team", "root", "tier4-case-manager"], "kim": ["other-team"]}


class Provider:
    """oidc-provider on a port of its own, with the console's certificate, which both then trust."""

    def __init__(self, console, algorithm, in_user_info):
        self.console, self.port = console, county.free_port()
        self.asked = {
            "modules": str(MODULES.resolve()), "port": self.port, "secret": SECRET, "algorithm": algorithm,
            "in_user_info": in_user_info, "roles": PEOPLE, "redirect": f"{console.address}/sign-in/openid/done",
            "key_file": str(console.county.directory / "console.key"),
            "certificate_file": str(console.county.directory / "console.pem")}

    def start(self):
        self.process = subprocess.Popen([NODE, county.ROOT / "tests/end_to_end/openid_provider.mjs"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write(json.dumps(self.asked))
        self.process.stdin.close()
        while (line := self.process.stdout.readline()) != "listening\n":
            assert line, "the provider ended"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def signs_in(self, address, name):
        """Somebody gives his name there, and says that the console may know it: where that leads."""
        cookies = {}
        fields = None
        while not address.startswith(self.console.address):
            address = urllib.parse.urljoin(f"https://127.0.0.1:{self.port}/", address)
            place = urllib.parse.urlsplit(address)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.console.trust, timeout=120)
            connection.request("POST" if fields else "GET", f"{place.path}?{place.query}",
                               urllib.parse.urlencode(fields) if fields else None,
                               {"Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()),
                                "Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            page = answer.read().decode()
            connection.close()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                key, _, value = cookie.split(";")[0].partition("=")
                cookies[key] = value
            fields = None
            if answer.status == 200:
                prompt = re.search(r'name="prompt" value="(\w+)"', page).group(1)
                address = re.search(r'action="([^"]+)"', page).group(1)
                fields = {"prompt": prompt, "login": name, "password": "anything"}
            else:
                assert answer.status in (302, 303), page
                address = answer.headers["Location"]
        return address[len(self.console.address):]


def configured(console, algorithm, in_user_info):
    """A console's configuration for a provider that is made for it."""
    console.address = f"https://127.0.0.1:{console.port}"
    console.provider = Provider(console, algorithm, in_user_info)
    secret = console.county.directory / "client.secret"
    secret.touch(0o600)
    secret.write_text(SECRET + "\n")
    return f"""
[console.openid]
issuer = "https://127.0.0.1:{console.provider.port}"
client_id = "carehub"
client_secret_file = "client.secret"
address = "{console.address}"
ca_file = "console.pem"
roles = {{ tier4-team = "tier4-case-manager" }}
"""


def console_with(algorithm, in_user_info):
    console = Console(lambda made: configured(made, algorithm, in_user_info))
    console.provider.start()
    console.county.start()
    return console


class ByAProvider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.consoles = [console_with("RS256", True), console_with("ES256", False)]

    @classmethod
    def tearDownClass(cls):
        for console in cls.consoles:
            console.county.stop()
            console.provider.stop()

    def departed(self, console, address="127.0.0.1"):
        browser = Browser(console, address)
        self.assertIn('href="/sign-in/openid"', browser.ask("GET", "/sign-in").text)
        answer = browser.ask("GET", "/sign-in/openid")
        self.assertEqual(answer.status, 303)
        cookie = next(one for one in answer.headers.get_all("Set-Cookie") if one.startswith("__Host-carehub-openid="))
        for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            self.assertIn(word, cookie)
        return browser, answer.headers["Location"]

    def test_whom_the_provider_signs_in_has_the_roles_that_are_named_for_his_claims_and_no_other(self):
        for console in self.consoles:
            browser, location = self.departed(console)
            answer = browser.ask("GET", console.provider.signs_in(location, "jo"))
            self.assertEqual(answer.status, 200, answer.text)
            self.assertIn('http-equiv="refresh"', answer.text)
            page = browser.ask("GET", "/")
            self.assertIn("<strong>jo of the trust</strong>", page.text)
            self.assertEqual(re.findall("<li>(.*)</li>", page.text), ["tier4-case-manager"])
            form = re.search(r'value="([0-9a-f]{64})"', page.text).group(1)
            kept = dict(browser.cookies)
            out = browser.ask("POST", "/sign-out", {"form": form})
            self.assertIn("who uses this browser next can come in as you", out.text)
            self.assertIn(f"https://127.0.0.1:{console.provider.port}/session/end?client_id=carehub", out.text)
            browser.cookies = kept
            self.assertEqual(browser.ask("GET", "/").status, 303, "a session that was ended stays so")
            by = [(row["act"], row["by"]) for row in console.trail() if row["by"].startswith("oidc-")]
            self.assertEqual([act for act, _ in by[-2:]], ["signed in", "signed out"])
            self.assertEqual(len({who for _, who in by}), 1)

    def test_whom_no_role_is_named_for_is_not_let_in_and_is_told_why(self):
        for console in self.consoles:
            browser, location = self.departed(console)
            answer = browser.ask("GET", console.provider.signs_in(location, "kim"))
            self.assertEqual(answer.status, 403)
            self.assertIn("You have no role here", answer.text)
            self.assertEqual(browser.ask("GET", "/").status, 303)

    def test_a_way_back_is_good_once_and_for_the_browser_that_began_it(self):
        console = self.consoles[0]
        browser, location = self.departed(console, "127.0.0.2")
        back = console.provider.signs_in(location, "jo")
        other, _ = self.departed(console, "127.0.0.2")
        self.assertEqual(other.ask("GET", back).status, 403, "somebody else's way back signs nobody in")
        self.assertEqual(Browser(console, "127.0.0.2").ask("GET", back).status, 403)
        kept = dict(browser.cookies)
        self.assertEqual(browser.ask("GET", back).status, 200)
        browser.cookies = kept
        self.assertEqual(browser.ask("GET", back).status, 403, "the provider knows that the code was used")
        changed = back.replace("state=", "state=0")
        self.assertEqual(browser.ask("GET", changed).status, 403)
        self.assertEqual(browser.ask("POST", back, {}).status, 404)

    def test_a_provider_that_is_away_holds_up_nothing_else(self):
        console = console_with("RS256", False)
        try:
            browser, location = self.departed(console)
            back = console.provider.signs_in(location, "jo")
            console.provider.stop()
            answer = browser.ask("GET", back)
            self.assertEqual(answer.status, 503)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertEqual(browser.ask("GET", "/sign-in").status, 200)
            self.assertTrue(console.county.rows("status"))
            self.assertIn("code=CH-CONSOLE-OPENID alarm=true", console.log())
            console.provider.start()
            browser, location = self.departed(console)
            (console.county.directory / "client.secret").write_text("another\n")
            self.assertEqual(browser.ask("GET", console.provider.signs_in(location, "jo")).status, 503)
            (console.county.directory / "client.secret").write_text(SECRET + "\n")
            browser, location = self.departed(console)
            self.assertEqual(browser.ask("GET", console.provider.signs_in(location, "jo")).status, 200)
        finally:
            console.county.stop()
            console.provider.stop()

    def test_nothing_of_it_is_in_the_log(self):
        for console in self.consoles:
            browser, location = self.departed(console)
            back = console.provider.signs_in(location, "jo")
            self.assertEqual(browser.ask("GET", back).status, 200)
            log = console.log()
            said = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)
            self.assertIn("has signed in by the provider", log)
            for secret in ("jo of the trust", SECRET, *said["code"], *said["state"], *browser.cookies.values()):
                if secret:
                    self.assertNotIn(secret, log)


if __name__ == "__main__":
    if not (NODE.exists() and (MODULES / "oidc-provider").exists()):
        print("skipped: Node 22 and oidc-provider are not installed (deploy/setup.sh --test installs them)")
        sys.exit(77)
    county.main()
