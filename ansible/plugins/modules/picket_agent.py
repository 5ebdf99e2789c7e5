#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: picket_agent
short_description: Brings Picket onto a host, to an organisation, and away again
version_added: "1.0.0"
description:
  - Runs C(picket-installer) on the host and reports what it says. The installer is idempotent, undoes what fails, and
    ends with a self-test.
  - A host that is as wished costs one call of the installer that is on it already; nothing is copied.
  - Files that a host misses are copied once for each host and version, by checksum, to C(/var/cache/picket-installer).
    In check mode they go to the remote temporary folder and are removed again.
  - Where the remote temporary folder is mounted noexec the installer is run from another folder of root's.
options:
  state:
    description:
      - C(present) has Picket installed, of any version unless I(version) is given, and onboarded.
      - C(latest) has the version of I(bundle).
      - C(onboarded) gives an installed Picket its organisation, and installs nothing.
      - C(offboarded) takes the organisation away; the host stays protected.
      - C(absent) removes Picket.
      - C(rolled_back) goes back to the version before an upgrade.
      - C(os_upgrade_prepared) and C(os_upgrade_finished) enclose an upgrade of the operating system. Between them the
        host is not protected. The latter takes I(bundle) where it is given, else the package that the host has kept.
      - An installer that does not know one of these yet says so, and nothing is changed.
    type: str
    choices: [present, latest, onboarded, offboarded, absent, rolled_back, os_upgrade_prepared, os_upgrade_finished]
    default: present
  bundle:
    description:
      - The bundle on the controller, C(picket-VERSION-ARCH.tar.gz). Found beside the playbook, the inventory, or in the working directory.
      - Needed where Picket has to be installed or mended.
    type: path
  installer:
    description:
      - C(picket-installer) on the controller. By default it is taken out of I(bundle).
    type: path
  release_key:
    description:
      - Public key of whoever made the bundle, or its C(.pub) file. With it the installer's signature is verified on
        the controller before the installer is copied anywhere.
    type: str
  version:
    description:
      - The version that is wanted. I(bundle) has to be of it.
    type: str
  onboarding:
    description:
      - The organisation's onboarding package on the controller. It may be encrypted with ansible-vault.
      - May be left out for hosts that are onboarded.
    type: path
  trust_key:
    description:
      - The organisation's public key, or its C(.pub) file on the controller. Packages of any other key are refused.
      - Needed with I(onboarding), unless I(allow_first_use).
    type: str
  allow_first_use:
    description:
      - Onboard without I(trust_key). The key of the first package that comes to a host is pinned.
    type: bool
    default: false
  replace_org:
    description:
      - Accept a package of another organisation than the host's.
    type: bool
    default: false
  profile:
    description:
      - The host's profile, as a mapping or as a file on the controller. It becomes
        C(/etc/picket/managed.d/50-ansible.json).
      - An empty mapping removes that file. Left out, the file is not touched.
    type: raw
  tags:
    description:
      - Tags of this host.
    type: dict
    default: {}
  accept:
    description:
      - Ids of checks whose failure is accepted; recorded on the host.
    type: list
    elements: str
    default: []
  lock_timeout:
    description:
      - Wait so many seconds for a busy package manager.
    type: int
    default: 120
  purge:
    description:
      - With C(state=absent), remove settings, quarantine and records too.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: The installer makes its plan on the host and carries nothing out.
  diff_mode:
    support: full
    description: The host's state before and after. In check mode the state that the run would lead to.
author:
  - The Picket authors (!UNKNOWN)
seealso:
  - module: picket.endpoint.picket_profile
  - module: picket.endpoint.picket_info
'''

EXAMPLES = r'''
- name: Protect the host
  picket.endpoint.picket_agent:
    bundle: picket-0.1.0-x86_64.tar.gz
    onboarding: acme.zip
    trust_key: acme.pub
    profile:
      antivirusEngine:
        enforcementLevel: real_time
    tags:
      site: berlin

- name: Take Picket away, with all that it kept
  picket.endpoint.picket_agent:
    state: absent
    purge: true
    installer: picket-installer
