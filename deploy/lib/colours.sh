# shellcheck shell=bash
# Starting, stopping and asking a colour, whatever it is: a process, a systemd unit or a container.
# Each mode has start_MODE, stop_MODE and generation_MODE; a generation names one life of a colour, "" when it is dead.

prepare_env() { "prepare_env_${setting[MODE]}"; }          # What must be there before anybody else starts a colour.
start_colour() { "start_${setting[MODE]}" "$@"; } # COLOUR VERSION IMAGE
stop_colour() { "stop_${setting[MODE]}" "$@"; }   # COLOUR
generation() { "generation_${setting[MODE]}" "$@"; }

answer_of() { # answer_of COLOUR PATH [curl options]: body of one request
    local colour=$1 path=$2
    shift 2
    # --globoff: [ and { of a golden request's path are sent, and are no ranges.
    curl -sS -m 3 --globoff "$@" "http://$(address_of "$colour")$path" 8>&- 9>&-
}

is_ready() { answer_of "$1" /readyz -f -o /dev/null 2>/dev/null; }

version_served() { answer_of "$1" /readyz 2>/dev/null | jq -r '.model_version // ""' 2>/dev/null || true; }

is_listening() { # Whether anything accepts connections at the colour's address.
    local status=0
    curl -s -m 2 -o /dev/null "http://$(address_of "$1")/livez" 8>&- 9>&- || status=$?
    [ "$status" != 7 ] # 7: could not connect
}

# Who listens there, for people: a state directory that was lost leaves colours running that nobody knows.
taken_by() { # taken_by COLOUR
    local address pid line
    address=$(address_of "$1")
    printf 'the address %s is taken by a program that is not ours' "$address"
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        line=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) || continue
        case $line in
        *" serve "*"--port ${address##*:} "*)
            printf ": process %s, '%s'. If it is a colour that %s no longer knows of, 'kill %s' ends it in order; then the same command again" \
                "$pid" "${line:0:120}" "${setting[STATE]}" "$pid"
            return
            ;;
        esac
    done
    printf ": 'ss -ltnp sport = :%s' shows which; end it, or give the colour another address" "${address##*:}"
}

# Waits until the colour is ready. Says why not: it died, or time is up.
await_ready() { # await_ready COLOUR
    local colour=$1 until=$(($(clock) + setting[READY_SECONDS])) why
    while true; do
        if [ -n "$(generation "$colour")" ]; then
            if is_ready "$colour"; then return 0; fi
        else
            pause 0.2 # Its last words may still be on the way to the log.
            failure="it ended while starting: $(log_end "$colour")"
            return 1
        fi
        if [ "$(clock)" -ge "$until" ]; then
            why=$(answer_of "$colour" /readyz 2>&1 | jq -r '.detail // .' 2>/dev/null) || why="no answer"
            failure="not ready after ${setting[READY_SECONDS]} s: ${why:0:200}"
            return 1
        fi
        pause 0.1
    done
}

log_end() { "log_${setting[MODE]}" "$1" 2>/dev/null | grep -v '^$' | tail -n 3 | tr '\n' ' ' | cut -c 1-500; }

log_place() { # Where its log is, for people.
    case ${setting[MODE]} in
    systemd) printf "'journalctl --unit %s%s'" "${setting[SYSTEMD_UNIT]}" "$1" ;;
    *) printf '%s/log/%s.log' "${setting[STATE]}" "$1" ;;
    esac
}

prepare_env_process() { :; }

# ---- plain processes: STATE/COLOUR.pid holds "PID START-TIME"

