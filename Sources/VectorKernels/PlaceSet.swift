import CKernels

/// A set of places of ``QuantizedItems``, one bit each: the rows that a scan may keep, or those that it must leave out.
///
/// In the order of the places, not of the rows, so that a scan has the bits of 64 rows in one word beside the codes of the same
/// 64 rows, and passes over them unread when none of them may be kept.
package struct PlaceSet: Equatable, Sendable {
    /// Bit p % 64 of word p / 64. Bits at and behind the last place stay 0.
    private(set) var words: [UInt64]

    /// No place, of `placeCount`.
    package init(placeCount: Int) { words = [UInt64](repeating: 0, count: Self.wordCount(placeCount)) }

    /// Words for so many places.
    static func wordCount(_ placeCount: Int) -> Int { (placeCount + 63) / 64 }

    /// Makes room for `placeCount` places; keeps what is in the set.
    package mutating func reserve(_ placeCount: Int) {
        let more = Self.wordCount(placeCount) - words.count
        if more > 0 { words += [UInt64](repeating: 0, count: more) }
    }

    package mutating func insert(_ place: UInt32) { words[Int(place / 64)] |= 1 << UInt64(place % 64) }

    package mutating func remove(_ place: UInt32) { words[Int(place / 64)] &= ~(1 << UInt64(place % 64)) }

    /// Adds the places of these rows; `places` has that of every row. One question for uniqueness, not one a row.
    package mutating func insert(_ rows: Span<UInt32>, at places: Span<UInt32>) {
        var words = words.mutableSpan
        for i in rows.indices {
            let place = places[Int(rows[i])]
            words[Int(place / 64)] |= 1 << UInt64(place % 64)
        }
    }

    /// Takes the places of these rows out, likewise.
    package mutating func remove(_ rows: Span<UInt32>, at places: Span<UInt32>) {
        var words = words.mutableSpan
        for i in rows.indices {
            let place = places[Int(rows[i])]
            words[Int(place / 64)] &= ~(1 << UInt64(place % 64))
        }
    }

    package func contains(_ place: UInt32) -> Bool { words[Int(place / 64)] >> UInt64(place % 64) & 1 != 0 }

    /// Adds the places of `other`, which has no more room than this.
    package mutating func formUnion(_ other: PlaceSet) {
        for word in other.words.indices { words[word] |= other.words[word] }
    }

    package mutating func removeAll() {
        for word in words.indices { words[word] = 0 }
    }
}

/// Which rows a scan of ``QuantizedItems`` may keep: those at places that both sets of `allowed` have and `excluded` has not.
package struct PlaceFilter: Sendable {
    /// nil for every place.
    package var allowed: PlaceSet?
    /// A second condition: of two large sets the scan makes the common part while it reads, 64 places at a time.
    package var alsoAllowed: PlaceSet?
    /// nil for none.
    package var excluded: PlaceSet?

    /// Every place.
    package init(allowed: PlaceSet? = nil, alsoAllowed: PlaceSet? = nil, excluded: PlaceSet? = nil) {
        self.allowed = allowed
        self.alsoAllowed = alsoAllowed
        self.excluded = excluded
    }

    /// Calls with each of the first `placeCount` places that passes, ascending.
    ///
    /// - Complexity: O(placeCount / 64) and the places that pass.
    func forEachPassing(_ placeCount: Int, _ body: (Int) -> Void) {
        let (first, second, without) = (allowed?.words, alsoAllowed?.words, excluded?.words)
        for word in 0..<PlaceSet.wordCount(placeCount) {
            var bits = (first?[word] ?? .max) & (second?[word] ?? .max) & ~(without?[word] ?? 0)
            let left = placeCount - word * 64
            if left < 64 { bits &= 1 << UInt64(left) - 1 }
            while bits != 0 {
                body(word * 64 + bits.trailingZeroBitCount)
                bits &= bits - 1
            }
        }
    }

    /// Whether each set has room for so many places.
    func covers(_ placeCount: Int) -> Bool {
        func covers(_ set: PlaceSet?) -> Bool { set.map { $0.words.count >= PlaceSet.wordCount(placeCount) } ?? true }
        return covers(allowed) && covers(alsoAllowed) && covers(excluded)
    }

    /// Lends the words of the three sets, nil for none.
    func withWords<R>(
        _ body: (UnsafePointer<UInt64>?, UnsafePointer<UInt64>?, UnsafePointer<UInt64>?) -> R
    ) -> R {
        unsafe Self.withWords(allowed) { first in
            unsafe Self.withWords(alsoAllowed) { second in
                unsafe Self.withWords(excluded) { excluded in unsafe body(first, second, excluded) }
            }
        }
    }

    private static func withWords<R>(_ set: PlaceSet?, _ body: (UnsafePointer<UInt64>?) -> R) -> R {
        guard let set else { return body(nil) }
        // SAFETY: lent for the call.
        return unsafe set.words.withUnsafeBufferPointer { words in unsafe body(words.baseAddress) }
    }
}
