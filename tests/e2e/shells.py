"""What bash, zsh and fish offer for a command line that ends in Tab."""
import os
import pty
import subprocess

import harness

FOLDER = harness.SOURCE / "completions"

# Asks the function as bash does.
BASH = r"""
source "$0"
compopt() { :; }
for COMP_CWORD in $(($# - 1)); do :; done
COMP_WORDS=("$@")
_sippod "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""
# Writes down what is offered, and leaves.
ZSHRC = r"""
PROMPT= fpath=($ZDOTDIR $fpath)
autoload -Uz compinit && compinit -u -d $ZDOTDIR/dump
bindkey '^I' complete-word
compadd() {
    [[ ${@[1,(i)(-|--)]} != *-[OAD]\ * ]] || { builtin compadd "$@"; return; }
    typeset -a offered
    builtin compadd -A offered "$@"
    print -rl -- $offered >>$ZDOTDIR/offered
    builtin compadd "$@"
}
comppostfuncs=(exit)
"""


def environment(**more):
    return {**os.environ, "PATH": f"{harness.BUILD}:{os.environ['PATH']}:/usr/bin", "TERM": "dumb", **more}


def bash(line, _folder):
    words = line.replace("=", " = ").split(" ")
    return subprocess.run([harness.require("bash"), "-c", BASH, FOLDER / "sippod.bash", *words], env=environment(),
                          capture_output=True, text=True, check=True).stdout.split()


def fish(line, folder):
    run = subprocess.run([harness.require("fish"), "--no-config", "-c", f"source {FOLDER}/sippod.fish; complete -C $argv[1]",
                          line], env=environment(HOME=str(folder)), capture_output=True, text=True, check=True)
    # --fs=readonly for --fs=; and a description of each
    return [offered.split("\t")[0].rpartition("=")[2] for offered in run.stdout.splitlines()]


def zsh(line, folder):
    program = harness.require("zsh")
    (folder / "_sippod").write_text((FOLDER / "sippod.zsh").read_text())
    (folder / ".zshrc").write_text(ZSHRC)
    (folder / "offered").write_text("")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(program, ["zsh", "-d", "-i"], environment(ZDOTDIR=str(folder)))
    try:
        os.write(terminal, f"{line}\t".encode())
        while os.read(terminal, 65536):
            pass
    except OSError:  # it has left
        pass
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return (folder / "offered").read_text().split()


SHELLS = (bash, zsh, fish)
