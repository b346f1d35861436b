# shellcheck shell=bash
# Settings: a file of NAME=value lines, overridden by environment variables BLUE_GREEN_NAME. Read, never executed.

declare -A setting=(
    [MODE]=process                     # process, systemd or compose
    [STATE]=/var/lib/nextloop/blue-green
    [ROUTING]=/etc/nginx/routing
    [BLUE_ADDRESS]=127.0.0.1:8081
    [GREEN_ADDRESS]=127.0.0.1:8082
    [NGINX_STATUS_URL]=http://127.0.0.1:8090
    [NGINX_TEST]="nginx -t"
    [BINARY]=nextloop
    [REGISTRY]=""
    [MODEL]=room-service
    [ALIAS]=production
    [SERVE_OPTIONS]="--drain-seconds 1"
    [STOP_SECONDS]=30
    [SYSTEMCTL]=systemctl
    [SYSTEMD_UNIT]=nextloop@
    [COMPOSE]="docker compose"
    [COMPOSE_FILE]=""
    [CONTAINER]=docker
    [CONTAINER_NAME]=nextloop-
    [READY_SECONDS]=60
    [GOLDEN]=""
    [USERS_FILE]=""
    [OVERLAP_USERS]=50
    [OVERLAP_K]=10
    [OVERLAP_MIN]=0.3
    [LOAD_REQUESTS]=2000
    [LOAD_CONNECTIONS]=4
    [LOAD_SECONDS]=20
    [ERROR_RATIO_MAX]=0.01
    [P99_SECONDS_MAX]=0.25
    [P99_TIMES_MAX]=2
    [P99_FLOOR_SECONDS]=0.025
    [CANARY]=""
    [CANARY_SECONDS]=60
    [SAMPLES_MIN]=200
    [PROMETHEUS_URL]=""
    [PROMETHEUS_SELECTOR]='job="nextloop"'
    [WATCH_SECONDS]=60
    [DRAIN_SECONDS]=15
    [KEEP_WARM]=300
    [SLACK_WEBHOOK_FILE]=""
    [SLACK_SECONDS]=5
)

