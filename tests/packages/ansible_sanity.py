#!/usr/bin/env python3
"""ansible-test sanity, offline: a test for which it would fetch packages with pip gets those of the distribution.

ansible_sanity.py OPTION…    in a collection's folder; what ansible-test sanity takes
"""
import functools
import sys

from ansible_test._internal.commands import sanity
from ansible_test._util.target.cli.ansible_test_cli_stub import main

sanity.create_virtual_environment = functools.partial(sanity.create_virtual_environment, system_site_packages=True)
sanity.run_pip = lambda *arguments: None
main(["ansible-test", "sanity", *sys.argv[1:]])
