"""Two hosts in network namespaces: this one, which is the protected host, and "outside" with servers and proxies. Real
squid, real tinyproxy, real redirects by nftables; nothing beyond the two. To be run inside `unshare --net --mount`."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
import time

from picket_world import LIBC, wait_for

CLONE_NEWNET = 0x40000000
HERE, OUTSIDE, SERVER = "10.77.0.1", "10.77.0.2", "10.78.0.1"
SERVER6 = "fd78::1"
PLAIN, INTERCEPT, INSPECT, INTERCEPT_TLS, PASSWORD, CLOSED = 3128, 3129, 3130, 3131, 3132, 3133
TINY = 3140

HOSTS = f"""127.0.0.1 localhost
{SERVER} mirror.test other.test
{SERVER6} mirror6.test
{OUTSIDE} proxy.test
"""


def run(*arguments, **more):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Network:
    """The namespaces, the names that this host knows, and the proxies outside."""

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="picket-network-", dir="/run")
        os.chmod(self.base, 0o755)
        self.processes = []
        self.here = os.open("/proc/self/ns/net", os.O_RDONLY)
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.processes.append(holder)
        wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "the namespace outside")
        self.outside = os.open(f"/proc/{holder.pid}/ns/net", os.O_RDONLY)
        self.enter = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", str(holder.pid))
        run("ip", "address", "add", HERE + "/24", "dev", "wire0")
        run("ip", "address", "add", "fd77::1/64", "dev", "wire0", "nodad")
        run("ip", "link", "set", "wire0", "up")
        for command in (("link", "set", "lo", "up"), ("address", "add", OUTSIDE + "/24", "dev", "wire1"),
                        ("address", "add", "fd77::2/64", "dev", "wire1", "nodad"), ("address", "add", SERVER + "/32", "dev", "lo"),
                        ("address", "add", SERVER6 + "/128", "dev", "lo", "nodad"), ("link", "set", "wire1", "up")):
            run(*self.enter, "ip", *command)
        run("ip", "route", "add", "10.78.0.0/24", "via", OUTSIDE)
        run("ip", "route", "add", "fd78::/64", "via", "fd77::2")
        self.names(HOSTS)
        self.put("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", "/etc/resolv.conf")

    def put(self, name, text, over):
        """A file of our own in the place of one of the machine's, for this mount namespace only."""
        path = os.path.join(self.base, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        if over and LIBC.mount(path.encode(), os.path.realpath(over).encode(), None, 4096, None) != 0:
            raise OSError(ctypes.get_errno(), over)

    def names(self, text):
        self.put("hosts", text, None if os.path.exists(os.path.join(self.base, "hosts")) else "/etc/hosts")

    @contextlib.contextmanager
    def there(self):
        """What this thread opens meanwhile is outside."""
        if LIBC.setns(self.outside, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if LIBC.setns(self.here, CLONE_NEWNET) != 0:
                os._exit(70)

    def spawn(self, *arguments, log):
        with open(os.path.join(self.base, log), "ab") as file:
            process = subprocess.Popen([*self.enter, *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.processes.append(process)
        return process

    def listens(self, port, log):
        def is_open():
            return f":{port} " in run(*self.enter, "ss", "-Hltn")

        def story():
            with open(os.path.join(self.base, log), encoding="utf-8", errors="replace") as file:
                return f"port {port}\n{file.read()[-2000:]}"

        wait_for(is_open, story)

    # --- proxies

    def start_squid(self, inspection):
        """One squid with a port for each way to be in the way. `inspection`: certificate and key of who reads along."""
        database = os.path.join(self.base, "certificates")
        run("/usr/lib/squid/security_file_certgen", "-c", "-s", database, "-M", "1MB")
        shutil.copy(inspection, os.path.join(self.base, "inspection.pem"))
        for path, folders, files in os.walk(database):
            for name in [path, *(os.path.join(path, each) for each in folders + files)]:
                shutil.chown(name, "proxy")
        bump = f"ssl-bump tls-cert={self.base}/inspection.pem generate-host-certificates=on dynamic_cert_mem_cache_size=1MB"
        configuration = f"""
http_port {OUTSIDE}:{PLAIN}
http_port {OUTSIDE}:{INTERCEPT} intercept
http_port {OUTSIDE}:{INSPECT} {bump}
https_port {OUTSIDE}:{INTERCEPT_TLS} intercept {bump}
http_port {OUTSIDE}:{PASSWORD}
http_port {OUTSIDE}:{CLOSED}
acl password_port localport {PASSWORD}
acl closed_port localport {CLOSED}
auth_param basic program /usr/lib/squid/basic_fake_auth
auth_param basic realm picket
acl known proxy_auth REQUIRED
http_access deny closed_port
http_access deny password_port !known
http_access allow all
sslcrtd_program /usr/lib/squid/security_file_certgen -s {database} -M 1MB
sslcrtd_children 1 startup=1
tls_outgoing_options flags=DONT_VERIFY_PEER
sslproxy_cert_error allow all
ssl_bump bump all
cache deny all
cache_mem 8 MB
access_log none
cache_log stdio:{self.base}/squid.cache.log
cache_store_log none
pid_filename none
netdb_filename none
pinger_enable off
coredump_dir none
cache_effective_user proxy
visible_hostname cache.test
shutdown_lifetime 0 seconds
max_filedescriptors 256
workers 1
"""
        with open(os.path.join(self.base, "squid.cache.log"), "w", encoding="ascii"):
            pass
        shutil.chown(os.path.join(self.base, "squid.cache.log"), "proxy")
        self.put("squid.conf", configuration, None)
        self.spawn("squid", "-N", "-f", os.path.join(self.base, "squid.conf"), log="squid.log")
        for port in (PLAIN, INTERCEPT_TLS, CLOSED):
            self.listens(port, "squid.log")

    def start_tinyproxy(self):
        self.put("tinyproxy.conf", f"Listen {OUTSIDE}\nPort {TINY}\nTimeout 30\nMaxClients 10\nAllow {HERE}\nLogLevel Error\n", None)
        self.spawn("tinyproxy", "-d", "-c", os.path.join(self.base, "tinyproxy.conf"), log="tinyproxy.log")
        self.listens(TINY, "tinyproxy.log")

    @contextlib.contextmanager
    def redirected(self, port, to):
        """Whoever connects to that port of the server lands at the proxy, and does not know."""
        run(*self.enter, "nft", "add", "table", "ip", "way")
        try:
            run(*self.enter, "nft", "add chain ip way in { type nat hook prerouting priority -100 ; }")
            run(*self.enter, "nft", "add", "rule", "ip", "way", "in", "tcp", "dport", str(port), "redirect", "to", f":{to}")
            yield
        finally:
            run(*self.enter, "nft", "delete", "table", "ip", "way")

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        time.sleep(0)
        for name in ("/etc/hosts", "/etc/resolv.conf"):
            LIBC.umount2(os.path.realpath(name).encode(), 2)
        os.close(self.here)
        os.close(self.outside)
        shutil.rmtree(self.base, ignore_errors=True)


def can_redirect():
    """Why not, or nothing."""
    done = subprocess.run(["unshare", "--net", "sh", "-c", "nft add table ip x && nft 'add chain ip x y { type nat hook prerouting priority -100 ; }' && "
                           "nft add rule ip x y tcp dport 80 redirect to :81"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode != 0 else None
