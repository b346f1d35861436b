# shellcheck shell=bash
# What is asked before anything is stopped or claimed: who answers, and where the guests are.

# Over several seconds, because one lost probe is no death. A colour that hangs is waited for up to 3 s each time. A process
# that is gone is not waited for: nothing starts it again.
answers() { # answers COLOUR
    local tries
    for tries in 1 2 3 4; do
        if is_ready "$1"; then return 0; fi
        [ "$tries" != 4 ] || return 1
        [ "${setting[MODE]}" != process ] || [ -n "$(generation "$1")" ] || return 1
        pause 0.5
    done
}

# Whether every guest depends on this colour, whatever the table says: nginx asks it in place of the other one.
last_that_answers() { # last_that_answers COLOUR
    [ -n "$(generation "$1")" ] || return 1
    answers "$1" || return 1
    ! answers "$(other_than "$1")"
}

# Whether the table, or without one nginx, sends guests to this colour.
has_guests() { # has_guests COLOUR
    local words=()
    read -ra words <<<"$(routed)"
    if [ ${#words[@]} = 0 ]; then
        [ "$(live_colour)" = "$1" ]
    else
        [ "${words[0]}" = "$1" ] || [ "${words[1]}" != 100 ]
    fi
}

# A deployment after its switch: is the table still as the switch has left it? A run that was killed after it had taken the
# guests back, or a rollback that was, leaves a deployment that must not be called done.
still_switched() {
    [ "$(routed)" != "$to 100" ] || return 0
    failure="the guests were taken from $to after the switch: $(routed_in_words)"
    return 1
}

# Before the table is renamed back: whoever goes on from here must not take this deployment for one that went well. On a full
# disk it goes unrecorded, and the guests go back all the same.
decide_to_give_up() { # decide_to_give_up REASON
    (change_state '.deployment |= (.failed //= .step | .step = "give-up" | .reason = $r | .inconclusive = $i)' --arg r "$1" --arg i "$inconclusive") || true
}

# Stops a former colour, unless it is all that guests have; true when it is stopped.
retire_colour() { # retire_colour COLOUR
    local other
    other=$(other_than "$1")
    if has_guests "$1"; then
        tell kept "$1" "kept: $(routed_in_words)"
        return 1
    fi
    if last_that_answers "$1"; then
        tell kept "$1" "$other does not answer, and nginx asks $1 in its place: it is kept. Next: 'blue-green rollback', or 'blue-green deploy'"
        tell_slack danger "NextLoop: $other does not answer" Colour "$1 answers in its place and is kept" Version "$(version_served "$1")" \
            Verdict "the end of its warm time is put off" Next "blue-green rollback, or a deploy"
        return 1
    fi
    stop_colour "$1"
}

# All guests to a colour that they came from: the table is renamed whatever nginx says about it, which is then in `unsure`.
# Where it cannot be renamed nothing may be stopped: this run ends, and what was unfinished stays so.
send_back() { # send_back COLOUR
    unsure=""
    route "$1" 100 && return 0
    unsure=$failure
    [ "$(routed)" = "$1 100" ] || fail 74 "$unsure. Nothing was stopped. Next: make room, then the same command again"
}
