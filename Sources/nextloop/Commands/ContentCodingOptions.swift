import ArgumentParser
import HTTPMessages

/// When answers are compressed, and how hard. docs/http.md has the measurements.
struct ContentCodingOptions: ParsableArguments {
    @Option(help: "Bytes from which an answer is sent as gzip to who accepts it, 1 to 1073741824; 0: never.")
    var gzipMinBytes = GzipSettings().bytesMin ?? 0

    @Option(help: "zlib's level for such answers, 1 (fast) to 9 (small).")
    var gzipLevel = GzipSettings().level

    func validate() throws {
        guard gzipMinBytes == 0 || GzipSettings.bytesMinRange.contains(gzipMinBytes) else {
            throw ValidationError("--gzip-min-bytes is \(gzipMinBytes); wanted 0 to 1073741824.")
        }
        guard GzipSettings.levelRange.contains(gzipLevel) else {
            throw ValidationError("--gzip-level is \(gzipLevel); wanted 1 to 9.")
        }
    }

    var settings: GzipSettings { GzipSettings(bytesMin: gzipMinBytes == 0 ? nil : gzipMinBytes, level: gzipLevel) }
}