start_process() {
    local colour=$1 version=$2 address
    address=$(address_of "$colour")
    local serve=("${setting[BINARY]}" serve --registry "${setting[REGISTRY]}" --model "${setting[MODEL]}"
        --version "$version" --host "${address%:*}" --port "${address##*:}" "${serve_options[@]}")
    local file=${setting[STATE]}/$colour.pid log=${setting[STATE]}/log/$colour.log
    [ ! -e "$log" ] || mv "$log" "$log.1"
    rm -f "$file"
    # The process writes its own id before it becomes the server, so that a kill of this tool leaves nothing unknown.
    # RUNNER_TRACKING_ID: a GitHub runner ends whatever still carries it when the job is over, guests or no guests.
    # It outlives the caller: neither the caller's directory (a mount that could not be taken away) nor what else the caller
    # has open (a lock, a pipe that somebody waits for) goes with it.
    # shellcheck disable=SC2016 # For the inner shell.
    setsid bash -c 'unset "${!NEXTLOOP_@}" "${!BLUE_GREEN_@}" RUNNER_TRACKING_ID OLDPWD
        cd /
        for open in /proc/$$/fd/*; do
            open=${open##*/}
            [ "$open" -le 2 ] || eval "exec $open>&-"
        done
        read -r line </proc/$$/stat; read -ra fields <<<"${line##*) }"
        printf "%s %s\n" $$ "${fields[19]}" >"$0.new" && mv "$0.new" "$0" && exec "$@"' \
        "$file" "${serve[@]}" >"$log" 2>&1 </dev/null 8>&- 9>&- &
    disown # Its end is told in our words, not in the shell's.
    local tries
    for tries in {1..50}; do
        [ ! -s "$file" ] || return 0
        pause 0.02
    done
    failure="no process after $tries tries: $(log_end "$colour")(disk full, or read-only? df ${setting[STATE]})"
    return 1
}

process_of() { # sets pid and started
    pid="" started=""
    { read -r pid started <"${setting[STATE]}/$1.pid"; } 2>/dev/null && is_process "$pid" "$started"
}

generation_process() {
    local pid started
    if process_of "$1"; then printf '%s.%s' "$pid" "$started"; fi
}

stop_process() {
    local pid started until
    until=$(($(clock) + setting[STOP_SECONDS]))
    if process_of "$1"; then
        kill -TERM "$pid" 2>/dev/null || true
        while is_process "$pid" "$started"; do
            if [ "$(clock)" -ge "$until" ]; then
                tell kill "$1" "still running ${setting[STOP_SECONDS]} s after SIGTERM: SIGKILL to process $pid"
                kill -KILL "$pid" 2>/dev/null || true
                until=$(($(clock) + 5))
            fi
            pause 0.05
        done
    fi
    rm -f "${setting[STATE]}/$1.pid"
}

log_process() { tail -n 20 "${setting[STATE]}/log/$1.log"; }

# ---- systemd: SYSTEMD_UNIT + colour, with STATE/COLOUR.env as its EnvironmentFile

write_colour_env() { # write_colour_env COLOUR VERSION
    local address file=${setting[STATE]}/$1.env
    address=$(address_of "$1")
    { printf '%s\n' "NEXTLOOP_HOST=${address%:*}" "NEXTLOOP_PORT=${address##*:}" "NEXTLOOP_VERSION=$2" >"$file.new" && mv "$file.new" "$file"; } 2>/dev/null &&
        return 0
    rm -f "$file.new"
    failure="cannot write $file (disk full, or read-only? df $file)"
    return 1
}

prepare_env_systemd() { # A unit that is started at boot before its first deploy has its own port, and what the alias names.
    local colour failure=""
    for colour in blue green; do
        [ -e "${setting[STATE]}/$colour.env" ] || write_colour_env "$colour" "" || fail 74 "$failure"
    done
}

start_systemd() {
    local unit=${setting[SYSTEMD_UNIT]}$1
    write_colour_env "$1" "$2" || return 1
    # systemd counts starts, and refuses the sixth within a minute (StartLimitBurst): ours are meant.
    "${systemctl_command[@]}" reset-failed "$unit" >/dev/null 2>&1 8>&- 9>&- || true
    if ! apart "${systemctl_command[@]}" restart "$unit"; then
        failure="systemctl restart failed: $(head -c 300 "$work/said")"
        return 1
    fi
}

