// Tells what a connection makes of bytes, for comparison with other parsers.
//
//   in, repeated:  length, 32 bits little-endian | that many bytes, one connection's
//   out, a line each:  method target body stays ... | end        all in hexadecimal; `stays` is 0 or 1
//
// `end` is waiting, closed, or the status of the refusal. Bodies are whole before the next request is looked at.
import Foundation
import FuzzProperties

func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    if bytes.isEmpty { return "-" }
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

var input = [UInt8](FileHandle.standardInput.readDataToEndOfFile())[...]

/// The next `count` bytes of the input; the process ends when they are not there.
@MainActor func take(_ count: Int) -> ArraySlice<UInt8> {
    if count > input.count {
        FileHandle.standardError.write(Data("http-frames: a case is shorter than it says\n".utf8))
        exit(65)
    }
    defer { input = input.dropFirst(count) }
    return input.prefix(count)
}

while !input.isEmpty {
    let count = take(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    let framing = frame(Array(take(count)))
    var words = framing.requests.flatMap { request in
        [
            hexadecimal(request.method), hexadecimal(request.target), hexadecimal(request.body),
            request.closes ? "0" : "1",
        ]
    }
    words.append("|")
    switch framing.end {
    case .waiting: words.append("waiting")
    case .closed: words.append("closed")
    case .refused(let status): words.append("\(status)")
    }
    print(words.joined(separator: " "))
}
