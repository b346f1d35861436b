# shellcheck shell=bash
# The commands. What they may not do to the live colour, they refuse.

command_deploy() {
    local live to from version=$asked_version image=$asked_image canary=${setting[CANARY]} began id
    if [ -n "$image" ] && [ "${setting[MODE]}" != compose ]; then
        fail 64 "--image is for BLUE_GREEN_MODE=compose; this is ${setting[MODE]}"
    fi
    if [ "$dry_run" = yes ]; then
        dry_run_deploy
        return
    fi
    lock_or_fail
    prepare_routing
    if [ -n "$(read_state .deployment.id)" ]; then
        read_deployment
        if asked_for_the_same; then
            resume
            return
        fi
        look_before
        clean_up "another version is asked for"
        version=$asked_version image=$asked_image canary=${setting[CANARY]}
    else
        look_before
    fi
    nginx_must_answer
    choose_colours
    fill_in_for_compose
    id=$(date -u +%Y%m%dT%H%M%SZ)-$$
    began=$(now) deployment_id=$id resumed=no
    change_state '.warm = null | .deployment = {id: $id, step: "start", to: $to, from: $from, version: $v, image: $i, canary: $c, began: $began,
        asked: {version: $av, image: $ai}}' --arg av "$asked_version" --arg ai "$asked_image" \
        --arg id "$id" --arg to "$to" --arg from "$from" --arg v "$version" --arg i "$image" --arg c "$canary" --arg began "$began"
    tell deploy "$to" "deployment $id: ${version:+version $version}${image:+ image $image} to $to; ${from:-no colour} is live${canary:+; canary steps $canary}" \
        version "$version" image "$image" from "$from"
    run_steps start
}

# Whether the unfinished deployment is the one that is asked for: what was asked then, not what it was resolved to.
asked_for_the_same() {
    [ -n "$asked_version$asked_image" ] || return 0
    [ "$(read_state '.deployment | (.asked // .) | "\(.version) \(.image)"')" = "$asked_version $asked_image" ]
}

# Goes on with the unfinished deployment, forth, or back where that was decided already.
resume() {
    local step
    step=$(read_state .deployment.step)
    tell resume "$to" "a run ended in step '${step:-start}' of deployment $deployment_id: going on there"
    resumed=yes
    nginx_must_answer
    if [ "$step" = give-up ]; then
        failure=$(read_state .deployment.reason) inconclusive=$(read_state .deployment.inconclusive)
        give_up "$(read_state .deployment.failed)"
    else
        run_steps "${step:-start}"
    fi
}

# Sets what was not asked for. Another image changes the program and not the version that guests see; another version
# changes the model and not the program.
fill_in_for_compose() {
    [ "${setting[MODE]}" = compose ] || return 0
    [ -n "$image" ] || image=$(read_state ".colours.${live:-none}.image")
    [ -n "$version" ] || [ -z "$live" ] || version=$(version_served "$live")
    [ -n "$version" ] || alias_version || tell version "" "not pinned to a version: $failure"
}

# Prints what the registry has of the model, or why it does not say.
registry_listing() {
    "${setting[BINARY]}" registry show --registry "${setting[REGISTRY]}" --model "${setting[MODEL]}" --json 2>&1 9>&-
}

# What a mistyped name would make impossible is found before anything is stopped for it: the idle colour is what a rollback
# goes to.
look_before() {
    local file
    for file in "${setting[GOLDEN]:-$here/golden.jsonl}" ${setting[USERS_FILE]:+"${setting[USERS_FILE]}"}; do
        [ -r "$file" ] && [ ! -d "$file" ] || fail 66 "cannot read $file, which BLUE_GREEN_GOLDEN or BLUE_GREEN_USERS_FILE names"
    done
    if [ -n "$asked_version$asked_image" ]; then asked_version_exists; else alias_version; fi || fail 65 "$failure"
}

