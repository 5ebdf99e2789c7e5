# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""The profile file that belongs to Ansible. Runs on Python 2.7 and 3.5 or later."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import shutil
import tempfile
import time

from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.picket.endpoint.plugins.module_utils.installer import (
    MANAGED_PROFILE, ProgramError, run_installer, run_picket)

REFUSED = 41
IN_FORCE_SECONDS = 5


def text_of(profile):
    return json.dumps(profile, indent=2, sort_keys=True, separators=(',', ': ')) + '\n'


def read():
    """What the file holds: None where there is none, its text where it is no JSON."""
    try:
        with open(MANAGED_PROFILE, 'rb') as stream:
            text = stream.read().decode('utf-8', 'replace')
    except (IOError, OSError):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def as_wished(profile):
    """Content and ownership: a file that others may write is refused by the daemon."""
    if read() != profile:
        return False
    if profile is None:
        return True
    status = os.lstat(MANAGED_PROFILE)
    return status.st_uid == 0 and (status.st_mode & 0o7777) == 0o644


def validate(module, profile, installer=None):
    """Raises ProgramError where the schema refuses it. Before Picket is installed its installer is asked."""
    directory = tempfile.mkdtemp(prefix='picket-profile-', dir=module.tmpdir)
    try:
        path = os.path.join(directory, os.path.basename(MANAGED_PROFILE))
        with open(path, 'wb') as stream:
            stream.write(to_bytes(text_of(profile)))
        try:
            if installer:
                run_installer(module, installer, ['check', '--profile', path])
            else:
                run_picket(module, ['profile', 'validate', path])
        except ProgramError as error:
            if error.code != REFUSED and installer:
                return  # the host's own faults are told by what comes next
            error.message = error.message.replace(directory + '/', '')
            raise error
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def write(module, profile):
    """None removes the file."""
    if profile is None:
        if os.path.lexists(MANAGED_PROFILE):
            os.unlink(MANAGED_PROFILE)
        return
    directory = os.path.dirname(MANAGED_PROFILE)
    if not os.path.isdir(directory):
        raise ProgramError('picket', 20, 'Picket is not installed on this host: there is no %s' % directory,
                           'Install it with picket.endpoint.picket_agent.', 'not_installed')
    descriptor, part = tempfile.mkstemp(prefix='.50-ansible.', suffix='.tmp', dir=directory)
    try:
        with os.fdopen(descriptor, 'wb') as stream:
            stream.write(to_bytes(text_of(profile)))
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(part, 0o644)
        os.rename(part, MANAGED_PROFILE)
    except Exception:
        os.unlink(part)
        raise


def wait_until_in_force(module, profile):
    """Fails where the daemon refuses the managed set; warns where another layer holds other values."""
    deadline = time.time() + IN_FORCE_SECONDS
    while True:
        reason, refused = not_in_force(module, profile)
        if not reason:
            return
        if time.time() >= deadline:
            break
        time.sleep(0.2)
    if refused:
        raise ProgramError('picket', 1, '%s is written, but not in force: %s' % (MANAGED_PROFILE, reason),
                           '"picket health" on the host names the file that is wrong.', 'profile_not_in_force')
    module.warn('%s is written, but other values are in force: %s' % (MANAGED_PROFILE, reason))


def not_in_force(module, profile):
    """(why the daemon does not go by the file yet, whether it refuses the set); ('', False) where it does."""
    try:
        health = run_picket(module, ['health'], accepted=(0, 1))[1] or {}
    except ProgramError as error:
        return error.text(), True
    sources = [os.path.basename(source) for source in health.get('profile_sources') or []]
    present = os.path.basename(MANAGED_PROFILE) in sources
    if health.get('profile_status') == 'last_good' or present != (profile is not None):
        return '; '.join(issue.get('message', '') for issue in health.get('health_issues') or []
                         if 'profile' in issue.get('name', '')) or 'it is not read yet', True
    if profile is None:
        return '', False
    code, difference = run_picket(module, ['profile', 'diff', MANAGED_PROFILE, '--running'], accepted=(0, 1))
    return ('', False) if code == 0 else (json.dumps(difference, sort_keys=True), False)
