# shellcheck shell=bash
# What happened, when and why: lines for people on stderr, the same as JSON lines in STATE/journal.jsonl.

deployment_id=""
current_step=""

# tell EVENT COLOUR TEXT [NAME VALUE]...: the pairs go to the journal only.
tell() {
    local event=$1 colour=$2 text=$3
    shift 3
    local time=$EPOCHREALTIME
    TZ=UTC0 say '%(%H:%M:%S)T %-8s %-6s %s\n' "${time%.*}" "${current_step:-$event}" "${colour:--}" "$text" >&2
    [ "$dry_run" = no ] && [ -d "${setting[STATE]}" ] || return 0
    local names=() pairs=() stamp
    TZ=UTC0 printf -v stamp '%(%Y-%m-%dT%H:%M:%S)T.%.3sZ' "${time%.*}" "${time#*.}"
    while [ $# -ge 2 ]; do
        names+=("$1: \$$1")
        pairs+=(--arg "$1" "$2")
        shift 2
    done
    local more
    more=$(IFS=,; printf '%s' "${names[*]}")
    jq -cn --arg time "$stamp" --arg deployment "$deployment_id" --arg step "$current_step" \
        --arg event "$event" --arg colour "$colour" --arg reason "$text" "${pairs[@]}" \
        "{time: \$time, deployment: \$deployment, step: \$step, event: \$event, colour: \$colour, reason: \$reason${more:+, $more}}" \
        2>/dev/null >>"${setting[STATE]}/journal.jsonl" || true # A full disk must not stop a rollback.
}

# printf to somebody who may have gone (a lost ssh session, a pipe that closed): no reason to stop half-way.
# shellcheck disable=SC2059 # The format is the caller's.
say() { printf "$@" 2>/dev/null || true; }

fail() { # fail STATUS TEXT
    say 'blue-green: %s\n' "$2" >&2
    exit "$1"
}

# The time of day with six places, and what has passed since, rounded down to tenths. No programs: a rollback is short of
# time. For people only: a clock that was set back shows as 0.0.
now() { printf '%s' "$EPOCHREALTIME"; }
since() {
    local micros=$((${EPOCHREALTIME/./} - ${1/./}))
    [ "$micros" -ge 0 ] || micros=0
    printf '%d.%d' $((micros / 1000000)) $((micros / 100000 % 10))
}

# Seconds since the machine started. Every wait goes by it: neither the time of day nor bash's SECONDS, which follows it,
# may be trusted to go forward one second a second.
clock() {
    local uptime
    read -r uptime _ </proc/uptime
    printf '%s' "${uptime%.*}"
}

# A wait that a signal ends at once; bash looks at signals only between commands.
pause() {
    sleep "$1" 9>&- &
    wait $! 2>/dev/null || true
}