asked_version_exists() {
    local listing
    [ -n "$asked_version" ] || return 0
    if ! listing=$(registry_listing); then
        # Plain processes use this program and this registry. Units and containers have theirs, perhaps where nobody else looks.
        failure="it is not known whether there is a version $asked_version: ${listing:0:300}"
        [ "${setting[MODE]}" != process ] || return 1
        tell registry "" "$failure"
        return 0
    fi
    failure="no version $asked_version of ${setting[MODEL]} in ${setting[REGISTRY]}; there are: $(jq -r '.model.versions | join(", ")' <<<"$listing")"
    jq -e --arg version "$asked_version" '.model.versions | any(tostring == $version)' <<<"$listing" >/dev/null
}

alias_version() { # Sets version to what the alias names now.
    local listing
    if ! listing=$(registry_listing); then
        failure="no --version, and the registry does not say what '${setting[ALIAS]}' is: ${listing:0:300}"
        return 1
    fi
    version=$(jq -r --arg alias "${setting[ALIAS]}" '.model.aliases[$alias] // ""' <<<"$listing")
    failure="no --version, and model ${setting[MODEL]} has no alias '${setting[ALIAS]}' in ${setting[REGISTRY]}"
    [ -n "$version" ]
}

# Sets to and from. The colour that is meant to be live may be dead while the other one answers in its place (nginx's
# backup): then the one that answers is made the live one first, and the dead one gets the deployment. So is the colour that
# has the guests without a table.
choose_colours() {
    local colour
    live=$(live_colour)
    for colour in blue green; do
        if [ "$colour" != "$live" ] && last_that_answers "$colour"; then
            tell heal "$colour" "${live:-no colour} is live but not ready, $colour answers in its place: making it official"
            route "$colour" 100 || fail 1 "$failure"
            live=$colour
            break
        fi
    done
    if [ -n "$live" ] && [ -z "$(routed)" ]; then
        tell heal "$live" "there is no routing table, and guests are on $live: making it official"
        route "$live" 100 || fail 1 "$failure"
    fi
    to=$(other_than "${live:-green}") from=$live
    # One that is alive and does not answer just now is still what a failed deployment goes back to.
    if [ -n "$live" ] && [ -z "$(generation "$live")" ] && ! answers "$live"; then from=""; fi
}

# Ends a deployment that a killed run left behind: guests on the former colour, candidate stopped.
clean_up() { # clean_up WHY
    read_deployment
    current_step=clean-up
    tell clean-up "$to" "deployment $deployment_id was left unfinished in step '$(read_state .deployment.step)': $1"
    local words=() unsure
    read -ra words <<<"$(routed)"
    if [ "${words[0]:-}" = "$to" ] && [ -n "$from" ]; then
        if answers "$from"; then
            decide_to_give_up "$1"
            send_back "$from"
            [ -z "$unsure" ] || tell clean-up "$from" "$unsure"
        else
            tell clean-up "$to" "$from is not ready: the guests stay on $to"
            change_state '.deployment = null'
            current_step=""
            return 0
        fi
    fi
    if last_that_answers "$to"; then
        tell clean-up "$to" "$to is the only colour that answers: it is kept"
    elif ! has_guests "$to"; then
        drain "$to"
        stop_colour "$to"
    fi
    change_state '.deployment = null | .last = {id: $id, result: "abandoned", reason: $r, to: $to, time: now | floor}' \
        --arg id "$deployment_id" --arg r "$1" --arg to "$to"
    current_step="" deployment_id=""
}

command_rollback() {
    local target reason to from version image canary began
    reason="asked for by $(id -un 2>/dev/null || echo "user $UID")"
    if [ "$dry_run" = yes ]; then
        target=$(read_state 'if .deployment then .deployment.from else .previous end')
        printf 'would route all guests to %s (now: %s)\n' "${target:-nobody: nothing is recorded to go back to}" "$(routed)"
        return
    fi
    lock_by_force
    current_step=rollback
    if [ -n "$(read_state .deployment.id)" ]; then
        read_deployment
        target=$from
        [ -n "$target" ] || { clean_up "a rollback was asked for"; return; }
    else
        target=$(read_state .previous)
        [ -n "$target" ] || { nothing_to_go_back_to; return; }
    fi
    go_back_to "$target" "$reason"
}

