/// The connections of one loop, in numbered slots. Grows, never shrinks; freed slots are used first.
///
/// A connection is worked on where it lies: it has some hundred bytes. No one else can reach it meanwhile. Slots come in blocks that stay
/// where they are: growing copies nothing, and at most one block is there for nobody.
@safe
struct ConnectionTable: ~Copyable {
    private static var blockSlots: Int { 64 }

    private var blocks: [UnsafeMutablePointer<Connection>] = unsafe []
    /// Which slots hold a connection: one that is reserved or taken out does not.
    private var isHeld: [Bool] = []
    private var free: [UInt32] = []
    /// Slots in use; one that is taken out counts.
    private(set) var count = 0

    deinit {
        for slot in isHeld.indices where isHeld[slot] {
            // SAFETY: the slot holds a connection; deinitialising closes it.
            unsafe address(of: slot).deinitialize(count: 1)
        }
        // SAFETY: allocated in grow, and nothing is in them any more.
        for index in unsafe blocks.indices { unsafe blocks[index].deallocate() }
    }

    /// Slots that exist, used or not.
    var slotCount: Int { isHeld.count }

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

    /// Where the connection of a slot lies, until it is taken out; nil when nobody has the slot.
    @unsafe
    func place(of slot: Int) -> UnsafeMutablePointer<Connection>? {
        isHeld[slot] ? unsafe address(of: slot) : nil
    }

    /// Moves a connection out; nil when nobody has the slot.
    mutating func take(_ slot: Int) -> Connection? {
        guard isHeld[slot] else { return nil }
        isHeld[slot] = false
        // SAFETY: it held a connection, and now says that it does not.
        return unsafe address(of: slot).move()
    }

    mutating func put(_ connection: consuming Connection, at slot: Int) {
        precondition(!isHeld[slot], "BUG: two connections in a slot")
        isHeld[slot] = true
        // SAFETY: it held nothing.
        unsafe address(of: slot).initialize(to: connection)
    }

    private func address(of slot: Int) -> UnsafeMutablePointer<Connection> {
        // SAFETY: the array checks the block, and the remainder is below its slots.
        unsafe blocks[slot / Self.blockSlots] + slot % Self.blockSlots
    }

    private mutating func grow() {
        let first = slotCount
        // SAFETY: freed in deinit; filled slot by slot.
        unsafe blocks.append(.allocate(capacity: Self.blockSlots))
        isHeld += Array(repeating: false, count: Self.blockSlots)
        // The lowest first.
        free.append(contentsOf: (first..<(first + Self.blockSlots)).reversed().map { UInt32($0) })
    }
}
