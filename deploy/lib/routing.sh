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
    [[ $name =~ ^tables/(blue|green)-([0-9]{1,3})$ ]] || fail 65 "routing: ${setting[ROUTING]}/table points to '$name'; wanted tables/blue-100 or the like"
    printf '%s %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
}

# The colour that most guests get and that a failed canary falls back to.
live_colour() {
    local colour percent
    read -r colour percent <<<"$(routed)" || true
    [ -n "${colour:-}" ] || return 0
    if [ "$percent" = 100 ]; then printf '%s' "$colour"; else other_than "$colour"; fi
}

make_table() { # make_table COLOUR PERCENT: complete or not there
    local colour=$1 percent=$2 target=${setting[ROUTING]}/tables/$1-$2 making bucket
    [ ! -d "$target" ] || return 0
    making=${setting[ROUTING]}/tables/.making
    rm -rf "$making"
    mkdir -p "$making/blue" "$making/green"
    for bucket in {0..99}; do
        if [ "$bucket" -lt "$percent" ]; then
            printf -v bucket '%s/%02d' "$colour" "$bucket"
        else
            printf -v bucket '%s/%02d' "$(other_than "$colour")" "$bucket"
        fi
        : >"$making/$bucket"
    done
    # nginx's workers are another user.
    chmod -R a+rX "$making"
    mv -T "$making" "$target"
}

write_live_colour() { # write_live_colour COLOUR
    local file=${setting[ROUTING]}/live-colour.inc
    printf '# Written by deploy/blue-green: the colour that nginx starts with.\nset $nextloop_colour %s;\n' "$1" >"$file.new"
    chmod a+r "$file.new"
    mv "$file.new" "$file"
}

prepare_routing() {
    mkdir -p "${setting[ROUTING]}/tables" || fail 74 "routing: cannot make ${setting[ROUTING]}"
    chmod a+rx "${setting[ROUTING]}" "${setting[ROUTING]}/tables" 2>/dev/null || true
    [ -e "${setting[ROUTING]}/live-colour.inc" ] || write_live_colour blue
}

# Whether the configuration that nginx would start with is sound. Nothing is reloaded; a next start must not fail.
nginx_test() {
    [ -n "${setting[NGINX_TEST]}" ] || return 0
    local output
    # shellcheck disable=SC2086 # A command line.
    if ! output=$(timeout -k 1 10 ${setting[NGINX_TEST]} 2>&1 9>&-); then
        tell nginx-test "" "'${setting[NGINX_TEST]}' failed: $(tail -n 3 <<<"$output" | tr '\n' ' ')"
        return 1
    fi
}

# route COLOUR PERCENT [careful]: careful = nginx -t first, and back if the running nginx does not follow.
route() {
    local colour=$1 percent=$2 careful=${3:-} before link=${setting[ROUTING]}/table
    make_table "$colour" "$percent"
    before=$(readlink "$link" 2>/dev/null || true)
    if [ "$percent" = 100 ]; then
        local started=""
        started=$(sed -n 's/^set $nextloop_colour \(.*\);$/\1/p' "${setting[ROUTING]}/live-colour.inc" 2>/dev/null || true)
        write_live_colour "$colour"
        if [ -n "$careful" ] && ! nginx_test; then
            write_live_colour "${started:-blue}"
            return 1
        fi
    fi
    replace_link "tables/$colour-$percent" "$link"
    tell routed "$colour" "$percent % of the guests go to $colour" percent "$percent"
    confirm_route "$colour" "$percent" && return 0
    if [ -n "$careful" ] && [ -n "$before" ]; then
        replace_link "$before" "$link"
        [ "$percent" != 100 ] || write_live_colour "${started:-blue}"
        tell routed "" "the table is as it was: ${before#tables/}"
    fi
    return 1
}

replace_link() { # replace_link TARGET LINK: by rename
    rm -f "$2.new"
    ln -s "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# Asks the running nginx what it does with a few guests: a directory that its workers cannot enter, or another
# directory than theirs, shows here and nowhere else.
confirm_route() { # confirm_route COLOUR PERCENT
    local colour=$1 percent=$2 answers got bucket wanted url=${setting[NGINX_STATUS_URL]}/routing
    [ -n "${setting[NGINX_STATUS_URL]}" ] || return 0
    if ! answers=$(curl -sS -f -m 2 "$url?user_id=a" "$url?user_id=b" "$url?user_id=c" "$url?user_id=d" 2>&1 9>&-); then
        tell confirm "$colour" "nginx does not answer at $url (${answers:0:200}): whether it follows is not known"
        return 1
    fi
    while read -r got bucket; do
        [[ ${bucket:-} =~ ^[0-9]{2}$ ]] || { tell confirm "$colour" "nginx answered '${answers:0:200}' at $url"; return 1; }
        wanted=$colour
        [ "$((10#$bucket))" -lt "$percent" ] || wanted=$(other_than "$colour")
        if [ "$got" != "$wanted" ]; then
            tell confirm "$colour" "nginx sends bucket $bucket to $got, the table to $wanted: can its workers read ${setting[ROUTING]}, and is it the directory of its configuration?"
            return 1
        fi
    done <<<"$(jq -r '"\(.colour) \(.bucket)"' <<<"$answers" 2>/dev/null)"
}
