/// The connections of one loop, in numbered slots. Grows, never shrinks; freed slots are used first.
///
/// A connection is moved out to be worked on and moved back: its few hundred bytes are copied faster than a reference
/// is counted, and no one else can reach it meanwhile.
@safe
struct ConnectionTable: ~Copyable {
    private var slots: UnsafeMutablePointer<Connection?>
    private var capacity: Int
    private var free: [UInt32]
    /// Slots in use; one that is taken out counts.
    private(set) var count = 0

    init() {
        capacity = 64
        free = (0..<64).reversed()
        // SAFETY: freed in deinit or replaced in grow; every slot is initialised, here or there.
        unsafe slots = .allocate(capacity: 64)
        for slot in 0..<64 { unsafe (slots + slot).initialize(to: nil) }
    }

    deinit {
        // SAFETY: all slots are initialised; deinitialising closes what is still open.
        unsafe slots.deinitialize(count: capacity)
        unsafe slots.deallocate()
    }

    /// Slots that exist, used or not.
    var slotCount: Int { capacity }

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
        precondition(slot >= 0 && slot < capacity, "BUG: no such slot")
        // SAFETY: the slot was just checked, and all slots are initialised.
        return unsafe slots[slot].take()
    }

    mutating func put(_ connection: consuming Connection, at slot: Int) {
        precondition(slot >= 0 && slot < capacity, "BUG: no such slot")
        // SAFETY: the slot was just checked, and all slots are initialised.
        unsafe slots[slot] = consume connection
    }

    private mutating func grow() {
        // SAFETY: the old slots are moved, which leaves their memory uninitialised, and the rest is initialised.
        let grown = UnsafeMutablePointer<Connection?>.allocate(capacity: capacity * 2)
        unsafe grown.moveInitialize(from: slots, count: capacity)
        for slot in capacity..<(capacity * 2) { unsafe (grown + slot).initialize(to: nil) }
        unsafe slots.deallocate()
        unsafe slots = grown
        free.append(contentsOf: (capacity..<(capacity * 2)).reversed().map { UInt32($0) })
        capacity *= 2
    }
}
