# shellcheck shell=bash
# A deployment, step by step. Every step may be done again: a run that was killed goes on at the step that the state names.

# Sets to, from, version, image, canary, began from the state.
read_deployment() {
    local line
    line=$(read_state '.deployment | "\(.id) \(.to) \(.from // "" | if . == "" then "-" else . end) \(.version | if . == "" then "-" else . end) \(.image | if . == "" then "-" else . end) \(.canary | if . == "" then "-" else . end) \(.began)"')
    read -r deployment_id to from version image canary began <<<"$line"
    from=${from#-} version=${version#-} image=${image#-} canary=${canary#-}
}

run_steps() { # run_steps FIRST
    local step reached=no
    for step in start check canary switch watch drain; do
        [ "$step" != "$1" ] || reached=yes
        [ "$reached" = yes ] || continue
        failure=""
        step_is "$step"
        "step_$step" || { give_up "$step"; return; }
    done
    still_switched || { give_up drain; return; }
    finish
}

step_start() {
    local generation
    generation=$(generation "$to")
    # A run that was killed here may have started it already.
    if [ -z "$generation" ] || [ "$resumed" = no ] || [ "$(version_served "$to")" != "$version" ]; then
        if last_that_answers "$to"; then
            failure="$to is the only colour that answers, and would have to be stopped first"
            return 1
        fi
        stop_colour "$to"
        if is_listening "$to"; then
            failure=$(taken_by "$to")
            return 1
        fi
        tell start "$to" "starting ${version:+version $version}${image:+ image $image} on $(address_of "$to")" version "$version" image "$image"
        start_colour "$to" "$version" "$image" || return 1
    fi
    await_ready "$to" || return 1
    # The generation: a crash between two steps, with a supervisor that is quick, shows as another one.
    change_state '.colours[$c] = {version: $v, image: $i, generation: $g, started: now | floor}' --arg c "$to" \
        --arg v "$version" --arg i "$image" --arg g "$(generation "$to")"
    tell ready "$to" "ready $(since "$began") s after the deployment began"
}

step_check() {
    check_version "$to" "$version" || return 1
    if [ -z "$version" ]; then # An image without a version: what it says from now on is what was asked for.
        version=$(version_served "$to")
        change_state '.deployment.version = $v | .colours[$c].version = $v' --arg v "$version" --arg c "$to"
    fi
    check_golden "$to" || return 1
    if [ -n "$from" ] && ! check_overlap "$to" "$from"; then
        if live_answers; then return 1; fi
        tell overlap "$to" "$from has stopped answering: nothing to compare with"
    fi
    check_load "$to" || return 1
    still_well "$to"
}

# The live colour may die while a candidate is looked at. nginx sends its guests to the candidate then, which is all there
# is: from there on nothing may stop it.
live_answers() { [ -n "$from" ] && answers "$from"; }

step_canary() {
    local percent
    if [ -z "$canary" ] || [ -z "$from" ]; then
        [ -z "$canary" ] || tell canary "$to" "no live colour: the canary steps are left out"
        return 0
    fi
    live_died=no
    for percent in ${canary//,/ }; do
        route "$to" "$percent" careful || { failure="the canary step of $percent % did not take effect: $failure"; return 1; }
        judge_canary "$percent" || return 1
        [ "$live_died" = no ] || return 0
    done
}

# One canary step: CANARY_SECONDS of traffic, then the verdict; without enough traffic, synthetic traffic and one more wait.
judge_canary() { # judge_canary PERCENT
    local percent=$1 began until verdict=() synthetic=no
    began=$(clock)
    scrape "$to" "$work/canary.to" || true
    scrape "$from" "$work/canary.from" || true
    until=$((began + setting[CANARY_SECONDS]))
    while true; do
        still_well "$to" || return 1
        if ! live_answers; then
            live_died=yes
            tell canary "$to" "$percent %: $from has stopped answering, nginx asks $to for every guest: no more canary steps"
            return 0
        fi
        read -ra verdict <<<"$(canary_verdict $(($(clock) - began)))"
        if [ "${verdict[0]}" = fail ] || { [ "${verdict[0]}" = pass ] && { [ "$(clock)" -ge "$until" ] || [ $synthetic = yes ]; }; }; then
            break
        fi
        if [ "$(clock)" -ge "$until" ]; then
            if [ $synthetic = yes ]; then break; fi
            tell canary "$to" "$percent %: ${verdict[*]}: synthetic traffic to both colours" verdict "${verdict[0]}"
            synthetic=yes
            synthetic_load "$to" "$work/synthetic"
            synthetic_load "$from" "$work/synthetic"
            until=$(($(clock) + setting[CANARY_SECONDS] + 1))
        fi
        pause 1
    done
    tell canary "$to" "$percent %: ${verdict[*]}" verdict "${verdict[0]}" percent "$percent" synthetic "$synthetic"
    [ "${verdict[0]}" != pass ] || return 0
    [ "${verdict[0]}" = fail ] || inconclusive=yes
    failure="canary at $percent %: ${verdict[*]}"
    return 1
}

canary_verdict() { # canary_verdict SECONDS
    local ours=() theirs=()
    if [ -n "${setting[PROMETHEUS_URL]}" ]; then
        local seconds=$(($1 > 5 ? $1 : 5))
        if ! prometheus_answers; then
            printf 'not-enough-traffic Prometheus does not answer at %s' "${setting[PROMETHEUS_URL]}"
            return
        fi
        read -ra ours <<<"$(prometheus_counts "$to" $seconds)"
        read -ra theirs <<<"$(prometheus_counts "$from" $seconds)"
    else
        scrape "$to" "$work/canary.to.now" || true
        scrape "$from" "$work/canary.from.now" || true
        read -ra ours <<<"$(between "$work/canary.to" "$work/canary.to.now" 2>/dev/null)"
        read -ra theirs <<<"$(between "$work/canary.from" "$work/canary.from.now" 2>/dev/null)"
    fi
    judge "${ours[0]:-0}" "${ours[1]:-0}" "${ours[2]:-nan}" "${theirs[0]:-0}" "${theirs[1]:-0}" "${theirs[2]:-nan}"
}

# Alive, in the life in which it became ready, and ready: asked twice, because one lost probe is no reason to turn back.
still_well() { # still_well COLOUR
    local ready=no life
    if is_ready "$1"; then
        ready=yes
    else
        pause 0.3
        if is_ready "$1"; then ready=yes; fi
    fi
    life=$(generation "$1")
    if [ -z "$life" ] || [ "$life" != "$(read_state ".colours.$1.generation")" ]; then
        failure="it crashed: $(log_end "$1")"
        return 1
    fi
    [ $ready = no ] || return 0
    failure="/readyz does not say ready: $(answer_of "$1" /readyz 2>&1 | cut -c 1-200)"
    return 1
}

step_switch() {
    still_well "$to" || return 1
    local at
    at=$(now)
    route "$to" 100 careful || { failure="the switch did not take effect: $failure"; return 1; }
    change_state '.previous = $from' --arg from "$from"
    tell switched "$to" "live${from:+ instead of $from} after $(since "$at") s"
}

step_watch() {
    local until tick=0 verdict=() counts=()
    until=$(($(clock) + setting[WATCH_SECONDS]))
    scrape "$to" "$work/watch.first" || true
    still_switched || return 1
    while [ "$(clock)" -lt "$until" ]; do
        still_well "$to" || return 1
        # A sliding window of ten seconds: trouble at the end of a long watch is not drowned by its quiet beginning.
        scrape "$to" "$work/watch.$((tick % 10))" || true
        local earlier=$work/watch.$(((tick + 1) % 10))
        [ -e "$earlier" ] || earlier=$work/watch.first
        read -ra counts <<<"$(between "$earlier" "$work/watch.$((tick % 10))" 2>/dev/null)"
        read -ra verdict <<<"$(judge "${counts[0]:-0}" "${counts[1]:-0}" "${counts[2]:-nan}" "" "" "")"
        if [ "${verdict[0]}" = fail ]; then
            failure="under guests' traffic: ${verdict[*]:1}"
            return 1
        fi
        tick=$((tick + 1))
        pause 1
    done
    still_well "$to" || return 1
    scrape "$to" "$work/watch.last" || true
    read -ra counts <<<"$(between "$work/watch.first" "$work/watch.last" 2>/dev/null)"
    read -ra verdict <<<"$(judge "${counts[0]:-0}" "${counts[1]:-0}" "${counts[2]:-nan}" "" "" "")"
    tell watched "$to" "${setting[WATCH_SECONDS]} s: ${verdict[*]}" verdict "${verdict[0]:-}"
    if [ "${verdict[0]}" = fail ]; then failure="under guests' traffic: ${verdict[*]:1}"; return 1; fi
    watched=${verdict[0]:-}
}

# From here on nothing can fail the deployment, as long as the new colour has the guests.
step_drain() {
    still_switched || return 1
    [ -n "$from" ] && [ -n "$(generation "$from")" ] || return 0
    drain "$from"
}

# Waits until a colour that gets no guests has answered its last ones: two scrapes a while apart that differ by themselves only.
drain() { # drain COLOUR
    local until counts=()
    until=$(($(clock) + setting[DRAIN_SECONDS]))
    scrape "$1" "$work/drain.before" || { tell drain "$1" "does not answer: nothing to drain"; return 0; }
    while [ "$(clock)" -lt "$until" ]; do
        pause 0.5
        scrape "$1" "$work/drain.after" || { tell drain "$1" "stopped answering: nothing to drain"; return 0; }
        read -ra counts <<<"$(between "$work/drain.before" "$work/drain.after")"
        # This scrape itself is in progress too.
        if [ "${counts[0]}" = 0 ] && answer_of "$1" /metrics 2>/dev/null | awk '$1 == "http_requests_inprogress" { exit !($2 <= 1) }'; then
            tell drained "$1" "no guest's request in half a second, none in progress"
            return 0
        fi
        mv "$work/drain.after" "$work/drain.before"
    done
    tell drain "$1" "still has requests after ${setting[DRAIN_SECONDS]} s: somebody asks it directly; it is kept" || true
}

finish() {
    local until=0 seconds
    seconds=$(since "$began")
    current_step=done
    if [ -n "$from" ] && [ -n "$(generation "$from")" ]; then
        case ${setting[KEEP_WARM]} in
        0) retire_colour "$from" || until=forever ;;
        forever) until=forever ;;
        *) until=$(($(date +%s) + setting[KEEP_WARM])) ;;
        esac
    fi
    change_state '.deployment = null | .last = {id: $id, result: "deployed", to: $to, version: $v, time: now | floor}
        | .warm = (if $until == "0" then null else {colour: $from, id: $id, until: $until} end)' \
        --arg id "$deployment_id" --arg to "$to" --arg v "$version" --arg from "$from" --arg until "$until"
    tell deployed "$to" "version ${version:-?} is live after $seconds s" version "$version" seconds "$seconds"
    tell_slack good "NextLoop: $to is live with version $version" Colour "$to (was: ${from:-none})" Version "$version" Image "$image" \
        Verdict "deployed${watched:+, watch: $watched}" Duration "$seconds s" Deployment "$deployment_id"
    say 'deployed %s version %s\n' "$to" "$version"
    [ "$until" = 0 ] || [ "$until" = forever ] || retire "$until"
}

