#!/usr/bin/env python3
"""Definitions from a mirror: a web server that is slow, broken, hostile or stands still never costs a host what it has."""

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import mirror_world
from mirror_world import PROGRAMS, Server, Site, cut, drip, endless, endless_headers, redirect, run, status
from picket_world import DEFINITIONS, LIBC, World, eicar, tree_of, wait_for

ROOT = os.geteuid() == 0


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable:"))


class Stalled:
    """A file on the mirror of the test's site that comes when it is told to."""

    def __init__(self, test, path):
        self.reached, self.released = threading.Event(), threading.Event()
        test.addCleanup(self.go_on)

        def answer(handler):
            self.reached.set()
            self.released.wait(120)
            handler.serve(handler.path)

        test.site.server.misbehave = lambda asked: answer if asked == path else None

    def wait(self):
        if not self.reached.wait(60):
            raise AssertionError("nobody asked for the file")

    def go_on(self):
        self.released.set()


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

    def test_a_host_that_is_put_back_forgets_and_goes_forward_again(self):
        definitions, snapshot, middle = (os.path.join(self.site.root, "var/lib/picket/definitions"), os.path.join(self.site.base, "snapshot"),
                                         os.path.join(self.site.base, "middle"))
        shutil.copytree(definitions, snapshot, symlinks=True)
        self.next_set()
        self.site.update()
        shutil.copytree(self.site.mirror, middle)
        self.next_set(b"Third:0:*:0033\n")
        self.site.update()
        third = self.site.in_force()

        self.site.end("definitions")
        shutil.rmtree(definitions)
        shutil.copytree(snapshot, definitions, symlinks=True)
        os.unlink(self.site.socket_path("definitions"))
        self.site.start_definitions()
        self.assertEqual(self.site.in_force(), self.before)
        # What it has seen since it does not know: a mirror that is behind is believed as far as the sets have not expired ...
        self.site.server.folder = middle
        self.assertEqual(self.site.update()["status"], "candidate")
        # ... until the first look at one that is not.
        self.site.server.folder = self.site.mirror
        self.assertEqual(self.site.update()["status"], "candidate")
        self.assertEqual(self.site.in_force(), third)
        self.before = third
        self.site.server.folder = middle
        self.failed("definitions_mirror_untrusted", "after version")

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

    def test_a_test_of_connections_does_not_wait_for_a_download(self):
        download = Stalled(self, self.next_big_set())
        with self.site.begin("prepare") as connection:
            download.wait()
            for _ in range(3):
                began = time.monotonic()
                report = self.site.ask("connectivity")["report"]
                self.assertLess(time.monotonic() - began, 10)
                self.assertTrue(report["all_reachable"], report)
            download.go_on()
            self.assertEqual(json.loads(connection.recv(1 << 20))["status"], "candidate")

    # --- what is too young

    def test_a_young_set_is_held_and_the_next_one_too(self):
        self.next_set()
        self.site.server.seen.clear()
        for _ in range(2):
            outcome = self.site.ask("prepare", minimum_age_seconds=3600)
            self.assertEqual((outcome["status"], outcome["generation"]), ("held", os.path.basename(self.site.current())))
        self.assertEqual([path for path, _ in self.site.server.seen if path.startswith("/files/")], [])
        self.assertEqual(self.site.in_force(), self.before)
        status = self.site.ask("status")
        self.assertEqual((status["held"], status["failures"]), (outcome["held"], 0))
        self.next_set(b"Third:0:*:0033\n")
        self.assertEqual(self.site.ask("prepare", minimum_age_seconds=3600)["status"], "held")
        time.sleep(2.1)
        self.assertEqual(self.site.ask("prepare", minimum_age_seconds=2)["status"], "candidate")
        self.assertNotIn("held", self.site.ask("status"))
        self.assertFalse(self.site.ask("prepare", minimum_age_seconds=-1)["ok"])

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


