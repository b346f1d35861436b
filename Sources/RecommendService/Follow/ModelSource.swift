package import ModelRegistry

/// Where versions come from: a registry, or a script in tests.
package protocol ModelSource: Sendable {
    /// Every version of a model, ascending.
    func versions(of model: String) throws(RegistryError) -> [Int]
    func aliases(of model: String) throws(RegistryError) -> [String: Int]
    /// Versions that servers are to let through their gates, by the alias that was pointed at them.
    func forced(of model: String) throws(RegistryError) -> [String: Int]
    /// The versions that a policy wants, the one to answer with first.
    func versions(wanted policy: VersionPolicy, of model: String) throws(RegistryError) -> [Int]
    /// The versions that an alias named before, and that are still there, the latest first.
    func versions(before current: Int, of alias: String, model: String) throws(RegistryError) -> [Int]
    /// The change that led an alias to the version it names now; nil when nobody knows.
    func lastChange(of alias: String, model: String) throws(RegistryError) -> AliasChange?
    /// What a version answered where it was made; nil when it does not say.
    func goldenAnswers(of model: String, version: Int) throws(RegistryError) -> GoldenAnswers?
    /// What servers found when they compared versions.
    func verdicts(of model: String) throws(RegistryError) -> [GateVerdict]
    /// Keeps a verdict for the restarts to come.
    func keep(_ verdict: GateVerdict, of model: String) throws(RegistryError)
    /// What a version looks like from outside; nil when it is not there.
    func fingerprint(of model: String, version: Int) throws(RegistryError) -> VersionFingerprint?
    /// Opens a version after checking everything.
    func open(_ model: String, version: Int, options: OpenOptions) throws(RegistryError) -> OpenedVersion
    /// Keeps a prune off a version until the value goes away.
    func lease(_ model: String, version: Int) throws(RegistryError) -> ServingLease
}

extension Registry: ModelSource {}
