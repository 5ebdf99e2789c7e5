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
  reason:
    description:
      - Why, for whoever asks later. Where neither this nor I(owner) nor I(expires) is given, those of an exclusion that
        is there stay as they are; where one is given, all three become what is given here.
    type: str
  owner:
    description:
      - Who is to be asked about it.
    type: str
  expires:
    description:
      - When it ends by itself. A day (C(2027-03-31), with that day, UTC), a moment in UTC (C(2027-03-31T12:00:00Z)), or
        a time from when it is added (C(90d), C(12h), C(30m)).
      - One that ended after a time from when it was added stays ended. To have it once more, remove it or name another end.
      - Once a day or a moment is over, it is as if I(state=absent) were said.
    type: str
attributes:
  check_mode:
    support: full
    description: Says whether the list would change.
  diff_mode:
    support: full
    description: The exclusion before and after.
author:
  - The Picket authors (!UNKNOWN)
seealso:
  - module: picket.endpoint.picket_profile
'''

EXAMPLES = r'''
- name: The database's own files
  picket.endpoint.picket_exclusion:
    type: folder
    value: /srv/db
    reason: table files, checked by the database itself
    owner: dba
    expires: 2027-03-31
'''

RETURN = r'''
exclusion:
  description: The exclusion as C(picket exclusion list) has it; empty where there is none.
  returned: success
  type: dict
'''

import calendar
import re
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.picket.endpoint.plugins.module_utils.installer import USAGE, ProgramError, fail, run_picket

DAY = 86400
UNITS = dict(d=DAY, h=3600, m=60)


class Wish(object):
    """What is to be excluded, with the end as seconds: `end` of the clock, or `life` from when it is added."""

    def __init__(self, parameters, now):
        self.now = now
        self.type = parameters['type']
        self.value = normal_value(self.type, parameters['value'])
        self.reason = parameters['reason'] or ''
        self.owner = parameters['owner'] or ''
        self.expires, self.end, self.life = read_expires(parameters['expires'] or '')
        over = self.end is not None and self.end <= now
        self.present = parameters['state'] == 'present' and not over

    def is_met_by(self, row):
        in_force = row.get('status', 'in_force') == 'in_force'
        if not (self.reason or self.owner or self.expires):
            return in_force
        end = seconds_of(row.get('expires') or '')
        if (row.get('reason'), row.get('owner')) != (self.reason, self.owner):
            return False
        if self.life is not None:
            return end is not None and end <= self.now + self.life
        return in_force and end == self.end

    def arguments(self):
        by_name = self.type in ('extension', 'name') or (self.type == 'process' and not self.value.startswith('/'))
        words = ['exclusion', self.type, 'add' if self.present else 'remove', '--name' if by_name else '--path', self.value]
        notes = [('--reason', self.reason), ('--owner', self.owner), ('--expires', self.expires)]
        return words + [word for note in notes if note[1] and self.present for word in note]

    def shown(self):
        end = self.end if self.life is None else self.now + self.life
        return dict(state='present', reason=self.reason, owner=self.owner, expires=text_of(end))


def normal_value(kind, value):
    """As the list spells it."""
    if kind == 'extension':
        return value[1:] if value.startswith('.') else value
    if kind in ('file', 'folder', 'process') and value.startswith('/'):
        return '/' + '/'.join(part for part in value.split('/') if part not in ('', '.'))
    return value


def read_expires(text):
    """(as picket takes it, end, life)"""
    life = re.match(r'([1-9]\d{0,8})([dhm])$', text)
    if life:
        return text, None, int(life.group(1)) * UNITS[life.group(2)]
    text = re.sub(r'\+00:00$', 'Z', text)  # as a moment without quotes comes out of YAML
    end = seconds_of(text)
    if text and end is None:
        raise ProgramError('picket_exclusion', USAGE, 'expires: "%s" is no end of an exclusion' % text, 'Name a day '
                           '(2027-03-31), a moment in UTC (2027-03-31T12:00:00Z), or a time from now (90d, 12h).', 'usage')
    return text, end, None


def seconds_of(text):
    """The first moment at which it does not count; None where there is none. The list has milliseconds."""
    text = re.sub(r'\.\d\d\dZ$', 'Z', text)
    for form, more in (('%Y-%m-%d', DAY), ('%Y-%m-%dT%H:%M:%SZ', 0)):
        try:
            moment = time.strptime(text, form)
        except ValueError:
            continue
        if time.strftime(form, moment) == text:  # strptime takes 2027-3-31 too
            return calendar.timegm(moment) + more
    return None


def text_of(seconds):
    return None if seconds is None else time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime(seconds))


def find(module, wish):
    """The rows that are meant, local ones first: what a profile brings is the profile's."""
    rows = (run_picket(module, ['exclusion', 'list'])[1] or {}).get('exclusions') or []
    rows = [row for row in rows if (row.get('type'), row.get('value')) == (wish.type, wish.value)]
    return sorted(rows, key=lambda row: row.get('source') != 'local')


def state_of(row):
    if not row:
        return dict(state='absent')
    state = 'present' if row.get('status', 'in_force') == 'in_force' else 'expired'
    return dict(row_notes(row), state=state)


def row_notes(row):
    return dict((note, row.get(note)) for note in ('reason', 'owner', 'expires'))


def converge(module):
    wish = Wish(module.params, int(time.time()))
    rows = find(module, wish)
    before = rows[0] if rows else {}
    if wish.present:
        changed = not any(wish.is_met_by(row) for row in rows)
    else:
        changed = before.get('source') == 'local'
    after = state_of(before)
    if changed and module.check_mode:
        after = wish.shown() if wish.present else dict(state='absent')
    elif changed:
        run_picket(module, wish.arguments())
        rows = find(module, wish)
        after = state_of(rows[0] if rows else {})
    name = '%s %s' % (wish.type, wish.value)
    return dict(changed=changed, exclusion=rows[0] if rows else {},
                diff=dict(before={name: state_of(before)}, after={name: after}))


def main():
    module = AnsibleModule(
        argument_spec=dict(
            type=dict(type='str', required=True, choices=['file', 'folder', 'extension', 'name', 'process']),
            value=dict(type='str', required=True),
            state=dict(type='str', default='present', choices=['present', 'absent']),
            reason=dict(type='str'),
            owner=dict(type='str'),
            expires=dict(type='str'),
        ),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**converge(module))
    except ProgramError as error:
        fail(module, error)


if __name__ == '__main__':
    main()
