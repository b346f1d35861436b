import Foundation
import TestSupport
import Testing

/// NEON on a machine that has none: the kernels are compiled for aarch64 and run by QEMU.
@Suite(
    "Kernels of aarch64",
    .enabled(
        if: ScenarioProgram.canRun("qemu-aarch64"),
        "qemu-user and gcc-aarch64-linux-gnu are missing: scripts/setup test"))
struct AArch64Tests {
    #if arch(x86_64)
        /// `nl_path` in CKernels.h.
        private enum Path: String {
            case neon = "3"
            case portable = "4"
        }

        @Test("NEON, and plain C on aarch64, have the bits of x86-64 in every function and shape")
        func sameBits() throws {
            let directory = try TemporaryDirectory()
            let here = directory.file("here")
            let there = directory.file("there")
            try compile(to: here, ["-O1"])
            // As Package.swift compiles what is shipped.
            try compile(to: there, ["-O3", "--target=aarch64-linux-gnu", "-fuse-ld=lld", "-static"])

            let expected = try lines(here, [Path.portable.rawValue])
            let said = Set(expected.compactMap { $0.split(separator: " ").first })
            for function in try functions() { #expect(said.contains(Substring(function)), "\(function) is not run") }
            for path in [Path.neon, .portable] {
                let actual = try lines("/usr/bin/env", ["qemu-aarch64", there, path.rawValue])
                #expect(actual.count == expected.count)
                let different = zip(actual, expected).filter { $0 != $1 }.map { "\($0), not \($1)" }
                #expect(different.isEmpty, "\(path): \(different.prefix(5))")
            }
        }
    #endif

    /// The members of `nl_kernels`, as its header names them.
    private func functions() throws -> [String] {
        let header = try String(contentsOf: kernels.appending(path: "include/CKernels.h"), encoding: .utf8)
        let names = header.matches(of: /\(\*([a-z_]+)\)\(/).map { String($0.output.1) }
        try #require(names.count >= 15)
        return names
    }

    private var tests: URL { URL(filePath: #filePath).deletingLastPathComponent() }
    private var kernels: URL { tests.appending(path: "../../Sources/CKernels").standardizedFileURL }

    private func compile(to program: String, _ flags: [String]) throws {
        let sources = try FileManager.default.contentsOfDirectory(at: kernels, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "c" }
        try #require(sources.count > 8)
        let inputs = sources + [tests.appending(path: "programs/kernel-bits.c")]
        let done = try BuiltBinary.runProgram(
            "/usr/bin/env",
            ["clang", "-std=gnu17", "-I", kernels.appending(path: "include").path(percentEncoded: false)] + flags
                + inputs.map { $0.path(percentEncoded: false) } + ["-lm", "-o", program],
            seconds: 300)
        try #require(done.exitCode == 0, "\(done.errors)")
    }

    private func lines(_ program: String, _ arguments: [String]) throws -> [Substring] {
        let ran = try BuiltBinary.runProgram(program, arguments, seconds: 120)
        try #require(ran.exitCode == 0, "\(ran.errors)")
        return ran.output.split(separator: "\n")
    }
}
