package import ModelRegistry

/// An A/B experiment on one model: which share of the guests is answered by which version, and which share is the control.
///
/// A guest belongs to an arm by a hash of the experiment's name and the user id: the same in every process, after every restart and in
/// bulk requests, and independent of the arms of experiments with other names.
package struct Experiment: Sendable, Equatable {
    /// `[a-z0-9][a-z0-9._-]{0,63}`, as all names of ours.
    package let name: String
    package let arms: [Arm]

    package struct Arm: Sendable, Equatable {
        package let name: String
        /// Of all guests.
        package let share: BasisPoints
        /// The version that answers; nil for a control: the live one.
        package let selector: VersionPolicy?

        package init(name: String, share: BasisPoints, selector: VersionPolicy?) {
            self.name = name
            self.share = share
            self.selector = selector
        }
    }

    /// What is wrong with an experiment.
    package struct Invalid: Error, Equatable, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    package static let armsMax = 16

    /// - Throws: unless there are 2 to 16 arms of different names, one of them a control, of together at most all guests.
    package init(name: String, arms: [Arm]) throws(Invalid) {
        guard isModelName(name) else { throw Invalid(description: "'\(name)' is no experiment's name") }
        for arm in arms where !isModelName(arm.name) { throw Invalid(description: "'\(arm.name)' is no arm's name") }
        guard (2...Self.armsMax).contains(arms.count), Set(arms.map(\.name)).count == arms.count else {
            throw Invalid(description: "\(name) has \(arms.count) arms; wanted 2 to \(Self.armsMax) of different names")
        }
        guard arms.contains(where: { $0.selector == nil }), arms.contains(where: { $0.selector != nil }) else {
            throw Invalid(description: "\(name) wants an arm with a version and a control, an arm without one")
        }
        let total = arms.reduce(0) { $0 + $1.share.value }
        guard total <= BasisPoints.all.value else {
            throw Invalid(
                description: "\(name) gives its arms more than 100 % of the guests together")
        }
        self.name = name
        self.arms = arms
    }

    /// The arm of a guest, as a place in ``arms``; nil for one outside the experiment.
    ///
    /// Arms with versions lie from the bottom up, controls from the top down: while one of each grows, guests join and nobody changes
    /// sides.
    func arm(of user: Span<UInt8>) -> Int? {
        let point = Self.point(experiment: name, user: user)
        var low = 0
        var high = BasisPoints.all.value
        for (place, arm) in arms.enumerated() {
            if arm.selector != nil {
                if (low..<low + arm.share.value).contains(point) { return place }
                low += arm.share.value
            } else {
                if (high - arm.share.value..<high).contains(point) { return place }
                high -= arm.share.value
            }
        }
        return nil
    }

    /// Where a guest stands in an experiment: 0 to 9,999, evenly and without a relation between experiments.
    ///
    /// FNV-1a (64 bits) over the name, a zero byte and the id, then the finalizer of SplitMix64, which spreads every bit over all (Steele,
    /// Lea and Flood 2014); the high bits of a product take the range without a division (Lemire 2019).
    static func point(experiment: String, user: Span<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in experiment.utf8 { add(byte) }
        add(0)
        for index in user.indices { add(user[index]) }
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        hash ^= hash >> 31
        return Int(hash.multipliedFullWidth(by: UInt64(BasisPoints.all.value)).high)
    }
}

/// A share of all, in hundredths of a percent: 0 to 10,000.
package struct BasisPoints: Sendable, Equatable, CustomStringConvertible {
    package let value: Int

    package static let all = BasisPoints(clamping: 10_000)

    package init(clamping value: Int) { self.value = min(max(value, 0), 10_000) }

    /// Percent with at most two decimals: `20`, `0.5`, `12.25`. Nil for anything else, and outside 0 to 100.
    package init?(percent text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), (1...3).contains(parts[0].count),
            parts.count == 1 || (1...2).contains(parts[1].count),
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }), let whole = Int(parts[0])
        else { return nil }
        let fraction = parts.count == 1 ? 0 : (Int(parts[1]) ?? 0) * (parts[1].count == 1 ? 10 : 1)
        guard whole * 100 + fraction <= 10_000 else { return nil }
        value = whole * 100 + fraction
    }

    /// In percent.
    package var description: String {
        let (whole, rest) = value.quotientAndRemainder(dividingBy: 100)
        return rest == 0 ? "\(whole)" : "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}
