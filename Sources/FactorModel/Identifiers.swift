/// A user's dense row number in the user factors. Never the caller's string: that is a user id.
package struct UserIndex: Hashable, Comparable, Sendable {
    package let row: Int

    package init(_ row: Int) { self.row = row }

    package static func < (a: UserIndex, b: UserIndex) -> Bool { a.row < b.row }
}

/// An item's dense row number in the item factors. Never the caller's string: that is an item id.
package struct ItemIndex: Hashable, Comparable, Sendable {
    package let row: Int

    package init(_ row: Int) { self.row = row }

    package static func < (a: ItemIndex, b: ItemIndex) -> Bool { a.row < b.row }
}

/// A hotel's dense row number in the catalogue's list of hotels.
package struct HotelIndex: Hashable, Comparable, Sendable {
    package let row: Int

    package init(_ row: Int) { self.row = row }

    package static func < (a: HotelIndex, b: HotelIndex) -> Bool { a.row < b.row }
}

/// A department's dense row number in the model's list of departments.
package struct DepartmentIndex: Hashable, Comparable, Sendable {
    package let row: Int

    package init(_ row: Int) { self.row = row }

    package static func < (a: DepartmentIndex, b: DepartmentIndex) -> Bool { a.row < b.row }
}

/// Bounds that every id and name from outside must keep, wherever it comes in.
package enum ModelLimits {
    /// An id is 1 to this many bytes of UTF-8.
    package static let idBytesMax = 256
    /// A display name is at most this many bytes of UTF-8.
    package static let nameBytesMax = 1024
    /// Rows are stored as UInt32.
    package static let rowCountMax = Int(UInt32.max) - 1
    /// Factors a vector may have.
    package static let factorCountMax = 1024
    /// A vector's squared length is at most this: so no product of two overflows float32.
    package static let squaredNormMax: Float = 1e38
    /// How often an item was ordered in a hotel is at most this: so no sum over hotels overflows float32.
    package static let hotelPopularityMax: Float = 1e28
}
