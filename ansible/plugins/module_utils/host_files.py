# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""Installer, bundle and onboarding package on the host. Runs on Python 2.7 and 3.5 or later."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import shutil
import tempfile

from ansible_collections.picket.endpoint.plugins.module_utils.installer import INSTALLER, ProgramError

# Root's alone: what is in it was verified before it got its name, and is not hashed again.
CACHE = '/var/cache/picket-installer'
# Where programs of root may be run from, where the temporary folder is mounted noexec.
RUN_FROM = ('/var/cache', '/usr/local/sbin', '/root', '/opt')
ST_NOEXEC = 8


class Missing(Exception):
    """Files that the controller has to bring first."""

    def __init__(self, kinds):
        super(Missing, self).__init__(', '.join(kinds))
        self.kinds = kinds


class HostFiles(object):
    """`described` says by kind what the controller has: sha256, name and, where it was brought, path."""

    def __init__(self, module, described):
        self.module = module
        self.described = described
        self.scratch = []
        self.used = set()
        self.copies = {}

    def has(self, kind):
        return kind in self.described

    def want(self, *kinds):
        missing = [kind for kind in kinds if not self._present(kind)]
        if missing:
            raise Missing(missing)

    def path(self, kind):
        self.want(kind)
        cached = self._cached(kind)
        self.used.add(kind)
        if os.path.exists(cached):
            return cached
        if self.module.check_mode or os.geteuid() != 0:
            return self._verified_copy(kind, self._scratch(self.module.tmpdir))
        if not os.path.isdir(CACHE):
            os.mkdir(CACHE, 0o700)
        part = self._verified_copy(kind, self._scratch(CACHE))
        os.rename(part, cached)
        return cached

    def host_installer(self):
        return INSTALLER if os.access(INSTALLER, os.X_OK) else None

    def any_installer(self):
        return self.host_installer() or self.path('installer')

    def runnable(self, program):
        """The program, or a copy of it where programs may be run."""
        if not noexec(program):
            return program
        if program not in self.copies:
            for directory in RUN_FROM:
                if os.path.isdir(directory) and os.access(directory, os.W_OK) and not noexec(directory):
                    self.copies[program] = os.path.join(self._scratch(directory), os.path.basename(program))
                    shutil.copyfile(program, self.copies[program])
                    os.chmod(self.copies[program], 0o700)
                    break
            else:
                raise ProgramError(program, 12, 'no folder was found from which the installer can be run: %s and %s '
                                   'are mounted noexec or cannot be written' % (program, ', '.join(RUN_FROM)),
                                   'Mount one of them with exec.', 'noexec')
        return self.copies[program]

    def settle(self, keep):
        """After a run: of each kind the cache keeps what was used last; nothing where Picket was removed."""
        self.close()
        if not os.path.isdir(CACHE) or os.geteuid() != 0:
            return
        if not keep:
            shutil.rmtree(CACHE, ignore_errors=True)
            return
        current = set(os.path.basename(self._cached(kind)) for kind in self.described)
        for kind in self.used:
            for name in os.listdir(CACHE):
                if name.startswith(kind + '-') and name not in current:
                    os.unlink(os.path.join(CACHE, name))

    def close(self):
        while self.scratch:
            shutil.rmtree(self.scratch.pop(), ignore_errors=True)

    def _present(self, kind):
        # What the controller does not have is missing too: it says what to do about that.
        return kind in self.described and (self.described[kind].get('path') or os.path.exists(self._cached(kind)))

    def _cached(self, kind):
        described = self.described[kind]
        return os.path.join(CACHE, '%s-%s-%s' % (kind, described['sha256'][:16], os.path.basename(described['name'])))

    def _scratch(self, parent):
        self.scratch.append(tempfile.mkdtemp(prefix='picket-installer-', dir=parent))
        return self.scratch[-1]

    def _verified_copy(self, kind, directory):
        """Copied first, verified then: the original may belong to whoever logged in."""
        described = self.described[kind]
        copy = os.path.join(directory, os.path.basename(described['name']))
        shutil.copyfile(described['path'], copy)
        os.chmod(copy, 0o700 if kind == 'installer' else 0o600)
        if self.module.sha256(copy) != described['sha256']:
            raise ProgramError('picket_agent', 1, '%s came to this host damaged' % described['name'],
                               'Run the play again.', 'transfer')
        return copy


def noexec(path):
    return bool(os.statvfs(path).f_flag & ST_NOEXEC)
