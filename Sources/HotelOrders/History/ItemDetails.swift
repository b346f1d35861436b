/// What the latest order says of each item: name, price, department, each by itself.
///
/// "Latest" is by (reg_date, order_seq, place in the contents), so the order in which files are read does not matter.
struct ItemDetails {
    struct Stamp: Comparable {
        var regDate: Int64
        var orderSeq: Int64
        var place: Int32

        static let never = Stamp(regDate: .min, orderSeq: .min, place: .min)

        static func < (a: Stamp, b: Stamp) -> Bool {
            (a.regDate, a.orderSeq, a.place) < (b.regDate, b.orderSeq, b.place)
        }
    }

    private var names: [[UInt8]] = []
    private var prices: [Int64?] = []
    private var departments: [Int64?] = []
    private var nameStamps: [Stamp] = []
    private var priceStamps: [Stamp] = []
    private var departmentStamps: [Stamp] = []

    /// - Parameter item: an index already known, or the next one.
    mutating func add(item: UInt32, stamp: Stamp, _ element: ContentsElement, names text: [UInt8]) {
        let item = Int(item)
        if item == names.count {
            names.append([])
            prices.append(nil)
            departments.append(nil)
            nameStamps.append(.never)
            priceStamps.append(.never)
            departmentStamps.append(.never)
        }
        if !element.name.isEmpty && nameStamps[item] < stamp {
            nameStamps[item] = stamp
            if !names[item].elementsEqual(text[element.name]) { names[item] = Array(text[element.name]) }
        }
        if let price = element.price.value, price >= 0, priceStamps[item] < stamp {
            priceStamps[item] = stamp
            prices[item] = price
        }
        if let department = element.departmentSeq.value, department >= 0, departmentStamps[item] < stamp {
            departmentStamps[item] = stamp
            departments[item] = department
        }
    }

    /// Empty when no order names the item.
    func name(_ item: UInt32) -> String { String(decoding: names[Int(item)], as: UTF8.self) }
    func price(_ item: UInt32) -> Int64? { prices[Int(item)] }
    func departmentID(_ item: UInt32) -> String? { departments[Int(item)].map { String($0) } }
}
