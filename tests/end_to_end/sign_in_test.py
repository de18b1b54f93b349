"""People sign in to a real hub's console over TLS, with a password and a code; and those who should not, do not."""
import concurrent.futures
import re
import time
import unittest

import county
from console import PASSWORD, ROLES, Browser, Console, code

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
        acts = [row["act"] for row in self.console.trail() if row["by"] == self.console.account("jo")]
        self.assertEqual(acts, ["signed in", "signed out"])

    def test_who_is_turned_away_is_counted_on_record_and_nothing_of_what_he_typed_is(self):
        browser = Browser(self.console, "127.0.0.6")
        self.assertEqual(browser.sign_in("a-name-of-nobody", "a password of nobody", "000000").status, 403)
        told = lambda: [row for row in self.console.trail() if row["act"] == "refused sign-in"]
        county.wait_until(lambda: any("an account that is not there" in row["text"] for row in told()), "the entry")
        for row in told():
            self.assertNotIn("nobody", row["text"].replace("an account that is not there", ""))

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
