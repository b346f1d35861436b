import CLinux

/// What a process does with memory that a version no longer needs.
package enum LargeBlocks {
    /// Blocks of this many bytes are given back to the system when they are freed. Codes of a model of 65,536 x 64 are as large; what a
    /// loop takes for a request is smaller, bodies of the default 1 MiB included, so that it does not wait for a mapping. Whoever allows
    /// larger bodies pays one for each. A constant: loops are not to depend on what versions weigh.
    static let bytesMin: Int32 = 2 << 20

    /// Has the allocator give large blocks back. Call it once, before the first version is loaded.
    ///
    /// glibc keeps what was freed for the next who asks, up to the size of the largest block freed so far: the codes of one version
    /// raise that to their own size, and every later load leaves some of its megabytes in the heap. With the bound held where
    /// it is (then 256 KiB), twenty reloads of 100,000 x 64 left 0.9 MiB more resident than before them instead of 10.7 (docs/lifecycle.md).
    ///
    /// - Returns: false where the allocator does not take the bound, which changes nothing.
    @discardableResult
    package static func returnToSystem() -> Bool { clinux_map_large_blocks(bytesMin) == 0 }
}