# Flags beat the environment, the environment beats the file, the file beats what stands above.
read_settings() { # read_settings FILE|""
    local file=$1 line name number=0
    if [ -n "$file" ]; then
        [ -r "$file" ] || fail 66 "settings: cannot read $file"
        while IFS= read -r line || [ -n "$line" ]; do
            number=$((number + 1))
            case $line in '' | '#'*) continue ;; esac
            name=${line%%=*}
            if [ "$name" = "$line" ] || [ -z "${setting[${name#BLUE_GREEN_}]+set}" ]; then
                fail 78 "settings: $file line $number: got '${line:0:80}', wanted BLUE_GREEN_NAME=value with a name of blue-green.conf.example"
            fi
            setting[${name#BLUE_GREEN_}]=${line#*=}
        done <"$file"
    fi
    for name in "${!setting[@]}"; do
        local variable=BLUE_GREEN_$name
        [ -z "${!variable+set}" ] || setting[$name]=${!variable}
    done
}

# A value that came with a flag is a wrong argument, one from the file or the environment a wrong setting.
wrong() { # wrong NAME WANTED
    local -A flags=([CANARY]=--canary [WATCH_SECONDS]=--watch [KEEP_WARM]=--keep-warm)
    local option=${flags[$1]:---none}
    [ -z "${flag[$option]+set}" ] || fail 64 "$option is '${setting[$1]}'; wanted $2"
    fail 78 "settings: BLUE_GREEN_$1 is '${setting[$1]}'; wanted $2"
}

check_settings() {
    local name least most
    case ${setting[MODE]} in
    process | systemd | compose) ;;
    *) fail 78 "settings: BLUE_GREEN_MODE is '${setting[MODE]}'; wanted process, systemd or compose" ;;
    esac
    # OVERLAP_K: the service answers with at most 1,000 items.
    for name in READY_SECONDS:1:999999 STOP_SECONDS:1:999999 DRAIN_SECONDS:0:999999 WATCH_SECONDS:0:999999 CANARY_SECONDS:0:999999 \
        SLACK_SECONDS:1:999999 SAMPLES_MIN:1:999999 OVERLAP_USERS:0:10000 OVERLAP_K:1:1000 \
        LOAD_REQUESTS:0:999999 LOAD_CONNECTIONS:1:256 LOAD_SECONDS:1:999999; do
        IFS=: read -r name least most <<<"$name"
        [[ ${setting[$name]} =~ ^(0|[1-9][0-9]{0,5})$ ]] && [ "${setting[$name]}" -ge "$least" ] && [ "${setting[$name]}" -le "$most" ] ||
            wrong "$name" "a whole number from $least to $most"
    done
    if [ "${setting[LOAD_REQUESTS]}" != 0 ] && [ "${setting[LOAD_REQUESTS]}" -lt "${setting[SAMPLES_MIN]}" ]; then
        fail 78 "settings: BLUE_GREEN_LOAD_REQUESTS is ${setting[LOAD_REQUESTS]}, which is too few for a verdict; wanted 0 for none, or BLUE_GREEN_SAMPLES_MIN (${setting[SAMPLES_MIN]}) or more"
    fi
    for name in P99_SECONDS_MAX P99_TIMES_MAX P99_FLOOR_SECONDS; do
        [[ ${setting[$name]} =~ ^[0-9]{1,6}(\.[0-9]{1,6})?$ ]] || wrong "$name" "a number such as 0.01"
    done
    for name in OVERLAP_MIN ERROR_RATIO_MAX; do
        [[ ${setting[$name]} =~ ^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$ ]] || wrong "$name" "a share from 0 to 1, such as 0.01"
    done
    for name in BLUE_ADDRESS GREEN_ADDRESS; do
        [[ ${setting[$name]} =~ ^[A-Za-z0-9._-]+:([1-9][0-9]{0,4})$ ]] && [ "${BASH_REMATCH[1]}" -le 65535 ] ||
            wrong "$name" "host:port, with a port from 1 to 65535"
    done
    [ "${setting[BLUE_ADDRESS]}" != "${setting[GREEN_ADDRESS]}" ] || wrong GREEN_ADDRESS "another address than BLUE_GREEN_BLUE_ADDRESS"
    [[ ${setting[KEEP_WARM]} =~ ^(forever|0|[1-9][0-9]{0,5})$ ]] || wrong KEEP_WARM "seconds from 0 to 999999, or forever"
    [[ ${setting[CANARY]} =~ ^([1-9][0-9]?(,[1-9][0-9]?)*)?$ ]] || wrong CANARY "percentages from 1 to 99, such as 5,25,50"
    local before=0 percent
    for percent in ${setting[CANARY]//,/ }; do
        [ "$percent" -gt "$before" ] || wrong CANARY "percentages that rise, such as 5,25,50"
        before=$percent
    done
    # A colour is started again from anywhere: its registry must be the same one.
    for name in STATE ROUTING REGISTRY; do
        case $name:${setting[$name]} in
        *:/* | REGISTRY:) ;;
        *) fail 78 "settings: BLUE_GREEN_$name is '${setting[$name]}'; wanted an absolute path" ;;
        esac
    done
    case ${setting[BINARY]} in
    /*) ;;
    */* | "") fail 78 "settings: BLUE_GREEN_BINARY is '${setting[BINARY]}'; wanted an absolute path, or a name that PATH knows" ;;
    esac
    if [ "${setting[MODE]}" = compose ] && [ -z "${setting[COMPOSE_FILE]}" ]; then
        fail 78 "settings: BLUE_GREEN_COMPOSE_FILE is empty; with BLUE_GREEN_MODE=compose wanted the path of compose.yaml"
    fi
    for name in curl jq flock setsid awk od xargs; do
        command -v "$name" >/dev/null || fail 69 "blue-green needs the program '$name': run scripts/setup test, or install it"
    done
    read_command_lines
}

# Command lines among the settings, as arrays of their words: quotes and backslashes keep spaces together, as in a shell,
# and nothing else of a shell happens.
declare -a nginx_test_command systemctl_command compose_command container_command serve_options

words_of() { # words_of NAME ARRAY
    local -n words_of_array=$2
    local said
    said=$(xargs printf '%s\n' <<<"${setting[$1]}" 2>&1) ||
        fail 78 "settings: BLUE_GREEN_$1 is '${setting[$1]}'; wanted a command line with its quotes in pairs"
    words_of_array=()
    [ -z "$said" ] || readarray -t words_of_array <<<"$said"
}

read_command_lines() {
    words_of NGINX_TEST nginx_test_command
    words_of SYSTEMCTL systemctl_command
    words_of COMPOSE compose_command
    words_of CONTAINER container_command
    words_of SERVE_OPTIONS serve_options
}

address_of() { local name=${1^^}_ADDRESS; printf '%s' "${setting[$name]}"; }
other_than() { if [ "$1" = blue ]; then printf green; else printf blue; fi; }
