import CKernels

/// Asks for bytes that will be read soon, so that other work hides the wait for them. Changes nothing but time.
///
/// - Complexity: one instruction for each 64 bytes: no more of them than a few kilobytes.
package func prefetch(_ bytes: RawSpan) {
    // SAFETY: nothing is read; the addresses are those of a span that is alive.
    unsafe bytes.withUnsafeBytes { if let base = $0.baseAddress { unsafe nl_prefetch(base, $0.count) } }
}
