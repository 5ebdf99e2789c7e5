#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
---
module: picket_profile
short_description: The configuration profile of a host
version_added: "1.0.0"
description:
  - Writes C(/etc/picket/managed.d/50-ansible.json), the one profile that belongs to Ansible. Other files of that folder
    are not touched, and what they set is not reported as a change.
  - The profile is validated on the host before it is written, and the module waits until it is in force.
  - Needs Picket on the host. M(picket.endpoint.picket_agent) does the same with its I(profile) in one go.
options:
  state:
    description:
      - C(absent) removes the file.
    type: str
    choices: [present, absent]
    default: present
  profile:
    description:
      - The profile, as a mapping or as a YAML or JSON file on the controller. Needed with C(state=present).
    type: raw
attributes:
  check_mode:
    support: full
    description: The profile is validated, and nothing is written.
  diff_mode:
    support: full
    description: The profile before and after.
author:
  - The Picket authors (!UNKNOWN)
seealso:
  - module: picket.endpoint.picket_agent
'''

EXAMPLES = r'''
- name: Report, but deny nothing
  picket.endpoint.picket_profile:
    profile:
      antivirusEngine:
        enforcementLevel: audit

- name: A profile that is kept as a file beside the playbook
  picket.endpoint.picket_profile:
    profile: profiles/database.yaml
'''

RETURN = r'''
file:
  description: The file.
  returned: success
  type: str
  sample: /etc/picket/managed.d/50-ansible.json
before:
  description: What it held.
  returned: success
  type: dict
after:
  description: What it holds; in check mode what it would hold.
  returned: success
  type: dict
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.picket.endpoint.plugins.module_utils import profile as managed
from ansible_collections.picket.endpoint.plugins.module_utils.installer import MANAGED_PROFILE, ProgramError, fail


def main():
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type='str', default='present', choices=['present', 'absent']),
            profile=dict(type='raw'),
        ),
        required_if=[('state', 'present', ['profile'])],
        supports_check_mode=True,
    )
    try:
        wished = module.params['profile'] if module.params['state'] == 'present' else None
        before = managed.read()
        changed = not managed.as_wished(wished)
        if changed:
            if wished is not None:
                managed.validate(module, wished)
            if not module.check_mode:
                managed.write(module, wished)
                managed.wait_until_in_force(module, wished)
    except ProgramError as error:
        fail(module, error)
    module.exit_json(changed=changed, file=MANAGED_PROFILE, before=before, after=wished,
                     diff=dict(before={'profile': before}, after={'profile': wished}))


if __name__ == '__main__':
    main()
