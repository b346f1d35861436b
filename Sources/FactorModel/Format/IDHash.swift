/// The hash table that finds an id's row without building anything when a model is opened.
///
/// Open addressing with linear probing: a slot holds a row number or ``empty``. The number of slots is a power of two, at
/// least twice the ids, so a search ends after about 1.5 slots when the id is there and 2.5 when it is not (Knuth,
/// The Art of Computer Programming 3, 6.4, at load one half).
enum IDHash {
    static let empty = UInt32.max

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

    /// The table of `ids`, or the row of one that repeats an earlier one.
    static func table(of ids: [String]) -> Result<[UInt32], RepeatedID> {
        let slots = slotCount(forIDs: ids.count)
        var table = [UInt32](repeating: empty, count: slots)
        for row in ids.indices {
            var slot = Int(truncatingIfNeeded: hash(ids[row].utf8.span)) & (slots - 1)
            while table[slot] != empty {
                if ids[Int(table[slot])].utf8.elementsEqual(ids[row].utf8) { return .failure(RepeatedID(row: row)) }
                slot = (slot + 1) & (slots - 1)
            }
            table[slot] = UInt32(row)
        }
        return .success(table)
    }

    struct RepeatedID: Error {
        let row: Int
    }
}
