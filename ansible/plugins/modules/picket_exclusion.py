#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: picket_exclusion
short_description: What is not scanned on a host
version_added: "1.0.0"
description:
  - Adds and removes local exclusions with C(picket exclusion). Exclusions for groups of hosts belong into a profile.
  - Where a central profile forbids local exclusions C(picket) refuses, and the message names the profile.
options:
  type:
    description:
      - What I(value) is.
    type: str
    choices: [file, folder, extension, name, process]
    required: true
  value:
    description:
      - The absolute path of a file, folder or program; the extension without its dot; the name of a file or program.
    type: str
    required: true
  state:
    description:
      - Whether it is to be excluded.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says whether the list would change.
  diff_mode:
    support: full
    description: The exclusion before and after.
author:
  - The Picket authors
seealso:
  - module: picket.endpoint.picket_profile
'''

EXAMPLES = r'''
- name: The database's own files
  picket.endpoint.picket_exclusion:
    type: folder
    value: /srv/db
'''

RETURN = r'''
exclusion:
  description: The exclusion as C(picket exclusion list) has it; empty where there is none.
  returned: success
  type: dict
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.picket.endpoint.plugins.module_utils.installer import ProgramError, fail, run_picket


def find(module):
    """The local one: what a profile brings is the profile's."""
    for row in (run_picket(module, ['exclusion', 'list'])[1] or {}).get('exclusions') or []:
        if (row.get('type'), row.get('value'), row.get('source')) == \
                (module.params['type'], module.params['value'], 'local'):
            return row
    return {}


def arguments(module):
    verb = 'add' if module.params['state'] == 'present' else 'remove'
    value = module.params['value']
    by_name = module.params['type'] in ('extension', 'name') or (
        module.params['type'] == 'process' and not value.startswith('/'))
    return ['exclusion', module.params['type'], verb, '--name' if by_name else '--path', value]


def converge(module):
    before = find(module)
    counts = bool(before) and before.get('status', 'in_force') == 'in_force'  # one that has expired is added again
    changed = not counts if module.params['state'] == 'present' else bool(before)
    if changed and not module.check_mode:
        run_picket(module, arguments(module))
    name = '%s %s' % (module.params['type'], module.params['value'])
    return dict(changed=changed, exclusion=before if module.check_mode or not changed else find(module),
                diff=dict(before={name: 'present' if before else 'absent'}, after={name: module.params['state']}))


def main():
    module = AnsibleModule(
        argument_spec=dict(
            type=dict(type='str', required=True, choices=['file', 'folder', 'extension', 'name', 'process']),
            value=dict(type='str', required=True),
            state=dict(type='str', default='present', choices=['present', 'absent']),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except ProgramError as error:
        fail(module, error)


if __name__ == '__main__':
    main()
