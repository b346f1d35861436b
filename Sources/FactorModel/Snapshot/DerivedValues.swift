import Synchronization
import VectorKernels

/// What is computed from a snapshot's columns when it is first needed, once, by whichever thread comes first; others wait for it.
///
/// A flag and a variable, not an `AtomicLazyReference`: to load that of a generic type looks up its metadata at run time, 700 instructions.
@safe
final class Derived<Value: Sendable>: @unchecked Sendable {
    // Sendable: `made` is written once, under the lock, before `isMade` says so, and only read after that.
    private var made: Value?
    private let isMade = Atomic<Bool>(false)
    private let making = Mutex(())

    /// The value when it is there; never waits for it.
    var ifMade: Value? {
        // Acquiring: what was written before the flag was set is seen.
        isMade.load(ordering: .acquiring) ? made : nil
    }

    /// - Complexity: one atomic load, once it is made.
    func value(_ make: () -> Value) -> Value {
        if let value = ifMade { return value }
        return making.withLock { _ in
            // Whoever waited for the lock finds what the first has made.
            if let value = ifMade { return value }
            let value = make()
            made = value
            isMade.store(true, ordering: .releasing)
            return value
        }
    }
}

extension ModelSnapshot {
    /// Computes ahead what fold-in, explain and similar would compute at their first call, YᵀY and the lengths of the item
    /// vectors, and the codes that make a ranking of the catalogue or a large hotel many times faster: until they are there
    /// it reads the float32 factors. Maps the pages that nothing has read yet, too. Call it once the snapshot serves, on a thread that
    /// answers no requests.
    ///
    /// - Parameter published: the codes and lengths that came with the model, asked for once, by the first call; nil to have
    ///   them made.
    package func prepare(codes published: () -> ItemCodes? = { nil }) {
        if itemCount > 0 { _ = codedItems.value { CodedItems(self, published() ?? ItemCodes(of: self)) } }
        mapPages()
        if hasFoldIn { _ = itemGram() }
    }

    /// Lets rankings read these codes from now on, and leaves the rest to ``prepare(codes:)``.
    package func adopt(_ codes: ItemCodes) { _ = codedItems.value { CodedItems(self, codes) } }

    /// Whether a ranking reads codes.
    package var hasCodes: Bool { codedItems.ifMade != nil }

    /// |yᵢ| of every item, [items]. Valid while the snapshot lives.
    func itemNorms() -> Column<Float> {
        if let coded = codedItems.ifMade { return coded.lengths.column }
        return norms.value { HeldColumn(itemLengths(.best)) }.column
    }

    /// The same, computed: the same bits on every path.
    func itemLengths(_ kernels: Kernels) -> [Float] {
        withItemFactors { matrix in
            (0..<itemCount).map { length(matrix.extracting($0 * factorCount..<($0 + 1) * factorCount), kernels) }
        }
    }

    /// YᵀY in double, [factorCount × factorCount]; on and above the diagonal.
    func itemGram() -> [Double] {
        gram.value {
            withItemFactors { gramOfRows($0, columnCount: factorCount) }
        }
    }
}

/// The length of a vector. Squares that float32 cannot hold are summed in double.
private func length(_ vector: Span<Float>, _ kernels: Kernels) -> Float {
    let square = kernels.dot(vector, vector)
    if square > 1e-30 { return square.squareRoot() }
    var sum = 0.0
    for place in vector.indices { sum += Double(vector[place]) * Double(vector[place]) }
    return Float(sum.squareRoot())
}
