#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: picket_scan
short_description: Scans a host, or a part of it
version_added: "1.0.0"
description:
  - Runs C(picket scan) and waits for its end. For scans that take longer than a connection lives use C(async).
  - Changed where something was found and acted on.
options:
  kind:
    description:
      - What is scanned. C(custom) needs I(path).
    type: str
    choices: [quick, full, custom]
    default: quick
  path:
    description:
      - The file or folder to scan.
    type: path
  ignore_exclusions:
    description:
      - With C(kind=custom), scan what is excluded too.
    type: bool
    default: false
  report_only:
    description:
      - With C(kind=custom), change nothing about what is found.
    type: bool
    default: false
  fail_on_threats:
    description:
      - A scan that finds something is a failure of the module.
    type: bool
    default: true
attributes:
  check_mode:
    support: partial
    description: In check mode only C(kind=custom) is run, with I(report_only).
  diff_mode:
    support: none
    description: There is no state to compare.
author:
  - The Picket authors (!UNKNOWN)
'''

EXAMPLES = r'''
- name: Scan what was uploaded
  picket.endpoint.picket_scan:
    kind: custom
    path: /srv/upload
    fail_on_threats: false
  register: scan
'''

RETURN = r'''
found:
  description: Whether threats were found.
  returned: success
  type: bool
scan:
  description: What C(picket scan) reports.
  returned: success
  type: dict
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.picket.endpoint.plugins.module_utils.installer import ProgramError, fail, run_picket

THREATS_FOUND = 10


def arguments(module):
    parameters = module.params
    command = ['scan', parameters['kind']]
    if parameters['kind'] == 'custom':
        command += ['--path', parameters['path']]
        if parameters['ignore_exclusions']:
            command.append('--ignore-exclusions')
        if parameters['report_only'] or module.check_mode:
            command.append('--report-only')
    return command


def scan(module):
    if module.check_mode and module.params['kind'] != 'custom':
        return dict(changed=False, skipped=True, found=False, scan={},
                    msg='a scan that may act is not run in check mode')
    code, data = run_picket(module, arguments(module), accepted=(0, THREATS_FOUND))
    found = code == THREATS_FOUND
    if found and module.params['fail_on_threats']:
        module.fail_json(msg='threats were found [picket, exit code 10]', exit_code=code, scan=data)
    return dict(changed=found and not module.check_mode and not module.params['report_only'], found=found, scan=data)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            kind=dict(type='str', default='quick', choices=['quick', 'full', 'custom']),
            path=dict(type='path'),
            ignore_exclusions=dict(type='bool', default=False),
            report_only=dict(type='bool', default=False),
            fail_on_threats=dict(type='bool', default=True),
        ),
        required_if=[('kind', 'custom', ['path'])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**scan(module))
    except ProgramError as error:
        fail(module, error)


if __name__ == '__main__':
    main()
