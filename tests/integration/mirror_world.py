"""A mirror of definitions on loopback that can misbehave, and a host that fetches from it: real web server, real
picket-link, real picket-definitions, nothing installed."""

import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import zipfile

from picket_world import PROGRAMS, wait_for

PATIENCE = 120.0


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a folder with ETag and Range; `server.misbehave(path)` may give another answer."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: the name is http.server's
        path = self.path
        if path.startswith("http://"):  # as a proxy
            path = "/" + path.split("/", 3)[3]
        self.server.seen.append((path, dict(self.headers)))
        self.close_connection = True
        answer = self.server.misbehave(path) if self.server.misbehave else None
        try:
            if answer is not None:
                answer(self)
            else:
                self.serve(path)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def serve(self, path):
        try:
            with open(os.path.join(self.server.folder, path.lstrip("/")), "rb") as file:
                content = file.read()
        except OSError:
            return self.plain(404, b"no such file")
        etag = '"%x"' % (hash(content) & (2**64 - 1))
        if self.headers.get("If-None-Match") == etag:
            return self.plain(304, b"", {"ETag": etag})
        wanted = self.headers.get("Range")
        if wanted is None:
            return self.plain(200, content, {"ETag": etag})
        start = int(wanted.removeprefix("bytes=").split("-")[0])
        return self.plain(206, content[start:], {"ETag": etag, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})

    def plain(self, status, content, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if status != 304:
            self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder, address="127.0.0.1", certificate=None):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), Handler)
        self.folder, self.seen, self.misbehave = folder, [], None
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            scheme = "https"
        host = f"[{address}]" if ":" in address else address
        self.url = f"{scheme}://{host}:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def handle_error(self, request, client_address):
        pass  # a client that goes away is what these tests are about

    def close(self):
        self.shutdown()
        self.server_close()


def run(*arguments, expect=0):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Site:
    """An organisation with a mirror, and one host of it."""

    def __init__(self, address="127.0.0.1", certificate=None, ca=None, proxy=None, root=None):
        self.base = tempfile.mkdtemp(prefix="picket-mirror-")
        os.chmod(self.base, 0o755)
        self.processes = {}
        self.root = root or os.path.join(self.base, "host")
        self.mirror = os.path.join(self.base, "mirror")
        self.source = os.path.join(self.base, "source")
        self.organisation = os.path.join(self.base, "organisation")
        os.makedirs(os.path.join(self.root, "var/lib/picket/definitions"), exist_ok=True)
        os.makedirs(os.path.join(self.root, "etc/picket"), exist_ok=True)
        os.makedirs(self.source)
        os.makedirs(self.mirror)
        self.server = Server(self.mirror, address, certificate)
        self.onboarding("init", "--org", "Acme", "--region", "eu")
        self.onboard(self.server.url, ca, proxy)

    def onboarding(self, *arguments, expect=0):
        return run(os.path.join(PROGRAMS, "picket-onboarding"), *arguments, "--directory", self.organisation, expect=expect)

    def onboard(self, url, ca=None, proxy=None, more=()):
        package = os.path.join(self.base, "package.zip")
        more = [*more, *(["--ca", ca] if ca else []), *(["--proxy", proxy] if proxy else [])]
        self.onboarding("create", "-o", package, "--definitions-url", url, *more)
        with zipfile.ZipFile(package) as archive:
            archive.extract("onboarding.json", os.path.join(self.root, "etc/picket"))

    def put(self, name, content):
        with open(os.path.join(self.source, name), "wb") as file:
            file.write(content)

    def publish(self, *arguments):
        return json.loads(self.onboarding("definitions", "publish", self.mirror, "--from", self.source, *arguments, "--output", "json"))["data"]

    # --- programs

    def socket_path(self, name):
        return os.path.join(self.base, name + ".sock")

    def spawn(self, name, *arguments):
        with open(os.path.join(self.base, name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    env={**os.environ, "http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9",
                                                         "ASAN_OPTIONS": "detect_leaks=0"})  # which a confined process cannot

    def start_link(self):
        user = ["--user", "64739"] if os.geteuid() == 0 else []
        self.spawn("link", os.path.join(PROGRAMS, "picket-link"), "--socket", self.socket_path("link"), *user)
        wait_for(lambda: os.path.exists(self.socket_path("link")), "picket-link: " + self.log("link"))

    def start_definitions(self):
        self.spawn("definitions", os.path.join(PROGRAMS, "picket-definitions"), "--socket", self.socket_path("definitions"), "--link",
                   self.socket_path("link"), "--root", self.root)
        wait_for(lambda: os.path.exists(self.socket_path("definitions")), "picket-definitions: " + self.log("definitions"))

    def start(self):
        self.start_link()
        self.start_definitions()
        return self

    def log(self, name):
        with open(os.path.join(self.base, name + ".log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self, name, number=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(30)
        return process.returncode

    # --- orders

    def begin(self, op, **parameters):
        def connected():
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                connection.connect(self.socket_path("definitions"))
                return connection
            except OSError:
                connection.close()
                return None

        connection = wait_for(connected, "a connection")
        connection.settimeout(PATIENCE)
        connection.send(json.dumps({"op": op, **parameters}).encode())
        return connection

    def ask(self, op, **parameters):
        with self.begin(op, **parameters) as connection:
            return json.loads(connection.recv(1 << 20))

    def update(self):
        """As the gate does, with an engine that takes everything."""
        outcome = self.ask("prepare")
        if outcome.get("status") == "candidate":
            answer = self.ask("commit", generation=outcome["generation"])
            if not answer["ok"]:
                raise AssertionError(answer)
        return outcome

    # --- what is there

    def current(self):
        return os.path.realpath(os.path.join(self.root, "var/lib/picket/definitions/current"))

    def in_force(self):
        """Name and content of every database."""
        found = {}
        for name in sorted(os.listdir(self.current())):
            with open(os.path.join(self.current(), name), "rb") as file:
                found[name] = file.read()
        return found

    def memory(self):
        with open(os.path.join(self.root, "var/lib/picket/definitions/mirror.json"), encoding="utf-8") as file:
            return json.load(file)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.server.close()
        shutil.rmtree(self.base)


def drip(seconds):
    """A byte a second."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.wfile.write(b"x")
            time.sleep(1)

    return answer


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def endless_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-More: " + b"y" * 8000 + b"\r\n")


def cut(after):
    """The connection ends after so many bytes of content."""

    def answer(handler):
        whole = os.path.join(handler.server.folder, handler.path.lstrip("/"))
        with open(whole, "rb") as file:
            content = file.read()
        start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : start + after])

    return answer


def status(number, headers=None):
    return lambda handler: handler.plain(number, b"<html>for people</html>", headers)


def redirect(to):
    return status(302, {"Location": to})
