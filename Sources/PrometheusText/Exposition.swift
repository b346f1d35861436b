/// Writes the Prometheus text exposition format 0.0.4.
///
/// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
/// Families come in order of declaration, each once, with `# HELP` and `# TYPE` before its samples, even when
/// several sets hold children of the same family.
package struct Exposition {
    package static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    private var families: [(head: MetricSchema.Family, samples: String)] = []
    private var places: [String: Int] = [:]

    package init() {}

    /// Adds every sample of a set.
    package mutating func add(_ set: MetricSet) {
        for family in set.schema.families {
            var samples = ""
            // A number is dear to write, and the children of a histogram share their bounds.
            var bounds: [String] = []
            for child in family.children {
                if family.omitsUntouched && !isTouched(child, family, set) { continue }
                if bounds.isEmpty { bounds = family.bounds.map { "le=\"\(sampleValue($0))\"" } + ["le=\"+Inf\""] }
                write(child, family, bounds, set, into: &samples)
            }
            append(samples, to: family)
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
        append(samples, to: family)
    }

    package consuming func text() -> String {
        var text = ""
        for family in families where !family.samples.isEmpty {
            text += "# HELP \(family.head.name) \(escapedHelp(family.head.help))\n"
            text += "# TYPE \(family.head.name) \(family.head.kind.rawValue)\n"
            text += family.samples
        }
        return text
    }

    private mutating func append(_ samples: String, to family: MetricSchema.Family) {
        if let place = places[family.name] {
            precondition(families[place].head.kind == family.kind, "BUG: \(family.name) declared in two ways")
            families[place].samples += samples
        } else {
            places[family.name] = families.count
            families.append((family, samples))
        }
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