# A unit between a crash and its restart by systemd has no main process: MainPID is 0 and this generation is over.
generation_systemd() {
    local pid
    pid=$("${systemctl_command[@]}" show --property MainPID --value "${setting[SYSTEMD_UNIT]}$1" 2>/dev/null 8>&- 9>&-) || pid=0
    [ "${pid:-0}" = 0 ] || printf '%s' "$pid"
}

stop_systemd() {
    timeout -k 1 "$((setting[STOP_SECONDS] + 5))" "${systemctl_command[@]}" stop "${setting[SYSTEMD_UNIT]}$1" 8>&- 9>&- ||
        tell stop "$1" "systemctl stop failed"
}

log_systemd() { journalctl --no-pager --output cat --lines 20 --unit "${setting[SYSTEMD_UNIT]}$1" 8>&- 9>&-; }

# ---- Compose: services blue and green, containers CONTAINER_NAME + colour, values in STATE/compose.env

# NEXTLOOP_BLUE_IMAGE, NEXTLOOP_BLUE_VERSION and the same for green, both always. Empty means: what the Compose file says.
write_compose_env() { # write_compose_env COLOUR VERSION IMAGE
    local file=${setting[STATE]}/compose.env
    {
        { [ ! -e "$file" ] || grep -v "^NEXTLOOP_${1^^}_" "$file" || [ $? = 1 ]; } && # 1: no other line
            printf '%s\n' "NEXTLOOP_${1^^}_IMAGE=$3" "NEXTLOOP_${1^^}_VERSION=$2"
    } 2>/dev/null >"$file.new" && mv "$file.new" "$file" && return 0
    rm -f "$file.new"
    failure="cannot write $file (disk full, or read-only? df $file)"
    return 1
}

# The file that Compose is always given holds what differs between machines, too. Where nginx finds the table is where this
# tool writes it.
prepare_env_compose() {
    local file=${setting[STATE]}/compose.env
    if [ -e "$file" ] && grep -q '^NEXTLOOP_ROUTING=' "$file"; then return 0; fi
    {
        if [ -e "$file" ]; then
            cat "$file"
        else
            printf '%s\n' "# Values of compose.yaml on this machine, such as NEXTLOOP_MODELS=/srv/models: yours. NEXTLOOP_BLUE_* and NEXTLOOP_GREEN_*:" \
                "# written by blue-green at every deploy."
        fi && printf 'NEXTLOOP_ROUTING=%s\n' "${setting[ROUTING]}"
    } 2>/dev/null >"$file.new" && mv "$file.new" "$file" && return 0
    rm -f "$file.new"
    fail 74 "cannot write $file (disk full, or read-only? df $file)"
}

compose() {
    timeout -k 5 "$((setting[STOP_SECONDS] + setting[READY_SECONDS]))" \
        "${compose_command[@]}" --env-file "${setting[STATE]}/compose.env" -f "${setting[COMPOSE_FILE]}" "$@" 8>&- 9>&-
}

container() { "${container_command[@]}" "$@" 8>&- 9>&-; }

start_compose() {
    write_compose_env "$1" "$2" "$3" || return 1
    stop_compose "$1"
    if ! apart compose up -d --no-deps "$1"; then
        failure="compose up failed: $(tail -n 3 "$work/said" | tr '\n' ' ' | cut -c 1-300)"
        return 1
    fi
}

generation_compose() {
    container inspect --format '{{if .State.Running}}{{.Id}}.{{.State.Pid}}{{end}}' "${setting[CONTAINER_NAME]}$1" 2>/dev/null || true
}

stop_compose() {
    local name=${setting[CONTAINER_NAME]}$1
    if container inspect "$name" >/dev/null 2>&1; then
        container stop -t "${setting[STOP_SECONDS]}" "$name" >/dev/null 2>&1 || true
        # The engine's log goes with the container, and somebody will want to know why it was refused.
        container logs --tail 10000 "$name" >"${setting[STATE]}/log/$1.log" 2>&1 || true
        container rm -f "$name" >/dev/null 2>&1 || true
    fi
}

log_compose() { container logs --tail 20 "${setting[CONTAINER_NAME]}$1" 2>&1; }
