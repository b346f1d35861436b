import TestSupport
import Testing
import VectorKernels

@Suite("Place set") struct PlaceSetTests {
    @Test("holds what was put in and not taken out, up to its last place", arguments: [1, 63, 64, 65, 128, 1000])
    func matchesASet(count: Int) {
        var rng = SplitMix64(seed: UInt64(count))
        var (places, other) = (PlaceSet(placeCount: count), PlaceSet(placeCount: count))
        var (expected, more) = (Set<UInt32>(), Set<UInt32>())
        for _ in 0..<3 * count {
            let place = UInt32(rng.next() % UInt64(count))
            switch rng.next() % 4 {
            case 0:
                places.remove(place)
                expected.remove(place)
            case 1:
                other.insert(place)
                more.insert(place)
            default:
                places.insert(place)
                expected.insert(place)
            }
        }
        func members(_ set: PlaceSet) -> Set<UInt32> { Set((0..<UInt32(count)).filter { set.contains($0) }) }
        #expect(members(places) == expected)
        places.formUnion(other)
        #expect(members(places) == expected.union(more))
        places.reserve(count + 100)
        #expect(members(places) == expected.union(more) && !places.contains(UInt32(count + 63)))
        places.removeAll()
        #expect(members(places).isEmpty)
    }
}
