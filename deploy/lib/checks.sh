# shellcheck shell=bash
# Whether a candidate may have guests: asked directly, before nginx sends it any. Each check sets `failure` when it says no.

# The version that was asked for is the one that answers, in the header that every client sees and in the manifest.
check_version() { # check_version COLOUR VERSION|""
    local colour=$1 wanted=$2 header manifest
    header=$(answer_of "$colour" '/recommend?user_id=blue-green-check&k=1' -D - -o /dev/null |
        tr -d '\r' | awk -F': *' 'tolower($1) == "x-model-version" { print $2 }') || header=""
    manifest=$(answer_of "$colour" /model/info | jq -r '.version // ""') || manifest=""
    if [ -z "$header" ] || [ "$header" != "$manifest" ] || { [ -n "$wanted" ] && [ "$header" != "$wanted" ]; }; then
        failure="version: wanted ${wanted:-any}, X-Model-Version says '${header:-nothing}', /model/info '${manifest:-nothing}'"
        return 1
    fi
    tell version "$colour" "answers with version $header${wanted:+, as asked}" version "$header"
}

# Requests with known answers: lines of {"name", "method", "path", "body", "status", "jq"}, see deploy/golden.jsonl.
check_golden() { # check_golden COLOUR
    local colour=$1 file=${setting[GOLDEN]} line name method path body status filter answer got count=0 wrong=()
    [ -n "$file" ] || file=$here/golden.jsonl
    if [ ! -r "$file" ]; then
        failure="golden requests: cannot read $file"
        return 1
    fi
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in '' | '#'*) continue ;; esac
        count=$((count + 1))
        { read -r name; read -r method; read -r path; read -r body; read -r status; read -r filter; } < <(
            jq -r '.name, .method // "GET", .path, (.body // "" | tojson), .status // 200, .jq // "true"' <<<"$line" 2>/dev/null
        ) || { failure="golden requests: line $count of $file is not an object with name and path"; return 1; }
        local options=(-X "$method" -w '\n%{http_code}')
        [ "$method" != HEAD ] || options=(-I -w '\n%{http_code}')
        [ "$body" = '""' ] || options+=(-H 'Content-Type: application/json' --data-binary "$body")
        answer=$(answer_of "$colour" "$path" "${options[@]}" 2>&1) || true
        got=${answer##*$'\n'}
        answer=${answer%$'\n'*}
        if [ "$got" != "$status" ]; then
            wrong+=("$name: status $got, wanted $status")
        elif [ "$method" != HEAD ] && ! jq -e "$filter" <<<"$answer" >/dev/null 2>&1; then
            wrong+=("$name: the answer is not such that $filter")
        fi
    done <"$file"
    if [ ${#wrong[@]} -gt 0 ] || [ "$count" = 0 ]; then
        failure="golden requests: ${#wrong[@]} of $count wrong: $(IFS=';'; printf '%s' "${wrong[*]:0:3}")"
        return 1
    fi
    tell golden "$colour" "golden requests: $count of $count as expected"
}

# ---- the guests that are asked for

# Up to N guests' ids, one a line, escaped for a URL: from USERS_FILE, else drawn from the model file of a version.
sample_guests() { # sample_guests N VERSION
    if [ -n "${setting[USERS_FILE]}" ]; then
        # As an editor or a spreadsheet leaves it: a mark before the first id, CR LF, empty lines.
        sed $'1s/^\xef\xbb\xbf//; s/\r$//; /^$/d' "${setting[USERS_FILE]}" | shuf -n "$1" | jq -rR @uri
    else
        guests_of_model "$1" "${setting[REGISTRY]}/${setting[MODEL]}/$2/model.safetensors" | jq -rR @uri
    fi
}

# Reads the ids of random rows out of a safetensors file (docs/model-format.md): 8 bytes of header length, a JSON header,
# then user_ids.offsets (U64) and user_ids.bytes.
guests_of_model() { # guests_of_model N FILE
    local count=$1 file=$2 header_bytes header offsets bytes users row from to
    [ -r "$file" ] || return 1
    header_bytes=$(od -An -t u8 -N 8 "$file" | tr -d ' ')
    [[ $header_bytes =~ ^[0-9]{1,8}$ ]] || return 1
    header=$(slice "$file" 8 "$header_bytes")
    read -r offsets bytes users <<<"$(jq -r '[."user_ids.offsets".data_offsets[0], ."user_ids.bytes".data_offsets[0],
        ."user_ids.offsets".shape[0] - 1] | @tsv' <<<"$header")"
    [ "$users" -ge 1 ] || return 1
    offsets=$((8 + header_bytes + offsets)) bytes=$((8 + header_bytes + bytes))
    for row in $(shuf -n "$count" -i "0-$((users - 1))"); do
        read -r from to <<<"$(od -An -t u8 -j $((offsets + 8 * row)) -N 16 "$file")"
        slice "$file" $((bytes + from)) $((to - from))
        echo
    done
}

slice() { dd if="$1" bs=64k iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none; }

# ---- overlap: the share of the live colour's top k that the candidate shows too, averaged over guests
#
# Only of guests whose list both colours make from their factors. What is popular is the same list for everybody, and two
# models that both know nobody agree about it. At least half of the guests must count: of the others nothing is known, and a
# candidate that has lost them is not to pass by the few that it kept.

check_overlap() { # check_overlap COLOUR LIVE
    local colour=$1 live=$2 k=${setting[OVERLAP_K]} guests=$work/guests overlap asked answered counted
    if [ "${setting[OVERLAP_USERS]}" = 0 ]; then
        tell overlap "$colour" "overlap is not asked for (BLUE_GREEN_OVERLAP_USERS=0)"
        return 0
    fi
    if ! sample_guests "${setting[OVERLAP_USERS]}" "$(version_served "$live")" >"$guests" || [ ! -s "$guests" ]; then
        if [ -n "${setting[USERS_FILE]}" ]; then
            failure="overlap: no guest's id in ${setting[USERS_FILE]} (BLUE_GREEN_USERS_FILE), or it cannot be read"
            return 1
        fi
        tell overlap "$colour" "not-enough-traffic: no guests to compare with: set BLUE_GREEN_USERS_FILE, or BLUE_GREEN_REGISTRY where this machine can read it"
        return 0
    fi
    asked=$(wc -l <"$guests")
    top_items "$live" "$guests" >"$work/top.live" || true
    top_items "$colour" "$guests" >"$work/top.candidate" || true
    read -r answered counted overlap <<<"$(overlap_of "$work/top.live" "$work/top.candidate")"
    if [ "$answered" != "$asked" ]; then
        failure="overlap: $answered of $asked guests were answered by both $live and $colour"
    elif [ $((2 * counted)) -lt "$asked" ] && awk -v b="${setting[OVERLAP_MIN]}" 'BEGIN { exit !(b > 0) }'; then
        failure="overlap@$k with $live: only $counted of $asked guests are known to both models, wanted half of them: are these the ids of guests, and of this model?"
    elif awk -v a="$overlap" -v b="${setting[OVERLAP_MIN]}" 'BEGIN { exit !(a < b) }'; then
        failure="overlap@$k with $live is $overlap over $counted guests; wanted ${setting[OVERLAP_MIN]} or more"
    else
        tell overlap "$colour" "overlap@$k with $live: $overlap over $counted of $asked guests" overlap "$overlap" guests "$counted"
        return 0
    fi
    return 1
}

top_items() { # top_items COLOUR GUESTS-FILE: one JSON array of item ids a guest, null for a guest that has no list of their own
    sed "s|.*|url = \"http://$(address_of "$1")/recommend?user_id=&\&k=${setting[OVERLAP_K]}\"|" "$2" |
        timeout -k 1 60 curl -sS -m 5 --config - 8>&- 9>&- |
        jq -c 'if .strategy == "als" or .strategy == "fold_in" then [.items[].item_id] else null end' 8>&- 9>&-
}

# Prints "ANSWERED COUNTED OVERLAP" of two files of top_items: guests that both colours have answered, those of them that
# both have a list for, and the mean of their overlaps, 0 without any.
overlap_of() { # overlap_of LIVE-FILE CANDIDATE-FILE
    jq -rn --slurpfile a "$1" --slurpfile b "$2" '
        [$a, $b | length] as [$live, $candidate]
        | [range([$live, $candidate] | min) | select($a[.] != null and $b[.] != null and $a[.] != [])
           | ($a[.] - ($a[.] - $b[.]) | length) / ($a[.] | length)] as $shares
        | "\([$live, $candidate] | min) \($shares | length) \(if $shares == [] then 0 else ($shares | add / length * 1000 | round / 1000) end)"'
}

# ---- synthetic load: LOAD_REQUESTS requests over LOAD_CONNECTIONS keep-alive connections, counted one by one

# Writes "STATUS SECONDS" of every request to a file. Bounded by LOAD_SECONDS: what is missing then counts as an error.
synthetic_load() { # synthetic_load COLOUR FILE
    local colour=$1 file=$2 each=$((setting[LOAD_REQUESTS] / setting[LOAD_CONNECTIONS] + 1)) connection pids=()
    sample_guests 100 "$(version_served "$colour")" >"$work/load.guests" 2>/dev/null || true
    [ -s "$work/load.guests" ] || seq -f 'blue-green-load-%g' 100 >"$work/load.guests"
    for ((connection = 0; connection < setting[LOAD_CONNECTIONS]; connection++)); do
        awk -v n="$each" -v at="http://$(address_of "$colour")" '{ guest[NR] = $0 }
            END { for (i = 0; i < n; i++) printf "url = \"%s/recommend?user_id=%s&k=10\"\noutput = /dev/null\n", at, guest[i % NR + 1] }' \
            "$work/load.guests" |
            timeout -k 1 "${setting[LOAD_SECONDS]}" stdbuf -oL curl -s -m 5 -w '%{http_code} %{time_total}\n' --config - \
                >"$file.$connection" 2>/dev/null 9>&- &
        pids+=($!)
    done
    wait "${pids[@]}" || true
    cat "$file".[0-9]* >"$file"
    rm -f "$file".[0-9]*
}

check_load() { # check_load COLOUR
    local colour=$1 began wanted answered errors p99
    if [ "${setting[LOAD_REQUESTS]}" = 0 ]; then
        tell load "$colour" "synthetic load is not asked for (BLUE_GREEN_LOAD_REQUESTS=0)"
        return 0
    fi
    began=$(now)
    synthetic_load "$colour" "$work/load"
    wanted=$(((setting[LOAD_REQUESTS] / setting[LOAD_CONNECTIONS] + 1) * setting[LOAD_CONNECTIONS]))
    answered=$(wc -l <"$work/load")
    errors=$((wanted - answered + $(grep -vc '^200 ' "$work/load" || true)))
    p99=$(cut -d' ' -f2 "$work/load" | sort -n | awk -v n="$answered" 'NR >= n * 0.99 { print; exit }')
    local verdict=()
    read -ra verdict <<<"$(judge "$wanted" "$errors" "${p99:-nan}" "" "" "")"
    if [ "${verdict[0]}" != pass ]; then
        failure="synthetic load: ${verdict[*]}"
        return 1
    fi
    tell load "$colour" "synthetic load: $wanted requests in $(since "$began") s, $errors errors, p99 ${p99} s" \
        requests "$wanted" errors "$errors" p99_seconds "$p99"
}
