/// The `X-Model-Version` values that a thread has met, by place from 1; 0 stands for an answer without one.
struct VersionList {
    private var known: [[UInt8]] = []
    private var latest = 0

    /// A server that sends another value with every answer must not fill the memory: values beyond these share one name.
    static let countMax = 64

    var names: [String] { known.map { String(decoding: $0, as: UTF8.self) } }

    /// The place of a value. Nearly always that of the value before.
    mutating func place(of value: Span<UInt8>) -> Int {
        if latest > 0, equal(known[latest - 1], value) { return latest }
        if let found = known.indices.first(where: { equal(known[$0], value) }) {
            latest = found + 1
        } else if known.count < Self.countMax {
            known.append(value.indices.map { value[$0] })
            latest = known.count
        } else {
            if known.count == Self.countMax { known.append(Array("other".utf8)) }
            latest = known.count
        }
        return latest
    }

    private func equal(_ name: [UInt8], _ value: Span<UInt8>) -> Bool {
        name.count == value.count && name.indices.allSatisfy { name[$0] == value[$0] }
    }
}