# Keeps the former colour warm and then stops it, unless somebody did something else meanwhile. Without the lock: a rollback
# or the next deploy need not wait for it. Ending this wait leaves the colour running, until the next run.
retire() { # retire UNTIL: by the time of day, for people; the wait goes by the clock
    local id=$deployment_id until
    until=$(($(clock) + setting[KEEP_WARM]))
    current_step=warm
    tell warm "$from" "kept warm until $(date -u -d "@$1" +%H:%M:%S) for 'blue-green rollback'; interrupting this wait is safe"
    release_lock
    while [ "$(clock)" -lt "$until" ]; do
        pause 1
        [ "$(read_state .warm.id)" = "$id" ] || return 0
    done
    take_lock 10 || return 0
    [ "$(read_state .warm.id)" = "$id" ] || return 0
    retire_colour "$from" || return 0
    change_state '.warm = null'
    tell stopped "$from" "no longer kept warm"
}

# The deployment failed: guests go (or stay) where they were, and the candidate is stopped. Unless it is the only one that
# answers: a refused candidate is better than none.
give_up() { # give_up STEP
    local reason="$failure" result=refused status=1 words=() table
    current_step=$1
    tell failed "$to" "$reason"
    read -ra words <<<"$(routed)"
    table=${words[0]:-}
    decide_to_give_up "$reason"
    if [ -z "$from" ] && [ "$1" != start ] && [ "$1" != check ]; then
        keep_candidate "there is no other colour to go back to" "'blue-green switch $to' when that is put right"
        return 1
    fi
    if [ "$1" = watch ] && [ "$table" = "$to" ] && ! live_answers; then
        keep_candidate "$from is not ready either: the guests stay on $to"
        return 1
    fi
    if [ "$table" = "$to" ] && [ -n "$from" ]; then
        take_guests_back
    fi
    # Where a run before this one has renamed it already, the step says that guests had been there.
    case $1:$table in canary:* | watch:* | drain:* | *:"$to") [ "$inconclusive" = yes ] || result="rolled back" ;; esac
    if [ -n "$from" ] && ! live_answers && is_ready "$to"; then
        keep_candidate "$from has stopped answering, and nginx asks $to in its place"
        return 1
    fi
    [ "$inconclusive" = no ] || { result=inconclusive status=3; }
    stop_colour "$to"
    end_unsuccessfully "$1" "$result"
    return "$status"
}

