/// A column together with what keeps its memory where it is: a mapped file, or a copy of values that were computed.
struct HeldColumn<Element: BitwiseCopyable & Sendable>: Sendable {
    /// Valid for as long as this value, or a copy of it, lives.
    let column: Column<Element>
    private let owner: any AnyObject & Sendable

    /// A column of a file.
    init(_ column: Column<Element>, in file: MappedFile) {
        self.column = column
        owner = file
    }

    /// Values that were computed: copied, so that a column of them reads like one of a file.
    init(_ elements: [Element]) {
        let copy = ElementCopy(elements)
        column = copy.column
        owner = copy
    }
}

/// Elements on the heap.
@safe
private final class ElementCopy<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
    // Sendable: nothing is written after init.
    private let base: UnsafeMutableBufferPointer<Element>

    init(_ elements: [Element]) {
        // SAFETY: written in full here, given back in deinit.
        unsafe base = UnsafeMutableBufferPointer.allocate(capacity: max(elements.count, 1))
        unsafe _ = base.initialize(from: elements)
        count = elements.count
    }

    private let count: Int

    deinit { unsafe base.deallocate() }

    var column: Column<Element> {
        guard let start = unsafe base.baseAddress else { preconditionFailure("BUG: memory for no element") }
        // SAFETY: `count` elements were initialized; the holder keeps this object alive.
        return unsafe Column(base: UnsafePointer(start), count: count)
    }
}
