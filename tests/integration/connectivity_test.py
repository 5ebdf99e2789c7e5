#!/usr/bin/env python3
"""What is between a host and its organisation's servers is named, hop by hop: by `picket connectivity test` through the
daemon, and by the installer before anything is installed. Real proxies, real redirects (network_world.py)."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

import network_world
from definitions_test import Watched
from mirror_world import PROGRAMS, Server, Site, redirect, status
from network_world import (CLOSED, INSPECT, INTERCEPT, INTERCEPT_TLS, OUTSIDE, PASSWORD, PLAIN, SERVER, SERVER6, TINY, Network, can_redirect,
                           run)

HOPS = ["dns", "tcp", "proxy", "tls", "http"]


def authority(folder, name, title):
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj",
        f"/O=Acme/CN={title}", "-addext", "basicConstraints=critical,CA:TRUE", cwd=folder)


def certificate(folder, name, names, days="2"):
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name, cwd=folder)
    with open(os.path.join(folder, name + ".san"), "w", encoding="ascii") as file:
        file.write("subjectAltName=" + names + "\n")
    run("openssl", "x509", "-req", "-in", name + ".csr", "-CA", "acme.pem", "-CAkey", "acme.key", "-CAcreateserial", "-days", days, "-extfile",
        name + ".san", "-out", name + ".crt", cwd=folder)
    join(folder, name + ".both", name + ".crt", name + ".key")


def join(folder, target, *parts):
    with open(os.path.join(folder, target), "wb") as out:
        for part in parts:
            with open(os.path.join(folder, part), "rb") as file:
                out.write(file.read())


def setUpModule():
    global NETWORK, FOLDER
    FOLDER = tempfile.mkdtemp(prefix="picket-ca-")
    unittest.addModuleCleanup(shutil.rmtree, FOLDER)
    authority(FOLDER, "acme", "Acme authority")
    authority(FOLDER, "inspection", "Inspection of the network")
    join(FOLDER, "inspection.both", "inspection.pem", "inspection.key")
    certificate(FOLDER, "mirror", f"DNS:mirror.test,DNS:mirror6.test,IP:{SERVER},IP:{SERVER6}")
    certificate(FOLDER, "old", "DNS:mirror.test", days="-1")
    NETWORK = Network()
    unittest.addModuleCleanup(NETWORK.close)
    NETWORK.start_squid(os.path.join(FOLDER, "inspection.both"))
    NETWORK.start_tinyproxy()


class Ways(unittest.TestCase):
    """Through picket-definitions and picket-link, as the daemon does."""

    @classmethod
    def setUpClass(cls):
        with NETWORK.there():
            cls.site = Site(address=SERVER)
            cls.plain = cls.site.server
            cls.secure = Server(cls.site.mirror, SERVER, os.path.join(FOLDER, "mirror.both"))
            cls.old = Server(cls.site.mirror, SERVER, os.path.join(FOLDER, "old.both"))
        for server in (cls.secure, cls.old):
            cls.addClassCleanup(server.close)
        cls.addClassCleanup(cls.site.close)
        cls.site.put("a.ndb", b"First:0:*:0011\n")
        cls.site.publish()
        cls.site.start()

    def setUp(self):
        for server in (self.plain, self.secure):
            server.misbehave = None
            server.seen.clear()

    def url(self, server=None, name="mirror.test"):
        server = server or self.secure
        return f"{server.url.split(':')[0]}://{name}:{server.server_address[1]}"

    def examine(self, url=None, ca="acme.pem", proxy=None, more=()):
        if proxy is not None:
            proxy = f"http://proxy.test:{proxy}" if isinstance(proxy, int) else "http://" + proxy
        self.site.onboard(url or self.url(), ca and os.path.join(FOLDER, ca), proxy, more)
        answer = self.site.ask("connectivity")
        self.assertTrue(answer["ok"], answer)
        return answer["report"]

    def works(self, hops, **settings):
        report = self.examine(**settings)
        endpoint = report["endpoints"][0]
        self.assertTrue(report["all_reachable"], endpoint)
        self.assertEqual((endpoint["status"], endpoint["reason"], endpoint["fix"]), ("passed", "", ""))
        self.assertEqual([hop["hop"] for hop in endpoint["hops"]], HOPS)
        self.assertEqual([hop["hop"] for hop in endpoint["hops"] if hop["status"] == "passed"], hops.split(), endpoint)
        self.assertEqual(report["notices"], [])
        return endpoint

    def fails(self, hop, reason, part="", **settings):
        report = self.examine(**settings)
        endpoint = report["endpoints"][0]
        self.assertEqual((report["all_reachable"], endpoint["status"], endpoint["reason"]), (False, "failed", reason), endpoint)
        self.assertEqual([each["hop"] for each in endpoint["hops"] if each["status"] == "failed"], [hop], endpoint)
        self.assertIn(part, endpoint["message"])
        self.assertTrue(endpoint["fix"])
        return report

    # --- nothing in between

    def test_direct_by_name_and_by_address_over_both_protocols(self):
        endpoint = self.works("dns tcp tls http")
        self.assertEqual(endpoint["issuer"], "O = Acme, CN = Acme authority")
        self.assertEqual(endpoint["hops"][1]["detail"], f"{SERVER}:{self.secure.server_address[1]}")
        self.assertEqual(endpoint["way"], "direct")
        self.assertEqual([path for path, _ in self.secure.seen], ["/keys.json"])
        self.works("tcp tls http", url=self.url(name=SERVER))
        self.works("dns tcp http", url=self.url(self.plain))
        with NETWORK.there():
            six = Server(self.site.mirror, SERVER6, os.path.join(FOLDER, "mirror.both"))
        self.addCleanup(six.close)
        self.assertIn(f"[{SERVER6}]", self.works("dns tcp tls http", url=self.url(six, "mirror6.test"))["hops"][1]["detail"])
        self.works("tcp tls http", url=six.url)

    def test_names_and_connections_that_fail(self):
        self.fails("dns", "dns_failed", "nowhere.test", url="https://nowhere.test")
        self.fails("tcp", "tcp_failed", "refused", url="https://mirror.test:1")
        run("ip", "route", "add", "unreachable", "10.79.0.0/24")
        self.fails("tcp", "tcp_failed", "10.79.0.1", url="https://10.79.0.1")

    def test_certificates_that_are_not_right(self):
        self.fails("tls", "tls_wrong_name", "other.test", url=self.url(name="other.test"))
        self.fails("tls", "tls_expired", "not valid now", url=self.url(self.old))
        self.fails("tls", "tls_failed", url=self.url(self.plain).replace("http:", "https:"))
        self.fails("tls", "tls_untrusted", "Acme authority", ca=None)
        report = self.fails("tls", "tls_interception", "Acme authority", ca="inspection.pem")
        self.assertIn("Inspection of the network", report["endpoints"][0]["message"])  # what is expected

    def test_servers_that_answer_something_else(self):
        self.secure.misbehave = lambda _: status(404)
        self.fails("http", "http_status", "404")
        self.secure.misbehave = lambda _: status(500)
        self.fails("http", "http_status", "500")
        self.secure.misbehave = lambda _: status(200)
        self.fails("http", "http_content", "somebody else answers")
        self.plain.misbehave = lambda path: redirect("/login") if path == "/keys.json" else status(200)
        self.fails("http", "http_content", url=self.url(self.plain))
        self.secure.misbehave = lambda _: lambda handler: handler.wfile.write(b"220 ready\r\n")
        self.fails("http", "http_failed")

    # --- a proxy that the organisation names

    def test_squid_and_tinyproxy_as_static_proxies(self):
        for port in (PLAIN, TINY):
            self.assertEqual(self.works("dns tcp proxy tls http", proxy=port)["way"], "proxy")
            self.works("dns tcp proxy http", proxy=port, url=self.url(self.plain))
            self.assertEqual(self.site.update()["status"] in ("candidate", "unchanged"), True)
        self.works("tcp proxy tls http", proxy=f"{OUTSIDE}:{PLAIN}")
        self.works("tcp proxy tls http", proxy=f"[fd77::2]:{self.forwarder()}")

    def forwarder(self):
        """Squid by IPv6: a relay in front of it."""
        with NETWORK.there():
            listening = socket.create_server(("fd77::2", 0), family=socket.AF_INET6)
            port = listening.getsockname()[1]
            listening.close()
        NETWORK.spawn("python3", "-c", RELAY, str(port), OUTSIDE, str(PLAIN), log="relay.log")
        NETWORK.listens(port, "relay.log")
        return port

    def test_what_is_reached_without_the_proxy(self):
        for entry in ("mirror.test", "test", "*"):
            endpoint = self.works("dns tcp tls http", proxy=PLAIN, more=["--no-proxy", "other", "--no-proxy", entry])
            self.assertEqual(endpoint["way"], "direct")
        self.assertEqual(self.works("tcp tls http", url=self.url(name=SERVER), proxy=1, more=["--no-proxy", "10.78.0.0/16"])["way"], "direct")
        self.assertEqual(self.site.update()["status"] in ("candidate", "unchanged"), True)  # as downloads do
        self.assertEqual(self.works("dns tcp proxy tls http", proxy=PLAIN, more=["--no-proxy", "irror.test"])["way"], "proxy")

    def test_proxies_that_are_not_there_or_say_no(self):
        self.fails("dns", "proxy_unreachable", "nowhere.test", proxy="nowhere.test:3128")
        self.fails("tcp", "proxy_unreachable", "refused", proxy=1)
        for url in (self.url(), self.url(self.plain)):
            self.fails("proxy", "proxy_refused", "403", url=url, proxy=CLOSED)
            report = self.fails("proxy", "proxy_authentication", "Basic", url=url, proxy=PASSWORD)
            self.assertIn("by address", report["endpoints"][0]["fix"])
        self.fails("proxy", "proxy_refused", "ERR_", url="http://mirror.test:1", proxy=PLAIN)
        self.fails("proxy", "proxy_refused", "50", url="https://mirror.test:1", proxy=PLAIN)
        self.fails("proxy", "proxy_refused", url=self.url(), proxy=f"mirror.test:{self.secure.server_address[1]}")

    def test_passwords_scripts_and_other_kinds_are_refused_when_the_package_is_made(self):
        for proxy, part in (("joe:hunter2@proxy.test:3128", "by address"), ("proxy.test/proxy.pac", "PAC"), ("wpad/wpad.dat", "PAC")):
            with self.assertRaises(AssertionError) as refused:
                self.examine(proxy=proxy)
            self.assertIn(part, str(refused.exception))

    # --- what nobody told us of

    @unittest.skipIf(can_redirect(), f"no redirects here: {can_redirect()}")
    def test_a_transparent_proxy_is_named_and_works(self):
        with NETWORK.redirected(self.plain.server_address[1], INTERCEPT):
            endpoint = self.works("dns tcp http", url=self.url(self.plain))
            self.assertIn("cache.test (squid", endpoint["intermediary"])
            self.assertEqual(endpoint["way"], "direct")
        self.assertEqual(self.works("dns tcp http", url=self.url(self.plain))["intermediary"], "")

    def test_who_reads_along_is_named_by_the_certificate(self):
        self.fails("tls", "tls_interception", "Inspection of the network", proxy=INSPECT)
        self.fails("tls", "tls_untrusted", "Inspection of the network", proxy=INSPECT, ca=None)
        self.assertEqual([path for path, _ in self.secure.seen], [])  # nothing was asked of who is not to be trusted
        outcome = self.site.update()
        self.assertEqual((outcome["status"], outcome["reason"]), ("failed", "definitions_mirror_untrusted"))

    @unittest.skipIf(can_redirect(), f"no redirects here: {can_redirect()}")
    def test_who_reads_along_without_being_asked_is_named_too(self):
        with NETWORK.redirected(self.secure.server_address[1], INTERCEPT_TLS):
            report = self.fails("tls", "tls_interception", "Inspection of the network")
            self.assertEqual(report["endpoints"][0]["issuer"], "O = Acme, CN = Inspection of the network")
        self.works("dns tcp tls http")

    # --- what this host or its network says of proxies

    def environment(self, text):
        path = os.path.join(self.site.root, "etc/environment")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))

    def notices(self, *names, **settings):
        report = self.fails("tcp", "tcp_failed", url="https://mirror.test:1", **settings)
        self.assertEqual([notice["name"] for notice in report["notices"]], list(names))
        return report["notices"]

    def test_proxies_of_the_environment_are_told_and_not_used(self):
        self.environment(f"http_proxy=http://proxy.test:{PLAIN}\nhttps_proxy=http://joe:hunter2@proxy.test:{PASSWORD}\n")
        told = self.notices("environment_proxy", "proxy_authentication")
        self.assertIn(f"--proxy http://proxy.test:{PLAIN}", told[0]["fix"])
        self.assertNotIn("hunter2", json.dumps(told))
        self.works("dns tcp tls http")  # nothing to tell where nothing is wrong

    def test_proxy_auto_configuration_of_host_and_network_is_refused_with_what_to_do(self):
        self.notices()
        self.environment("auto_proxy=http://proxy.test/proxy.pac\n")
        self.assertIn("http://HOST:PORT", self.notices("proxy_auto_configuration")[0]["fix"])
        self.environment("")
        with NETWORK.there():
            pac = Server(self.site.base, OUTSIDE)
        self.addCleanup(pac.close)
        pac.misbehave = lambda _: status(200)
        with NETWORK.redirected(80, pac.server_address[1]):
            NETWORK.names(network_world.HOSTS + f"{OUTSIDE} wpad\n")
            self.addCleanup(NETWORK.names, network_world.HOSTS)
            self.assertIn("wpad.dat", self.notices("proxy_auto_configuration")[0]["message"])
            self.assertEqual([path for path, _ in pac.seen], ["/wpad.dat"])

    def test_a_host_of_no_organisation_and_one_without_servers(self):
        onboarding = os.path.join(self.site.root, "etc/picket/onboarding.json")
        os.unlink(onboarding)
        answer = self.site.ask("connectivity")
        self.assertIn("belongs to no organisation", answer["error"]["message"])
        with open(onboarding, "w", encoding="ascii") as file:
            json.dump({"endpoints": {}}, file)
        report = self.site.ask("connectivity")["report"]
        self.assertEqual((report["all_reachable"], report["endpoints"]), (True, []))

    # --- the installer, before anything of ours is there

    def check(self, accept=(), environment=None, expect=None, **settings):
        self.examine(**settings)
        arguments = [os.path.join(PROGRAMS, "picket-installer"), "check", "--onboarding", os.path.join(self.site.base, "package.zip"), "--output",
                     "json", *(f"--accept={each}" for each in accept)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})})
        answer = json.loads(done.stdout)
        if expect is not None:
            self.assertEqual(done.returncode, expect, answer)
        return {check["id"].removeprefix("network."): check for check in answer["checks"] if check["id"].startswith("network.")}, answer

    def statuses(self, checks):
        return tuple(checks[name]["status"] for name in ("endpoints", "proxy", "tls_interception"))

    def test_the_installer_warns_of_what_is_not_reached_and_stops_at_who_reads_along(self):
        # What else this machine fails is not the matter here.
        _, answer = self.check()
        others = [check["id"] for check in answer["checks"] if check["status"] == "fail"]
        checks, _ = self.check(others, expect=0)
        self.assertEqual(self.statuses(checks), ("pass", "pass", "pass"))
        self.assertIn("Acme authority", checks["tls_interception"]["observed"])
        checks, _ = self.check(others, expect=0, url="https://mirror.test:1", environment={"https_proxy": f"http://proxy.test:{PLAIN}"})
        self.assertEqual(self.statuses(checks), ("warn", "warn", "skip"))
        self.assertIn("refused", checks["endpoints"]["observed"])
        self.assertIn(f"--proxy http://proxy.test:{PLAIN}", checks["proxy"]["fix"])
        checks, _ = self.check(others, expect=0, proxy=PASSWORD)
        self.assertEqual(self.statuses(checks), ("warn", "warn", "skip"))
        self.assertIn("password", checks["proxy"]["observed"])
        checks, answer = self.check(others, expect=12, proxy=INSPECT)
        self.assertEqual(self.statuses(checks), ("warn", "pass", "fail"))
        self.assertIn("Inspection of the network", checks["tls_interception"]["observed"])
        self.assertIn("Acme authority", checks["tls_interception"]["required"])
        self.assertIn("network.tls_interception", answer["error"]["message"])
        checks, _ = self.check([*others, "network.tls_interception"], expect=0, proxy=INSPECT)
        self.assertEqual(self.statuses(checks), ("warn", "pass", "warn"))


RELAY = """
import socket, sys, threading
port, host, to = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
server = socket.create_server(("fd77::2", port), family=socket.AF_INET6)
while True:
    client, _ = server.accept()
    other = socket.create_connection((host, to))
    for pair in ((client, other), (other, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


class Command(unittest.TestCase):
    """`picket connectivity test` on a host that runs."""

    def test_table_json_and_exit_codes(self):
        with NETWORK.there():
            server = Server("/nonexistent", SERVER, os.path.join(FOLDER, "mirror.both"))
        self.addCleanup(server.close)
        world = Watched()
        self.addCleanup(world.close)
        world.start_helpers()
        server.folder = world.site.mirror
        world.site.put("a.ndb", b"First:0:*:0011\n")
        world.site.publish()
        url = f"https://mirror.test:{server.server_address[1]}"

        def picket(*arguments):
            done = subprocess.run([os.path.join(PROGRAMS, "picket"), "connectivity", "test", "--socket", world.socket_path("control"), *arguments],
                                  capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})
            return done.returncode, done.stdout

        world.site.onboard(url, os.path.join(FOLDER, "acme.pem"), f"http://proxy.test:{PLAIN}")
        code, text = picket()
        self.assertEqual(code, 0, text)
        lines = text.splitlines()
        self.assertEqual([line.split()[1:3] for line in lines[1:]], [[hop, "passed"] for hop in HOPS])
        self.assertLessEqual(max(len(line) for line in lines), 80)
        code, text = picket("--output", "json")
        self.assertEqual((code, json.loads(text)["kind"], json.loads(text)["data"]["all_reachable"]), (0, "connectivity", True))

        world.site.onboard(url, os.path.join(FOLDER, "acme.pem"), f"http://proxy.test:{INSPECT}")
        code, text = picket()
        self.assertEqual(code, 1, text)
        table, _, words = text.partition("\n\n")
        self.assertLessEqual(max(len(line) for line in table.splitlines()), 80)
        self.assertIn("definitions: tls_interception: ", words)
        self.assertIn("fix: ", words)
        code, text = picket("--output", "json")
        self.assertEqual((code, json.loads(text)["data"]["endpoints"][0]["reason"]), (1, "tls_interception"))

        # A link that is gone is said, and nothing is claimed about the network.
        world.end("link")
        code, text = picket("--output", "json")
        self.assertEqual((code, json.loads(text)["kind"]), (1, "error"))
        self.assertIn("picket-link", json.loads(text)["data"]["message"])


def why_not():
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    for program in ("squid", "tinyproxy", "nft", "ip", "ss"):
        if not shutil.which(program):
            return f"{program} is not installed (./dev setup)"
    if not os.path.exists("/usr/lib/squid/security_file_certgen"):
        return "this squid reads no TLS (squid-openssl)"
    if not os.path.exists(os.path.join(PROGRAMS, "picket-link")):
        return f"there is no picket-link in {PROGRAMS}: ./dev build makes it"
    return None


if __name__ == "__main__":
    if reason := why_not():
        print("skip: " + reason)
        raise SystemExit(77)
    unittest.main()
