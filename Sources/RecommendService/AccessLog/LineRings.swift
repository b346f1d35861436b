package import HTTPMessages

/// The rings of all loops as their one consumer sees them: who is emptied first, and how much each may give to a batch.
package struct LineRings {
    private let rings: [LineRing]
    /// The ring to begin with the next time.
    private var first = 0

    /// - Precondition: at least one ring.
    package init(_ rings: [LineRing]) {
        precondition(!rings.isEmpty, "BUG: no rings")
        self.rings = rings
    }

    /// Moves whole lines to the end of `buffer`, until it has up to `bytesMax` bytes. The consumer's thread only.
    ///
    /// Each ring gives up to its share of what those before it left, then whoever has more fills what remains; the next call
    /// begins one ring further. So a loop with many requests does not cost the others their lines. With so many rings that a
    /// share is shorter than a line, their turns alone see to that.
    package mutating func take(into buffer: inout ByteBuffer, bytesMax: Int) {
        for isShared in [true, false] {
            for place in rings.indices where buffer.count < bytesMax {
                let left = bytesMax - buffer.count
                rings[(first + place) % rings.count].take(
                    into: &buffer, bytesMax: isShared ? left / (rings.count - place) : left)
            }
        }
        first = (first + 1) % rings.count
    }
}
