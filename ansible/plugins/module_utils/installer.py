# -*- coding: utf-8 -*-
# Copyright: the Picket authors
# GNU General Public License v2.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-2.0.txt)
"""The programs of Picket on this host, and what they answer. Runs on Python 2.7 and 3.5 or later."""
from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os

INSTALLER = '/usr/sbin/picket-installer'
PICKET = '/usr/bin/picket'
MANAGED_PROFILE = '/etc/picket/managed.d/50-ansible.json'

# What the installer was asked in this run of a module.
CALLS = []

NOT_INSTALLED = 20
USAGE = 2


class ProgramError(Exception):
    """What a program says of its own failure: one message, the fix, the exit code."""

    def __init__(self, program, code, message, fix='', name='', report=None):
        super(ProgramError, self).__init__(message)
        self.program = program
        self.code = code
        self.message = message
        self.fix = fix
        self.name = name
        self.report = report or {}

    def text(self):
        message = self.message.rstrip()
        if message and message[-1] not in '.!?':
            message += '.'
        parts = [message, self.fix.strip(), '[%s, exit code %d%s]' % (
            os.path.basename(self.program), self.code, ', ' + self.name if self.name else '')]
        return ' '.join(part for part in parts if part)


def fail(module, error):
    """Ends the module with the program's own words, once."""
    module.fail_json(msg=error.text(), exit_code=error.code, error=error.name, fix=error.fix,
                     **error_details(error.report))


def error_details(report):
    details = {}
    failed = failed_checks(report)
    if failed:
        details['checks'] = failed
    if report.get('before'):
        details['before'] = comparable(report['before'])
        details['after'] = comparable(report.get('after'))
    undone = [step for step in report.get('steps') or [] if step.get('status') in ('failed', 'undone')]
    if undone:
        details['steps'] = undone
    return details


def failed_checks(report):
    return [check for check in report.get('checks') or []
            if check.get('status') == 'fail' and not check.get('accepted')]


def last_json(text):
    """The last line that is a JSON object; None where there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith('{'):
            try:
                return json.loads(line)
            except ValueError:
                return None
    return None


def run_installer(module, installer, arguments):
    """The installer's report. Raises ProgramError where it says that it failed."""
    command = [installer] + arguments + ['--output', 'json', '--non-interactive']
    CALLS.append(arguments[0])
    code, out, err = module.run_command(command, cwd='/')
    report = last_json(out)
    if report is None:
        raise ProgramError(installer, code, err.strip() or out.strip() or 'it ended without an answer')
    error = report.get('error')
    if error:
        raise ProgramError(installer, error.get('code', code), error.get('message', ''), error.get('fix') or '',
                           error.get('name') or '', report)
    if code != 0:
        raise ProgramError(installer, code, err.strip() or 'it failed and gave no reason', report=report)
    return report


def run_picket(module, arguments, accepted=(0,)):
    """(exit code, data) of the command line. Raises ProgramError for any other exit code."""
    if not os.path.exists(PICKET):
        raise ProgramError('picket', NOT_INSTALLED, 'Picket is not installed on this host',
                           'Install it with picket.endpoint.picket_agent.', 'not_installed')
    code, out, err = module.run_command([PICKET] + arguments + ['--output', 'json'], cwd='/')
    answer = last_json(out)
    data = (answer or {}).get('data')
    if code in accepted:
        return code, data
    if isinstance(data, dict) and data.get('message'):
        raise ProgramError(PICKET, code, data['message'], data.get('fix') or '', data.get('name') or '')
    problems = problems_of(data)
    if problems:
        raise ProgramError(PICKET, code, '; '.join(problems), 'docs/profile.md explains every key.', 'profile_refused')
    raise ProgramError(PICKET, code, one_message(err) or one_message(out) or 'it failed and gave no reason')


def problems_of(validation):
    """Of a profile that was refused: where, what, and what was probably meant."""
    lines = []
    for entry in (validation or {}).get('files') or [] if isinstance(validation, dict) else []:
        for problem in entry.get('problems') or []:
            line = '%s: %s' % (problem.get('pointer') or entry.get('file'), problem.get('message'))
            if problem.get('suggestion'):
                line += ', did you mean "%s"?' % problem['suggestion']
            lines.append(line)
    return lines


def one_message(text):
    """Without the program's name in front and without empty lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    text = ' '.join(lines)
    return text[len('picket: '):] if text.startswith('picket: ') else text


def comparable(state):
    """A host's state without what is only a moment's word for it."""
    state = dict(state or {})
    state.pop('interrupted_run', None)
    state['units'] = dict((name, {'active': unit.get('active'), 'enabled': unit.get('enabled')})
                          for name, unit in (state.get('units') or {}).items())
    return state
