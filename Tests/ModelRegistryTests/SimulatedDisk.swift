import FactorModel
import Foundation
import Glibc
import ModelRegistry
import Synchronization

/// What a disk holds: what a loss of power leaves, and what it may take.
///
/// POSIX promises no more than this: the bytes of a file are there once it was synchronized; an entry of a directory (made, renamed
/// or removed) once its directory was. Of what was not, any part may be there, in any combination; a rename is whole or not there.
struct Disk {
    enum Change {
        case link(String, inode: Int)
        case unlink(String)
        case rename(String, to: String)
    }

    struct Directory {
        var durable: [String: Int] = [:]
        var pending: [Change] = []

        /// The entries if those changes of `pending` happened whose bit is set.
        func entries(_ happened: UInt = .max) -> [String: Int] {
            var entries = durable
            // An inode's number is known to the change even if the entry that it renames never was on the disk.
            var names = durable
            for (place, change) in pending.enumerated() {
                let isThere = happened & 1 << place != 0
                switch change {
                case .link(let name, let inode):
                    names[name] = inode
                    if isThere { entries[name] = inode }
                case .unlink(let name):
                    names[name] = nil
                    if isThere { entries[name] = nil }
                case .rename(let old, let new):
                    names[new] = names.removeValue(forKey: old)
                    if isThere {
                        entries[old] = nil
                        entries[new] = names[new]
                    }
                }
            }
            return entries
        }
    }

    enum Node {
        case directory(Directory)
        /// `isDurable`: all of it is there; else any beginning of it may be.
        case file([UInt8], isDurable: Bool)
    }

    /// The first is the root.
    var nodes: [Node] = [.directory(Directory())]

    /// Paths and contents, nil for a directory.
    typealias Tree = [String: [UInt8]?]

    /// Every tree that a loss of power may leave.
    func treesAfterPowerLoss() -> Set<Tree> {
        var choices: [(node: Int, count: UInt)] = []
        for (node, what) in nodes.enumerated() {
            switch what {
            case .directory(let directory) where !directory.pending.isEmpty:
                precondition(directory.pending.count <= 12, "too many changes to try every combination")
                choices.append((node, 1 << directory.pending.count))
            // Nothing of it, a half, all.
            case .file(_, isDurable: false): choices.append((node, 3))
            default: break
            }
        }
        var trees: Set<Tree> = []
        let combinationCount = choices.reduce(UInt(1)) { $0 * $1.count }
        for combination in 0..<combinationCount {
            var rest = combination
            var chosen: [Int: UInt] = [:]
            for choice in choices {
                chosen[choice.node] = rest % choice.count
                rest /= choice.count
            }
            var tree: Tree = [:]
            fill(&tree, "", 0, chosen)
            trees.insert(tree)
        }
        return trees
    }

    private func fill(_ tree: inout Tree, _ path: String, _ node: Int, _ chosen: [Int: UInt]) {
        switch nodes[node] {
        case .directory(let directory):
            if !path.isEmpty { tree[path] = .some(nil) }
            for (name, inode) in directory.entries(chosen[node] ?? .max) {
                fill(&tree, path.isEmpty ? name : "\(path)/\(name)", inode, chosen)
            }
        case .file(let bytes, let isDurable):
            let length = isDurable ? bytes.count : bytes.count * Int(chosen[node] ?? 2) / 2
            tree[path] = Array(bytes.prefix(length))
        }
    }
}

/// The real file system, keeping account of what a loss of power would leave after each step of each call.
final class SimulatedDisk: RegistryFileSystem {
    private let real = POSIXFileSystem()
    private let base: String
    private let state: Mutex<[Disk]>
    private let synchronizesFailing = Mutex(0)

    /// - Parameter base: the directory that is the root of the disk; what lies there is durable.
    init(base: String) throws {
        self.base = base
        var disk = Disk()
        try Self.load(&disk, 0, base)
        state = Mutex([disk])
    }

    /// The disk before the first step and after each.
    var steps: [Disk] { state.withLock { $0 } }

    /// Makes so many of the next ``synchronize(directory:)`` fail, with nothing done.
    func failSynchronizing(count: Int) { synchronizesFailing.withLock { $0 = count } }

    /// Makes a directory hold what a tree says.
    static func write(_ tree: Disk.Tree, to base: String) throws {
        for (path, bytes) in tree.sorted(by: { $0.key < $1.key }) {
            let target = "\(base)/\(path)"
            if let bytes {
                try Data(bytes).write(to: URL(filePath: target))
            } else {
                try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
            }
        }
    }

