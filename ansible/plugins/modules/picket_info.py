#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: picket_info
short_description: What Picket says of itself on a host
version_added: "1.0.0"
description:
  - Asks C(picket-installer) what is installed and C(picket) whether the host is protected. Changes nothing.
  - A host without Picket is an answer, not a failure.
options:
  selftest:
    description:
      - Prove with a harmless test file that the host is protected. A self-test that fails is a failure of the module.
    type: bool
    default: false
  healthy:
    description:
      - Fail where the host is not healthy, with the reasons that C(picket health) gives.
    type: bool
    default: false
  levels:
    description:
      - Enforcement levels that are good enough, such as C(real_time). Any other in force is a failure of the module.
      - Left out, the level that the host's profile asks for is good enough, C(passive) too.
    type: list
    elements: str
    choices: [real_time, audit, on_demand, passive]
    default: []
attributes:
  check_mode:
    support: full
    description: It changes nothing. In check mode the self-test is left out.
  diff_mode:
    support: none
    description: It changes nothing.
author:
  - The Picket authors (!UNKNOWN)
seealso:
  - module: picket.endpoint.picket_agent
'''

EXAMPLES = r'''
- name: Ask
  picket.endpoint.picket_info:
  register: picket

- name: Prove that the host is protected
  picket.endpoint.picket_info:
    healthy: true
    selftest: true
'''

RETURN = r'''
installed:
  description: Whether Picket is installed as a whole.
  returned: always
  type: bool
status:
  description: What C(picket-installer status) reports.
  returned: success
  type: dict
health:
  description: What C(picket health) reports; empty where no daemon answers.
  returned: success
  type: dict
enforcement_level:
  description: The level in force; empty where no daemon answers.
  returned: success
  type: str
profile_sha256:
  description: Digest of C(/etc/picket/managed.d/50-ansible.json); empty where there is none.
  returned: success
  type: str
selftest:
  description: What the self-test says.
  returned: with I(selftest)
  type: str
'''

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.picket.endpoint.plugins.module_utils.installer import (
    INSTALLER, MANAGED_PROFILE, NOT_INSTALLED, ProgramError, fail, run_installer, run_picket)


def status_of(module):
    """Without the installer there is no Picket: every package brings it."""
    if not os.path.exists(INSTALLER):
        return {'installed': False}
    return run_installer(module, INSTALLER, ['status'])['after']


def health_of(module):
    try:
        return run_picket(module, ['health'], accepted=(0, 1))[1] or {}
    except ProgramError as error:
        return {'healthy': False, 'health_issues': [{'name': 'no_answer', 'message': error.text()}]}


def issues_of(health):
    return '; '.join(issue.get('message') or issue.get('name', '') for issue in health.get('health_issues') or [])


def answer(module):
    status = status_of(module)
    installed = bool(status.get('installed'))
    health = health_of(module) if installed else {}
    if module.params['healthy'] and not installed:
        raise ProgramError(INSTALLER, NOT_INSTALLED, 'Picket is not installed on this host',
                           'Install it with picket.endpoint.picket_agent.', 'not_installed')
    if module.params['healthy'] and not health.get('healthy'):
        raise ProgramError('picket', 1, 'the host is not healthy: %s' % (issues_of(health) or 'no reason was given'),
                           'docs/operations.md says what to do for each reason.', 'not_healthy')
    level = health.get('enforcement_level') or ''
    if module.params['levels'] and level not in module.params['levels']:
        raise ProgramError('picket', 1, 'the enforcement level in force is %s, and not %s'
                           % (level or 'unknown', ' or '.join(module.params['levels'])),
                           '"picket profile explain enforcement-level" on the host names the file that says so.', 'other_level')
    result = dict(changed=False, installed=installed, status=status, health=health, enforcement_level=level,
                  profile_sha256=module.sha256(MANAGED_PROFILE) if os.path.isfile(MANAGED_PROFILE) else '')
    if module.params['selftest'] and not module.check_mode:
        if not installed:
            raise ProgramError(INSTALLER, NOT_INSTALLED, 'Picket is not installed on this host', '', 'not_installed')
        result['selftest'] = run_installer(module, INSTALLER, ['selftest'])['steps'][0]['detail']
    return result


def main():
    module = AnsibleModule(
        argument_spec=dict(
            selftest=dict(type='bool', default=False),
            healthy=dict(type='bool', default=False),
            levels=dict(type='list', elements='str', default=[], choices=['real_time', 'audit', 'on_demand', 'passive']),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**answer(module))
    except ProgramError as error:
        fail(module, error)


if __name__ == '__main__':
    main()
