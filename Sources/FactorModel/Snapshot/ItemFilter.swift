/// Which items may be in an answer: all conditions must hold. By default every item passes.
package struct ItemFilter: Equatable, Sendable {
    /// Only items that one of these hotels sells. nil for every item; empty for a filter that matches nothing.
    package var hotels: [HotelIndex]?
    /// Only items that one of these departments serves. nil for every item; empty matches nothing.
    package var departments: [DepartmentIndex]?
    /// Inclusive. An item whose price is unknown fails any bound.
    package var minPrice: Int64?
    package var maxPrice: Int64?
    /// Only these items, in any order, repeats allowed. nil for every item; empty matches nothing.
    package var allow: [ItemIndex]?
    /// Never these items, in any order, repeats allowed.
    package var deny: [ItemIndex]
    /// Nor these, which cannot be had just now: the operator's list beside the caller's, so that neither has to be copied into the
    /// other. In any order, repeats allowed.
    package var unavailable: [ItemIndex]

    package init(
        hotels: [HotelIndex]? = nil, departments: [DepartmentIndex]? = nil, minPrice: Int64? = nil,
        maxPrice: Int64? = nil, allow: [ItemIndex]? = nil, deny: [ItemIndex] = [], unavailable: [ItemIndex] = []
    ) {
        self.hotels = hotels
        self.departments = departments
        self.minPrice = minPrice
        self.maxPrice = maxPrice
        self.allow = allow
        self.deny = deny
        self.unavailable = unavailable
    }

    /// Lets every item pass again. What was not set is not written: most requests filter nothing, and each list that is replaced is
    /// counted.
    package mutating func reset() {
        if hotels != nil { hotels = nil }
        if departments != nil { departments = nil }
        minPrice = nil
        maxPrice = nil
        if allow != nil { allow = nil }
        if !deny.isEmpty { deny = [] }
        if !unavailable.isEmpty { unavailable = [] }
    }

    /// Whether there is a condition that needs an item's attributes to be looked at.
    var asksForAttributes: Bool { departments != nil || minPrice != nil || maxPrice != nil }

    /// Whether both let the same items pass but for what they deny or is unavailable.
    func hasSameCandidates(as other: ItemFilter) -> Bool {
        hotels == other.hotels && departments == other.departments && minPrice == other.minPrice
            && maxPrice == other.maxPrice && allow == other.allow
    }
}
