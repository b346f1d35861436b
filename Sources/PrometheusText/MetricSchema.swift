/// What kind of metric a family is: the word after `# TYPE`.
package enum MetricKind: String, Sendable {
    case counter, gauge, histogram, summary
}

/// Handles: where a child's cells begin inside a shard. Meaningless outside the set that gave them.
package struct Counter: Sendable { let cell: Int }
package struct Gauge: Sendable { let cell: Int }
package struct Summary: Sendable { let cell: Int }
package struct Histogram: Sendable {
    let cell: Int
    let bounds: [Double]
}

/// A label and its value. Values may be any text; they are escaped when written.
package struct Label: Hashable, Sendable {
    let name: String
    let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Declares metrics, one child at a time, before any is used.
///
/// Children of one name form a family and must agree in kind and help. A clash is our bug and traps at start-up,
/// never while serving.
package struct MetricSchema: Sendable {
    struct Child: Sendable {
        /// `a="x",b="y"`, escaped, or empty.
        let labels: String
        let cell: Int
    }

    struct Family: Sendable {
        let name: String
        let help: String
        let kind: MetricKind
        /// Upper bounds of a histogram, ascending, without +Inf.
        let bounds: [Double]
        /// Leave out children that were never touched: for families whose label sets are many and mostly unused.
        let omitsUntouched: Bool
        var children: [Child] = []
    }

    private(set) var families: [Family] = []
    private(set) var cellCount = 0

    package init() {}

    package mutating func counter(
        _ name: String, _ help: String, _ labels: [Label] = [], omitsUntouched: Bool = false
    ) -> Counter {
        Counter(cell: addChild(name, help, .counter, labels, cells: 1, omitsUntouched: omitsUntouched))
    }

    package mutating func gauge(_ name: String, _ help: String, _ labels: [Label] = []) -> Gauge {
        Gauge(cell: addChild(name, help, .gauge, labels, cells: 1))
    }

    /// A count and a sum, no quantiles.
    package mutating func summary(
        _ name: String, _ help: String, _ labels: [Label] = [], omitsUntouched: Bool = false
    ) -> Summary {
        Summary(cell: addChild(name, help, .summary, labels, cells: 2, omitsUntouched: omitsUntouched))
    }

    /// - Parameter bounds: upper bounds, inclusive, ascending; +Inf is added.
    package mutating func histogram(
        _ name: String, _ help: String, bounds: [Double], _ labels: [Label] = [], omitsUntouched: Bool = false
    ) -> Histogram {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "BUG: \(name): bounds must ascend")
        precondition(bounds.allSatisfy(\.isFinite), "BUG: \(name): +Inf is added by itself")
        // Cells: one per bucket with +Inf last, then the sum.
        let cell = addChild(
            name, help, .histogram, labels, cells: bounds.count + 2, bounds: bounds, omitsUntouched: omitsUntouched)
        return Histogram(cell: cell, bounds: bounds)
    }

    private mutating func addChild(
        _ name: String, _ help: String, _ kind: MetricKind, _ labels: [Label], cells: Int, bounds: [Double] = [],
        omitsUntouched: Bool = false
    ) -> Int {
        precondition(isMetricName(name), "BUG: '\(name)' is no metric name")
        precondition(labels.allSatisfy { isLabelName($0.name) }, "BUG: a label of \(name) has no valid name")
        let place: Int
        if let known = families.firstIndex(where: { $0.name == name }) {
            let family = families[known]
            precondition(family.kind == kind && family.help == help, "BUG: \(name) declared in two ways")
            precondition(family.bounds == bounds, "BUG: \(name) declared with other buckets")
            place = known
        } else {
            families.append(
                Family(name: name, help: help, kind: kind, bounds: bounds, omitsUntouched: omitsUntouched))
            place = families.count - 1
        }
        let rendered = labels.map { "\($0.name)=\"\(escapedLabelValue($0.value))\"" }.joined(separator: ",")
        precondition(!families[place].children.contains { $0.labels == rendered }, "BUG: \(name){\(rendered)} twice")
        families[place].children.append(Child(labels: rendered, cell: cellCount))
        defer { cellCount += cells }
        return cellCount
    }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`, the data model's rule for metric names.
package func isMetricName(_ name: String) -> Bool {
    isName(name) { $0 == UInt8(ascii: ":") }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*` and not reserved (`__`), nor the ones that a histogram or summary writes itself.
package func isLabelName(_ name: String) -> Bool {
    isName(name) { _ in false } && !name.hasPrefix("__") && name != "le" && name != "quantile"
}

private func isName(_ name: String, also extra: (UInt8) -> Bool) -> Bool {
    guard let first = name.utf8.first else { return false }
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    func isStart(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || byte == UInt8(ascii: "_") || extra(byte)
    }
    return isStart(first) && name.utf8.dropFirst().allSatisfy { isStart($0) || digits.contains($0) }
}

/// Backslash, quote and newline escaped, so that no value can end its label or forge a line.
package func escapedLabelValue(_ value: String) -> String {
    escaped(value, quote: true)
}

/// Backslash and newline escaped, as `# HELP` wants.
package func escapedHelp(_ help: String) -> String {
    escaped(help, quote: false)
}

private func escaped(_ text: String, quote: Bool) -> String {
    let needsEscape = { (byte: UInt8) in
        byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "\n") || quote && byte == UInt8(ascii: "\"")
    }
    if !text.utf8.contains(where: needsEscape) { return text }
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\"" where quote: result += "\\\""
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
