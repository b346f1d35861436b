# shellcheck shell=bash
# STATE/state.json, replaced by rename, and the lock that keeps the tool to one run at a time.
#
#   {"colours": {"blue": {"version": "7", "image": "", "started": 1790000000}, ...},
#    "deployment": null | {"id", "step", "to", "from", "version", "image", "canary", "began",
#                          "asked": {"version", "image"},           what the command line said, "" where it said nothing
#                          "failed", "reason", "inconclusive"},     with the step "give-up": the step that said no, and why
#    "warm": null | {"colour", "id", "until"},            a former live colour that still runs, for a rollback
#    "previous": "blue" | "",                             where a rollback goes
#    "last": {"id", "result", "reason", "to", "time"}}
#
# Which colour is live is not in it: the routing table says so (lib/routing.sh), and there is only one truth.

state_file() { printf '%s/state.json' "${setting[STATE]}"; }

# Once, before any command: a file that a power cut or an editor has left empty or cut short.
check_state() {
    local file
    file=$(state_file)
    [ -e "$file" ] || return 0
    [ "$(jq -r '.colours | type' "$file" 2>/dev/null)" = object ] ||
        fail 65 "state: $file is not the JSON object that blue-green writes. What guests get does not hang on it ($(routed_in_words)). Next: mv $file $file.bad; then 'blue-green status', and 'blue-green switch COLOUR' if they should be elsewhere"
}

read_state() { # read_state JQ-FILTER: raw output, "" for null
    if [ -e "$(state_file)" ]; then
        jq -r "($1) // \"\"" "$(state_file)" || fail 65 "state: cannot read $(state_file)"
    fi
}

# change_state JQ-FILTER [jq ARGUMENTS]: a reader, and whoever comes after a kill, sees the old or the new state.
change_state() {
    local filter=$1 file
    shift
    file=$(state_file)
    { if [ -e "$file" ]; then cat "$file"; else printf '{"colours":{}}\n'; fi; } | jq "$@" "$filter" 2>/dev/null >"$file.new" &&
        [ -s "$file.new" ] && sync "$file.new" && mv "$file.new" "$file" && return 0
    rm -f "$file.new"
    fail 74 "state: cannot write $file (disk full, or read-only? df $file); it is as it was before step '${current_step:-$command}'; $(routed_in_words). Next: make room, then the same command again: it goes on from there"
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
# tool.pid says who holds it: "PID START-TIME COMMAND".
take_lock() { # take_lock SECONDS
    local file=${setting[STATE]}/tool.pid
    { exec 9>"${setting[STATE]}/lock"; } 2>/dev/null || fail 74 "lock: cannot open ${setting[STATE]}/lock; is the disk read-only?"
    if ! flock -w "$1" 9; then
        exec 9>&-
        return 1
    fi
    # On a full disk the lock holds all the same; only its holder has no name.
    { printf '%s %s %s\n' "$$" "$(start_time_of $$)" "$command" >"$file.new" && mv "$file.new" "$file"; } 2>/dev/null || rm -f "$file" "$file.new"
}

release_lock() {
    rm -f "${setting[STATE]}/tool.pid"
    exec 9>&-
}

# Sets holder, holder_started and holder_command; false when whoever wrote them has ended, or its id is now another process's.
lock_holder() {
    holder="" holder_started="" holder_command=""
    { read -r holder holder_started holder_command <"${setting[STATE]}/tool.pid"; } 2>/dev/null && is_process "$holder" "$holder_started"
}

lock_or_fail() {
    local holder holder_started holder_command
    if take_lock 3; then return; fi
    if lock_holder; then
        fail 75 "another run holds ${setting[STATE]}/lock: $holder_command, process $holder, in step '$(read_state .deployment.step)'. Wait for it, or end it with 'blue-green rollback'"
    fi
    lock_is_stuck
}

# flock ends with the last process that has the file open: somebody has, and it is not a run of this tool.
lock_is_stuck() {
    fail 75 "${setting[STATE]}/lock is held, and not by a run of blue-green that still lives: 'fuser -v ${setting[STATE]}/lock' (or lsof) shows by whom; end that process and try again"
}

# A rollback does not wait for a deploy: it ends it. A deploy may be killed at any point, so this is safe. Another rollback
# is waited for: two operators who both want to go back must not go back and forth.
lock_by_force() {
    local holder holder_started holder_command started_processes
    if take_lock 0; then return; fi
    if lock_holder; then
        if [ "$holder_command" = rollback ]; then
            tell wait "" "a rollback runs already (process $holder): waiting for it"
            take_lock $((setting[READY_SECONDS] + setting[STOP_SECONDS] + 10)) ||
                fail 75 "the rollback of process $holder still holds ${setting[STATE]}/lock; 'blue-green status' shows how things stand, 'kill $holder' ends it"
            return
        fi
        tell interrupt "" "a rollback ends the run that holds the lock ($holder_command, process $holder)"
        find_started "$holder"
        kill -TERM "$holder" 2>/dev/null || true
        if take_lock 1; then return; fi
        kill -KILL "$holder" 2>/dev/null || true
        end_started
    fi
    take_lock 5 || lock_is_stuck
}

# Runs a command that may take long, its output in $work/said. In the background, so that a signal to this run is seen at
# once, and without the lock, which a subshell around it would keep alive after its run.
apart() { # apart COMMAND...
    "$@" >"$work/said" 2>&1 8>&- 9>&- &
    wait $!
}

# Sets started_processes, "PID START-TIME" each: what a run has started and waits for. Colours have sessions of their own and
# are not among them. No subshell: a trap calls it, in the middle of anything.
find_started() { # find_started PID
    local line fields
    started_processes=()
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    read -ra fields <<<"${line##*) }"
    add_started "$1" "${fields[3]}"
}

add_started() { # add_started PID SESSION
    local child children=() line fields
    { read -ra children <"/proc/$1/task/$1/children"; } 2>/dev/null || true # Without a newline at its end.
    for child in "${children[@]}"; do
        { read -r line <"/proc/$child/stat"; } 2>/dev/null || continue
        read -ra fields <<<"${line##*) }"
        [ "${fields[3]}" = "$2" ] || continue
        started_processes+=("$child ${fields[19]}")
        add_started "$child" "$2"
    done
}

end_started() {
    local pid started line fields
    for line in "${started_processes[@]}"; do
        read -r pid started <<<"$line"
        { read -r line <"/proc/$pid/stat"; } 2>/dev/null || continue
        read -ra fields <<<"${line##*) }"
        if [ "${fields[19]}" = "$started" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
    done
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
