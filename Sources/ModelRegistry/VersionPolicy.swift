/// Which versions of a model a server wants, now and whenever the registry changes.
package enum VersionPolicy: Sendable, Equatable {
    case alias(String)
    case version(Int)
    /// So many of the newest; the newest answers.
    case latest(Int)
}
