# shellcheck shell=bash
# One message a result to Slack's incoming webhook, whose URL is a secret in a file. Never the reason that anything fails.

tell_slack() { # tell_slack good|warning|danger TITLE [NAME VALUE]...
    local colour=$1 title=$2 file=${setting[SLACK_WEBHOOK_FILE]} url fields=() answer
    shift 2
    [ -n "$file" ] && [ "$dry_run" = no ] || return 0
    if ! url=$(head -n 1 "$file" 2>/dev/null) || [[ ! $url =~ ^https?://[^[:space:]\"\\]+$ ]]; then
        tell slack "" "no message: the first line of $file is not an http(s) address"
        return 0
    fi
    while [ $# -ge 2 ]; do
        [ -z "$2" ] || fields+=("$1" "$2")
        shift 2
    done
    # What Slack says itself is "ok" with 200. A redirection, to a proxy's login page say, has told nobody.
    # The address goes through a pipe, not through an argument that every user of the machine can read.
    answer=$(jq -cn --arg colour "$colour" --arg title "$title" --arg host "${HOSTNAME:-}" \
        '{text: $title, attachments: [{color: $colour, fallback: $title, footer: "blue-green on \($host)", ts: now | floor,
          fields: [$ARGS.positional as $p | range(0; $p | length; 2) | {title: $p[.], value: $p[. + 1], short: ($p[. + 1] | length < 40)}]}]}' \
        --args "${fields[@]}" |
        curl -sS -m "${setting[SLACK_SECONDS]}" -H 'Content-Type: application/json' --data-binary @- \
            -o /dev/null -w 'HTTP status %{http_code}' --globoff --config <(printf 'url = "%s"\n' "$url") 2>&1 8>&- 9>&-) || true
    if [[ $answer =~ ^HTTP\ status\ 2[0-9][0-9]$ ]]; then
        tell slack "" "Slack has the message: $title"
    else
        answer=${answer/HTTP status 000/} answer=${answer%$'\n'}
        tell slack "" "no message to Slack (${answer//"$url"/the webhook}); the deployment does not depend on it"
    fi
}
