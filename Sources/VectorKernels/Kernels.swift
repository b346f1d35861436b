import CKernels

/// The instruction sets that the kernels are compiled for.
package enum KernelPath: String, CaseIterable, Sendable {
    case avx512vnni, avx512, avx2, neon, portable

    var number: nl_path {
        switch self {
        case .avx512vnni: NL_AVX512VNNI
        case .avx512: NL_AVX512
        case .avx2: NL_AVX2
        case .neon: NL_NEON
        case .portable: NL_PORTABLE
        }
    }
}

/// The kernels of one instruction set. All of them give the same bits; see docs/kernels.md for the order of summation.
///
/// The free functions of this room use ``best``, and so do callers of the others; a caller names another path only to compare the two.
@safe
package struct Kernels: @unchecked Sendable {  // Sendable: points at a constant table.
    let table: UnsafePointer<nl_kernels>

    /// The kernels of `path`, or nil when this build or this CPU does not have it.
    package init?(_ path: KernelPath) {
        guard let table = unsafe nl_kernels_for(path.number) else { return nil }
        unsafe self.table = table
    }

    /// The fastest that this CPU has, asked once.
    package static let best: Kernels = {
        for path in KernelPath.allCases {
            if let kernels = Kernels(path) { return kernels }
        }
        preconditionFailure("BUG: the portable kernels are always there")
    }()

    /// The paths that can run here, fastest first.
    package static var available: [KernelPath] { KernelPath.allCases.filter { Kernels($0) != nil } }

    /// "avx512vnni", "avx512", "avx2", "neon" or "portable".
    package var name: String {
        // SAFETY: a string literal of C, ended by NUL, alive as long as the program.
        unsafe String(cString: table.pointee.name)
    }
}
