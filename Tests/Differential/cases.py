"""Bytes for one connection, made to find parsers that disagree: a grammar, byte mutations and the known attacks.

Everything comes from a seeded random.Random: the same seed makes the same cases.
"""

import random

# A pipelined request behind the case: whoever frames the case differently sees it elsewhere, or not at all.
FOLLOW = b"GET /follow HTTP/1.1\r\nHost: f\r\nX-Request-ID: follow\r\n\r\n"
HOST = b"Host: h\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: s\r\nX-Request-ID: smuggled\r\n\r\n"


def post(headers: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /case HTTP/" + version + b"\r\n" + HOST + b"X-Request-ID: case\r\n" + headers + b"\r\n" + body


def get(target: bytes = b"/case", headers: bytes = HOST, version: bytes = b"1.1") -> bytes:
    return b"GET " + target + b" HTTP/" + version + b"\r\n" + headers + b"X-Request-ID: case\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"


def known_attacks() -> list[tuple[str, bytes]]:
    """Ways in which requests have been smuggled or misread, each with a name."""
    cases: list[tuple[str, bytes]] = []

    def add(name: str, *requests: bytes) -> None:
        cases.append((name, b"".join(requests)))

    # Two lengths (RFC 9112 section 6.3).
    add("CL.TE", post(b"Content-Length: 6\r\n" + CHUNKED, LAST + b"G"))
    add("CL.TE with a request", post(b"Content-Length: %d\r\n" % (5 + len(SMUGGLED)) + CHUNKED, LAST + SMUGGLED))
    add("TE.CL", post(CHUNKED + b"Content-Length: 4\r\n", b"5c\r\nGPOST / HTTP/1.1\r\n" + LAST))
    add("TE.CL with a request", post(CHUNKED + b"Content-Length: 4\r\n", b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n" + LAST))
    add("CL.0 on a GET", get(headers=HOST + b"Content-Length: %d\r\n" % len(SMUGGLED)), SMUGGLED)
    add("CL.CL", post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"))
    add("CL.CL identical", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"))
    add("TE in HTTP/1.0", post(CHUNKED, LAST, b"1.0"))
    add("CL and TE in HTTP/1.0", post(b"Content-Length: 5\r\n" + CHUNKED + b"Connection: keep-alive\r\n", LAST, b"1.0"))
    # TE.TE: one of the two does not see the coding.
    for value in [
        b"xchunked", b"chunked, identity", b"identity, chunked", b"chunked, chunked", b"identity", b"gzip, chunked",
        b"chunked;q=1", b'"chunked"', b"'chunked'", b"chunke", b"chunkedd", b"Chunked", b"CHUNKED", b", chunked",
        b"chunked,", b",chunked,", b"chunked ,", b"\x0bchunked", b"\x0cchunked", b"chunked\x0b", b"chunked\x00",
        b"chu\x00nked", b"chunked\xa0", b"\xc2\xa0chunked", b"\xffchunked", b"chunk ed", b"\tchunked\t", b"  chunked  ",
        b"", b"deflate", b"chunked\r", b"chunked\rX: y", b"trailers, chunked", b"chunked; a", b"c\xc5\xbfunked",
    ]:
        add(f"TE {value!r}", post(b"Transfer-Encoding: " + value + b"\r\n", LAST))
        add(f"TE {value!r} with CL", post(b"Transfer-Encoding: " + value + b"\r\nContent-Length: 5\r\n", LAST))
    for field in [
        b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"Transfer-Encoding\t: chunked",
        b"Transfer-Encoding:chunked", b"Transfer_Encoding: chunked", b"Transfer-Encoding\x00: chunked",
        b"Transfer-Encoding: x\r\n chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding:\n chunked",
        b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"X: y\r\rTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\nX: y", b"Transfer-Encoding; chunked", b"Transfer-Encoding chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"\x00Transfer-Encoding: chunked",
        b"Foo: bar\r\n\tTransfer-Encoding: chunked", b"Transfer-Encoding\x0b: chunked", b"Transfer-Encodin\xc4\xa1: chunked",
        b"Transfer-Encoding:: chunked", b"@Transfer-Encoding: chunked", b"[Transfer-Encoding: chunked",
    ]:
        add(f"field {field!r}", post(field + b"\r\n", LAST))
        add(f"field {field!r} with CL", post(field + b"\r\nContent-Length: 5\r\n", LAST))
    # Content-Length that is no number (RFC 9110 section 8.6).
    for value in [
        b"+5", b"-5", b" 5", b"5 ", b"\t5", b"5\x00", b"0x5", b"5, 5", b"5,5", b"5, 6", b"5 5", b"5;", b"05", b"00005",
        b"5.0", b"5e0", b"", b"\xd9\xa5", b"five", b"5\x0b", b"\x0b5", b"5\x0c", b"1_0", b"5,", b",5", b"--5", b"++5",
        b"18446744073709551621", b"9223372036854775813", b"4294967301", b"99999999999999999999999999", b"5\r", b"'5'",
    ]:
        add(f"CL {value!r}", post(b"Content-Length: " + value + b"\r\n", b"hello"))
    for field in [
        b"Content-Length : 5", b" Content-Length: 5", b"Content-Length\t: 5", b"Content_Length: 5", b"Content-Length:5",
        b"Content-Length:\r\n 5", b"X: y\nContent-Length: 5", b"X: y\rContent-Length: 5", b"Content-Length\x00: 5",
        b"content-length: 5", b"CONTENT-LENGTH: 5", b"Content-Length: 5\r\ncontent-length: 0", b"Content Length: 5",
    ]:
        add(f"field {field!r}", post(field + b"\r\n", b"hello"))
    # Chunks (RFC 9112 section 7.1).
    for name, body in {
        "size overflow to 0": b"10000000000000000\r\n" + LAST, "size overflow to 5": b"10000000000000005\r\nhello\r\n" + LAST,
        "32-bit overflow": b"100000005\r\nhello\r\n" + LAST, "size ffffffffffffffff": b"ffffffffffffffff\r\n" + LAST,
        "sign": b"+5\r\nhello\r\n" + LAST, "minus": b"-5\r\nhello\r\n" + LAST, "0x": b"0x5\r\nhello\r\n" + LAST,
        "space before size": b" 5\r\nhello\r\n" + LAST, "space after size": b"5 \r\nhello\r\n" + LAST,
        "tab after size": b"5\t\r\nhello\r\n" + LAST, "no size": b"\r\nhello\r\n" + LAST, "size is a word": b"x\r\n" + LAST,
        "upper case": b"A\r\n0123456789\r\n" + LAST, "leading zeros": b"0000000005\r\nhello\r\n00\r\n\r\n",
        "extension": b"5;a=b\r\nhello\r\n0;c\r\n\r\n", "quoted extension": b'5;a="b;c"\r\nhello\r\n' + LAST,
        "quoted CRLF": b'5;a="\r\n"\r\nhello\r\n' + LAST, "extension with bare LF": b"5;a\nhello\r\n" + LAST,
        "extension with LF in the middle": b"2;\nxx\r\n%x\r\n" % (len(SMUGGLED) + 7) + LAST + SMUGGLED + b"\r\n" + LAST,
        "extension with CR": b"5;a\rb\r\nhello\r\n" + LAST, "extension with NUL": b"5;a\x00\r\nhello\r\n" + LAST,
        "empty extension": b"5;\r\nhello\r\n" + LAST, "two semicolons": b"5;;\r\nhello\r\n" + LAST,
        "extension without name": b"5;=a\r\nhello\r\n" + LAST, "space before extension": b"5 ;a\r\nhello\r\n" + LAST,
        "space in extension": b"5; a = b\r\nhello\r\n" + LAST, "open quote": b'5;a="b\r\nhello\r\n' + LAST,
        "long extension": b"5;a=" + b"x" * 300 + b"\r\nhello\r\n" + LAST,
        "bare LF after size": b"5\nhello\r\n" + LAST, "bare LF after data": b"5\r\nhello\n" + LAST,
        "bare CR after size": b"5\rhello\r\n" + LAST, "CR CR LF": b"5\r\r\nhello\r\n" + LAST,
        "data too long": b"5\r\nhello!\r\n" + LAST, "data too short": b"5\r\nhell\r\n" + LAST,
        "no CRLF after data": b"5\r\nhello" + LAST, "two bytes that are not CRLF": b"5\r\nhelloXX" + LAST,
        "last chunk with LF": b"5\r\nhello\r\n0\n\n", "last chunk LF CRLF": b"5\r\nhello\r\n0\n\r\n",
        "last chunk CRLF LF": b"5\r\nhello\r\n0\r\n\n", "trailer": b"5\r\nhello\r\n0\r\nA: b\r\n\r\n",
        "trailer Content-Length": b"0\r\nContent-Length: 5\r\n\r\n", "trailer Transfer-Encoding": b"0\r\n" + CHUNKED + b"\r\n",
        "trailer Host": b"0\r\nHost: x\r\n\r\n", "broken trailer": b"0\r\nGET / HTTP/1.1\r\n\r\n",
        "trailer with space": b"0\r\nA : b\r\n\r\n", "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
        "trailer with LF": b"0\r\nA: b\n\r\n", "trailer with NUL": b"0\r\nA: \x00\r\n\r\n", "no end": b"5\r\nhello\r\n0\r\n",
        "request in place of trailers": b"0\r\n" + SMUGGLED,
    }.items():
        add(f"chunk: {name}", post(CHUNKED, body))
    # Lines (RFC 9112 sections 2.2 and 5).
    for name, request in {
        "bare LF everywhere": b"GET /case HTTP/1.1\nHost: h\nX-Request-ID: case\n\n",
        "LF after the request line": b"GET /case HTTP/1.1\nHost: h\r\n\r\n", "LF after a field": b"GET /case HTTP/1.1\r\nHost: h\nA: b\r\n\r\n",
        "LF for the empty line": b"GET /case HTTP/1.1\r\nHost: h\r\n\n", "bare CR in a value": get(headers=HOST + b"A: b\rC: d\r\n"),
        "CR CR LF": b"GET /case HTTP/1.1\r\nHost: h\r\r\n\r\n", "CR for the empty line": b"GET /case HTTP/1.1\r\nHost: h\r\n\r",
        "bare CR in the target": get(b"/a\rb"), "obs-fold": get(headers=HOST + b"A: b\r\n c\r\n"),
        "obs-fold with tab": get(headers=HOST + b"A: b\r\n\tc\r\n"), "folded Host": get(headers=b"Host:\r\n h\r\n"),
        "first line folded": b"GET /case HTTP/1.1\r\n " + HOST + b"\r\n", "NUL in a value": get(headers=HOST + b"A: \x00\r\n"),
        "NUL in a name": get(headers=HOST + b"A\x00: b\r\n"), "control in a value": get(headers=HOST + b"A: \x01\r\n"),
        "DEL in a value": get(headers=HOST + b"A: \x7f\r\n"), "high bytes in a value": get(headers=HOST + b"A: \xe9\xff\r\n"),
        "high bytes in a name": get(headers=HOST + b"\xe9: a\r\n"), "empty name": get(headers=HOST + b": a\r\n"),
        "no colon": get(headers=HOST + b"A\r\n"), "empty value": get(headers=HOST + b"A:\r\n"),
        "space in a name": get(headers=HOST + b"A B: c\r\n"), "space before a colon": get(headers=HOST + b"A : c\r\n"),
        "parenthesis in a name": get(headers=HOST + b"A(: c\r\n"), "empty line first": b"\r\n" + get(),
        "two empty lines first": b"\r\n\r\n" + get(), "LF first": b"\n" + get(), "CR first": b"\r" + get(),
        "space first": b" " + get(), "underscore in a name": get(headers=HOST + b"A_B: c\r\n"),
    }.items():
        add(f"line: {name}", request)
    # Request line and target (RFC 9112 section 3).
    for line in [
        b"GET  /case HTTP/1.1", b"GET /case  HTTP/1.1", b"GET /case HTTP/1.1 ", b"GET\t/case HTTP/1.1", b"GET /case\tHTTP/1.1",
        b"GET /case", b"GET", b"GET /case HTTP/1.1 HTTP/1.1", b"GET /a b HTTP/1.1", b"get /case HTTP/1.1", b"GeT /case HTTP/1.1",
        b"GET /case http/1.1", b"GET /case HTTP/1", b"GET /case HTTP/1.", b"GET /case HTTP/.1", b"GET /case HTTP/1.10",
        b"GET /case HTTP/01.1", b"GET /case HTTP/1.1x", b"GET /case HTTP/1,1", b"GET /case HTTP/1.2", b"GET /case HTTP/1.9",
        b"GET /case HTTP/2.0", b"GET /case HTTP/0.9", b"GET /case HTTP/3.0", b"GET /case HTTP/+1.1", b"GET /case XHTTP/1.1",
        b"GET case HTTP/1.1", b"GET * HTTP/1.1", b"OPTIONS * HTTP/1.1", b"OPTIONS /case HTTP/1.1", b"GET ? HTTP/1.1",
        b"GET /#a HTTP/1.1", b"GET /?#a HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\x01 HTTP/1.1", b"GET /\x7f HTTP/1.1",
        b"GET /\x80 HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET /%0d%0a HTTP/1.1", b"GET /% HTTP/1.1",
        b"GET /%4 HTTP/1.1", b"GET /%zz HTTP/1.1", b"GET /?%zz HTTP/1.1", b"GET /?%00 HTTP/1.1", b"GET /../../etc HTTP/1.1",
        b"GET /%2e%2e/%2f HTTP/1.1", b"GET /./a//b HTTP/1.1", b"GET //case HTTP/1.1", b'GET /"<>\\^`{|} HTTP/1.1',
        b'GET /?"<>\\^`{|} HTTP/1.1', b"GET http://h/case HTTP/1.1", b"GET HTTP://H/case HTTP/1.1", b"GET https://h/case HTTP/1.1",
        b"GET http://other/case HTTP/1.1", b"GET http://h HTTP/1.1", b"GET http://h?q HTTP/1.1", b"GET http:// HTTP/1.1",
        b"GET http:///case HTTP/1.1", b"GET http://:80/case HTTP/1.1", b"GET http://h:80/case HTTP/1.1", b"GET http://h:/ HTTP/1.1",
        b"GET http://h:x/ HTTP/1.1", b"GET http://u@h/ HTTP/1.1", b"GET http://u:p@h/ HTTP/1.1", b"GET http://[::1]/ HTTP/1.1",
        b"GET http://[::1/ HTTP/1.1", b"GET http://h:80:80/ HTTP/1.1", b"GET ftp://h/ HTTP/1.1", b"GET h:80 HTTP/1.1",
        b"GET http:/case HTTP/1.1", b"CONNECT h:80 HTTP/1.1", b"TRACE /case HTTP/1.1", b"BREW /case HTTP/1.1", b"G@T /case HTTP/1.1",
        b"GET\x00 /case HTTP/1.1", b"PRI * HTTP/2.0", b"X" * 40 + b" /case HTTP/1.1",
    ]:
        add(f"line {line[:60]!r}", line + b"\r\n" + HOST + b"X-Request-ID: case\r\n\r\n")
    # Host (RFC 9112 section 3.2).
    for headers in [
        b"", b"Host:\r\n", b"Host: \r\n", b"Host: h\r\nHost: h\r\n", b"Host: h\r\nHost: g\r\n", b"Host: h\r\nhost: g\r\n",
        b"Host : h\r\n", b" Host: h\r\n", b"Host: h:80\r\n", b"Host: h:\r\n", b"Host: :80\r\n", b"Host: h:x\r\n", b"Host: h:-1\r\n",
        b"Host: h:80:80\r\n", b"Host: a b\r\n", b"Host: a,b\r\n", b"Host: a/b\r\n", b"Host: a@b\r\n", b"Host: a?b\r\n",
        b"Host: a#b\r\n", b"Host: [::1]\r\n", b"Host: [::1]:80\r\n", b"Host: [::1\r\n", b"Host: ::1\r\n", b"Host: []\r\n",
        b"Host: h\x00\r\n", b"Host: h\xff\r\n", b"Host: \"h\"\r\n", b"Host: <h>\r\n", b"Host: a\\b\r\n", b"Host: a%41\r\n",
        b"Host: a%4\r\n", b"Host: a_b\r\n", b"Host: h\r\n\t.example\r\n", b"Host: http://h/\r\n", b"Host: h.\r\n", b"Host: ..\r\n",
    ]:
        add(f"host {headers!r}", get(headers=headers))
        add(f"host 1.0 {headers!r}", get(headers=headers + b"Connection: keep-alive\r\n", version=b"1.0"))
        add(f"host with absolute form {headers!r}", get(b"http://other/case", headers))
    # Connection, Expect, Upgrade (RFC 9110 sections 7.6.1, 7.8 and 10.1.1).
    for headers in [
        b"Connection: close\r\n", b"Connection: Close\r\n", b"Connection: keep-alive, close\r\n", b"Connection: close, keep-alive\r\n",
        b"Connection: closed\r\n", b"Connection: x\r\nConnection: close\r\n", b"Connection: ,close,\r\n", b"Connection: \"close\"\r\n",
        b"Connection: keep-alive\r\n", b"Connection: host\r\n", b"Connection: content-length\r\n", b"Connection: transfer-encoding\r\n",
        b"Expect: 100-continue\r\n", b"Expect: 100-Continue\r\n", b"Expect: x\r\n", b"Expect:\r\n", b"TE: trailers\r\n",
        b"Upgrade: websocket\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Keep-Alive: timeout=5\r\n", b"Proxy-Connection: close\r\n", b"Content-Encoding: gzip\r\n", b"Accept-Encoding: *;q=0\r\n",
    ]:
        add(f"headers {headers!r}", get(headers=HOST + headers))
        add(f"headers 1.0 {headers!r}", get(headers=HOST + headers, version=b"1.0"))
        add(f"headers with a body {headers!r}", post(headers + b"Content-Length: 5\r\n", b"hello"))
        add(f"headers with chunks {headers!r}", post(headers + CHUNKED, b"5\r\nhello\r\n" + LAST))
    return [(name, case + FOLLOW) for name, case in cases]


# Methods that llhttp knows: it refuses others, which RFC 9110 section 9.1 lets a server do later.
METHODS = [b"GET", b"GET", b"POST", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"]
SPICE = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b",", b";", b"=", b"\"", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b"+",
    b"-", b"0", b"9", b"f", b"%", b"#", b"?", b"/", b"*", b"@", b"[", b"]", b"\r\n ", b"\r\n\r\n", b"0\r\n\r\n", CHUNKED,
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: ", b"Connection: close\r\n", b"Host: x\r\n",
    b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"GET / HTTP/1.1\r\n", b"chunked", b"identity", b"1\r\na\r\n", b";a=b", b"\\",
]


def grammar_request(rng: random.Random, last: bool) -> bytes:
    """A request that is right in most of its parts."""

    def chance(share: float) -> bool:
        return rng.random() < share

    target = rng.choice([b"/case", b"/case?q=1", b"/", b"/a/b?c=d&e", b"/%41?%zz", b"//x", b"http://h/case", b"http://h:80?q"])
    version = b"1.0" if chance(0.1) else b"1.1"
    fields = [rng.choice([b"Host: h", b"host: h:80", b"HOST:h", b"Host: [::1]:8080", b"Host:  h  "])]
    if chance(0.02):
        fields.append(b"Host: g")
    for _ in range(rng.randrange(4)):
        fields.append(rng.choice([
            b"Accept: */*", b"User-Agent: x/1 (y)", b"A:", b"B: b c", b"Cookie: a=b; c=d", b"X-Long: " + b"x" * rng.randrange(200),
            b"Connection: keep-alive", b"Connection: close" if last else b"Connection: te", b"TE: trailers", b"C: \xe9", b"D:\te\t",
        ]))
    body = bytes(rng.choice(b"abc012 \r\n:;GETHTP/.") for _ in range(rng.randrange(40)))
    framed = b""
    how = rng.random()
    if how < 0.3:
        fields.append(rng.choice([b"Content-Length: %d", b"content-length:%d", b"CONTENT-LENGTH: 0%d "]) % len(body))
        framed = body
    elif how < 0.6:
        fields.append(rng.choice([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked", b"TRANSFER-ENCODING: CHUNKED "]))
        rest = body
        while rest:
            size = rng.randrange(1, len(rest) + 1)
            number = rng.choice([b"%x", b"%X", b"0%x", b"0000%x"]) % size
            extension = rng.choice([b""] * 6 + [b";a", b";a=b", b';a="b c"', b";a;b=c"])
            framed += number + extension + b"\r\n" + rest[:size] + b"\r\n"
            rest = rest[size:]
        framed += rng.choice([b"0", b"00", b"0;x"]) + b"\r\n" + rng.choice([b"", b"", b"", b"T: u\r\n", b"A: b\r\nC:d\r\n"]) + b"\r\n"
    rng.shuffle(fields)
    head = rng.choice(METHODS) + b" " + target + b" HTTP/" + version + b"\r\n"
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + framed


def mutated(rng: random.Random, case: bytes) -> bytes:
    bytes_ = bytearray(case)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        place = rng.randrange(len(bytes_)) if bytes_ else 0
        how = rng.randrange(6)
        if how == 0:
            bytes_[place:place] = rng.choice(SPICE)
        elif how == 1:
            bytes_[place:place + 1] = rng.choice(SPICE)
        elif how == 2:
            bytes_[place:place + 1] = bytes([rng.randrange(256)])
        elif how == 3:
            del bytes_[place:place + rng.randrange(1, 6)]
        elif how == 4:
            piece = bytes(bytes_[place:place + rng.randrange(1, 30)])
            other = rng.randrange(len(bytes_) + 1)
            bytes_[other:other] = piece
        else:
            places = [i for i in range(len(bytes_)) if bytes_[i] in b"\r\n: ,;0123456789"]
            if places:
                place = rng.choice(places)
                bytes_[place:place + 1] = rng.choice(SPICE)
    return bytes(bytes_)


def generated(seed: int, count: int):
    """`count` cases, each with a name that says how to make it again."""
    rng = random.Random(seed)
    attacks = [case for _, case in known_attacks()]
    for number in range(count):
        if rng.random() < 0.25:
            case = rng.choice(attacks)
        else:
            requests = rng.choice([1, 1, 2, 3])
            case = b"".join(grammar_request(rng, last=i + 1 == requests) for i in range(requests)) + FOLLOW
        if rng.random() < 0.85:
            case = mutated(rng, case)
        yield f"seed {seed} number {number}", case
