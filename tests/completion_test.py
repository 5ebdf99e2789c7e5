#!/usr/bin/env python3
"""The completions in real shells: keys typed at a bash and a zsh on a terminal, and what is offered for them.

completion_test.py REFERENCE-PROGRAM…    exit 0: as expected, 77: a shell is not installed
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE_SECONDS = 20
TAB = "\t"
# What is typed, and the words that the program is then called with.
TYPED = [
    ("picket hea" + TAB, ["health"]),
    ("picket threat quar" + TAB + "li" + TAB, ["threat", "quarantine", "list"]),
    ("picket --output js" + TAB + "scan li" + TAB, ["--output", "json", "scan", "list"]),
    ("picket --output=ta" + TAB + "version", ["--output", "table", "version"]),
    ("picket health --det" + TAB + "filesy" + TAB, ["health", "--details", "filesystems"]),
    ("picket scan custom --rep" + TAB, ["scan", "custom", "--report-only"]),
    ("picket scan custom --path some-f" + TAB, ["scan", "custom", "--path", "some-folder"]),
    ("picket config sh" + TAB, ["config", "show"]),
    ("picket help sc" + TAB + "qu" + TAB, ["help", "scan", "quick"]),
    ("picket profile validate web" + TAB, ["profile", "validate", "web.yaml"]),
    ("picket-installer install --onb" + TAB + "ac" + TAB + "--dry" + TAB, ["install", "--onboarding", "acme.zip", "--dry-run"]),
    ("picket-installer onboard ac" + TAB, ["onboard", "acme.zip"]),
    ("picket-onboarding create -o ac" + TAB, ["create", "-o", "acme.zip"]),
]
# The words of a bash command line, and what is offered for the last of them; "<path>" are the names of files.
OFFERED = [
    (["picket", "exclusion", ""], {"file", "folder", "extension", "name", "process", "list", "advise"}),
    (["picket", "exclusion", "file", "add", "-"], {"--path", "--reason", "--owner", "--expires", "--output", "--socket", "--help"}),
    (["picket", "config", "scan-archives", ""], set()),
    (["picket", "config", ""], {"show"}),
    (["picket", "health", "--output", "="], {"text", "table", "json"}),
    (["picket", "health", "--output", "=", "t"], {"text", "table"}),
    (["picket", "scan", "list", "--limit", ""], set()),
    (["picket", "scan", "custom", "--path", "x", "nothing-like-it", ""], set()),
    (["picket", "--socket", ""], {"<path>"}),
    (["picket-installer", "--output", "json", "onboard", "-"],
     {"--tag", "--dry-run", "--replace-org", "--output", "--root", "--non-interactive", "--log-file", "--config",
      "--trust-key", "--lock-timeout", "--support-matrix", "--accept", "--help"}),
]
BASH_RC = """
PS1='' INPUTRC=/dev/null
bind 'set enable-bracketed-paste off'
"""
ZSH_RC = """
PS1='' PROMPT_SP='' ; unsetopt zle_bracketed_paste prompt_sp beep prompt_cr 2>/dev/null; unset zle_bracketed_paste
fpath=($FOLDER/zsh $fpath)
autoload -Uz compinit && compinit -u -D
"""
SHOW_WORDS = "{name}() {{ printf '<%s>' called \"$@\" end; echo; }}\n"


class Terminal:
    """A shell on a terminal of its own, its home and working directory the test's folder."""

    def __init__(self, folder, command):
        self.text = ""
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.chdir(os.path.join(folder, "work"))
            environment = {"PATH": os.environ["PATH"], "HOME": folder, "ZDOTDIR": folder, "FOLDER": folder,
                           "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvpe(command[0], command, environment)

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def wait_for(self, pattern):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.search(pattern, self.text)):
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            try:
                self.text += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                return None
        self.text = self.text[found.end():]
        return found

    def called_with(self, line):
        self.type(line + "\r")
        found = self.wait_for(r"<called>((?:<[^<>]*>)*)<end>")
        return plain(re.findall("<([^<>]*)>", found.group(1))) if found else f"nothing; on the screen: {self.text!r}"

    def end(self):
        os.kill(self.child, 9)
        os.waitpid(self.child, 0)
        os.close(self.terminal)


def plain(words):
    """Without what the shells do in ways of their own: --option=value or --option value, folder or folder/."""
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    return [part.rstrip("/") for part in parts]


class Test:
    def __init__(self):
        self.failed = False

    def equal(self, what, got, wanted):
        print(f"ok    {what}" if got == wanted else f"FAIL  {what}: {got}, not {wanted}", flush=True)
        self.failed = self.failed or got != wanted


def prepare(folder, references):
    """Writes completions and start-up files; returns the programs' names."""
    names = [os.path.basename(path).removeprefix("reference-") for path in references]
    for directory in ("bash", "zsh", "work/some-folder"):
        os.makedirs(os.path.join(folder, directory))
    for file in ("work/acme.zip", "work/web.yaml"):
        open(os.path.join(folder, file), "w", encoding="utf-8").close()
    for name, path in zip(names, references):
        for shell, target in (("bash", name), ("zsh", "_" + name)):
            with open(os.path.join(folder, shell, target), "w", encoding="utf-8") as file:
                file.write(subprocess.run([path, shell], check=True, capture_output=True, text=True).stdout)
    functions = "".join(SHOW_WORDS.format(name=name) for name in names)
    for file, text in ((".bashrc", BASH_RC + 'for file in "$FOLDER"/bash/*; do . "$file"; done\n'), (".zshrc", ZSH_RC)):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as start:
            start.write(text + functions + "echo READY\n")
    return names


def try_typing(test, folder, command):
    terminal = Terminal(folder, command)
    try:
        if not terminal.wait_for("READY"):
            test.equal(f"{command[0]} starts", terminal.text, "READY")
            return
        for line, wanted in TYPED:
            test.equal(f"{command[0]}: {line}".replace(TAB, "<Tab>"), terminal.called_with(line), wanted)
    finally:
        terminal.end()


def offered(folder, words):
    script = ('compopt() { echo "<path>"; }; . "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); '
              '_${1//-/_}; printf "%s\\n" "${COMPREPLY[@]}"')
    run = subprocess.run(["bash", "--norc", "-c", script, "bash", os.path.join(folder, "bash", words[0]), *words],
                         capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    return set(run.stdout.split()) | ({run.stderr} if run.stderr else set())


def verbs(reference):
    """The words that the usage lines of the reference begin with."""
    text = subprocess.run([reference, "markdown"], check=True, capture_output=True, text=True).stdout
    return [heading.split() for heading in re.findall(r"^### (.*)$", text, re.M)]


def every_verb_is_offered(folder, name, reference):
    return [words for words in verbs(reference)
            for length in range(len(words)) if words[length] not in offered(folder, [name, *words[:length], ""])]


def main():
    references = sys.argv[1:]
    test = Test()
    with tempfile.TemporaryDirectory() as folder:
        names = prepare(folder, references)
        for words, wanted in OFFERED:
            test.equal(f"bash: {' '.join(words)}", offered(folder, words), wanted)
        for name, reference in zip(names, references):
            test.equal(f"bash offers every command of {name}", every_verb_is_offered(folder, name, reference), [])
        try_typing(test, folder, ["bash", "-i"])
        has_zsh = shutil.which("zsh") is not None
        if has_zsh:
            try_typing(test, folder, ["zsh", "-i"])
    if test.failed:
        return 1
    if not has_zsh:
        print("skip: zsh is not installed (./dev setup installs it)")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
