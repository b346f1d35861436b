import FactorModel
import HTTPMessages

/// The item of a query that is being read, decoded. Reused, like the parameters.
struct DecodedQueryItem: ~Copyable {
    fileprivate var name = ByteBuffer(capacity: 64)
    fileprivate var value = ByteBuffer(capacity: 256)

    init() {}

    fileprivate mutating func decode(_ rawName: Span<UInt8>, _ rawValue: Span<UInt8>) throws(Problem) {
        try decodeText(rawName, plusIsSpace: true, into: &name, or: .undecodableQuery)
        try decodeText(rawValue, plusIsSpace: true, into: &value, or: .undecodableQuery)
    }
}

/// Replaces what `buffer` holds by percent-decoded UTF-8.
func decodeText(
    _ raw: Span<UInt8>, plusIsSpace: Bool, into buffer: inout ByteBuffer, or problem: Problem
) throws(Problem) {
    buffer.removeAll()
    do {
        try percentDecode(raw, plusIsSpace: plusIsSpace, into: &buffer)
    } catch {
        throw problem
    }
    if !buffer.withBytes({ isValidUTF8($0) }) { throw problem }
}

extension RecommendParameters {
    /// Reads the query of one request.
    ///
    /// - Parameter item: room to decode in.
    /// - Throws: the first problem in the order of the query; then a missing parameter; then prices the wrong way round.
    mutating func read(
        query text: Span<UInt8>, _ rules: ParameterRules, _ snapshot: ModelSnapshot,
        decoding item: inout DecodedQueryItem
    ) throws(Problem) {
        begin()
        try forEachQueryItem(in: text) { (nameRange, valueRange) throws(Problem) in
            // `k` and `k=` are the same: a parameter without a value.
            try item.decode(text.extracting(nameRange), text.extracting(valueRange ?? 0..<0))
            try take(item, rules, snapshot)
        }
        try end(rules)
    }

    private mutating func take(
        _ item: borrowing DecodedQueryItem, _ rules: ParameterRules, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        guard let parameter = item.name.withBytes({ Parameter(named: $0) }), rules.known.contains(parameter) else {
            throw .unknownParameter(.query, known: rules.known.list)
        }
        let isRepeated = given.contains(parameter)
        given.insert(ParameterSet(parameter))
        try item.value.withBytes { value throws(Problem) in
            if case .ids(let splitsAtCommas) = parameter.kind {
                return try takeIDs(value, of: parameter, splitsAtCommas, snapshot)
            }
            if isRepeated { throw .repeatedParameter("\(parameter.name)") }
            switch parameter.kind {
            case .id: try setUserID(value, snapshot)
            case .wholeNumber(let range, _): set(parameter, try wholeNumber(value, in: range, of: parameter))
            case .flag: set(parameter, try flag(value, of: parameter))
            case .modelName: try Self.checkModelName(value)
            case .ids, .basket: preconditionFailure("BUG: \(parameter) in a query")
            }
        }
    }

    /// Commas separate after decoding: many clients escape them. An id with a comma in it can be given in a JSON body.
    private mutating func takeIDs(
        _ value: Span<UInt8>, of parameter: Parameter, _ splitsAtCommas: Bool, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        var start = 0
        for index in value.indices where splitsAtCommas && value[index] == UInt8(ascii: ",") {
            try add(value.extracting(start..<index), to: parameter, snapshot)
            start = index + 1
        }
        try add(value.extracting(start..<value.count), to: parameter, snapshot)
    }

    /// Digits only: no sign, no space, no fraction.
    private func wholeNumber(
        _ digits: Span<UInt8>, in range: ClosedRange<Int>, of parameter: Parameter
    ) throws(Problem) -> Int {
        var number = 0
        // Eighteen digits fit, and no range has so many.
        var isNumber = (1...18).contains(digits.count)
        for index in digits.indices where isNumber {
            isNumber = digits[index] >= UInt8(ascii: "0") && digits[index] <= UInt8(ascii: "9")
            if isNumber { number = number * 10 + Int(digits[index] - UInt8(ascii: "0")) }
        }
        guard isNumber, range.contains(number) else {
            throw .badParameter("\(parameter.name)", got: harmless(digits), wanted: Self.wholeNumber(in: range))
        }
        return number
    }

    private func flag(_ value: Span<UInt8>, of parameter: Parameter) throws(Problem) -> Bool {
        if equal(value, "true") { return true }
        if equal(value, "false") { return false }
        throw .badParameter("\(parameter.name)", got: harmless(value), wanted: "true or false")
    }
}
