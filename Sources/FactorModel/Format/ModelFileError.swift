/// Why a file is not a model that can be served: what was got, what was wanted, where in the file.
package enum ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
    case system(call: String, path: String, code: Int32)
    case notAFile(path: String)
    case tooShort(bytes: Int)
    case badHeaderLength(UInt64, fileBytes: Int)
    case badHeader(reason: String)
    case wrongFormat(got: String, wanted: String)
    case missingTensor(String)
    case unknownTensor(String)
    case wrongType(tensor: String, got: String, wanted: String)
    case wrongShape(tensor: String, got: [Int], wanted: [Int])
    case badShape(tensor: String, reason: String)
    /// The bytes of the tensors overlap, leave a hole or do not end with the file.
    case badLayout(reason: String)
    case badValue(tensor: String, index: Int, reason: String)
    /// Codes that say that they were made from another model file: SHA-256 in hexadecimal.
    case codesOfAnotherModel(got: String, wanted: String)
    /// Codes that are not what the item factors give, from this byte of the file on.
    case otherCodes(byte: Int)
    /// The contents to be written break a rule of the format.
    case badContents(reason: String)

    package var description: String {
        switch self {
        case .system(let call, let path, let code): "\(path): cannot \(call): \(systemMessage(code))"
        case .notAFile(let path): "\(path) is a directory, a pipe or a device; wanted a regular file"
        case .tooShort(let bytes): "the file has \(bytes) bytes; wanted at least the 8 of a header length and a header"
        case .badHeaderLength(let length, let bytes):
            "the header claims \(length) bytes of a file of \(bytes); wanted 2 to \(SafetensorsHeader.bytesMax) that fit"
        case .badHeader(let reason): "the header is no safetensors header: \(reason)"
        case .wrongFormat(let got, let wanted): "the header's metadata says format '\(got)'; wanted '\(wanted)'"
        case .missingTensor(let name): "there is no tensor '\(name)'"
        case .unknownTensor(let name): "there is a tensor '\(name)' that its format does not have"
        case .wrongType(let tensor, let got, let wanted): "tensor '\(tensor)' has type \(got); wanted \(wanted)"
        case .wrongShape(let tensor, let got, let wanted): "tensor '\(tensor)' has shape \(got); wanted \(wanted)"
        case .badShape(let tensor, let reason): "tensor '\(tensor)' has a bad shape: \(reason)"
        case .badLayout(let reason): "the tensors do not fill the file: \(reason)"
        case .badValue(let tensor, let index, let reason): "tensor '\(tensor)' at \(index): \(reason)"
        case .codesOfAnotherModel(let got, let wanted):
            "its codes are of the model file with SHA-256 '\(got)'; wanted '\(wanted)'; publish the model again"
        case .otherCodes(let byte):
            "byte \(byte) is not what the item factors of its model give; publish the model again"
        case .badContents(let reason): "the model cannot be written: \(reason)"
        }
    }
}
