import FuzzProperties

/// libFuzzer's door, called with each input it makes up.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer lends `count` bytes for the call; they are copied.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    do throws(BrokenProperty) { try FuzzTarget.json.check(bytes) } catch { fatalError(error.description) }
    return 0
}