# The second of two operators, or of two tries, finds that it is done. It must not send the guests forth again.
nothing_to_go_back_to() {
    local live
    live=$(live_colour)
    if [ "$(read_state .last.result)" = "rolled back" ] && [ -n "$live" ] && is_ready "$live"; then
        say 'rolled back already (%s, %s): all guests are on %s version %s; %s\n' "$(read_state '.last.time | todate')" \
            "$(read_state .last.reason)" "$live" "$(version_served "$live")" "$(way_forth)"
        return
    fi
    fail 65 "there is nothing to roll back to: no former colour is recorded; $(routed_in_words). Next: $(way_forth)"
}

# What sends the guests elsewhere when no record says where, for people.
way_forth() {
    local live other
    live=$(live_colour)
    other=$(other_than "${live:-green}")
    if is_ready "$other"; then
        printf "%s is ready with version %s, and 'blue-green switch %s' sends the guests there" "$other" "$(version_served "$other")" "$other"
    else
        printf "'blue-green deploy --version N' starts another version; '%s registry list --registry %s' shows which there are" \
            "${setting[BINARY]}" "${setting[REGISTRY]:-DIR}"
    fi
}

go_back_to() { # go_back_to COLOUR REASON
    local target=$1 reason=$2 began seconds unsure=""
    began=$(now)
    bring_back "$target" || fail 1 "$failure; $(routed_in_words), as before. Next: $(way_forth)"
    [ -z "$(read_state .deployment.id)" ] || decide_to_give_up "$reason"
    send_back "$target"
    seconds=$(since "$began")
    tell rolled-back "$target" "$([ -z "$unsure" ] && echo live || echo "in the table") after $seconds s; $reason" seconds "$seconds"
    # The guests are safe; what is left may take its time.
    if [ -n "$(read_state .deployment.id)" ]; then clean_up "a rollback was asked for"; fi
    change_state '.previous = "" | .warm = null | .last = {id: "", result: "rolled back", to: $t, reason: $r, time: now | floor}' \
        --arg t "$target" --arg r "$reason"
    [ -z "$unsure" ] || fail 1 "the table sends all guests to $target, but $unsure"
    tell_slack warning "NextLoop: rolled back to $target" Colour "$target" Version "$(version_served "$target")" \
        Verdict "rolled back by hand" Reason "$reason" Duration "$seconds s"
    say 'rolled back to %s version %s\n' "$target" "$(version_served "$target")"
}

# A colour that was stopped is started again with what it last served.
bring_back() { # bring_back COLOUR
    failure=""
    if [ -n "$(generation "$1")" ] && answers "$1"; then return 0; fi
    local old_version old_image
    old_version=$(read_state ".colours.$1.version")
    old_image=$(read_state ".colours.$1.image")
    if [ -z "$old_version$old_image" ]; then
        failure="$1 is not ready and what it served is not recorded"
        return 1
    fi
    tell start "$1" "no longer running: starting ${old_version:+version $old_version}${old_image:+ image $old_image} again"
    stop_colour "$1"
    start_colour "$1" "$old_version" "$old_image" && await_ready "$1" && return 0
    failure="$1 does not come back with ${old_version:+version $old_version}${old_image:+ image $old_image}: $failure"
    return 1
}

command_switch() {
    local target=${1:-} live began
    # Where things stand is asked once nobody else can change it.
    [ "$dry_run" = yes ] || lock_or_fail
    live=$(live_colour)
    [ -n "$target" ] || target=$(other_than "${live:-green}")
    if [ "$dry_run" = yes ]; then
        say 'would route all guests to %s (now: %s), ready: %s\n' "$target" "$(routed)" "$(is_ready "$target" && echo yes || echo no)"
        return
    fi
    prepare_routing
    current_step=switch
    [ -z "$(read_state .deployment.id)" ] || fail 75 "a deployment is unfinished: 'blue-green deploy' goes on with it, 'blue-green rollback' takes it back"
    [ "$(routed)" != "$target 100" ] || { say '%s is live already\n' "$target"; return; }
    is_ready "$target" || fail 65 "$target is not ready: nobody is sent there. Next: 'blue-green deploy --version N' starts, checks and switches"
    began=$(now)
    route "$target" 100 careful || fail 1 "the switch did not take effect: $failure"
    change_state '.previous = $live | .warm = null | .last = {id: "", result: "switched by hand", to: $to, time: now | floor}' \
        --arg live "$live" --arg to "$target"
    tell switched "$target" "live after $(since "$began") s, by hand"
    tell_slack warning "NextLoop: switched to $target by hand" Colour "$target (was: ${live:-none})" Version "$(version_served "$target")" Duration "$(since "$began") s"
    say 'switched to %s version %s\n' "$target" "$(version_served "$target")"
}

