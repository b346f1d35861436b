import HTTPMessages

/// The client in the `X-Forwarded-For` of a request that a trusted proxy passed on.
///
/// Each proxy appends the address of its own peer, so the list is to be believed from its right end only as far as
/// the proxies are: the client is the last address that is not a trusted proxy's. What a client wrote itself stands to the left
/// of it and is not looked at. A word that is no address ends what is known. Lists in several fields are one list (RFC 9110
/// section 5.3). An address may have a port, and IPv6 its brackets.
///
/// - Returns: nil when nothing is known beyond the peer.
/// - Complexity: O(bytes of the header section), without allocation; called for the requests of trusted proxies only.
func forwardedClient(_ head: borrowing RequestHead, _ bytes: Span<UInt8>, proxies: [AddressRange]) -> ClientAddress? {
    var client: ClientAddress?
    head.forEachHeader(in: bytes) { name, value in
        guard bytes.extracting(name).equalsIgnoringCase("x-forwarded-for") else { return }
        bytes.forEachListMember(in: value) { member in
            // From left to right: a client replaces all before it, a proxy stands only where nothing is known.
            let address = forwardedAddress(bytes.extracting(member))
            if client == nil || address.map({ !proxies.contains($0) }) ?? true { client = address }
        }
    }
    return client
}

/// Reads `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1` or `[2001:db8::1]:5678`.
func forwardedAddress(_ word: Span<UInt8>) -> ClientAddress? {
    if let address = ClientAddress(word) { return address }
    let colon = UInt8(ascii: ":")
    if word[0] == UInt8(ascii: "[") {
        var end = 1
        while end < word.count, word[end] != UInt8(ascii: "]") { end += 1 }
        if end == word.count { return nil }
        let rest = word.extracting((end + 1)..<word.count)
        if rest.count > 0, rest[0] != colon || !isPort(rest.extracting(1..<rest.count)) { return nil }
        return ClientAddress(word.extracting(1..<end))
    }
    var end = 0
    while end < word.count, word[end] != colon { end += 1 }
    if end == word.count || !isPort(word.extracting((end + 1)..<word.count)) { return nil }
    return ClientAddress(word.extracting(0..<end))
}

private func isPort(_ digits: Span<UInt8>) -> Bool {
    if digits.isEmpty || digits.count > 5 { return false }
    for index in digits.indices where !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digits[index]) { return false }
    return true
}
