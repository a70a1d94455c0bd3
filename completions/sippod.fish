# Completion of sippod for fish. What commands and options there are is asked of sippod itself, by --help.

# What an option takes: __sippod_value OPTION WHAT-IT-TAKES prints flags of `complete`, a line each.
function __sippod_value --argument-names option takes
    switch $option
        case fs
            printf '%s\n' -x -a 'throwaway readonly host'
        case keep
            printf '%s\n' -x -a 'failed all none'
        case jobs
            printf '%s\n' -x -a auto
        case pcap-format
            printf '%s\n' -x -a 'pcapng pcap'
        case log-level
            printf '%s\n' -x -a 'debug info warning error'
        case script-caps
            printf '%s\n' -x -a 'net_admin net_raw net_admin,net_raw'
        case sipp-transport
            printf '%s\n' -x -a 'u1 un ui t1 tn l1 ln'
        case sipp-tls-version
            printf '%s\n' -x -a '1.0 1.1 1.2'
        case direction
            printf '%s\n' -x -a 'in out both'
        case interface
            printf '%s\n' -x -a 'any (command ls /sys/class/net)'
        case '*'
            switch $takes
                case ''
                case DIR
                    printf '%s\n' -x -a '(__fish_complete_directories)'
                case FILE PATH JSON
                    printf '%s\n' -r -F
                case PROGRAM
                    printf '%s\n' -r -F -a '(__fish_complete_command)'
                case '*'
                    printf '%s\n' -x
            end
    end
end

# The options of a command.
function __sippod_options --argument-names command
    sippod $command --help 2>/dev/null |
        string replace -rf '^ {2,6}(?:-(.), )?--([a-z_-]+)(?: (\S+))? *(.*)$' '$1\t$2\t$3\t$4' |
        while read -d \t -l short option takes says
            set -l short (string replace -r '^(.)$' -- '-s\n$1' $short | string split -n \n)
            complete -c sippod -n "test (count (commandline -opc)) -gt 1; and contains -- (commandline -opc)[2] $command" \
                $short -l $option -d "$says" (__sippod_value $option $takes)
        end
end

# What follows -- is a command of its own.
function __sippod_has_command
    contains -- -- (commandline -opc)
end

function __sippod_of_command
    set -l words (commandline -opc)
    set -e words[1..(contains -i -- -- $words)]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c sippod -f
complete -c sippod -n __sippod_has_command -a '(__sippod_of_command)'
complete -c sippod -n 'test (count (commandline -opc)) -eq 1' -l help -l version
sippod --help 2>/dev/null | string replace -rf '^  ([a-z-]+) +(.*)$' '$1\t$2' | while read -d \t -l name says
    complete -c sippod -n 'test (count (commandline -opc)) -eq 1' -a $name -d "$says"
    __sippod_options $name
    set -l second "test (count (commandline -opc)) -gt 1; and contains -- (commandline -opc)[2] $name"
    switch $name
        case run shell new cleanup
            complete -c sippod -n $second -a '(__fish_complete_directories)'
        case exec
            complete -c sippod -n "$second; and not __sippod_has_command" -a '(__fish_complete_subcommand --fcs-skip=2)'
        case expect
            complete -c sippod -n "$second; and not __sippod_has_command" -a '(sippod expect --list | string replace -r "[( ].*" "")'
    end
end