not_the_live_colour() { # not_the_live_colour COLOUR VERB
    if [ "$force" = no ] && has_guests "$1"; then fail 65 "guests are on $1: not $2 it without --force"; fi
}

command_drain() {
    local colour=$1
    [ "$dry_run" = yes ] || lock_or_fail
    not_the_live_colour "$colour" draining
    if [ "$dry_run" = yes ]; then printf 'would wait until %s has answered its last request\n' "$colour"; return; fi
    current_step=drain
    drain "$colour"
}

command_stop() {
    local colour=$1
    [ "$dry_run" = yes ] || lock_or_fail
    not_the_live_colour "$colour" stopping
    if [ "$force" = no ] && last_that_answers "$colour"; then
        fail 65 "$(other_than "$colour") does not answer, and nginx asks $colour in its place: not stopping it without --force. Next: 'blue-green switch $colour' makes it official"
    fi
    if [ "$dry_run" = yes ]; then printf 'would drain and stop %s\n' "$colour"; return; fi
    current_step=stop
    if [ "$force" = no ] && [ "$(read_state .deployment.to)" = "$colour" ]; then
        fail 75 "$colour is the candidate of an unfinished deployment: 'blue-green deploy' or 'blue-green rollback' first"
    fi
    if [ "$force" = no ]; then drain "$colour"; fi
    stop_colour "$colour"
    change_state 'if .warm.colour == $c then .warm = null else . end' --arg c "$colour"
    tell stopped "$colour" "stopped"
    say 'stopped %s\n' "$colour"
}

# One object with everything that status prints; also for scripts.
status_object() {
    local colour colours=() answer
    for colour in blue green; do
        local state=stopped ready=no served=""
        if [ -n "$(generation "$colour")" ]; then state=running; fi
        if is_ready "$colour"; then ready=yes served=$(version_served "$colour"); fi
        colours+=("$(jq -cn --arg c "$colour" --arg a "$(address_of "$colour")" --arg s $state --arg r $ready --arg v "$served" \
            --arg i "$(read_state ".colours.$colour.image")" --arg g "$(generation "$colour")" \
            '{colour: $c, address: $a, state: $s, ready: ($r == "yes"), version: $v, image: $i, generation: $g}')")
    done
    answer=$(curl -s -m 2 "${setting[NGINX_STATUS_URL]}/routing?user_id=a" 2>/dev/null) || answer=null
    { if [ -e "$(state_file)" ]; then cat "$(state_file)"; else echo '{}'; fi; } | jq --argjson alerts "$(firing_alerts)" --argjson colours "[$(IFS=,; printf '%s' "${colours[*]}")]" \
        --arg live "$(live_colour)" --arg routed "$(routed)" --argjson nginx "$(jq -c . <<<"$answer" 2>/dev/null || echo null)" \
        '{live: $live, routed: $routed, nginx: $nginx, colours: $colours, deployment: .deployment, previous: .previous, warm: .warm, last: .last, alerts: $alerts}'
}

# What Prometheus finds wrong, as a list; null without a Prometheus, or when it does not answer.
firing_alerts() {
    local answer=""
    [ -z "${setting[PROMETHEUS_URL]}" ] || answer=$(curl -sS -f -m 3 "${setting[PROMETHEUS_URL]}/api/v1/alerts" 2>/dev/null) || answer=""
    jq -c '[.data.alerts[] | select(.state == "firing") | {severity: .labels.severity, name: .labels.alertname,
        summary: .annotations.summary, runbook: .annotations.runbook_url}] | unique' <<<"${answer:-null}" 2>/dev/null || echo null
}

