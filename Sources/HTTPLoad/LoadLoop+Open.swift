import Glibc

extension LoadLoop {
    /// Connects and waits for it, before the clock starts.
    func openNow(_ index: Int) throws(ClientSocket.Failure) {
        let socket = try ClientSocket(host: plan.host, port: plan.port)
        try socket.waitUntilConnected(milliseconds: Int32(clamping: plan.timeout.nanoseconds / 1_000_000))
        try adopt(index, socket, writing: false)
        connections[index].state = .open
    }

    /// Begins to connect again.
    func open(_ index: Int, _ time: UInt64) {
        do throws(ClientSocket.Failure) {
            let socket = try ClientSocket(host: plan.host, port: plan.port)
            try adopt(index, socket, writing: true)
            connections[index].state = .connecting
            connections[index].connectingSince = time
        } catch {
            connectFailed(index, time)
        }
    }

    /// The socket of a connection being made became ready.
    func finishOpening(_ index: Int, _ time: UInt64) {
        let connection = connections[index]
        do throws(ClientSocket.Failure) {
            try connection.checkConnected()
            connection.state = .open
            poll.modify(connection.descriptor, writing: false, connection: index, socket: socketNumbers[index])
            tallies[interval(time)].reconnections += 1
            ask(index, time)
        } catch {
            connectFailed(index, time)
        }
    }

    private func adopt(_ index: Int, _ socket: consuming ClientSocket, writing: Bool) throws(ClientSocket.Failure) {
        socketNumbers[index] &+= 1
        try poll.add(socket.descriptor, writing: writing, connection: index, socket: socketNumbers[index])
        connections[index].start(socket, bodyless: plan.script.isHead)
    }
}
