# shellcheck shell=bash
# Starting, stopping and asking a colour, whatever it is: a process, a systemd unit or a container.
# Each mode has start_MODE, stop_MODE and generation_MODE; a generation names one life of a colour, "" when it is dead.

start_colour() { "start_${setting[MODE]}" "$@"; } # COLOUR VERSION IMAGE
stop_colour() { "stop_${setting[MODE]}" "$@"; }   # COLOUR
generation() { "generation_${setting[MODE]}" "$@"; }

answer_of() { # answer_of COLOUR PATH [curl options]: body
    local colour=$1 path=$2
    shift 2
    curl -sS -m 3 "$@" "http://$(address_of "$colour")$path" 9>&-
}

is_ready() { answer_of "$1" /readyz -f -o /dev/null 2>/dev/null; }

version_served() { answer_of "$1" /readyz 2>/dev/null | jq -r '.model_version // ""' 2>/dev/null || true; }

is_listening() { # Whether anything accepts connections at the colour's address.
    local status=0
    curl -s -m 2 -o /dev/null "http://$(address_of "$1")/livez" 9>&- || status=$?
    [ "$status" != 7 ] # 7: could not connect
}

# Waits until the colour is ready. Says why not: it died, or time is up.
await_ready() { # await_ready COLOUR
    local colour=$1 until=$((SECONDS + setting[READY_SECONDS])) why
    while true; do
        if [ -n "$(generation "$colour")" ]; then
            if is_ready "$colour"; then return 0; fi
        else
            pause 0.2 # Its last words may still be on the way to the log.
            failure="it ended while starting: $(log_end "$colour")"
            return 1
        fi
        if [ $SECONDS -ge "$until" ]; then
            why=$(answer_of "$colour" /readyz 2>&1 | jq -r '.detail // .' 2>/dev/null) || why="no answer"
            failure="not ready after ${setting[READY_SECONDS]} s: ${why:0:200}"
            return 1
        fi
        pause 0.1
    done
}

log_end() { "log_${setting[MODE]}" "$1" 2>/dev/null | grep -v '^$' | tail -n 2 | tr '\n' ' ' | cut -c 1-400; }

# ---- plain processes: STATE/COLOUR.pid holds "PID START-TIME"

start_process() {
    local colour=$1 version=$2 address options=()
    address=$(address_of "$colour")
    read -ra options <<<"${setting[SERVE_OPTIONS]}"
    local serve=("${setting[BINARY]}" serve --registry "${setting[REGISTRY]}" --model "${setting[MODEL]}"
        --version "$version" --host "${address%:*}" --port "${address##*:}" "${options[@]}")
    local file=${setting[STATE]}/$colour.pid log=${setting[STATE]}/log/$colour.log
    [ ! -e "$log" ] || mv "$log" "$log.1"
    rm -f "$file"
    # The process writes its own id before it becomes the server, so that a kill of this tool leaves nothing unknown.
    # shellcheck disable=SC2016 # For the inner shell.
    setsid bash -c 'unset "${!NEXTLOOP_@}" "${!BLUE_GREEN_@}"
        read -r line </proc/$$/stat; read -ra fields <<<"${line##*) }"
        printf "%s %s\n" $$ "${fields[19]}" >"$0.new" && mv "$0.new" "$0" && exec "$@"' \
        "$file" "${serve[@]}" >"$log" 2>&1 </dev/null 9>&- &
    disown # Its end is told in our words, not in the shell's.
    local tries
    for tries in {1..50}; do
        [ ! -s "$file" ] || return 0
        pause 0.02
    done
    failure="no process after $tries tries"
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
    local pid started until=$((SECONDS + setting[STOP_SECONDS]))
    if process_of "$1"; then
        kill -TERM "$pid" 2>/dev/null || true
        while is_process "$pid" "$started"; do
            if [ $SECONDS -ge "$until" ]; then
                tell kill "$1" "still running ${setting[STOP_SECONDS]} s after SIGTERM: SIGKILL to process $pid"
                kill -KILL "$pid" 2>/dev/null || true
                until=$((SECONDS + 5))
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
    printf '%s\n' "NEXTLOOP_HOST=${address%:*}" "NEXTLOOP_PORT=${address##*:}" "NEXTLOOP_VERSION=$2" >"$file.new"
    mv "$file.new" "$file"
}

