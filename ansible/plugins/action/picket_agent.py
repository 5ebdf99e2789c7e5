# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""Runs the module, and takes to the host what the module says it misses there: nothing on an unchanged host."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_native
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.picket.endpoint.plugins.plugin_utils import controller_files
from ansible_collections.picket.endpoint.plugins.plugin_utils.controller_profile import profile_from

MODULE = 'picket.endpoint.picket_agent'
# An installer, an onboarding package, a bundle may be found missing one after the other.
ROUNDS = 4
# What Ansible says where it could not become root: sudo's, su's and others' words.
WRONG_PASSWORD = re.compile(r'(incorrect|missing) \S+ password|password is required', re.I)


class ActionModule(ActionBase):
    TRANSFERS_FILES = True

    @controller_files.refusals_alone
    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        del tmp
        self._task_vars = task_vars
        arguments = dict(self._task.args)
        local = self._local_files(arguments)
        arguments['_files'] = dict((kind, self._describe(path, kind)) for kind, path in local.items())
        for name in ('bundle', 'installer', 'onboarding', 'release_key'):
            arguments.pop(name, None)
        if arguments.get('trust_key'):
            arguments['trust_key'] = controller_files.key_line(self._found(arguments['trust_key'], optional=True))
        if arguments.get('profile') is not None:
            arguments['profile'] = profile_from(self._profile_source(arguments['profile']))
        result.update(self._rounds(arguments, local, task_vars))
        return result

    def _rounds(self, arguments, local, task_vars):
        for unused in range(ROUNDS):
            answer = self._asked(arguments, task_vars)
            missing = answer.pop('missing', None)
            if not missing:
                return answer
            for kind in missing:
                if kind not in local:
                    raise AnsibleActionFail(self._wanted(kind))
                arguments['_files'][kind]['path'] = self._take(local[kind], arguments['_files'][kind]['name'])
        raise AnsibleActionFail('the host still misses %s after they were copied' % ', '.join(missing))

    def _asked(self, arguments, task_vars):
        try:
            answer = self._execute_module(MODULE, module_args=arguments, task_vars=task_vars)
        except AnsibleError as error:
            reason = to_native(error)
        else:
            reason = to_native(answer.get('msg') or '') if answer.get('failed') else ''
        if WRONG_PASSWORD.search(reason):
            raise AnsibleActionFail('%s. Give the right one with --ask-become-pass, or as ansible_become_password in a '
                                    'vault. [exit code 3, not_root]' % reason.strip().splitlines()[0].rstrip('.'))
        if not answer:
            raise AnsibleActionFail(reason)
        return answer

    def _wanted(self, kind):
        if kind == 'onboarding':
            return 'this host belongs to no organisation yet: name its onboarding package with "onboarding"'
        return 'Picket is not installed, or not whole, on this host: name the bundle with "bundle"'

    def _take(self, path, name):
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        remote = shell.join_path(shell.tmpdir, name)
        self._transfer_file(path, remote)
        self._fixup_perms2((shell.tmpdir, remote), execute=False)
        return remote

    def _local_files(self, arguments):
        local = {}
        bundle = self._found(arguments.get('bundle'))
        if bundle:
            version = controller_files.version_of_bundle(bundle)
            if arguments.get('version') not in (None, '', version):
                raise AnsibleActionFail('version %s is wanted, and the bundle %s is of version %s'
                                        % (arguments['version'], bundle, version))
            arguments['_bundle_version'] = version
            local['bundle'] = bundle
        installer = self._found(arguments.get('installer'))
        if not installer and bundle:
            installer = controller_files.from_bundle(bundle, controller_files.INSTALLER_NAME)
        if installer:
            local['installer'] = installer
            if arguments.get('release_key'):
                key = self._found(arguments['release_key'], optional=True)
                controller_files.check_installer(installer, bundle, key)
        if arguments.get('onboarding'):
            local['onboarding'] = self._decrypted(self._found(arguments['onboarding']))
            if arguments.get('state', 'present') in ('present', 'latest', 'onboarded'):
                self._want_key(arguments)
        return local

    def _want_key(self, arguments):
        if not arguments.get('trust_key') and not boolean(arguments.get('allow_first_use', False)):
            raise AnsibleActionFail(
                'onboarding needs "trust_key", the organisation\'s public key (picket-onboarding prints it): without '
                'it any package would do. "allow_first_use: true" accepts whichever key comes first to a host')

    def _decrypted(self, path):
        """A package that is kept in ansible-vault is opened for this run only."""
        try:
            return self._loader.get_real_file(path)
        except AnsibleError as error:
            raise AnsibleActionFail('%s cannot be read: %s' % (path, to_native(error)))

    def _found(self, path, optional=False):
        if not path:
            return path
        try:
            return controller_files.find(self, path, self._task_vars)
        except AnsibleError:
            if optional:
                return path
            raise

    def _profile_source(self, profile):
        return self._found(profile) if isinstance(profile, str) else profile

    def _describe(self, path, kind):
        # A decrypted package has a name that means nothing; the installer has the name that its help shows.
        names = {'onboarding': 'onboarding.zip', 'installer': controller_files.INSTALLER_NAME}
        return {'sha256': controller_files.sha256_of(path), 'name': names.get(kind, os.path.basename(path))}
