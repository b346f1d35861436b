# shellcheck shell=bash
# STATE/state.json, replaced by rename, and the lock that keeps the tool to one run at a time.
#
#   {"colours": {"blue": {"version": "7", "image": "", "started": 1790000000}, ...},
#    "deployment": null | {"id", "step", "to", "from", "version", "image", "canary", "began"},
#    "warm": null | {"colour", "id", "until"},            a former live colour that still runs, for a rollback
#    "previous": "blue" | "",                             where a rollback goes
#    "last": {"id", "result", "reason", "to", "time"}}
#
# Which colour is live is not in it: the routing table says so (lib/routing.sh), and there is only one truth.

state_file() { printf '%s/state.json' "${setting[STATE]}"; }

read_state() { # read_state JQ-FILTER: raw output, "" for null
    if [ -e "$(state_file)" ]; then
        jq -r "($1) // \"\"" "$(state_file)" || fail 65 "state: $(state_file) is not JSON; move it away and run 'blue-green status'"
    fi
}

# change_state JQ-FILTER [jq ARGUMENTS]: a reader, and whoever comes after a kill, sees the old or the new state.
change_state() {
    local filter=$1 file
    shift
    file=$(state_file)
    # shellcheck disable=SC2015 # The failure of any of the three is the failure.
    { if [ -e "$file" ]; then cat "$file"; else printf '{"colours":{}}\n'; fi; } | jq "$@" "$filter" >"$file.new" &&
        sync "$file.new" && mv "$file.new" "$file" || fail 74 "state: cannot write $file"
}

step_is() { # step_is NAME: everything before it is done
    current_step=$1
    change_state '.deployment.step = $step' --arg step "$1"
}

make_state_directory() {
    mkdir -p "${setting[STATE]}/log" || fail 74 "state: cannot make ${setting[STATE]}"
    [ -w "${setting[STATE]}" ] || fail 74 "state: ${setting[STATE]} is not writable"
}

# Descriptor 9 holds the lock while this process lives. Nothing that outlives it may inherit it: see 9>&- everywhere.
take_lock() { # take_lock SECONDS
    exec 9>"${setting[STATE]}/lock"
    if ! flock -w "$1" 9; then
        exec 9>&-
        return 1
    fi
    printf '%s %s\n' "$$" "$(start_time_of $$)" >"${setting[STATE]}/tool.pid.new"
    mv "${setting[STATE]}/tool.pid.new" "${setting[STATE]}/tool.pid"
}

release_lock() {
    rm -f "${setting[STATE]}/tool.pid"
    exec 9>&-
}

lock_or_fail() {
    take_lock 3 || fail 75 "another run holds ${setting[STATE]}/lock (process $(cut -d' ' -f1 "${setting[STATE]}/tool.pid" 2>/dev/null || echo unknown)); 'blue-green rollback' would end it"
}

# A rollback does not wait for a deploy: it ends it. A deploy may be killed at any point, so this is safe.
lock_by_force() {
    take_lock 0 && return
    local pid started
    if read -r pid started 2>/dev/null <"${setting[STATE]}/tool.pid" && is_process "$pid" "$started"; then
        tell interrupt "" "a rollback ends the run that holds the lock (process $pid)"
        kill -TERM "$pid" 2>/dev/null || true
        take_lock 1 && return
        kill -KILL "$pid" 2>/dev/null || true
    fi
    take_lock 5 || fail 75 "the lock ${setting[STATE]}/lock did not come free"
}

# Field 22 of /proc/PID/stat: with it a reused process id is not mistaken for the one that was meant.
start_time_of() {
    local line fields
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    read -ra fields <<<"${line##*) }"
    [ "${fields[0]}" != Z ] || return 0 # A zombie is a process that ended.
    printf '%s' "${fields[19]}"
}

is_process() { # is_process PID START-TIME
    [ -n "${1:-}" ] && [ -n "${2:-}" ] && [ "$(start_time_of "$1")" = "$2" ]
}
