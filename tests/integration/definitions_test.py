#!/usr/bin/env python3
"""Definitions from a mirror: a web server that is slow, broken, hostile or stands still never costs a host what it has."""

import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import time
import unittest

import mirror_world
from mirror_world import PROGRAMS, Server, Site, cut, drip, endless, endless_headers, redirect, run, status
from picket_world import LIBC, wait_for

ROOT = os.geteuid() == 0


class Mirror(unittest.TestCase):
    def setUp(self):
        self.site = Site()
        self.addCleanup(self.site.close)
        self.site.put("a.ndb", b"First:0:*:0011\n")
        self.site.put("b.hdb", b"b\n")
        self.site.put("big.hsb", b"0123456789abcdef" * 20_000)
        self.site.put("README.txt", b"not a database")
        self.published = self.site.publish()
        self.site.start()
        self.assertEqual(self.site.update()["status"], "candidate")
        self.before = self.site.in_force()

    def next_set(self, content=b"Second:0:*:0022\n", **_):
        time.sleep(1.1)  # versions are seconds
        self.site.put("a.ndb", content)
        return self.site.publish()

    def next_big_set(self):
        """The same with a file that takes a while; gives its place on the mirror."""
        content = b"fedcba9876543210" * 20_000
        self.site.put("big.hsb", content)
        self.next_set()
        return "/files/" + hashlib.sha256(content).hexdigest()

    def failed(self, reason, part="", outcome=None):
        outcome = outcome or self.site.update()
        self.assertEqual(outcome["status"], "failed", outcome)
        self.assertEqual(outcome["reason"], reason, outcome)
        self.assertIn(part, outcome["message"])
        self.assertEqual(self.site.in_force(), self.before)
        return outcome

    def misbehave(self, part, answer):
        self.site.server.misbehave = lambda path: answer if part in path else None

    def well_again(self):
        self.site.server.misbehave = None
        self.assertEqual(self.site.update()["status"], "candidate")
        self.assertIn(b"Second", self.site.in_force()["a.ndb"])

    # --- the plain course

    def test_what_is_published_comes_into_force_and_minisign_agrees(self):
        self.assertEqual(self.published["files"], 3)
        self.assertEqual(self.published["left_out"], ["README.txt"])
        self.assertEqual(self.before["a.ndb"], b"First:0:*:0011\n")
        for name, key in (("manifest.json", "definitions-1.pub"), ("keys.json", "acme.pub")):
            run("minisign", "-V", "-q", "-p", os.path.join(self.site.organisation, key), "-m", os.path.join(self.site.mirror, name))
        for path, _, files in os.walk(os.path.join(self.site.root, "var/lib/picket/definitions/generations")):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o755)
            for file in files:
                self.assertEqual(os.stat(os.path.join(path, file)).st_mode & 0o777, 0o644)

    def test_a_second_look_fetches_nothing_that_is_there(self):
        self.site.server.seen.clear()
        outcome = self.site.update()
        self.assertEqual(outcome["status"], "unchanged")
        self.assertEqual([path for path, _ in self.site.server.seen], ["/keys.json", "/keys.json.minisig", "/manifest.json"])
        self.assertLess(outcome["received"], 4096)
        self.next_set()
        self.site.server.seen.clear()
        self.assertEqual(self.site.update()["status"], "candidate")
        self.assertEqual(len([path for path, _ in self.site.server.seen if path.startswith("/files/")]), 1)

    def test_a_web_server_of_the_distribution_serves_the_directory(self):
        nginx = shutil.which("nginx")
        if not nginx:
            self.skipTest("nginx is not installed")
        with Server(self.site.mirror) as placeholder:
            port = placeholder.server_address[1]
            placeholder.shutdown()
        configuration = os.path.join(self.site.base, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(f"daemon off; pid {self.site.base}/nginx.pid; error_log stderr; events {{}}\n"
                       f"http {{ access_log off; client_body_temp_path {self.site.base}/t1; proxy_temp_path {self.site.base}/t2;\n"
                       f"fastcgi_temp_path {self.site.base}/t3; uwsgi_temp_path {self.site.base}/t4; scgi_temp_path {self.site.base}/t5;\n"
                       f"server {{ listen 127.0.0.1:{port}; root {self.site.mirror}; }} }}\n")
        self.site.spawn("nginx", nginx, "-c", configuration, "-e", "stderr")
        self.site.onboard(f"http://127.0.0.1:{port}")
        self.next_set()
        wait_for(lambda: self.site.update()["status"] == "candidate", "an answer of nginx")
        self.assertEqual(self.site.update()["status"], "unchanged")
        self.site.processes["nginx"].terminate()
        self.site.processes["nginx"].wait(30)

    def test_ipv6(self):
        server = Server(self.site.mirror, "::1")
        self.addCleanup(server.close)
        self.site.onboard(server.url)
        self.next_set()
        self.assertEqual(self.site.update()["status"], "candidate")

    # --- a server that does not do well

    def test_interrupted_downloads_go_on_where_they_ended(self):
        big = self.next_big_set()
        self.misbehave(big, cut(100_000))
        for _ in range(2):
            self.failed("definitions_mirror_unreachable")
        self.well_again()
        ranges = [headers.get("Range") for path, headers in self.site.server.seen if path == big]
        self.assertEqual(ranges, [None, "bytes=100000-", "bytes=200000-"])

    def test_429_5xx_and_404_are_answered_with_patience(self):
        self.next_set()
        for number in (500, 502, 503, 404, 403):
            self.misbehave("/manifest.json", status(number))
            self.failed("definitions_mirror_unreachable", str(number))
        self.misbehave("/", status(429, {"Retry-After": "5000"}))
        self.failed("definitions_mirror_unreachable", "429")
        attempts = self.site.memory()["attempts"]
        self.assertGreaterEqual(attempts["not_before"], attempts["last"] + 5000)
        self.assertEqual(attempts["failures"], 6)
        self.well_again()
        self.assertEqual(self.site.memory()["attempts"]["failures"], 0)

    def test_redirects_are_followed_a_few_times_and_only_where_they_may_lead(self):
        self.next_set()
        self.misbehave("/manifest.json", redirect("/manifest.json"))
        self.failed("definitions_mirror_untrusted", "redirects")
        for place in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/1"):
            self.misbehave("/manifest.json", redirect(place))
            self.failed("definitions_mirror_untrusted", "redirect or URL")
        other = Server(self.site.mirror)
        self.addCleanup(other.close)
        self.site.server.misbehave = lambda path: redirect(other.url + path)
        self.assertEqual(self.site.update()["status"], "candidate")

    def test_data_without_an_end_ends(self):
        self.next_set()
        for part in ("/keys.json", "/manifest.json.minisig", "/files/"):
            for answer in (endless, endless_headers):
                self.misbehave(part, answer)
                outcome = self.failed("definitions_mirror_untrusted")
                self.assertLess(outcome["received"], 4 << 20)
        self.well_again()

    def test_a_byte_a_second_is_given_up(self):
        self.misbehave(self.next_big_set(), drip(300))
        self.failed("definitions_mirror_unreachable", "time")
        self.well_again()

    def test_another_part_of_the_file_or_another_file_is_refused(self):
        big = self.next_big_set()
        self.misbehave(big, cut(100_000))
        self.failed("definitions_mirror_unreachable")
        self.misbehave(big, lambda handler: handler.plain(206, b"x" * 10, {"Content-Range": "bytes 5-14/320000"}))
        self.failed("definitions_mirror_untrusted", "another part")
        self.misbehave(big, lambda handler: handler.plain(200, b"Worse:0:*:0033\n"))
        self.failed("definitions_mirror_untrusted", "as it was signed")
        self.well_again()

    def test_nobody_is_there(self):
        self.next_set()
        self.site.onboard("http://127.0.0.1:1")
        self.failed("definitions_mirror_unreachable", "connection")
        self.site.onboard("http://name.invalid")
        self.failed("definitions_mirror_unreachable", "name of the server")

    # --- an attacker

    def test_old_sets_and_sets_of_other_keys_are_refused(self):
        old = os.path.join(self.site.base, "old")
        shutil.copytree(self.site.mirror, old)
        self.next_set()
        self.assertEqual(self.site.update()["status"], "candidate")
        self.before = self.site.in_force()
        self.site.server.folder = old
        self.failed("definitions_mirror_untrusted", "after version")
        os.unlink(os.path.join(self.site.root, "var/lib/picket/definitions/mirror.json"))
        self.failed("definitions_mirror_untrusted", "after version")
        stranger = Site()
        self.addCleanup(stranger.close)
        stranger.put("a.ndb", b"Evil:0:*:00\n")
        stranger.publish()
        self.site.server.folder = stranger.mirror
        self.failed("definitions_mirror_untrusted", "signed with key")

    def test_a_stolen_key_is_replaced(self):
        stolen = os.path.join(self.site.base, "stolen")
        shutil.copytree(self.site.mirror, stolen)
        time.sleep(1.1)
        self.site.put("a.ndb", b"Second:0:*:0022\n")
        self.site.publish("--rotate-key")
        self.assertEqual(self.site.update()["status"], "candidate")
        self.before = self.site.in_force()
        self.site.server.folder = stolen
        self.failed("definitions_mirror_untrusted", "keys.json, after version 2")

    def test_every_file_that_is_changed_on_the_way_is_noticed(self):
        self.next_set()
        for name in ("keys.json", "keys.json.minisig", "manifest.json", "manifest.json.minisig"):
            with open(os.path.join(self.site.mirror, name), "rb") as file:
                content = bytearray(file.read())
            content[-30] ^= 1
            self.misbehave("/" + name, lambda handler, c=bytes(content), n=name: handler.plain(200, c) if handler.path == "/" + n else handler.serve(handler.path))
            self.failed("definitions_mirror_untrusted")
        self.well_again()

    # --- faults of the host

    def test_a_killed_link_or_a_killed_keeper_cost_one_attempt(self):
        big = self.next_big_set()
        for name in ("link", "definitions"):
            reached = []

            def stall(handler):
                reached.append(True)
                handler.send_response(200)
                handler.send_header("Content-Length", "320000")
                handler.end_headers()
                handler.wfile.write(b"fedcba9876543210" * 100)
                time.sleep(20)

            self.misbehave(big, stall)
            with self.site.begin("prepare") as connection:
                wait_for(lambda: reached, "the download")
                self.site.end(name)
                if name == "link":
                    self.assertIn(b"definitions_mirror_unreachable", connection.recv(1 << 20))
            self.assertEqual(self.site.in_force(), self.before)
            os.unlink(self.site.socket_path(name))
            getattr(self.site, "start_" + name)()
        self.well_again()

    def test_sigterm_ends_both_in_the_middle_of_a_download(self):
        big = self.next_big_set()
        reached = []

        def stall(_):
            reached.append(True)
            time.sleep(20)

        self.misbehave(big, stall)
        with self.site.begin("prepare"):
            wait_for(lambda: reached, "the download")
            self.assertEqual(self.site.end("definitions", signal.SIGTERM), 0)
            self.assertEqual(self.site.end("link", signal.SIGTERM), 0)
        self.assertEqual(self.site.in_force(), self.before)

    @unittest.skipUnless(ROOT, "needs root (mount)")
    def test_a_full_disk_keeps_what_is_there(self):
        directory = os.path.join(self.site.root, "var/lib/picket/definitions")
        kept = os.path.join(self.site.base, "kept")
        shutil.move(directory, kept)
        os.mkdir(directory)
        if LIBC.mount(b"tmpfs", directory.encode(), b"tmpfs", 0, b"size=66m") != 0:
            self.skipTest(f"mount: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(lambda: LIBC.umount2(directory.encode(), 2))
        shutil.copytree(kept, directory, symlinks=True, dirs_exist_ok=True)
        self.site.put("big.hsb", b"f" * (2 << 20))
        self.next_set()
        self.failed("definitions_no_space", "are free")

    # --- what picket-link may not do

    def test_the_link_takes_orders_from_its_own_user_only_and_survives_nonsense(self):
        for junk in (b"", b"{", b"[]", b"\xff" * 1000, b'{"op":"fetch"}', b'{"op":"fetch","url":"file:///etc/passwd","limit":9,"offset":0}'):
            connection = mirror_world.socket.socket(mirror_world.socket.AF_UNIX, mirror_world.socket.SOCK_SEQPACKET)
            connection.settimeout(30)
            connection.connect(self.site.socket_path("link"))
            with connection:
                if junk:
                    connection.send(junk)
                    self.assertIn(b'"ok":false', connection.recv(1 << 16))
        self.assertEqual(os.stat(self.site.socket_path("link")).st_mode & 0o777, 0o600)
        self.assertEqual(self.site.update()["status"], "unchanged")
        with open(f"/proc/{self.site.processes['link'].pid}/status", encoding="ascii") as file:
            fields = dict(line.rstrip("\n").split(":", 1) for line in file)
        self.assertEqual(fields["CapEff"].strip(), "0" * 16)
        self.assertEqual(fields["NoNewPrivs"].strip(), "1")
        self.assertEqual(fields["Seccomp"].strip(), "2")
        if ROOT:
            self.assertNotIn("0", fields["Uid"].split())


class Secure(unittest.TestCase):
    """https with an authority of the organisation, and proxies."""

    @classmethod
    def setUpClass(cls):
        cls.folder = mirror_world.tempfile.mkdtemp(prefix="picket-ca-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=cls.folder)

        for name in ("ca", "other"):
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj",
                    f"/CN={name} authority", "-addext", "basicConstraints=critical,CA:TRUE")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=mirror")
        with open(os.path.join(cls.folder, "san"), "w", encoding="ascii") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", "server.crt")
        with open(os.path.join(cls.folder, "server.pem"), "wb") as out:
            for part in ("server.crt", "server.key"):
                with open(os.path.join(cls.folder, part), "rb") as file:
                    out.write(file.read())

    def site(self, ca="ca.pem", **more):
        site = Site(certificate=os.path.join(self.folder, "server.pem"), ca=ca and os.path.join(self.folder, ca), **more)
        self.addCleanup(site.close)
        site.put("a.ndb", b"First:0:*:0011\n")
        site.publish()
        return site.start()

    def test_the_authority_of_the_onboarding_package_is_the_one_that_counts(self):
        self.assertEqual(self.site().update()["status"], "candidate")
        for ca in ("other.pem", None):
            outcome = self.site(ca=ca).update()
            self.assertEqual((outcome["status"], outcome["reason"]), ("failed", "definitions_mirror_untrusted"))
            self.assertIn("TLS", outcome["message"])

    def test_https_does_not_become_http(self):
        site = self.site()
        plain = Server(site.mirror)
        self.addCleanup(plain.close)
        site.server.misbehave = lambda path: redirect(plain.url + path)
        self.assertIn("redirect or URL", site.update()["message"])
        self.assertEqual(plain.seen, [])

    def test_a_proxy_is_used_and_one_that_wants_a_password_is_named(self):
        proxy = Server("/nonexistent")
        self.addCleanup(proxy.close)
        site = Site(proxy=proxy.url)
        self.addCleanup(site.close)
        site.put("a.ndb", b"First:0:*:0011\n")
        site.publish()
        site.start()
        proxy.folder = site.mirror
        self.assertEqual(site.update()["status"], "candidate")
        self.assertEqual(site.server.seen, [])
        proxy.misbehave = lambda path: status(407, {"Proxy-Authenticate": "Basic"})
        self.assertIn("asks for a password", site.update()["message"])


if __name__ == "__main__":
    if not os.path.exists(os.path.join(PROGRAMS, "picket-link")):
        print(f"skip: there is no picket-link in {PROGRAMS}: ./dev build makes it")
        raise SystemExit(77)
    unittest.main()