class Watched(World):
    """A Picket whose definitions lie on a file system that it watches, with a mirror."""

    def _definitions(self, name):
        directory = os.path.join(self.root, "var/lib/picket/definitions")
        if not os.path.exists(directory):
            os.makedirs(directory)
            self._mount(directory, "mode=755")
            self.definitions_mount = directory
        return super()._definitions(name)

    def start_gate(self):
        self.site = getattr(self, "site", None) or Site(root=self.root)
        self.extra_mount = ["--only-mount", self.definitions_mount]
        super().start_gate()

    def start_helpers(self):
        self.spawn("link", "picket-link", "--socket", self.socket_path("link"), "--user", "64739")
        wait_for(lambda: os.path.exists(self.socket_path("link")), "picket-link")
        self.spawn("definitions", "picket-definitions", "--socket", self.socket_path("definitions"), "--link", self.socket_path("link"), "--root",
                   self.root)
        wait_for(lambda: os.path.exists(self.socket_path("definitions")), "picket-definitions")

    def picket(self, *arguments):
        done = subprocess.run([os.path.join(PROGRAMS, "picket"), *arguments, "--socket", self.socket_path("control"), "--output", "json"],
                              capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)["data"]

    def issues(self):
        return {issue["name"]: issue["message"] for issue in self.health()["health_issues"]}

    def close(self):
        for name in ("definitions", "link"):
            if name in self.processes:
                self.end(name)
        if getattr(self, "definitions_mount", None):
            while LIBC.umount2(self.definitions_mount.encode(), 2) == 0:
                pass
        if getattr(self, "site", None):
            self.site.close()
        super().close()


