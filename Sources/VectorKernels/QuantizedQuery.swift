import CKernels

/// A query in 8-bit codes, and what is needed to bound its scores. Lives in a scratch and is reused. An object,
/// for a structure in an object is asked for access at every use.
@safe
final class QuantizedQuery {
    /// [8 · groups], zeros beyond the factors.
    private(set) var codes: UnsafeMutablePointer<Int8>
    private var capacity = 0
    /// 7.5 · the sum of the codes: makes of unsigned item codes the levels -7.5 … 7.5.
    private(set) var offset: Float = 0
    /// At least |x̂| / step: what an item's error counts for.
    private(set) var weight: Float = 0
    /// The query is about step · codes. 0 for a zero query.
    private(set) var step: Double = 0
    /// At least |x|.
    private(set) var norm: Double = 0
    /// What the bound of an item grows by for each unit of its length: the query's own coding error and every rounding.
    private(set) var perLength: Double = 0
    /// What every bound grows by: products below float32's smallest numbers.
    private(set) var always: Double = 0

    init() {
        // SAFETY: freed in deinit or when it grows.
        unsafe codes = UnsafeMutablePointer.allocate(capacity: 1)
    }

    deinit {
        // SAFETY: allocated in init or set; lent only for calls.
        unsafe codes.deallocate()
    }

    /// Codes `query`. The constants are proved in docs/kernels.md, "The bound".
    func set(_ query: Span<Float>, _ kernels: Kernels) {
        let count = (query.count + 7) / 8 * 8
        if count > capacity {
            // SAFETY: nobody holds the old codes.
            unsafe codes.deallocate()
            unsafe codes = UnsafeMutablePointer.allocate(capacity: count)
            capacity = count
        }
        let sums = unsafe query.withUnsafeBufferPointer { query in
            // SAFETY: room for `count` codes, query.count rounded up to whole groups.
            unsafe query.baseAddress.map { unsafe kernels.table.pointee.code_query($0, query.count, codes) }
                ?? nl_query_sums()
        }
        step = sums.step
        let up = 1 + 0x1p-30
        offset = 7.5 * Float(sums.sum)
        weight = Float(sums.codedSquares.squareRoot() * up).nextUp
        norm = sums.squares.squareRoot() * up
        let codedNorm = step * sums.codedSquares.squareRoot() * up
        let roundings = Double((query.count + 15) / 16 + 4)
        perLength =
            sums.missSquares.squareRoot() * up + (1.01 * roundings + 8) * 0x1p-24 * max(norm, codedNorm)
        always = Double(count + 16) * 0x1p-149 + step * 0x1p-140
    }

    /// The least bound, in units of `step`, that a row no longer than `length` needs if its score may reach `score`.
    func bar(toReach score: Float, length: Float) -> Float {
        // Products that might leave float32, and no score to reach yet: every row is a candidate.
        guard score > -.infinity, norm * Double(length) < 0x1p126 else { return -.infinity }
        guard score < .infinity else { return .greatestFiniteMagnitude }
        let bar = (Double(score) - perLength * Double(length) - always) / step
        return Float(max(-0x1p127, min(0x1p127, bar - abs(bar) * 0x1p-30))).nextDown
    }

    /// Whether no row of at most this length can reach `score`.
    func isOutOfReach(_ score: Float, length: Float) -> Bool {
        let most = norm * Double(length)
        return most < 0x1p126 && Double(score) > most * (1 + 0x1p-10) + always
    }
}