command_status() {
    local object
    object=$(status_object)
    if [ "$json" = yes ]; then
        printf '%s\n' "$object"
        return
    fi
    jq -r --arg prometheus "${setting[PROMETHEUS_URL]}" '
        "live      \(if .live == "" then "none" else .live end)\(if (.routed | endswith(" 100")) or .routed == "" then "" else "   canary: \(.routed | sub(" "; " gets "))%" end)",
        (.colours[] | "\(.colour + "      " | .[:10])\(.address)  \(.state)\(if .ready then ", ready, version \(.version)" else ", not ready" end)\(if .image != "" then ", image \(.image)" else "" end)"),
        "nginx     \(if .nginx == null then "does not answer" elif .nginx.table == "missing" then "finds no table: uses the colour of its start, \(.nginx.colour)" else "follows the table" end)",
        (if (.deployment // null) then "unfinished deployment \(.deployment.id): step \(.deployment.step), \(.deployment.to) version \(.deployment.version): run deploy to go on, rollback to take it back" else empty end),
        (if (.warm // null) then "warm      \(.warm.colour) until \(if .warm.until == "forever" then "forever" else (.warm.until | tonumber | todate) end)\(if .warm.until != "forever" and (.warm.until | tonumber) < now then " (overdue: stop \(.warm.colour) ends it)" else "" end)" else empty end),
        "rollback  \(if (.previous // "") == "" then "nothing to go back to" else "to \(.previous)" end)",
        (if .alerts then (.alerts[] | "alert     \(.severity): \(.summary): \(.runbook)") elif $prometheus != "" then "alerts    Prometheus does not answer at \($prometheus)" else empty end),
        (if (.last // null) then "last      \(.last.result): \(.last.to)\(if .last.version then " version \(.last.version)" else "" end), \(.last.time | todate)\(if .last.reason then ": \(.last.reason)" else "" end)" else empty end)
        ' <<<"$object"
}

dry_run_deploy() {
    local live to from step
    step=$(read_state .deployment.step)
    [ -z "$step" ] || printf 'an unfinished deployment is in step %s: this run would go on with it, or clean it up for another version\n' "$step"
    live=$(live_colour)
    look_before
    fill_in_for_compose
    to=$(other_than "${live:-green}")
    from=$live
    printf '%s\n' "live now: ${live:-none}${live:+, version $(version_served "$live")}" \
        "1 start    ${version:+version $version }${image:+image $image }on $to at $(address_of "$to") (${setting[MODE]}); wait ${setting[READY_SECONDS]} s for /readyz" \
        "2 check    version, golden requests of ${setting[GOLDEN]:-$here/golden.jsonl}, overlap@${setting[OVERLAP_K]} of ${setting[OVERLAP_MIN]} with ${from:-nobody}, ${setting[LOAD_REQUESTS]} requests" \
        "3 canary   ${canary:-no steps}${canary:+ %, ${setting[CANARY_SECONDS]} s each, judged by ${setting[PROMETHEUS_URL]:-the colours own metrics}}" \
        "4 switch   ${setting[NGINX_TEST]:-no nginx test}, then rename ${setting[ROUTING]}/table" \
        "5 watch    ${setting[WATCH_SECONDS]} s, back to ${from:-nobody} on errors, latency or a crash" \
        "6 drain    ${from:-nobody}, keep it warm for ${setting[KEEP_WARM]} s, stop it" \
        "7 tell     ${setting[SLACK_WEBHOOK_FILE]:-nobody (BLUE_GREEN_SLACK_WEBHOOK_FILE is not set)}"
    if [ "${setting[MODE]}" != compose ] && is_listening "$to" && [ -z "$(generation "$to")" ]; then
        fail 1 "$(taken_by "$to")"
    fi
    nginx_test || fail 1 "$failure"
}
