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

    package init(
        hotels: [HotelIndex]? = nil, departments: [DepartmentIndex]? = nil, minPrice: Int64? = nil,
        maxPrice: Int64? = nil, allow: [ItemIndex]? = nil, deny: [ItemIndex] = []
    ) {
        self.hotels = hotels
        self.departments = departments
        self.minPrice = minPrice
        self.maxPrice = maxPrice
        self.allow = allow
        self.deny = deny
    }

    /// Whether there is a condition that needs an item's attributes to be looked at.
    var asksForAttributes: Bool { departments != nil || minPrice != nil || maxPrice != nil }

    /// Whether it leaves out nothing but what it denies.
    var asksForNothing: Bool { hotels == nil && allow == nil && !asksForAttributes }

    /// Whether both let the same items pass but for what they deny.
    func hasSameCandidates(as other: ItemFilter) -> Bool {
        hotels == other.hotels && departments == other.departments && minPrice == other.minPrice
            && maxPrice == other.maxPrice && allow == other.allow
    }
}
