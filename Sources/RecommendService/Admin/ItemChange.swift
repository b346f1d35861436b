import HTTPMessages
import ModelRegistry
import Synchronization

/// An operator's request about one item, from the moment it was understood until it is answered: the change is made on a thread that waits for
/// the disk, and the answer is written by the loop when it is durable and in force for all loops.
final class ItemChange: PostponedAnswer {
    private let change: UnavailableItems.Change
    private let model: String
    private let loop: LoopService
    private let admin: Admin
    private let requestID: [UInt8]
    private let requestBytes: Int
    /// Taken along, for other requests are answered before the end.
    private let accessEntry: AccessEntry
    private let outcome = Outcome()

    /// Written by the thread that makes the change, read by the loop once that has said that it is ready.
    private final class Outcome: Sendable {
        let result = Mutex<Result<UnavailableItems.Made, RegistryError>?>(nil)
    }

    init(
        _ change: UnavailableItems.Change, in model: String, _ loop: LoopService, _ admin: Admin, requestBytes: Int
    ) {
        self.change = change
        self.model = model
        self.loop = loop
        self.admin = admin
        self.requestBytes = requestBytes
        requestID = loop.requestID
        accessEntry = loop.accessEntry
    }

    func begin(_ ready: @escaping @Sendable () -> Void) {
        let (admin, model, change, outcome) = (admin, model, change, outcome)
        let hasBegun = admin.unavailable.change(change, in: model) { result in
            outcome.result.withLock { $0 = result }
            // First, so that a log that nobody reads withholds no answer of a change that is durable.
            ready()
            // Whether anybody waits for the answer or not.
            if case .success(let made) = result, made != .nothing { admin.report(AdminEvent(change, in: model)) }
        }
        if !hasBegun { ready() }
    }

    func write(into response: inout Response) {
        loop.resume(requestBytes: requestBytes, requestID: requestID, entry: accessEntry)
        loop.writeAdmin(into: &response) { () throws(Problem) in
            try loop.write(change, in: model, outcome.result.withLock { $0 })
        }
    }

    func abandoned() {
        var entry = accessEntry
        entry.wasCut = true
        loop.resume(requestBytes: requestBytes, requestID: requestID, entry: entry)
    }
}

extension AdminEvent {
    init(_ change: UnavailableItems.Change, in model: String) {
        switch change {
        case .mark(let mark):
            self = .unavailable(model: model, item: mark.itemID, hotel: mark.hotelID, until: mark.until)
        case .unmark(let itemID, let hotelID, _): self = .available(model: model, item: itemID, hotel: hotelID)
        }
    }
}