'''

RETURN = r'''
before:
  description: State of the host before, as the installer reports it, and C(profile), the content of Ansible's profile.
  returned: success
  type: dict
after:
  description: State afterwards; in check mode the state that the run would lead to.
  returned: success
  type: dict
steps:
  description: What the installer did, or would do.
  returned: success, and where steps failed or were undone
  type: list
  elements: dict
checks:
  description: The checks of the host that failed.
  returned: failure of a check
  type: list
  elements: dict
exit_code:
  description: Exit code of the installer. 0 where there was nothing to complain of.
  returned: always
  type: int
installer_calls:
  description: How often the installer was called; once where nothing was to be done.
  returned: success
  type: int
error:
  description: The installer's name for the failure.
  returned: failure
  type: str
fix:
  description: What to do about it.
  returned: failure
  type: str
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.picket.endpoint.plugins.module_utils import profile as managed
from ansible_collections.picket.endpoint.plugins.module_utils.host_files import HostFiles, Missing
from ansible_collections.picket.endpoint.plugins.module_utils.installer import (
    CALLS, NOT_INSTALLED, ProgramError, comparable, fail, run_installer)

USAGE = 2
BROKEN = 15
NO_BUNDLE = 28
# What the installer on the host cannot mend without the bundle.
WANTS_BUNDLE = (BROKEN, NOT_INSTALLED, NO_BUNDLE)
# States that are one verb of the installer that is on the host.
VERBS = {
    'rolled_back': ['rollback'],
    'os_upgrade_prepared': ['os-upgrade', 'prepare'],
    'os_upgrade_finished': ['os-upgrade', 'finish'],
}


class Agent(object):
    def __init__(self, module, files):
        self.module = module
        self.files = files
        latest = module.params['state'] == 'latest'
        self.wanted = module.params['_bundle_version' if latest else 'version']

    def run(self):
        state = self.module.params['state']
        if state == 'os_upgrade_finished' and self.files.has('bundle'):
            return self.finish_from_bundle()
        if state in VERBS:
            return self.call(self.files.any_installer(), VERBS[state])
        if state == 'absent':
            return self.uninstall()
        if state == 'offboarded':
            return self.offboard()
        if state == 'onboarded':
            return self.call(self.files.any_installer(), ['onboard', self.files.path('onboarding')] + self.wishes())
        return self.install()

    def call(self, installer, arguments):
        verb = ' '.join(argument for argument in arguments[:2] if not argument.startswith(('-', '/')))
        arguments = arguments + ['--lock-timeout', str(self.module.params['lock_timeout'])]
        if self.module.check_mode:
            arguments.append('--dry-run')
        try:
            return run_installer(self.module, self.files.runnable(installer), arguments)
        except ProgramError as error:
            if error.code == USAGE and 'is no command' in error.message:
                error.message = 'this version of picket-installer has no "%s" yet' % verb
                error.fix = 'Take a newer bundle.'
            raise

    def wishes(self):
        parameters = self.module.params
        arguments = []
        for key, value in sorted(parameters['tags'].items()):
            arguments += ['--tag', '%s=%s' % (key, value)]
        if parameters['trust_key']:
            arguments += ['--trust-key', parameters['trust_key']]
        if parameters['replace_org']:
            arguments.append('--replace-org')
        return arguments

    def install_arguments(self):
        arguments = ['install'] + self.wishes()
        if self.files.has('onboarding'):
            arguments += ['--onboarding', self.files.path('onboarding')]
        return arguments + self.accepted()

    def accepted(self):
        return [word for check in self.module.params['accept'] for word in ('--accept', check)]

    def want_all_of_a_fresh_host(self):
        if self.module.params['state'] in ('present', 'latest') and not self.files.host_installer():
            self.files.want('installer', 'bundle', *[kind for kind in ('onboarding',) if self.files.has(kind)])

    def install(self):
        """The installer on the host first: it needs no bundle where Picket is whole and of the wanted version."""
        report = None
        if self.files.host_installer():
            try:
                report = self.call(self.files.host_installer(), self.install_arguments())
            except ProgramError as error:
                if error.code not in WANTS_BUNDLE or not self.files.has('bundle'):
                    raise
        if report and self.wanted in (None, '', report['after'].get('version')):
            return report
        verb = self.install_arguments() if not report else ['upgrade'] + self.accepted()
        self.files.want('installer', 'bundle')
        last = self.call(self.files.path('installer'), verb + ['--bundle', self.files.path('bundle')])
        return joined(report, last) if report else last

    def finish_from_bundle(self):
        """The bundle is the one for the new release. Where nothing was prepared, it stays on the controller."""
        if self.files.host_installer():
            report = run_installer(self.module, self.files.runnable(self.files.host_installer()), ['status'])
            if report['after'].get('installed') and not report['after'].get('os_upgrade'):
                return self.call(self.files.host_installer(), VERBS['os_upgrade_finished'])
        self.files.want('installer', 'bundle')
        return self.call(self.files.path('installer'),
                         VERBS['os_upgrade_finished'] + ['--bundle', self.files.path('bundle')] + self.accepted())

    def offboard(self):
        try:
            return self.call(self.files.any_installer(), ['offboard'])
        except ProgramError as error:
            if error.code != NOT_INSTALLED:
                raise
            return dict(error.report, error=None)

    def uninstall(self):
        arguments = ['uninstall', '--purge' if self.module.params['purge'] else '--keep-state']
        return self.call(self.files.any_installer(), arguments)