start_systemd() {
    local output
    write_colour_env "$1" "$2"
    # shellcheck disable=SC2086 # A command line.
    if ! output=$(${setting[SYSTEMCTL]} restart "${setting[SYSTEMD_UNIT]}$1" 2>&1 9>&-); then
        failure="systemctl restart failed: ${output:0:300}"
        return 1
    fi
}

# A unit between a crash and its restart by systemd has no main process: MainPID is 0 and this generation is over.
generation_systemd() {
    local pid
    # shellcheck disable=SC2086
    pid=$(${setting[SYSTEMCTL]} show --property MainPID --value "${setting[SYSTEMD_UNIT]}$1" 2>/dev/null 9>&-) || pid=0
    [ "${pid:-0}" = 0 ] || printf '%s' "$pid"
}

stop_systemd() {
    # shellcheck disable=SC2086
    timeout -k 1 "$((setting[STOP_SECONDS] + 5))" ${setting[SYSTEMCTL]} stop "${setting[SYSTEMD_UNIT]}$1" 9>&- ||
        tell stop "$1" "systemctl stop failed"
}

log_systemd() { journalctl --no-pager --output cat --lines 20 --unit "${setting[SYSTEMD_UNIT]}$1"; }

# ---- Compose: services blue and green, containers CONTAINER_NAME + colour, values in STATE/compose.env

# NEXTLOOP_BLUE_IMAGE, NEXTLOOP_BLUE_VERSION and the same for green. Empty means: what the Compose file says.
write_compose_env() { # write_compose_env COLOUR VERSION IMAGE
    local file=${setting[STATE]}/compose.env
    {
        grep -v "^NEXTLOOP_${1^^}_" "$file" 2>/dev/null || true
        [ -z "$3" ] || printf 'NEXTLOOP_%s_IMAGE=%s\n' "${1^^}" "$3"
        [ -z "$2" ] || printf 'NEXTLOOP_%s_VERSION=%s\n' "${1^^}" "$2"
    } >"$file.new"
    mv "$file.new" "$file"
}

compose() {
    # shellcheck disable=SC2086
    timeout -k 5 "$((setting[STOP_SECONDS] + setting[READY_SECONDS]))" \
        ${setting[COMPOSE]} --env-file "${setting[STATE]}/compose.env" -f "${setting[COMPOSE_FILE]}" "$@" 9>&-
}

start_compose() {
    local output
    write_compose_env "$1" "$2" "$3"
    stop_compose "$1"
    if ! output=$(compose up -d --no-deps "$1" 2>&1); then
        failure="compose up failed: $(tail -n 3 <<<"$output" | tr '\n' ' ' | cut -c 1-300)"
        return 1
    fi
}

generation_compose() {
    # shellcheck disable=SC2086
    ${setting[CONTAINER]} inspect --format '{{if .State.Running}}{{.Id}}.{{.State.Pid}}{{end}}' "${setting[CONTAINER_NAME]}$1" 2>/dev/null 9>&- || true
}

stop_compose() {
    local name=${setting[CONTAINER_NAME]}$1
    # shellcheck disable=SC2086
    if ${setting[CONTAINER]} inspect "$name" >/dev/null 2>&1; then
        ${setting[CONTAINER]} stop -t "${setting[STOP_SECONDS]}" "$name" >/dev/null 2>&1 9>&- || true
        ${setting[CONTAINER]} rm -f "$name" >/dev/null 2>&1 9>&- || true
    fi
}

# shellcheck disable=SC2086
log_compose() { ${setting[CONTAINER]} logs --tail 20 "${setting[CONTAINER_NAME]}$1" 2>&1; }