@unittest.skipUnless(ROOT, "needs root (fanotify, mount)")
class EndToEnd(unittest.TestCase):
    """From the publishing machine to the opener, with gate and engine."""

    def setUp(self):
        self.world = Watched()
        self.addCleanup(self.world.close)
        self.world.start_helpers()
        self.site = self.world.site
        for name in os.listdir(DEFINITIONS):
            if name.rsplit(".", 1)[-1] in ("ndb", "hdb", "hsb"):
                shutil.copy(os.path.join(DEFINITIONS, name), self.site.source)

    def publish(self, name=None, content=None):
        time.sleep(1.1)  # versions are seconds
        if name:
            self.site.put(name, content)
        return self.site.publish()

    def update(self, expect=0):
        code, data = self.world.picket("definitions", "update")
        self.assertEqual(code, expect, data)
        return data

    def want_age(self, seconds):
        """The profile has it, and it is in force."""
        self.world.write_profile({"definitions": {"minimumAgeSeconds": seconds}})
        wait_for(lambda: self.world.picket("profile", "show")[1]["document"].get("definitions", {}).get("minimumAgeSeconds") == seconds, "the profile")

    def is_denied(self, name, content):
        try:
            writer = self.world.write(name, content, close=False)
        except PermissionError:  # of what a try before this one left there
            return True
        try:
            return self.world.open_errno(self.world.path(name)) != 0
        finally:
            writer.close()

    def comes_to_be_denied(self, wanted, name, content):
        """Workers of the former set may finish what they have."""
        wait_for(lambda: self.is_denied(name, content) == wanted, f"{name}: denied is {wanted}")

    @staticmethod
    def signature(name, text):
        return f"{name}:0:*:{text.hex()}\n".encode()

    def test_update_refusal_and_rollback(self):
        threat, worse = b"a threat that only the new set knows", b"a threat that only the third set knows"
        self.comes_to_be_denied(False, "one", threat)
        self.publish("new.ndb", self.signature("New.Threat", threat))
        data = self.update()
        self.assertTrue(data["changed"])
        self.comes_to_be_denied(True, "two", threat)
        wait_for(lambda: self.world.health()["definitions_version"] == data["generation"], "the generation in health")
        wait_for(lambda: self.world.events("definitions.changed"), "the event")
        self.assertFalse(self.update()["changed"])

        # What the engine does not take never comes into force, is told, and gives way to what is newer.
        for name, content, complaint in (("broken.ndb", b"no signature at all\n", "broken.ndb"),
                                         ("alarm.ndb", self.signature("False.Alarm", b"quick brown fox"), "False.Alarm"),
                                         ("blind.ign2", b"Eicar-Test-Signature\n", "EICAR"),
                                         ("daily.cvd", b"ClamAV-VDB:01 Jan 2026 00-00 +0000:1:1:90:X:Y:Z:1".ljust(512) + b"forged", "daily.cvd")):
            self.publish(name, content)
            self.assertIn(complaint, self.update(expect=1)["message"])
            self.assertIn("refused before", self.update(expect=1)["message"])
            self.assertIn(complaint, self.world.issues()["definitions_refused"])
            wait_for(lambda: "definitions_reload_failed" not in self.world.issues(), "the engine's return to what is in force")
            self.assertEqual(self.world.health()["definitions_version"], data["generation"])
            self.comes_to_be_denied(True, "still-" + name, threat)
            os.unlink(os.path.join(self.site.source, name))
        self.assertEqual(len(self.world.events("definitions.refused")), 4)

        self.publish("third.ndb", self.signature("Third.Threat", worse))
        self.update()
        self.comes_to_be_denied(True, "three", worse)
        self.assertNotIn("definitions_refused", self.world.issues())
        code, back = self.world.picket("definitions", "rollback")
        self.assertEqual((code, back["generation"]), (0, data["generation"]))
        self.comes_to_be_denied(False, "four", worse)
        self.comes_to_be_denied(True, "five", threat)
        self.assertIn("went back", self.update(expect=1)["message"])
        self.assertEqual(len(self.world.events("definitions.rolled_back")), 1)
        code, status = self.world.picket("definitions", "status")
        self.assertEqual((code, status["generation"], status["refused"]["reason"]), (0, data["generation"], "rolled_back"))
        self.publish("fourth.ndb", self.signature("Fourth.Threat", b"the fourth set is better"))
        self.update()
        self.comes_to_be_denied(True, "six", worse)

    def test_a_young_set_is_held_until_it_is_old_enough_or_taken_by_hand(self):
        threat = b"a threat that only the young set knows"
        self.want_age(86400)
        published = self.publish("young.ndb", self.signature("Young.Threat", threat))
        before = self.world.health()["definitions_version"]
        data = self.update()
        self.assertEqual((data["changed"], data["generation"], data["held"]["version"]), (False, before, published["version"]))
        self.assertIn("--now", data["held"]["message"])
        code, status = self.world.picket("definitions", "status")
        self.assertEqual((code, status["held"]["version"], status["failures"]), (0, published["version"], 0))
        self.assertNotIn("failure", status)
        self.assertGreater(status["held"]["until"], status["held"]["issued"])
        text = subprocess.run([os.path.join(PROGRAMS, "picket"), "definitions", "status", "--socket", self.world.socket_path("control")],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn(status["held"]["until"], text)
        self.assertEqual([name for name in self.world.issues() if name.startswith("definitions_")], [])
        self.assertEqual(self.world.events("definitions.update_failed"), [])
        self.comes_to_be_denied(False, "held", threat)
        self.comes_to_be_denied(True, "eicar", eicar())
        code, data = self.world.picket("definitions", "update", "--now")
        self.assertEqual((code, data["changed"], data["version"]), (0, True, published["version"]))
        self.comes_to_be_denied(True, "now", threat)
        self.assertNotIn("held", self.world.picket("definitions", "status")[1])

        other = b"a threat that only the next set knows"
        self.publish("next.ndb", self.signature("Next.Threat", other))
        self.assertIn("held", self.update())
        self.want_age(1)
        wait_for(lambda: self.update()["changed"], "the set to be a second old")
        self.comes_to_be_denied(True, "lower", other)

    def test_connections_are_tested_while_a_set_is_fetched(self):
        threat = b"a threat in a slow file"
        self.publish("slow.ndb", self.signature("Slow.Threat", threat))
        download = Stalled(self, "/files/" + hashlib.sha256(self.signature("Slow.Threat", threat)).hexdigest())
        answer = []
        thread = threading.Thread(target=lambda: answer.append(self.world.picket("definitions", "update")))
        thread.start()
        download.wait()
        began = time.monotonic()
        code, report = self.world.picket("connectivity", "test")
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual((code, report["all_reachable"]), (0, True), report)
        download.go_on()
        thread.join(120)
        self.assertTrue(answer[0][1]["changed"], answer)
        self.comes_to_be_denied(True, "slow", threat)

    def test_the_engine_is_killed_in_the_trial_and_protection_goes_on(self):
        many = "".join(f"{i:032x}:{1000 + i % 5000}:Test.{i}\n" for i in range(1, 200_000)).encode()
        self.publish("many.hdb", many)
        answer = []
        thread = threading.Thread(target=lambda: answer.append(self.world.picket("definitions", "update")))
        thread.start()
        definitions = os.path.join(self.world.root, "var/lib/picket/definitions")
        wait_for(lambda: os.path.islink(os.path.join(definitions, "candidate")), "the candidate")
        self.world.end("engine")
        thread.join(120)
        self.world.start_engine()
        self.world.wait_protected()
        if answer[0][0] != 0:  # else the trial was over already
            self.assertTrue(os.readlink(os.path.join(definitions, "current")).endswith("g1"))
            self.update()
        self.comes_to_be_denied(True, "eicar", eicar())

    @unittest.skipUnless(available_memory() > 4 << 30, "less than 4 GiB of memory")
    def test_a_set_that_eats_memory_is_refused_and_protection_goes_on(self):
        # 5 MB of regular expressions, each of which becomes 60 kB.
        rule = "T.{0};Engine:51-255,Target:0;0&1;{0:08x}6162;0/((a{{1,99}}b){{1,90}}c){{1,29}}{0}/\n"
        self.publish("many.ldb", "".join(rule.format(i) for i in range(60_000)).encode())
        before, processes = self.world.health()["definitions_version"], tree_of(self.world.processes["engine"].pid)
        answer = []
        thread = threading.Thread(target=lambda: answer.append(self.update(expect=1)["message"]))
        thread.start()
        while thread.is_alive():
            self.assertTrue(self.is_denied("eicar", eicar()))
            thread.join(0.2)
        self.assertIn("needs more than 2.5 GiB of memory", answer[0])
        self.assertIn("needs more than 2.5 GiB of memory", self.world.issues()["definitions_refused"])
        self.assertEqual(self.world.health()["definitions_version"], before)
        wait_for(lambda: tree_of(self.world.processes["engine"].pid) == processes, "the engine's processes as they were")

    def test_a_rule_that_matches_itself_is_not_its_own_victim(self):
        text = b"these very words are what the rule looks for"
        self.publish("self.yar", b'rule Words { strings: $a = "' + text + b'" condition: $a }\n')
        data = self.update()
        self.comes_to_be_denied(True, "words", text)
        self.publish("more.ndb", self.signature("More.Threat", b"one more threat for this test"))
        self.assertNotEqual(self.update()["generation"], data["generation"])
        self.comes_to_be_denied(True, "words-again", text)
        folder = os.path.realpath(os.path.join(self.world.root, "var/lib/picket/definitions/current"))
        self.assertIn("self.yar", os.listdir(folder))
        paths = [event["path"] for event in self.world.events("threat.quarantined")]
        self.assertEqual([path for path in paths if "/definitions/" in path], [])

    def test_health_says_that_definitions_are_old_and_that_the_mirror_is_not_to_be_trusted(self):
        self.publish()
        self.update()
        memory = os.path.join(self.world.root, "var/lib/picket/definitions/mirror.json")
        with open(memory, encoding="utf-8") as file:
            document = json.load(file)
        good = json.dumps(document)
        document["accepted"]["expires"] = "2020-01-01T00:00:00.000Z"
        with open(memory, "w", encoding="utf-8") as file:
            json.dump(document, file)
        self.assertIn("definitions_old", self.world.issues())
        self.assertEqual(self.world.health()["definitions_status"], "old")
        with open(memory, "w", encoding="utf-8") as file:
            file.write(good)
        self.publish("more.ndb", self.signature("More.Threat", b"one more threat for this test"))
        self.site.server.misbehave = lambda path: (lambda handler: handler.plain(200, b"{}")) if path == "/manifest.json" else None
        for _ in range(2):
            self.assertIn("definitions_mirror_untrusted", self.update(expect=1)["fix"])
        self.assertIn("manifest.json", self.world.issues()["definitions_mirror_untrusted"])
        self.assertEqual([event["reason"] for event in self.world.events("definitions.update_failed")], ["definitions_mirror_untrusted"])
        self.site.server.misbehave = None
        self.update()
        self.assertNotIn("definitions_mirror_untrusted", self.world.issues())
        self.comes_to_be_denied(True, "eicar", eicar())

    @unittest.skipUnless(os.environ.get("PICKET_LONG"), "takes three minutes: definitions_schedule_test.sh")
    def test_the_interval_of_the_profile_counts_at_once(self):
        began = time.monotonic()
        self.publish()
        before = self.update()["generation"]
        memory = os.path.join(self.world.root, "var/lib/picket/definitions/mirror.json")
        with open(memory, encoding="utf-8") as file:
            document = json.load(file)
        document["attempts"]["last_success"] -= 3000
        with open(memory, "w", encoding="utf-8") as file:
            json.dump(document, file)
        self.publish("more.ndb", self.signature("More.Threat", b"one more threat for this test"))

        def in_force():
            return self.world.picket("definitions", "status")[1]["generation"]

        time.sleep(max(0, began + 180 - time.monotonic()))  # a daemon's first look is at most 150 s after its start
        self.assertEqual(in_force(), before)  # four hours are not over
        self.world.write_profile({"definitions": {"updateIntervalSeconds": 900}})
        wait_for(lambda: in_force() != before, "the look by itself", 60)


if __name__ == "__main__":
    if not os.path.exists(os.path.join(PROGRAMS, "picket-link")):
        print(f"skip: there is no picket-link in {PROGRAMS}: ./dev build makes it")
        raise SystemExit(77)
    unittest.main()
