import Synchronization
import VectorKernels

/// One model version, mapped and immutable: what a request is answered from.
///
/// Everything it hands out was checked when it was opened; nothing was copied or built. What only some requests need (YᵀY, the
/// lengths of the item vectors) is computed once, when the first of them comes or ``prepare(codes:)`` is called. Two processes that open the same
/// file share its pages. The mapping goes away with the last reference.
package final class ModelSnapshot: Sendable {
    private let file: MappedFile
    private let hasMappedPages = Atomic<Bool>(false)
    let columns: ModelColumns
    /// |yᵢ| for whoever asks before ``prepare(codes:)`` is done, see ``itemNorms()``.
    let norms = Derived<HeldColumn<Float>>()
    /// The item factors in 4-bit codes, there once ``prepare(codes:)`` is done.
    let codedItems = Derived<CodedItems>()
    /// YᵀY, see ``itemGram()``.
    let gram = Derived<[Double]>()

    private init(_ file: MappedFile, _ columns: ModelColumns) {
        self.file = file
        self.columns = columns
    }

    /// Maps a model file and checks all of it before a byte is trusted.
    ///
    /// A file cut at any byte or with any bit of its header changed is refused with the reason. The file must not change while
    /// it is mapped: versions of a registry never do.
    ///
    /// - Parameters:
    ///   - threads: for the checks.
    ///   - checksValues: false for a file of which it is known that these very bytes passed before: only the header is read then.
    ///     Where that is not so, a request may end the process; no index goes past a column unnoticed.
    /// - Complexity: reads the file once; building nothing, it allocates a few kilobytes. Without the values, 10 µs.
    package static func open(
        path: String, threads: Int = 1, checksValues: Bool = true
    ) throws(ModelFileError) -> ModelSnapshot {
        let file = try MappedFile(path: path)
        let columns = try ModelColumns(file)
        if checksValues { try columns.validate(threads: threads) }
        return ModelSnapshot(file, columns)
    }

    /// Maps all pages now, those of mapped codes too, so that no request takes a page fault later; once, whoever asks.
    func mapPages() {
        guard !hasMappedPages.exchange(true, ordering: .relaxed) else { return }
        file.populate()
        codedItems.ifMade?.mapPages()
    }

    /// Gives the pages of the mapping back. Answers stay the same and take page faults: for a snapshot that nobody asks any
    /// more, so that letting go of it is quick.
    package func releasePages() {
        file.releasePages()
        codedItems.ifMade?.releasePages()
    }

    // MARK: Sizes

    package var userCount: Int { columns.userIDs.count }
    package var itemCount: Int { columns.itemIDs.count }
    package var hotelCount: Int { columns.hotelIDs.count }
    package var factorCount: Int { columns.factorCount }
    package var interactionCount: Int { columns.historyItems.count }
    package var departmentCount: Int { columns.departmentIDs.count }
    /// Of the model file, and of that of its codes once ``prepare(codes:)`` has taken them from one.
    package var mappedBytes: Int { file.byteCount + (codedItems.ifMade?.mappedBytes ?? 0) }

    // MARK: Ids

    package func user(id: Span<UInt8>) -> UserIndex? { columns.userIDs.row(of: id).map { UserIndex($0) } }
    package func item(id: Span<UInt8>) -> ItemIndex? { columns.itemIDs.row(of: id).map { ItemIndex($0) } }
    package func hotel(id: Span<UInt8>) -> HotelIndex? { columns.hotelIDs.row(of: id).map { HotelIndex($0) } }

    /// Departments lie in ascending order of their bytes: halved for.
    package func department(id: Span<UInt8>) -> DepartmentIndex? {
        var (low, high) = (0, departmentCount)
        while low < high {
            let middle = (low + high) / 2
            switch columns.departmentIDs.withText(middle, { order($0, id) }) {
            case 0: return DepartmentIndex(middle)
            case ..<0: low = middle + 1
            default: high = middle
            }
        }
        return nil
    }

    package func user(id: String) -> UserIndex? { user(id: id.utf8.span) }
    package func item(id: String) -> ItemIndex? { item(id: id.utf8.span) }
    package func hotel(id: String) -> HotelIndex? { hotel(id: id.utf8.span) }
    package func department(id: String) -> DepartmentIndex? { department(id: id.utf8.span) }

    package func withUserID<R>(_ user: UserIndex, _ body: (Span<UInt8>) -> R) -> R {
        columns.userIDs.texts.withText(user.row, body)
    }

    package func withItemID<R>(_ item: ItemIndex, _ body: (Span<UInt8>) -> R) -> R {
        columns.itemIDs.texts.withText(item.row, body)
    }

    // MARK: Attributes

    /// The menu's name of an item; empty when unknown.
    package func withItemName<R>(_ item: ItemIndex, _ body: (Span<UInt8>) -> R) -> R {
        columns.itemNames.withText(item.row, body)
    }

    /// Lends what an answer says of an item: its id, name and department, the last two empty when unknown.
    ///
    /// One call for the three, and none of it generic: that is not specialized across rooms, and answers are written of these.
    package func withTexts(
        of item: ItemIndex, _ body: (_ id: Span<UInt8>, _ name: Span<UInt8>, _ department: Span<UInt8>) -> Void
    ) {
        let row = item.row
        let department = columns.itemDepartment[row]
        columns.itemIDs.texts.withText(row) { id in
            columns.itemNames.withText(row) { name in
                if department == ModelTensors.noDepartment { return body(id, name, Span()) }
                columns.departmentIDs.withText(Int(department)) { body(id, name, $0) }
            }
        }
    }

    package func price(_ item: ItemIndex) -> Int64? {
        let price = columns.itemPrice[item.row]
        return price == ModelTensors.noPrice ? nil : price
    }

    /// How often an item was ordered.
    package func popularity(_ item: ItemIndex) -> Float { columns.itemPopularity[item.row] }

    // MARK: Factors and history

    /// Asks for what a ranking for the user reads first: their vector and the beginning of their history. To be called as soon as the user
    /// is known, while the rest of the request is read: of a model that the nearest caches do not hold, they are waited for otherwise.
    package func expect(_ user: UserIndex) {
        // SAFETY: floats and whole numbers have no padding that reading could leak.
        withUserFactors(user) { unsafe prefetch($0.extracting(0..<min($0.count, 256)).bytes) }
        // SAFETY: as above.
        withHistory(user) { items, _ in unsafe prefetch(items.extracting(0..<min(items.count, 256)).bytes) }
    }

    /// Lends xᵤ, [factorCount].
    package func withUserFactors<R>(_ user: UserIndex, _ body: (Span<Float>) -> R) -> R {
        columns.userFactors.withSpan(of: user.row * factorCount..<(user.row + 1) * factorCount, body)
    }

    /// Lends Y, [itemCount × factorCount], row-major.
    package func withItemFactors<R>(_ body: (Span<Float>) -> R) -> R { columns.itemFactors.withSpan(body) }

    /// Lends what a user ordered: item rows, ascending, and how often each.
    package func withHistory<R>(_ user: UserIndex, _ body: (Span<UInt32>, Span<Float>) -> R) -> R {
        let range = Int(columns.historyStarts[user.row])..<Int(columns.historyStarts[user.row + 1])
        return columns.historyItems.withSpan(of: range) { items in
            columns.historyStrengths.withSpan(of: range) { body(items, $0) }
        }
    }

    /// Lends the items that a hotel sells: item rows, ascending.
    package func withItems<R>(of hotel: HotelIndex, _ body: (Span<UInt32>) -> R) -> R {
        let range = Int(columns.hotelStarts[hotel.row])..<Int(columns.hotelStarts[hotel.row + 1])
        return columns.hotelItems.withSpan(of: range, body)
    }
}

/// Below 0 when `a` comes before `b` byte by byte, 0 when they are equal, else above.
private func order(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Int {
    for index in 0..<min(a.count, b.count) where a[index] != b[index] { return a[index] < b[index] ? -1 : 1 }
    return a.count - b.count
}
