#compdef sippod
# Completion of sippod for zsh. What commands and options there are is asked of sippod itself, by --help.

# What an option takes: _sippod_value OPTION WHAT-IT-TAKES sets `action`.
_sippod_value() {
    case $1 in
    --fs) action='(throwaway readonly host)' ;;
    --keep) action='(failed all none)' ;;
    --jobs) action='(auto)' ;;
    --pcap-format) action='(pcapng pcap)' ;;
    --log-level) action='(debug info warning error)' ;;
    --script-caps) action='(net_admin net_raw net_admin,net_raw)' ;;
    --sipp-transport) action='(u1 un ui t1 tn l1 ln)' ;;
    --sipp-tls-version) action='(1.0 1.1 1.2)' ;;
    --direction) action='(in out both)' ;;
    --interface) action="(any $(cd /sys/class/net && echo *))" ;;
    *)
        case $2 in
        DIR) action='_files -/' ;;
        FILE|PATH|JSON) action=_files ;;
        PROGRAM) action=' _command_names -e' ;;
        *) action=' ' ;;
        esac
    esac
}

# What is no option: _sippod_operand PROGRAM COMMAND sets `operands`.
_sippod_operand() {
    case $2 in
    run|shell|new|cleanup) operands=('*:folder:_files -/') ;;
    exec) operands=('(-)1:command: _command_names -e' '*::argument: _normal') ;;
    expect) operands=("*:predicate:(${(j: :)${(f)"$($1 expect --list 2>/dev/null | sed 's/[( ].*//')"}})") ;;
    esac
}

_sippod() {
    local program=$words[1] command=$words[2] short option takes says action
    local -a names specs operands

    if (( CURRENT == 2 )); then
        names=(${(f)"$($program --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\)  *\(.*\)/\1:\2/p')"})
        [[ $PREFIX != -* ]] || names=('--help:this text' '--version:the version')
        _describe command names
        return
    fi
    # What follows -- is a command of its own.
    if (( words[(i)--] < CURRENT )); then
        (( CURRENT -= words[(i)--] ))
        words=("${(@)words[words[(i)--] + 1, -1]}")
        _normal
        return
    fi
    $program $command --help 2>/dev/null |
        sed -nE 's/^ {2,6}((-.), )?(--[a-z_-]+)( ([^ ]+))? *(.*)$/\2|\3|\5|\6/p' |
        while IFS='|' read -r short option takes says; do
            says=${${${says//\\/}//\[/(}//\]/)}
            _sippod_value $option "$takes"
            if [[ -n $takes ]]; then
                specs+=("*${option}=[$says]:$takes:$action")
                [[ -z $short ]] || specs+=("*${short}+[$says]:$takes:$action")
            else
                specs+=("${option}[$says]")
                [[ -z $short ]] || specs+=("${short}[$says]")
            fi
        done
    _sippod_operand $program $command
    shift words
    (( CURRENT-- ))
    _arguments -S : $specs $operands
}

_sippod "$@"
