/// The hash table that finds an id's row without building anything when a model is opened.
///
/// Open addressing with linear probing: a slot holds a row number or ``empty``. The number of slots is a power of two, at
/// least twice the ids, so a search ends after about 1.5 slots when the id is there and 2.5 when it is not (Knuth,
/// The Art of Computer Programming 3, 6.4, at load one half).
enum IDHash {
    static let empty = UInt32.max

    /// No id lies further than this from its first slot. At load one half the longest run of taken slots is about
    /// ln(n) / 0.19, some 115 slots for four billion ids; so this bounds a search, also in a table made to be slow, and
    /// refuses no honest one.
    static let probeCountMax = 256

    static func slotCount(forIDs count: Int) -> Int {
        var slots = 1
        while slots < 2 * count { slots *= 2 }
        return slots
    }

    /// FNV-1a over the bytes, then a finalizer (MurmurHash3's) so that the low bits depend on every byte.
    static func hash(_ id: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in id.indices { hash = (hash ^ UInt64(id[index])) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }

    /// The table of `ids`.
    ///
    /// - Complexity: O(ids), four bytes a slot.
    static func table(of ids: [String]) throws(Failure) -> [UInt32] {
        let slots = slotCount(forIDs: ids.count)
        var table = [UInt32](repeating: empty, count: slots)
        for row in ids.indices {
            var slot = Int(truncatingIfNeeded: hash(ids[row].utf8.span)) & (slots - 1)
            var probes = 1
            while table[slot] != empty {
                // By bytes: two spellings of an accented letter are two ids, though Swift calls the strings equal.
                if ids[Int(table[slot])].utf8.elementsEqual(ids[row].utf8) { throw .repeated(row: row) }
                guard probes < probeCountMax else { throw .crowded(row: row) }
                probes += 1
                slot = (slot + 1) & (slots - 1)
            }
            table[slot] = UInt32(row)
        }
        return table
    }

    enum Failure: Error, Equatable {
        case repeated(row: Int)
        /// Too many ids hash alike: they were chosen to.
        case crowded(row: Int)
    }
}
