/// Working memory of exact top-k scans. One per thread, reused: after the first query of a shape nothing is allocated.
@safe
package final class TopKScratch {
    /// Rows scanned between two looks at the threshold, at most.
    static let chunkRowsMax = 8192
    /// Rows scored in float32 at a time.
    static let batchRows = 1024

    let query = QuantizedQuery()
    /// Finds the most promising rows of the first chunk.
    var pool = TopK()
    let bounds: Column<Float>
    let places: Column<UInt32>
    /// Rows about to be scored in float32.
    let rows: Column<UInt32>
    let scores: Column<Float>
    /// Rows whose bound, but not whose estimate, reached the threshold: scored at the end, if they still reach it.
    let laterPlaces: Column<UInt32>
    let laterBounds: Column<Float>
    var laterCount = 0

    package init() {
        bounds = Column(count: Self.chunkRowsMax, of: 0)
        places = Column(count: Self.chunkRowsMax, of: 0)
        rows = Column(count: Self.batchRows, of: 0)
        scores = Column(count: Self.batchRows, of: 0)
        laterPlaces = Column(count: 2 * Self.chunkRowsMax, of: 0)
        laterBounds = Column(count: 2 * Self.chunkRowsMax, of: 0)
    }

    /// Memory of a fixed size. Not an array: it would be asked for uniqueness at every write.
    @safe
    struct Column<Value: BitwiseCopyable>: ~Copyable {
        let base: UnsafeMutablePointer<Value>
        let count: Int

        init(count: Int, of value: Value) {
            // SAFETY: freed in deinit, initialized at once.
            unsafe base = UnsafeMutablePointer.allocate(capacity: count)
            unsafe base.initialize(repeating: value, count: count)
            self.count = count
        }

        deinit {
            // SAFETY: allocated in init; lent only for calls.
            unsafe base.deallocate()
        }

        subscript(place: Int) -> Value {
            get {
                precondition(place >= 0 && place < count, "BUG: outside the scratch")
                // SAFETY: checked above.
                return unsafe base[place]
            }
            nonmutating set {
                precondition(place >= 0 && place < count, "BUG: outside the scratch")
                // SAFETY: checked above.
                unsafe base[place] = newValue
            }
        }

        /// Lends the first `count` values.
        func withFirst<R>(_ count: Int, _ body: (inout MutableSpan<Value>) -> R) -> R {
            precondition(count >= 0 && count <= self.count, "BUG: outside the scratch")
            // SAFETY: a prefix, lent for the call; callers lend one column once at a time.
            var prefix = unsafe UnsafeMutableBufferPointer(start: base, count: count).mutableSpan
            return body(&prefix)
        }
    }
}
