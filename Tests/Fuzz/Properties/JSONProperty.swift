import Foundation
import HTTPMessages
import RecommendService

/// What the parser accepts, Foundation accepts; written out again and read again, it is the same.
func checkJSON(_ bytes: [UInt8]) throws(BrokenProperty) {
    var document = JSONDocument()
    guard (try? document.parse(bytes.span)) != nil else { return }
    try expect(
        (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil,
        "accepted what Foundation refuses")
    var written = ByteBuffer(capacity: 64)
    write(document, JSONDocument.root, &written)
    var again = JSONDocument()
    guard written.withBytes({ text in (try? again.parse(text)) != nil }) else {
        throw BrokenProperty(description: "refused what it had accepted")
    }
    var rewritten = ByteBuffer(capacity: 64)
    write(again, JSONDocument.root, &rewritten)
    try expect(equal(written, rewritten), "another value when read again")
}

private func write(_ document: borrowing JSONDocument, _ place: Int, _ output: inout ByteBuffer) {
    switch document.kind(place) {
    case .null: output.append("null" as StaticString)
    case .boolean: output.append(document.boolean(place) ? "true" : "false" as StaticString)
    case .number: output.append("\(document.number(place))")
    case .string: document.withString(place) { output.appendJSONString($0) }
    case .array:
        output.append(UInt8(ascii: "["))
        document.forEachElement(of: place) { number, element in
            if number > 0 { output.append(UInt8(ascii: ",")) }
            write(document, element, &output)
        }
        output.append(UInt8(ascii: "]"))
    case .object:
        output.append(UInt8(ascii: "{"))
        var isFirst = true
        document.forEachMember(of: place) { name, value in
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            document.withString(name) { output.appendJSONString($0) }
            output.append(UInt8(ascii: ":"))
            write(document, value, &output)
        }
        output.append(UInt8(ascii: "}"))
    }
}

private func equal(_ left: borrowing ByteBuffer, _ right: borrowing ByteBuffer) -> Bool {
    left.withBytes { left in
        right.withBytes { right in
            left.count == right.count && left.indices.allSatisfy { left[$0] == right[$0] }
        }
    }
}
