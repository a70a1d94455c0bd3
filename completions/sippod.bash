# shellcheck shell=bash
# Completion of sippod for bash. What commands and options there are is asked of sippod itself, by --help.

# The commands, a line each.
_sippod_commands()
{
    "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# The options of a command, a line each: the option, and what it takes (nothing, if it takes none).
_sippod_options()
{
    "$1" "$2" --help 2>/dev/null | sed -nE 's/^ {2,6}(-., )?(--[a-z_-]+)( ([^ ]+))?( .*)?$/\2 \4/p'
    "$1" "$2" --help 2>/dev/null | sed -nE 's/^ {2,6}(-.), --[a-z_-]+( ([^ ]+))?( .*)?$/\1 \3/p'
}

# _sippod_value OPTION WHAT-IT-TAKES WORD
_sippod_value()
{
    local values=
    case $1 in
    --fs) values='throwaway readonly host' ;;
    --keep) values='failed all none' ;;
    --jobs) values='auto' ;;
    --pcap-format) values='pcapng pcap' ;;
    --log-level) values='debug info warning error' ;;
    --script-caps) values='net_admin net_raw net_admin,net_raw' ;;
    --sipp-transport) values='u1 un ui t1 tn l1 ln' ;;
    --sipp-tls-version) values='1.0 1.1 1.2' ;;
    --direction) values='in out both' ;;
    -i | --interface) values="any $(cd /sys/class/net && echo *)" ;;
    esac
    if [ -n "$values" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$3")
        return
    fi
    case $2 in
    DIR) _sippod_paths -d "$3" ;;
    FILE | PATH | JSON) _sippod_paths -f "$3" ;;
    PROGRAM) _sippod_paths -c "$3" ;;
    esac
}

# _sippod_paths -d|-f|-c WORD
_sippod_paths()
{
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# The word of a command that is no option: _sippod_operand PROGRAM COMMAND WORD
_sippod_operand()
{
    case $2 in
    run | shell | new | cleanup) _sippod_paths -d "$3" ;;
    exec) _sippod_paths -c "$3" ;;
    expect) mapfile -t COMPREPLY < <(compgen -W "$("$1" expect --list 2>/dev/null | sed 's/[( ].*//')" -- "$3") ;;
    esac
}

_sippod()
{
    local program=$1 word=$2 before=$3 command=${COMP_WORDS[1]} option takes at

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        option=$(_sippod_commands "$program")
        [[ $word != -* ]] || option='--help --version'
        mapfile -t COMPREPLY < <(compgen -W "$option" -- "$word")
        return
    fi
    # What follows -- is a command of its own.
    for ((at = 2; at < COMP_CWORD; at++)); do
        if [ "${COMP_WORDS[at]}" = -- ]; then
            if [ "$before" = -- ]; then _sippod_paths -c "$word"; else _sippod_paths -f "$word"; fi
            return
        fi
    done
    # --option=value are three words to bash.
    if [ "$word" = = ]; then
        word=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    while read -r option takes; do
        if [ "$before" = "$option" ] && [ -n "$takes" ]; then
            _sippod_value "$option" "$takes" "$word"
            return
        fi
    done < <(_sippod_options "$program" "$command")
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$(_sippod_options "$program" "$command" | cut -d ' ' -f 1)" -- "$word") ;;
    *) _sippod_operand "$program" "$command" "$word" ;;
    esac
}

complete -F _sippod sippod
