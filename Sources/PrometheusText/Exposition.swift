/// Writes the Prometheus text exposition format 0.0.4.
///
/// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
/// Families come in order of declaration, each once, with `# HELP` and `# TYPE` before its samples, even when
/// several sets hold children of the same family. Written at once or in pieces: a sample is as old as its piece.
package struct Exposition: Sendable {
    package static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    /// Where samples come from: the children of a family of a set, or text.
    private enum Source {
        case children(MetricSet, family: Int)
        case samples(String)
    }

    private var families: [(head: MetricSchema.Family, sources: [Source])] = []
    private var places: [String: Int] = [:]
    /// What is written next.
    private var place = (family: 0, source: 0, child: 0, hasHead: false)

    /// Cells read for one piece, whether there is something to write of them or not: some 100 µs.
    private static let cellsPerPiece = 65_536

    package init() {}

    /// Adds every sample of a set.
    package mutating func add(_ set: MetricSet) {
        for (number, family) in set.schema.families.enumerated() {
            append(.children(set, family: number), to: family)
        }
    }

    /// Adds one sample whose value is known only now.
    package mutating func add(
        _ name: String, _ help: String, _ kind: MetricKind, _ labels: [Label] = [], value: Double
    ) {
        var schema = MetricSchema()
        switch kind {
        case .counter: _ = schema.counter(name, help, labels)
        case .gauge: _ = schema.gauge(name, help, labels)
        case .histogram, .summary: preconditionFailure("BUG: \(name): only single values can be added directly")
        }
        let family = schema.families[0]
        var samples = ""
        writeSample(name, family.children[0].labels, sampleValue(value), into: &samples)
        append(.samples(samples), to: family)
    }

    /// The whole text.
    package consuming func text() -> String {
        var text = ""
        while writePiece(into: &text, bytesMax: .max) {}
        return text
    }

    /// Appends what comes next, until some more than `bytesMax` bytes are written.
    ///
    /// - Returns: whether there is more. A piece may be empty.
    package mutating func writePiece(into text: inout String, bytesMax: Int) -> Bool {
        let before = text.utf8.count
        var cellsRead = 0
        while place.family < families.count {
            let (head, sources) = families[place.family]
            while place.source < sources.count {
                switch sources[place.source] {
                case .samples(let samples):
                    writeHead(head, into: &text)
                    text += samples
                case .children(let set, let number):
                    let family = set.schema.families[number]
                    // A number is dear to write, and the children of a histogram share their bounds.
                    let bounds = family.bounds.map { "le=\"\(sampleValue($0))\"" } + ["le=\"+Inf\""]
                    let cellsPerChild = (family.bounds.count + 2) * set.shardCount
                    while place.child < family.children.count {
                        if text.utf8.count - before >= bytesMax || cellsRead >= Self.cellsPerPiece { return true }
                        let child = family.children[place.child]
                        place.child += 1
                        cellsRead += cellsPerChild
                        if family.omitsUntouched && !isTouched(child, family, set) { continue }
                        writeHead(head, into: &text)
                        write(child, family, bounds, set, into: &text)
                    }
                }
                place.source += 1
                place.child = 0
            }
            place = (place.family + 1, 0, 0, false)
        }
        return false
    }

    private mutating func append(_ source: Source, to family: MetricSchema.Family) {
        if let known = places[family.name] {
            precondition(families[known].head.kind == family.kind, "BUG: \(family.name) declared in two ways")
            families[known].sources.append(source)
        } else {
            places[family.name] = families.count
            families.append((family, [source]))
        }
    }

    /// Once a family, and only when it has a sample.
    private mutating func writeHead(_ family: MetricSchema.Family, into text: inout String) {
        if place.hasHead { return }
        place.hasHead = true
        text += "# HELP \(family.name) \(escapedHelp(family.help))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
    }

    private func isTouched(_ child: MetricSchema.Child, _ family: MetricSchema.Family, _ set: MetricSet) -> Bool {
        switch family.kind {
        case .counter, .gauge, .summary: set.integer(child.cell) != 0
        case .histogram: set.isAnyNonzero(child.cell..<(child.cell + family.bounds.count + 1))
        }
    }

    private func write(
        _ child: MetricSchema.Child, _ family: MetricSchema.Family, _ bounds: [String], _ set: MetricSet,
        into samples: inout String
    ) {
        switch family.kind {
        case .counter:
            writeSample(family.name, child.labels, String(set.integer(child.cell)), into: &samples)
        case .gauge:
            writeSample(family.name, child.labels, sampleValue(set.double(child.cell)), into: &samples)
        case .summary:
            writeSample(family.name + "_count", child.labels, String(set.integer(child.cell)), into: &samples)
            writeSample(family.name + "_sum", child.labels, sampleValue(set.double(child.cell + 1)), into: &samples)
        case .histogram:
            writeHistogram(child, family, bounds, set, into: &samples)
        }
    }

    /// Buckets are cumulative in the text. `_count` is the last of them, never a cell of its own: so a scrape in the
    /// middle of an observation still shows `_count` equal to the +Inf bucket.
    private func writeHistogram(
        _ child: MetricSchema.Child, _ family: MetricSchema.Family, _ bounds: [String], _ set: MetricSet,
        into samples: inout String
    ) {
        let start = family.name + "_bucket{" + child.labels + (child.labels.isEmpty ? "" : ",")
        var total: UInt64 = 0
        var totalText = "0"
        for (bucket, bound) in bounds.enumerated() {
            let count = set.integer(child.cell + bucket)
            if count > 0 {
                total &+= count
                totalText = String(total)
            }
            samples += start
            samples += bound
            samples += "} "
            samples += totalText
            samples += "\n"
        }
        let sum = set.double(child.cell + family.bounds.count + 1)
        writeSample(family.name + "_sum", child.labels, sampleValue(sum), into: &samples)
        writeSample(family.name + "_count", child.labels, String(total), into: &samples)
    }

    private func writeSample(_ name: String, _ labels: String, _ value: String, into samples: inout String) {
        samples += name
        if !labels.isEmpty {
            samples += "{"
            samples += labels
            samples += "}"
        }
        samples += " "
        samples += value
        samples += "\n"
    }
}

/// Go's ParseFloat reads what Swift writes, but for the infinities. `1` is written `1.0`, as the Python client does
/// and as dashboards ask for in `le="1.0"`.
func sampleValue(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return value.description
}