    private static func load(_ disk: inout Disk, _ node: Int, _ path: String) throws {
        var directory = Disk.Directory()
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            directory.durable[name] = disk.nodes.count
            let entry = "\(path)/\(name)"
            if try POSIXFileSystem().status(of: entry)?.isDirectory == true {
                disk.nodes.append(.directory(Disk.Directory()))
                try load(&disk, disk.nodes.count - 1, entry)
            } else {
                disk.nodes.append(.file([UInt8](try Data(contentsOf: URL(filePath: entry))), isDurable: true))
            }
        }
        disk.nodes[node] = .directory(directory)
    }

    // MARK: Keeping account

    private func step(_ body: (inout Disk) -> Void) {
        state.withLock { steps in
            guard var disk = steps.last else { return }
            body(&disk)
            steps.append(disk)
        }
    }

    /// The names on the way from the root.
    private func names(_ path: String) -> [Substring] {
        precondition(path.hasPrefix(base), "\(path) is not on the disk")
        var names: [Substring] = []
        for name in path.dropFirst(base.count).split(separator: "/") {
            if name == ".." { names.removeLast() } else { names.append(name) }
        }
        return names
    }

    private static func node(_ names: some Sequence<Substring>, in disk: Disk) -> Int {
        var node = 0
        for name in names {
            guard case .directory(let directory) = disk.nodes[node], let next = directory.entries()[String(name)] else {
                preconditionFailure("no \(name) on the disk")
            }
            node = next
        }
        return node
    }

    private func change(_ path: String, _ change: (String) -> Disk.Change) {
        let names = names(path)
        let change = change(String(names.last ?? ""))
        step { disk in
            let parent = Self.node(names.dropLast(), in: disk)
            guard case .directory(var directory) = disk.nodes[parent] else { return }
            directory.pending.append(change)
            disk.nodes[parent] = .directory(directory)
        }
    }

    private func add(_ path: String, _ node: Disk.Node) {
        let inode = state.withLock { steps in
            steps[steps.count - 1].nodes.append(node)
            return steps[steps.count - 1].nodes.count - 1
        }
        change(path) { .link($0, inode: inode) }
    }

    private func addFile(_ path: String, _ bytes: [UInt8]) {
        add(path, .file([], isDurable: false))
        let names = names(path)
        for isDurable in [false, true] {
            step { disk in disk.nodes[Self.node(names, in: disk)] = .file(bytes, isDurable: isDurable) }
        }
    }

    // MARK: Calls that change something

    func makeDirectory(_ path: String) throws(RegistryError) -> Bool {
        let isNew = try real.makeDirectory(path)
        if isNew { add(path, .directory(Disk.Directory())) }
        return isNew
    }

    func makeNewDirectory(_ path: String) throws(RegistryError) {
        try real.makeNewDirectory(path)
        add(path, .directory(Disk.Directory()))
    }

    func writeModel(_ path: String, _ contents: ModelContents) throws(RegistryError) {
        try real.writeModel(path, contents)
        addFile(path, try real.read(path, bytesMax: 1 << 20) ?? [])
    }

    func writeCodes(_ path: String, _ codes: ItemCodes, modelDigest: String) throws(RegistryError) {
        try real.writeCodes(path, codes, modelDigest: modelDigest)
        addFile(path, try real.read(path, bytesMax: 1 << 20) ?? [])
    }

    func writeNewFile(_ path: String, _ bytes: [UInt8]) throws(RegistryError) {
        try real.writeNewFile(path, bytes)
        addFile(path, bytes)
    }

    func rename(_ old: String, to new: String) throws(RegistryError) {
        try real.rename(old, to: new)
        precondition(names(old).dropLast() == names(new).dropLast(), "a rename from one directory to another")
        let newName = String(names(new).last ?? "")
        change(old) { .rename($0, to: newName) }
    }

    func synchronize(directory path: String) throws(RegistryError) {
        let isFailing = synchronizesFailing.withLock { count in
            defer { count = max(0, count - 1) }
            return count > 0
        }
        if isFailing { throw .system(call: "fsync", path: path, code: EIO) }
        try real.synchronize(directory: path)
        let names = names(path)
        step { disk in
            let node = Self.node(names, in: disk)
            guard case .directory(let directory) = disk.nodes[node] else { return }
            disk.nodes[node] = .directory(Disk.Directory(durable: directory.entries()))
        }
    }

    func removeTree(_ path: String) throws(RegistryError) {
        guard let status = try real.status(of: path) else { return }
        if status.isDirectory {
            for name in try real.entryNames(of: path) ?? [] { try removeTree("\(path)/\(name)") }
        }
        try real.removeTree(path)
        change(path) { .unlink($0) }
    }

    func lock(_ path: String) throws(RegistryError) -> FileLock {
        let isNew = try real.status(of: path) == nil
        let lock = try real.lock(path)
        if isNew { add(path, .file([], isDurable: true)) }
        return lock
    }

    // MARK: Calls that change nothing

    func tryLock(_ path: String, _ kind: FileLock.Kind) throws(RegistryError) -> LockAttempt {
        try real.tryLock(path, kind)
    }

    func read(_ path: String, bytesMax: Int) throws(RegistryError) -> [UInt8]? {
        try real.read(path, bytesMax: bytesMax)
    }

    func entryNames(of path: String) throws(RegistryError) -> [String]? { try real.entryNames(of: path) }

    func status(of path: String) throws(RegistryError) -> FileStatus? { try real.status(of: path) }
}
