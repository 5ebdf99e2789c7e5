# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""A profile as the inventory has it: a mapping, or a file beside the playbook. Runs on the controller only."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import yaml

from ansible.errors import AnsibleActionFail


def profile_from(source):
    """The mapping. Whether it is a good profile only the schema says, on the host."""
    profile = load(source) if isinstance(source, str) else source
    where = source if isinstance(source, str) else 'profile'
    if not isinstance(profile, dict):
        raise AnsibleActionFail('%s is no profile: it has to be a mapping such as '
                                '{antivirusEngine: {enforcementLevel: real_time}}' % where)
    if 'extends' in profile:
        raise AnsibleActionFail('%s extends another profile: make one of both first, with '
                                '"picket profile render %s > FILE.json", and name that' % (where, where))
    return profile


def load(path):
    try:
        with open(path, 'rb') as stream:
            return yaml.safe_load(stream)
    except (OSError, UnicodeDecodeError) as error:
        raise AnsibleActionFail('%s cannot be read: %s' % (path, error))
    except yaml.YAMLError as error:
        raise AnsibleActionFail('%s is no YAML: %s' % (path, ' '.join(str(error).split())))
