/// The connections of one loop, in numbered slots. Grows, never shrinks; freed slots are used first.
///
/// A connection is moved out to be worked on and moved back: its few hundred bytes are copied faster than a reference
/// is counted, and no one else can reach it meanwhile. Slots come in blocks that stay where they are: growing copies nothing,
/// and at most one block is there for nobody.
@safe
struct ConnectionTable: ~Copyable {
    private static var blockSlots: Int { 64 }

    private var blocks: [UnsafeMutablePointer<Connection?>] = unsafe []
    private var free: [UInt32] = []
    /// Slots in use; one that is taken out counts.
    private(set) var count = 0

    deinit {
        for index in unsafe blocks.indices {
            // SAFETY: all slots of a block are initialised; deinitialising closes what is still open.
            unsafe blocks[index].deinitialize(count: Self.blockSlots)
            unsafe blocks[index].deallocate()
        }
    }

    /// Slots that exist, used or not.
    var slotCount: Int { unsafe blocks.count * Self.blockSlots }

    /// A slot for a new connection, to be filled with ``put(_:at:)``.
    mutating func reserve() -> Int {
        if free.isEmpty { grow() }
        count += 1
        return Int(free.removeLast())
    }

    /// Gives a slot back whose connection was taken out.
    mutating func release(_ slot: Int) {
        count -= 1
        free.append(UInt32(slot))
    }

    /// Moves a connection out; nil when nobody has the slot.
    mutating func take(_ slot: Int) -> Connection? {
        // SAFETY: the array checks the block, the remainder is below its slots, and all of them are initialised.
        unsafe blocks[slot / Self.blockSlots][slot % Self.blockSlots].take()
    }

    mutating func put(_ connection: consuming Connection, at slot: Int) {
        // SAFETY: as in ``take(_:)``.
        unsafe blocks[slot / Self.blockSlots][slot % Self.blockSlots] = consume connection
    }

    private mutating func grow() {
        let first = slotCount
        // SAFETY: freed in deinit; every slot is initialised here.
        let block = UnsafeMutablePointer<Connection?>.allocate(capacity: Self.blockSlots)
        for slot in 0..<Self.blockSlots { unsafe (block + slot).initialize(to: nil) }
        unsafe blocks.append(block)
        // The lowest first.
        free.append(contentsOf: (first..<(first + Self.blockSlots)).reversed().map { UInt32($0) })
    }
}
