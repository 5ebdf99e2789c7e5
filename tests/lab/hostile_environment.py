#!/usr/bin/env python3
"""Starts a program as root would in a hurry: everything that it takes over from its caller is somebody else's.

hostile_environment.py TRAP closed|open PROGRAM ARGUMENT…   ends with the program's exit code
TRAP is a folder with bin, lib, python and tmp; whatever of it runs says so in TRAP/ran.
"""
import os
import resource
import signal
import sys

trap, outputs, program = sys.argv[1:4]
rubbish = "$(touch " + trap + "/ran);`touch " + trap + "/ran`\x1b]0;\n"
environment = {
    "PATH": trap + "/bin:.",
    "IFS": "/",
    "BASH_ENV": trap + "/bin/sh",
    "ENV": trap + "/bin/sh",
    "SHELLOPTS": "xtrace",
    "PS4": rubbish,
    "BASH_FUNC_exec%%": "() { touch " + trap + "/ran; }",
    "PYTHONPATH": trap + "/python",
    "PYTHONSTARTUP": trap + "/python/sitecustomize.py",
    "PERL5LIB": trap + "/perl",
    "PERL5OPT": "-Mtrap",
    "TMPDIR": trap + "/tmp",
    "SQLITE_TMPDIR": trap + "/tmp",
    "LANG": rubbish,
    "LC_ALL": rubbish,
    "LOCPATH": trap + "/lib",
    "NLSPATH": trap + "/lib/%N",
    "GCONV_PATH": trap + "/lib",
    "TZ": ":" + trap + "/tmp/zone",
    "OPENSSL_CONF": trap + "/openssl.cnf",
    "OPENSSL_MODULES": trap + "/lib",
    "OPENSSL_ENGINES": trap + "/lib",
    "LD_PRELOAD": trap + "/lib/loaded.so",
    "LD_LIBRARY_PATH": trap + "/lib",
    "DPKG_ROOT": trap + "/root",
    "DPKG_ADMINDIR": trap + "/root",
    "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=" + trap + "/bus",
    "SYSTEMD_PAGER": trap + "/bin/sh",
    "PAGER": trap + "/bin/sh",
    "NOTIFY_SOCKET": trap + "/bus",
    "TERM": rubbish,
    "COLUMNS": "99999999999999999999",
}
os.chdir(trap)
os.umask(0o077)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM})
resource.setrlimit(resource.RLIMIT_NOFILE, (24, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
signal.alarm(3)
if outputs == "closed":
    for descriptor in (0, 1, 2):
        os.close(descriptor)
os.execve(program, sys.argv[3:], environment)