take_guests_back() {
    local at unsure
    at=$(now)
    send_back "$from"
    if [ -z "$unsure" ]; then
        tell rollback "$from" "all guests are on $from again after $(since "$at") s"
    else
        tell rollback "$from" "the table names $from again, and it is not known whether nginx follows: $unsure"
    fi
    drain "$to"
}

keep_candidate() { # keep_candidate WHY [NEXT], after `reason`
    change_state '.deployment = null | .warm = null | .last = {id: $id, result: "failed", reason: $r, to: $to, version: $v, time: now | floor}' \
        --arg id "$deployment_id" --arg r "$reason" --arg to "$to" --arg v "$version"
    tell failed "$to" "$1: $to keeps running. Next: ${2:-"'blue-green deploy --version N' with a version that was good"}"
    tell_slack danger "NextLoop: $to fails and nothing else answers" Colour "$to keeps running: $1" Version "$version" Verdict failed Reason "$reason"
    say 'failed %s version %s\n' "$to" "$version"
}

end_unsuccessfully() { # end_unsuccessfully STEP RESULT, after `reason`
    local seconds level=danger
    [ "$2" != inconclusive ] || level=warning
    change_state '.deployment = null | .previous = "" | .warm = null
        | .last = {id: $id, result: $result, reason: $r, to: $to, version: $v, time: now | floor}' \
        --arg id "$deployment_id" --arg r "$reason" --arg to "$to" --arg v "$version" --arg result "$2"
    seconds=$(since "$began")
    current_step=done
    tell "$2" "$to" "${from:-no colour} serves; $to is stopped; its log: $(log_place "$to")"
    tell_slack $level "NextLoop: version ${version:-?} was $2" \
        Colour "${from:-none} serves, $to is stopped" Version "$version" Image "$image" Verdict "$2" Step "$1" \
        Reason "$reason" Duration "$seconds s" Deployment "$deployment_id"
    say '%s %s version %s\n' "$2" "$to" "$version"
}
