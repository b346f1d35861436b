"""The differences that are agreed to: where we accept what another server refuses, or frame otherwise, on purpose.

Each has a name, the peers it is about, a test that says whether a case is one of them, and its reason with the RFC's section.
docs/http.md lists the same names. Whatever is not here fails the suite.
"""

import re

# llhttp has a table of methods and refuses all others at once.
LLHTTP_METHODS = set(
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND "
    b"ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE "
    b"QUERY PRI".split()
)
CHUNK_LINE_WITH_SPACE = re.compile(rb"(?m)^[0-9A-Fa-f]+(?:[ \t]+;|;[^\r]*[ \t])[^\r\n]*\r\n")


def extra(our, their):
    """The first request that we see and they do not; None when there is none."""
    return our.requests[len(their.requests)] if len(our.requests) > len(their.requests) else None


def unknown_method(what, case, our, their) -> bool:
    """RFC 9110 section 9.1: any token is a method, and one that is not known is answered, with 405. Framing is the same."""
    request = extra(our, their)
    return request is not None and request.method not in LLHTTP_METHODS


def space_in_chunk_line(what, case, our, their) -> bool:
    """RFC 9112 section 7.1.1 with RFC 9110 section 5.6.3: white space around `;` and `=` must be parsed and removed."""
    return extra(our, their) is not None and CHUNK_LINE_WITH_SPACE.search(case) is not None


def empty_line(what, case, our, their) -> bool:
    """RFC 9112 section 2.2: one empty line before a request should be ignored. h11 refuses it."""
    request = extra(our, their)
    return request is not None and b"\r\n" + request.method + b" " + request.target in case


def persistent_http10(what, case, our, their) -> bool:
    """RFC 9112 section 9.3: an HTTP/1.0 client that says keep-alive stays connected. h11 does not know it."""
    return "ends the connection" in what and b"HTTP/1.0\r\n" in case


def upgrade_offer(what, case, our, their) -> bool:
    """RFC 9110 section 7.8: an offer to upgrade may be ignored, and is. llhttp stops where the other protocol would begin."""
    return their.end == "upgrade" and len(our.requests) >= len(their.requests)


def proxy_connection(what, case, our, their) -> bool:
    """RFC 9112 appendix C.2.2: Proxy-Connection is no field of HTTP, and means nothing."""
    return "ends the connection" in what and re.search(rb"(?i)\nproxy-connection:[^\r\n]*close", case) is not None


def odd_method(what, case, our, their) -> bool:
    """RFC 9110 section 9.1, as above. nginx refuses methods that are not of capital letters, `-` and `_`, and TRACE."""
    methods = re.findall(rb"([!#$%&'*+.^`|~\w-]+) [^ \r\n]+ HTTP/1\.[01]\r\n", case)
    return "accepts" in what and any(not re.fullmatch(rb"[A-Z_-]+", method) or method == b"TRACE" for method in methods)


def dot_segments(what, case, our, their) -> bool:
    """RFC 3986 section 6.2.2.3: a path may be normalised, and here none is. `..` names nothing: 404. nginx normalises, and
    refuses what would leave the root."""
    return "accepts" in what and re.search(rb"(?:\.|%2[eE]){2}(?=[/?# ]|%2[fF])", case) is not None


def empty_host(what, case, our, their) -> bool:
    """RFC 9112 section 3.2: a Host field may be empty. nginx refuses it."""
    return "accepts" in what and re.search(rb"(?i)\nhost:[ \t]*(?::[0-9]*)?[ \t]*\r\n", case) is not None


def connection_option(what, case, our, their) -> bool:
    """RFC 9110 section 7.6.1: Connection is a list of tokens, and `closed` is not `close`. nginx looks for the letters of
    close, and then of keep-alive."""
    found = re.findall(rb"(?im)^connection:([^\r\n]*)\r$", case)
    options = [option.strip().lower() for value in found for option in value.split(b",")]
    word = b"close" if "sees" in what else b"keep-alive"
    return "accepts" not in what and any(word in option and option != word for option in options)


def dotted_host(what, case, our, their) -> bool:
    """RFC 3986 section 3.2.2: any run of dots is a registered name. nginx refuses two in a row."""
    return "accepts" in what and re.search(rb"(?i)\nhost:[^\r\n]*\.\.|://[^/\r\n]*\.\.", case) is not None


def odd_authority(what, case, our, their) -> bool:
    """RFC 3986 section 3.2.2: a registered name may hold more than letters. nginx refuses it in an absolute target."""
    hosts = re.findall(rb"(?i) https?://([^/? \r\n]*)", case)
    return "accepts" in what and any(not re.fullmatch(rb"[A-Za-z0-9.:\[\]-]+", host) for host in hosts)


def close_wins(what, case, our, their) -> bool:
    """RFC 9112 section 9.3: with close among the options the connection ends. For nginx the last field decides."""
    fields = [line.lower() for line in case.split(b"\r\n") if line.lower().startswith(b"connection:")]
    return "misses" in what and any(b"close" in field for field in fields) and any(b"keep-alive" in field for field in fields)


def asterisk(what, case, our, their) -> bool:
    """RFC 9112 section 3.2.4: OPTIONS * asks about the server. nginx does not know it."""
    return "accepts" in what and b"OPTIONS * HTTP/1." in case


AGREED = [
    ("unknown method", {"llhttp"}, unknown_method),
    ("white space in a chunk line", {"llhttp", "h11"}, space_in_chunk_line),
    ("empty line", {"h11"}, empty_line),
    ("offer to upgrade", {"llhttp", "h11"}, upgrade_offer),
    ("Proxy-Connection", {"llhttp"}, proxy_connection),
    ("method of other letters", {"nginx"}, odd_method),
    ("dot segments", {"nginx"}, dot_segments),
    ("empty Host", {"nginx"}, empty_host),
    ("Connection option", {"nginx"}, connection_option),
    ("dots in Host", {"nginx"}, dotted_host),
    ("odd host", {"nginx"}, odd_authority),
    ("close wins", {"nginx"}, close_wins),
    ("OPTIONS *", {"nginx"}, asterisk),
    ("persistent HTTP/1.0", {"h11"}, persistent_http10),
]


def names() -> list[str]:
    return [name for name, _, _ in AGREED]


def socket_only() -> set[str]:
    """Names that are about nginx alone."""
    return {name for name, peers, _ in AGREED if peers == {"nginx"}}


def agreed(peer: str, what: str, case: bytes, our, their) -> str | None:
    for name, peers, test in AGREED:
        if peer in peers and test(what, case, our, their):
            return name
    return None
