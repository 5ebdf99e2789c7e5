# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""Reads a profile that is a file on the controller; the module does the rest."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible.plugins.action import ActionBase
from ansible_collections.picket.endpoint.plugins.plugin_utils import controller_files
from ansible_collections.picket.endpoint.plugins.plugin_utils.controller_profile import profile_from


class ActionModule(ActionBase):
    @controller_files.refusals_alone
    def run(self, tmp=None, task_vars=None):
        result = super(ActionModule, self).run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        profile = arguments.get('profile')
        if isinstance(profile, str):
            profile = controller_files.find(self, profile, task_vars)
        if profile is not None:
            arguments['profile'] = profile_from(profile)
        result.update(self._execute_module('picket.endpoint.picket_profile', module_args=arguments,
                                           task_vars=task_vars))
        return result
