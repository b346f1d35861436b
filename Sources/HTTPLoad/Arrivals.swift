/// When the requests of one thread fall due in an open loop: the whole run's schedule is one request every 1/rate seconds, dealt to
/// the threads in turn.
struct Arrivals {
    private let start: UInt64
    private let nanosecondsApart: Double
    private let offset: Double
    private var taken = 0

    /// - Parameter rate: requests a second over all threads.
    init(start: UInt64, rate: Double, thread: Int, threads: Int) {
        self.start = start
        nanosecondsApart = 1e9 / rate * Double(threads)
        offset = 1e9 / rate * Double(thread)
    }

    /// When the next one is due. From the start, not from the one before: rounding does not add up.
    var next: UInt64 { start + UInt64(offset + Double(taken) * nanosecondsApart) }

    mutating func take() { taken += 1 }
}