def joined(first, last):
    after = dict(first['after'])
    after.update((key, value) for key, value in last['after'].items() if value != last['before'].get(key))
    return dict(last, before=first['before'], after=after, changed=first['changed'] or last['changed'],
                steps=first['steps'] + last['steps'])


def wished_profile(module):
    """(whether the profile is Ansible's business in this run, the profile or None)"""
    profile = module.params['profile']
    if module.params['state'] == 'absent':
        return (True, None) if module.params['purge'] else (False, None)
    if profile is None or module.params['state'] == 'offboarded':
        return False, None
    return True, profile or None


def main():
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type='str', default='present',
                       choices=['present', 'latest', 'onboarded', 'offboarded', 'absent', 'rolled_back',
                                'os_upgrade_prepared', 'os_upgrade_finished']),
            bundle=dict(type='path'),
            installer=dict(type='path'),
            release_key=dict(type='str', no_log=False),
            version=dict(type='str'),
            onboarding=dict(type='path'),
            trust_key=dict(type='str', no_log=False),
            allow_first_use=dict(type='bool', default=False),
            replace_org=dict(type='bool', default=False),
            profile=dict(type='raw'),
            tags=dict(type='dict', default={}),
            accept=dict(type='list', elements='str', default=[]),
            lock_timeout=dict(type='int', default=120),
            purge=dict(type='bool', default=False),
            _files=dict(type='dict', default={}),
            _bundle_version=dict(type='str'),
        ),
        supports_check_mode=True,
    )
    files = HostFiles(module, module.params['_files'])
    try:
        module.exit_json(**converge(module, files))
    except Missing as missing:
        module.exit_json(changed=False, missing=missing.kinds)
    except ProgramError as error:
        fail(module, error)
    finally:
        files.close()


def converge(module, files):
    agent = Agent(module, files)
    agent.want_all_of_a_fresh_host()
    ours, profile = wished_profile(module)
    profile_before = managed.read()
    profile_changes = ours and not managed.as_wished(profile)
    if profile_changes and profile is not None:
        managed.validate(module, profile, files.runnable(files.any_installer()))
    report = agent.run()
    before = dict(comparable(report['before']), profile=profile_before)
    after = dict(comparable(report['after']), profile=profile if ours else profile_before)
    if profile_changes and not module.check_mode:
        try:
            managed.write(module, profile)
            if report['after'].get('installed'):
                managed.wait_until_in_force(module, profile)
        except ProgramError as error:
            error.report = dict(before=before, after=after)  # whoever puts the host back has to know
            raise
    changed = report['changed'] or profile_changes
    if not module.check_mode:
        files.settle(keep=module.params['state'] != 'absent')
    return dict(changed=changed, before=before, after=after, steps=report['steps'], exit_code=0,
                installer_calls=len(CALLS),
                diff=dict(before=before, after=after))


if __name__ == '__main__':
    main()
