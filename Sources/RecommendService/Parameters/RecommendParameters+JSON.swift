import FactorModel

extension RecommendParameters {
    /// Reads the JSON object of one request: the parameters by the same names, lists as arrays.
    ///
    /// - Throws: the first problem in the order of the text; then a missing parameter; then prices the wrong way round.
    mutating func read(
        _ document: borrowing JSONDocument, _ rules: ParameterRules, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        begin()
        let root = JSONDocument.root
        guard document.kind(root) == .object else {
            throw .badBody("The body is \(document.kind(root).inWords); wanted an object.")
        }
        try document.forEachMember(of: root) { (name, value) throws(Problem) in
            guard let parameter = document.withString(name, { Parameter(named: $0) }), rules.known.contains(parameter)
            else { throw .unknownParameter(.body, known: rules.known.list) }
            given.insert(ParameterSet(parameter))
            try take(value, of: parameter, document, snapshot)
        }
        try end(rules)
    }

    private mutating func take(
        _ value: Int, of parameter: Parameter, _ document: borrowing JSONDocument, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        let name = parameter.name
        switch parameter.kind {
        case .id:
            guard document.kind(value) == .string else { throw Self.wrong(value, document, "\(name)", Self.idInWords) }
            try document.withString(value) { id throws(Problem) in try setUserID(id, snapshot) }
        case .wholeNumber(let range, _): set(parameter, try Self.wholeNumber(value, document, in: range, "\(name)"))
        case .flag:
            guard document.kind(value) == .boolean else {
                throw Self.wrong(value, document, "\(name)", "true or false")
            }
            set(parameter, document.boolean(value))
        case .modelName:
            guard document.kind(value) == .string else {
                throw Self.wrong(value, document, "\(name)", Self.modelNameInWords)
            }
            try document.withString(value) { text throws(Problem) in try Self.checkModelName(text) }
        case .ids:
            try forEachEntry(of: value, parameter, document, "ids") { (parameters, number, entry) throws(Problem) in
                guard document.kind(entry) == .string else {
                    throw Self.wrong(entry, document, "\(name)[\(number)]", Self.idInWords)
                }
                try document.withString(entry) { id throws(Problem) in
                    try parameters.add(id, to: parameter, snapshot)
                }
            }
        case .basket:
            try forEachEntry(of: value, parameter, document, "objects") { (parameters, number, entry) throws(Problem) in
                try parameters.takeBasketEntry(entry, "\(name)[\(number)]", document, snapshot)
            }
        }
    }

    private mutating func forEachEntry(
        of list: Int, _ parameter: Parameter, _ document: borrowing JSONDocument, _ entries: String,
        _ body: (inout RecommendParameters, Int, Int) throws(Problem) -> Void
    ) throws(Problem) {
        guard document.kind(list) == .array else {
            throw Self.wrong(list, document, "\(parameter.name)", "a list of \(entries)")
        }
        guard document.count(list) <= Parameter.listCountMax else {
            throw .badParameter(
                "\(parameter.name)", got: "a list of \(document.count(list))",
                wanted: "at most \(Parameter.listCountMax) entries")
        }
        try document.forEachElement(of: list) { (number, entry) throws(Problem) in try body(&self, number, entry) }
    }

    /// `{"item_id":"310","count":2}`; a count that is not given is 1.
    private mutating func takeBasketEntry(
        _ entry: Int, _ path: String, _ document: borrowing JSONDocument, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        guard document.kind(entry) == .object else {
            throw Self.wrong(entry, document, path, "an object of item_id and count")
        }
        var item: Int?
        var count = 1
        try document.forEachMember(of: entry) { (name, value) throws(Problem) in
            if document.withString(name, { equal($0, "item_id") }) {
                guard document.kind(value) == .string else {
                    throw Self.wrong(value, document, path + ".item_id", Self.idInWords)
                }
                item = value
            } else if document.withString(name, { equal($0, "count") }) {
                count = try Self.wholeNumber(value, document, in: Parameter.basketCountRange, path + ".count")
            } else {
                throw .unknownParameter(.basketEntry, known: "item_id, count")
            }
        }
        guard let item else { throw .missingParameter(path + ".item_id") }
        try document.withString(item) { id throws(Problem) in
            try Self.checkLength(of: id, path + ".item_id")
            addToBasket(id, count: count, snapshot)
        }
    }

    // MARK: Values

    private static let idInWords =
        "a string of \(Parameter.idBytes.lowerBound) to \(Parameter.idBytes.upperBound) bytes"

    /// A number without a fraction, however it is written: to JSON 5, 5.0 and 5e0 are the same.
    static func wholeNumber(
        _ value: Int, _ document: borrowing JSONDocument, in range: ClosedRange<Int>, _ path: String
    ) throws(Problem) -> Int {
        guard document.kind(value) == .number else { throw wrong(value, document, path, wholeNumber(in: range)) }
        let number = document.number(value)
        let whole = Int(exactly: number)
        if let whole, range.contains(whole) { return whole }
        throw .badParameter(path, got: whole?.description ?? number.description, wanted: wholeNumber(in: range))
    }

    static func wrong(
        _ value: Int, _ document: borrowing JSONDocument, _ path: String, _ wanted: String
    ) -> Problem {
        .badParameter(path, got: "\(document.kind(value).inWords)", wanted: wanted)
    }
}
