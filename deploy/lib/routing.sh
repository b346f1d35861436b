# shellcheck shell=bash
# Which guest goes to which colour: what nginx looks up at every request (nginx/templates/10-nextloop-routing.conf.template).
#
#   ROUTING/live-colour.inc       included: the colour that nginx starts with
#   ROUTING/table -> tables/green-25
#   ROUTING/tables/green-25/green/00 ... 24, blue/25 ... 99
#
# A switch is one rename of `table`. No reload, no signal: a running nginx has changed its mind at its next request.

# Prints "COLOUR PERCENT" of the table: 25 % of the guests go to COLOUR, the rest to the other. Nothing without a table.
routed() {
    local name
    name=$(readlink "${setting[ROUTING]}/table" 2>/dev/null) || return 0
    [[ $name =~ ^tables/(blue|green)-([1-9][0-9]?|100)$ ]] || fail 65 "routing: ${setting[ROUTING]}/table points to '$name'; wanted tables/blue-100 or the like"
    printf '%s %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
}

# The colour that most guests get and that a failed canary falls back to.
live_colour() {
    local colour percent
    read -r colour percent <<<"$(routed)" || true
    if [ -z "${colour:-}" ]; then
        colour=$(colour_of_nginx)
        if [ -n "$colour" ] && answers "$colour"; then printf '%s' "$colour"; fi
    elif [ "$percent" = 100 ]; then
        printf '%s' "$colour"
    else
        other_than "$colour"
    fi
}

# Where guests go without a table (it was lost, or units were started before the first deploy): what the running nginx says,
# else what it would start with.
colour_of_nginx() {
    local said=""
    [ -z "${setting[NGINX_STATUS_URL]}" ] ||
        said=$(curl -sS -f -m 2 "${setting[NGINX_STATUS_URL]}/routing?user_id=a" 2>/dev/null 8>&- 9>&- | jq -r '.colour // ""' 2>/dev/null 8>&- 9>&-) || said=""
    [ -n "$said" ] || said=$(colour_at_start)
    case $said in blue | green) printf '%s' "$said" ;; esac
}

colour_at_start() { sed -n 's/^set $nextloop_colour \(.*\);$/\1/p' "${setting[ROUTING]}/live-colour.inc" 2>/dev/null || true; }

# For people: where the guests are, by the table.
routed_in_words() {
    local colour percent
    read -r colour percent <<<"$(routed)" || true
    case ${percent:-} in
    "") printf 'there is no routing table: nginx uses the colour of its start' ;;
    100) printf 'all guests are on %s' "$colour" ;;
    *) printf '%s %% of the guests are on %s, the others on %s' "$percent" "$colour" "$(other_than "$colour")" ;;
    esac
}

make_table() { # make_table COLOUR PERCENT: complete or not there. What fails, a full disk say, is said in `failure`.
    local colour=$1 percent=$2 target=${setting[ROUTING]}/tables/$1-$2 making
    [ ! -d "$target" ] || return 0
    making=${setting[ROUTING]}/tables/.making
    # Step by step, for callers run this where `set -e` does not hold. nginx's workers are another user.
    rm -rf "$making" && mkdir -p "$making/blue" "$making/green" && fill_table "$making" "$colour" "$percent" &&
        chmod -R a+rX "$making" && mv -T "$making" "$target" && return 0
    rm -rf "$making"
    failure="routing: cannot write $target (disk full, or read-only? df ${setting[ROUTING]})"
    return 1
}

fill_table() { # fill_table DIRECTORY COLOUR PERCENT
    local bucket other
    other=$(other_than "$2")
    for bucket in {0..99}; do
        if [ "$bucket" -lt "$3" ]; then
            printf -v bucket '%s/%02d' "$2" "$bucket"
        else
            printf -v bucket '%s/%02d' "$other" "$bucket"
        fi
        : >"$1/$bucket" || return 1
    done
}

write_live_colour() { # write_live_colour COLOUR: as a whole or not at all; nginx would not start with half of it
    local file=${setting[ROUTING]}/live-colour.inc
    { printf '# Written by deploy/blue-green: the colour that nginx starts with.\nset $nextloop_colour %s;\n' "$1" >"$file.new" &&
        chmod a+r "$file.new" && mv "$file.new" "$file"; } 2>/dev/null && return 0
    rm -f "$file.new"
    failure="routing: cannot write $file (disk full, or read-only? df $file)"
    return 1
}

# Both tables of a whole switch are made here, so that a rollback needs no more room than for a symbolic link.
prepare_routing() {
    local failure=""
    mkdir -p "${setting[ROUTING]}/tables" || fail 74 "routing: cannot make ${setting[ROUTING]}"
    chmod a+rx "${setting[ROUTING]}" "${setting[ROUTING]}/tables" 2>/dev/null || true
    make_table blue 100 && make_table green 100 || fail 74 "$failure"
    [ -e "${setting[ROUTING]}/live-colour.inc" ] || write_live_colour blue || fail 74 "$failure"
}

