# shellcheck shell=bash
# Errors and latency of a colour under guests' traffic, and the verdict on them.

# judge SAMPLES ERRORS P99 LIVE-SAMPLES LIVE-ERRORS LIVE-P99: prints "VERDICT REASON", where VERDICT is pass, fail or
# not-enough-traffic. Latencies in seconds, nan: of fewer than SAMPLES_MIN requests. An empty LIVE-SAMPLES: there is nothing to
# compare with.
#
# A bulk stream lasts as long as its client takes to read it. Its errors count, its seconds say nothing of the colour: it is a
# request without a latency here, as in deploy/prometheus/rules/slo.yml.
judge() {
    awk -v n="$1" -v e="$2" -v p="$3" -v ln="$4" -v le="$5" -v lp="$6" -v min="${setting[SAMPLES_MIN]}" \
        -v emax="${setting[ERROR_RATIO_MAX]}" -v pmax="${setting[P99_SECONDS_MAX]}" -v times="${setting[P99_TIMES_MAX]}" \
        -v floor="${setting[P99_FLOOR_SECONDS]}" 'BEGIN {
        compared = ln != ""; unknown = lp == "nan" || lp == ""; if (unknown) lp = 0 # mawk reads "nan" as a number.
        n += 0; e += 0; ln += 0; le += 0; lp += 0
        if (n > 0) ratio = e / n; if (ln > 0) live = le / ln
        what = sprintf("%d requests, error ratio %.4f, p99 %s s", n, ratio, p)
        # Enough errors say no even when there are few samples: min x emax is what a full sample would allow.
        if (e > min * emax && ratio > emax + live) { print "fail " what ": more errors than " emax " above the live " sprintf("%.4f", live); exit }
        if (n < min) { print "not-enough-traffic " what ": wanted " min " requests"; exit }
        if (compared && ln < min) { print "not-enough-traffic live colour: " int(ln) " requests, wanted " min; exit }
        if (ratio > emax + live) { print "fail " what ": more errors than " emax " above the live " sprintf("%.4f", live); exit }
        if (p == "nan" || p == "") { print "not-enough-traffic " what ": wanted " min " latencies, and bulk streams have none"; exit }
        if (compared && unknown) { print "not-enough-traffic live colour: wanted " min " latencies, and bulk streams have none"; exit }
        p += 0
        if (p > pmax) { print "fail " what ": slower than " pmax " s"; exit }
        if (lp > 0 && p > floor && p > lp * times) { print "fail " what ": more than " times " times the live " lp " s"; exit }
        print "pass " what
    }'
}

# ---- from the colours' own /metrics: two scrapes, no Prometheus needed, and no waiting for its interval

# A scrape as lines "requests N", "errors N", "le BOUND N". Probes and scrapes are no traffic.
scrape() { # scrape COLOUR FILE
    answer_of "$1" /metrics -f 2>/dev/null | awk '
        /handler="(\/metrics|\/livez|\/readyz|none)"/ { next }
        /^http_requests_total\{/ { n += $NF; if (/status="5xx"/) e += $NF }
        /^http_request_duration_seconds_bucket\{/ && !/handler="\/recommend\/bulk"/ {
            match($0, /le="[^"]*"/); le = substr($0, RSTART + 4, RLENGTH - 5); bucket[le] += $NF }
        END { printf "requests %d\nerrors %d\n", n, e; for (le in bucket) printf "le %s %d\n", le, bucket[le] }' >"$2.new" &&
        mv "$2.new" "$2"
}

# Prints "SAMPLES ERRORS P99" between two scrapes. p99 is the bucket's upper bound interpolated as Prometheus does.
between() { # between EARLIER LATER
    { sort -k2g "$1" | sed 's/^/a /'; sort -k2g "$2" | sed 's/^/b /'; } | awk -v min="${setting[SAMPLES_MIN]}" '
        $2 == "requests" || $2 == "errors" { total[$2] += ($1 == "b" ? $3 : -$3); next }
        $1 == "a" { early[$3] = $4; next }
        { le = ($3 == "+Inf" ? "inf" : $3); bound[++k] = le; count[k] = $4 - early[$3] }
        END {
            # sort -g puts +Inf last.
            all = count[k]; rank = 0.99 * all; p99 = "nan"
            for (i = 1; i <= k && all >= min; i++) if (count[i] >= rank) {
                low = (i > 1 ? bound[i - 1] : 0); below = (i > 1 ? count[i - 1] : 0)
                p99 = (bound[i] == "inf" ? low : low + (bound[i] - low) * (rank - below) / (count[i] - below)); break }
            if (total["requests"] < 0) print "0 0 nan"; else print total["requests"] + 0, total["errors"] + 0, p99 }'
}

# ---- from Prometheus

prometheus_answers() { curl -sS -f -m 5 -o /dev/null "${setting[PROMETHEUS_URL]}/api/v1/query?query=1" 2>/dev/null 9>&-; }

# Prints one number, or nan when Prometheus has none or does not answer.
prometheus() { # prometheus QUERY
    local value
    value=$(curl -sS -G -m 5 --data-urlencode "query=$1" "${setting[PROMETHEUS_URL]}/api/v1/query" 2>/dev/null 9>&- |
        jq -r '.data.result[0].value[1] // "nan"' 2>/dev/null) || value=nan
    [ "$value" != NaN ] || value=nan
    printf '%s' "${value:-nan}"
}

# Prints "SAMPLES ERRORS P99" of a colour over the last seconds. The scrape gives every target the label `colour`.
prometheus_counts() { # prometheus_counts COLOUR SECONDS
    local of="${setting[PROMETHEUS_SELECTOR]},colour=\"$1\",handler!~\"/metrics|/livez|/readyz|none" requests errors p99
    requests=$(prometheus "sum(increase(http_requests_total{$of\"}[${2}s]))")
    errors=$(prometheus "sum(increase(http_requests_total{$of\",status=\"5xx\"}[${2}s])) or vector(0)")
    of+="|/recommend/bulk"
    p99=$(prometheus "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{$of\"}[${2}s])))
        and sum(increase(http_request_duration_seconds_count{$of\"}[${2}s])) >= ${setting[SAMPLES_MIN]}")
    printf '%s %s %s' "${requests/nan/0}" "${errors/nan/0}" "$p99"
}
