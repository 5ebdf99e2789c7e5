# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""What the controller takes to hosts: bundle, installer, onboarding package. Runs on the controller only."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import functools
import hashlib
import json
import os
import re
import tarfile
import tempfile

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_native

BUNDLE_NAME = re.compile(r'^picket-(?P<version>[0-9][0-9A-Za-z.~+-]*)-(?P<architecture>[a-z0-9_]+)\.tar\.gz$')
INSTALLER_NAME = 'picket-installer'


def refusals_alone(run):
    """For an action's run: what is refused on the controller is told by its message. Ansible itself would add an exception,
    if only to say that there was none."""
    @functools.wraps(run)
    def wrapper(self, tmp=None, task_vars=None):
        try:
            return run(self, tmp, task_vars)
        except AnsibleActionFail as error:
            return dict(failed=True, msg=to_native(error))
    return wrapper


def sha256_of(path):
    """Of every run once for each file, not once for each host: forks share it through the run's local folder."""
    status = os.stat(path)
    key = '%s:%d:%d:%d' % (os.path.realpath(path), status.st_size, int(status.st_mtime * 1000), status.st_ino)
    note = os.path.join(C.DEFAULT_LOCAL_TMP, 'picket-sha256-' + hashlib.sha256(key.encode()).hexdigest()[:24])
    try:
        with open(note) as stream:
            return stream.read()
    except IOError:
        pass
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(1 << 20), b''):
            digest.update(block)
    write_whole(note, digest.hexdigest().encode())
    return digest.hexdigest()


def write_whole(path, content):
    descriptor, part = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(descriptor, 'wb') as stream:
        stream.write(content)
    os.rename(part, path)


def find(action, path, task_vars):
    """As everywhere in Ansible, beside role and playbook; then beside the inventory, then where the command was given:
    the playbooks of a collection lie where nobody keeps his files."""
    path = os.path.expanduser(path)
    try:
        return action._find_needle('files', path)
    except AnsibleError:
        pass
    for directory in ((task_vars or {}).get('inventory_dir'), os.getcwd()):
        if directory and os.path.isfile(os.path.join(directory, path)):
            return os.path.join(directory, path)
    raise AnsibleActionFail('%s is neither beside the playbook, nor the inventory, nor in %s: name it by its whole path'
                            % (path, os.getcwd()))


def version_of_bundle(path):
    match = BUNDLE_NAME.match(os.path.basename(path))
    if not match:
        raise AnsibleActionFail('%s is no bundle: its name is picket-VERSION-ARCH.tar.gz' % path)
    return match.group('version')


def from_bundle(bundle, name):
    """One member of the bundle, as a file in the run's local folder. The installer is its first: that is quick."""
    target = os.path.join(C.DEFAULT_LOCAL_TMP, 'picket-%s-%s' % (sha256_of(bundle)[:24], name))
    if os.path.exists(target):
        return target
    try:
        with tarfile.open(bundle, 'r|gz') as archive:
            for member in archive:
                if member.name == name and member.isfile():
                    write_whole(target, archive.extractfile(member).read())
                    return target
    except (tarfile.TarError, EOFError, OSError) as error:
        raise AnsibleActionFail('%s cannot be read as a bundle: %s. Fetch it anew.' % (bundle, error))
    raise AnsibleActionFail('%s is no bundle: it has no %s. Fetch it anew.' % (bundle, name))


def check_installer(installer, bundle, release_key):
    """Refuses an installer that the release key does not vouch for: by its own signature or the bundle's manifest."""
    with open(installer, 'rb') as stream:
        content = stream.read()
    signature = installer + '.minisig'
    if os.path.exists(signature):
        with open(signature) as stream:
            verify(content, stream.read(), release_key, installer)
        return
    if not bundle:
        raise AnsibleActionFail('%s is not there, so that the installer cannot be verified' % signature)
    with open(from_bundle(bundle, 'manifest.json'), 'rb') as stream:
        manifest = stream.read()
    with open(from_bundle(bundle, 'manifest.json.minisig')) as stream:
        verify(manifest, stream.read(), release_key, bundle)
    wanted = [entry['sha256'] for entry in json.loads(manifest.decode())['files'] if entry['name'] == INSTALLER_NAME]
    if wanted != [hashlib.sha256(content).hexdigest()]:
        raise AnsibleActionFail('%s: picket-installer is not the one that its signed manifest names' % bundle)


def verify(content, signature, release_key, what):
    """A minisign signature, plain or of the BLAKE2b digest."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise AnsibleActionFail('release_key needs the Python package cryptography on the controller')
    lines = signature.splitlines()
    try:
        public = base64.b64decode(key_line(release_key))
        signed = base64.b64decode(lines[1])
        whole = base64.b64decode(lines[3])
        comment = lines[2][len('trusted comment: '):].encode()
        if len(public) != 42 or len(signed) != 74 or public[2:10] != signed[2:10]:
            raise ValueError('it is of another key')
        key = Ed25519PublicKey.from_public_bytes(public[10:])
        key.verify(signed[10:], hashlib.blake2b(content).digest() if signed[:2] == b'ED' else content)
        key.verify(whole, signed[10:] + comment)
    except InvalidSignature:
        raise AnsibleActionFail('%s: the signature does not fit: it was changed, or is of another key' % what)
    except (ValueError, IndexError) as error:
        raise AnsibleActionFail('%s: the signature cannot be verified: %s' % (what, error))


def key_line(key):
    """A key as text, or the file that holds it."""
    if os.path.isfile(key):
        with open(key) as stream:
            key = stream.read()
    return key.strip().splitlines()[-1].strip() if key.strip() else ''