# Whether the configuration that nginx would start with is sound. Nothing is reloaded; a next start must not fail.
nginx_test() {
    [ -n "${setting[NGINX_TEST]}" ] || return 0
    if ! apart timeout -k 1 10 "${nginx_test_command[@]}"; then
        failure="nginx would not start again with its files, so nothing was switched: '${setting[NGINX_TEST]}' says: $(tail -n 3 "$work/said" | tr '\n' ' ')"
        return 1
    fi
}

# Before a deploy: without nginx no guest gets anything, and no switch could be confirmed.
nginx_must_answer() {
    local output
    [ -n "${setting[NGINX_STATUS_URL]}" ] || return 0
    output=$(routing_of_nginx '?user_id=a') ||
        fail 65 "nginx does not answer at ${setting[NGINX_STATUS_URL]}/routing (${output:0:200}). Start it first (${setting[NGINX_TEST]:-nginx -t} says what is wrong with its files); guests get nothing without it. BLUE_GREEN_NGINX_STATUS_URL= deploys without asking it"
}

# Asks the running nginx, again for a second or two when it is just being started.
routing_of_nginx() { # routing_of_nginx QUERY...
    local tries answer query urls=()
    for query; do urls+=("${setting[NGINX_STATUS_URL]}/routing$query"); done
    for tries in 1 2 3 4; do
        if answer=$(curl -sS -f -m 2 "${urls[@]}" 2>&1 9>&-); then break; fi
        [ "$tries" -lt 4 ] || break
        pause 0.4
    done
    printf '%s' "$answer"
    jq -e . >/dev/null 2>&1 <<<"$answer"
}

# route COLOUR PERCENT [careful]: careful = nginx -t first, and back if the running nginx does not follow. Otherwise the
# table is renamed whatever else fails: it is a rollback. `failure` says what did.
route() {
    local colour=$1 percent=$2 careful=${3:-} before started="" link=${setting[ROUTING]}/table
    failure=""
    make_table "$colour" "$percent" || return 1
    before=$(readlink "$link" 2>/dev/null || true)
    if [ "$percent" = 100 ]; then
        started=$(colour_at_start)
        if ! write_live_colour "$colour"; then
            [ -z "$careful" ] || return 1
            tell routed "$colour" "$failure: it still names '${started:-nothing}', which matters to an nginx that finds no table"
        fi
        if [ -n "$careful" ] && ! nginx_test; then
            write_live_colour "${started:-blue}" || true
            return 1
        fi
    fi
    if ! replace_link "tables/$colour-$percent" "$link"; then
        failure="routing: cannot rename $link (disk full, or read-only? df $link): $(routed_in_words)"
        return 1
    fi
    tell routed "$colour" "$percent % of the guests go to $colour" percent "$percent"
    confirm_route "$colour" "$percent" && return 0
    if [ -n "$careful" ] && [ -n "$before" ]; then
        replace_link "$before" "$link" || true
        [ "$percent" != 100 ] || write_live_colour "${started:-blue}" || true
        tell routed "" "the table is as it was: ${before#tables/}"
    fi
    return 1
}

replace_link() { # replace_link TARGET LINK: by rename
    rm -f "$2.new" && ln -s "$1" "$2.new" && mv -T "$2.new" "$2"
}

# Asks the running nginx what it does with a few guests: a directory that its workers cannot enter, or another
# directory than theirs, shows here and nowhere else.
confirm_route() { # confirm_route COLOUR PERCENT
    local colour=$1 percent=$2 answers got bucket wanted
    [ -n "${setting[NGINX_STATUS_URL]}" ] || return 0
    if ! answers=$(routing_of_nginx '?user_id=a' '?user_id=b' '?user_id=c' '?user_id=d'); then
        failure="nginx does not answer at ${setting[NGINX_STATUS_URL]}/routing (${answers:0:200}): is it running? Guests get nothing without it"
        return 1
    fi
    while read -r got bucket; do
        [[ ${bucket:-} =~ ^[0-9]{2}$ ]] || { failure="nginx answered '${answers:0:200}' at ${setting[NGINX_STATUS_URL]}/routing"; return 1; }
        wanted=$colour
        [ "$((10#$bucket))" -lt "$percent" ] || wanted=$(other_than "$colour")
        if [ "$got" != "$wanted" ]; then
            failure="nginx sends bucket $bucket to $got, the table to $wanted: can its workers read ${setting[ROUTING]}, and is it the directory of its configuration?"
            return 1
        fi
    done <<<"$(jq -r '"\(.colour) \(.bucket)"' <<<"$answers" 2>/dev/null)"
}
