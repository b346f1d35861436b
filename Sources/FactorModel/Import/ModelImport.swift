/// The files that a model trained elsewhere consists of.
package struct ImportFiles: Equatable, Sendable {
    package enum FactorFiles: Equatable, Sendable {
        /// Two `.npy` files, [users × factors] and [items × factors].
        case arrays(userFactors: String, itemFactors: String)
        /// One `.npz` file that the Python library implicit saved.
        case implicit(String)
    }

    package var factors: FactorFiles
    /// One id a line, in the order of the factor rows.
    package var userIDs: String
    package var itemIDs: String
    /// `item_id,name,price,department_id,hotel_ids`; without it items have neither names nor hotels.
    package var items: String?
    /// `user_id,item_id,value`; without it users have no history and items no popularity.
    package var interactions: String?
    /// What plain arrays were trained with, when it is known. A file of implicit says so itself.
    package var foldIn: FoldInParameters?

    package init(
        factors: FactorFiles, userIDs: String, itemIDs: String, items: String? = nil, interactions: String? = nil,
        foldIn: FoldInParameters? = nil
    ) {
        self.factors = factors
        self.userIDs = userIDs
        self.itemIDs = itemIDs
        self.items = items
        self.interactions = interactions
        self.foldIn = foldIn
    }
}

/// A model made of such files, and what is odd about them.
package struct ImportedModel: Equatable, Sendable {
    /// What is no error but worth a line to whoever imports. Counts, each 0 when there is nothing to say.
    package struct Warnings: Equatable, Sendable {
        /// Users whose vector is all zeros: they will get what is popular.
        package var usersWithoutFactors = 0
        /// Rows of items.csv whose item the model does not have, left out.
        package var unknownItems = 0
        /// Items of the model that items.csv does not mention.
        package var undescribedItems = 0
        /// Lines of interactions.csv that repeat a user and an item, added up.
        package var repeatedInteractions = 0

        package var total: Int { usersWithoutFactors + unknownItems + undescribedItems + repeatedInteractions }
    }

    package let contents: ModelContents
    package let warnings: Warnings
    /// What implicit's file says of the training; nil for plain arrays.
    package let implicitSettings: ImplicitModelFile.Settings?
}

/// Reads the files and checks that they belong together.
///
/// An item's popularity is the sum of its interactions, 0 without such a file.
///
/// - Throws: for the first thing that is wrong, where it is; nothing is guessed or repaired.
package func importModel(_ files: ImportFiles) throws(ImportError) -> ImportedModel {
    let users = try IDTable(path: files.userIDs)
    let items = try IDTable(path: files.itemIDs)
    let (factors, settings) = try readFactors(files, users: users.ids.count, items: items.ids.count)
    var warnings = ImportedModel.Warnings()
    warnings.usersWithoutFactors = (0..<factors.userCount).count { user in
        factors.userFactors[user * factors.factorCount..<(user + 1) * factors.factorCount].allSatisfy { $0 == 0 }
    }
    var catalogue = Catalogue(itemIDs: items.ids)
    if let path = files.items {
        let file = try ItemsFile(path: path, items: items)
        catalogue = file.catalogue
        warnings.unknownItems = file.unknownItemCount
        warnings.undescribedItems = file.undescribedItemCount
    }
    var interactions = InteractionMatrix(
        rowCount: users.ids.count, columnCount: items.ids.count,
        indptr: [UInt64](repeating: 0, count: users.ids.count + 1),
        indices: [], values: [])
    if let path = files.interactions {
        let file = try InteractionsFile(path: path, users: users, items: items)
        interactions = file.interactions
        warnings.repeatedInteractions = file.repeatedCount
    }
    let popularity = interactions.columnSums()
    guard popularity.allSatisfy(\.isFinite) else {
        throw .mismatch(got: "interactions of one item that add up to infinity", wanted: "a finite sum")
    }
    return ImportedModel(
        contents: ModelContents(
            userIDs: users.ids, catalogue: catalogue, factors: factors, interactions: interactions,
            itemPopularity: popularity, foldIn: settings == nil ? files.foldIn : settings?.foldIn),
        warnings: warnings, implicitSettings: settings)
}

private func readFactors(
    _ files: ImportFiles, users: Int, items: Int
) throws(ImportError) -> (Factors, ImplicitModelFile.Settings?) {
    let (userArray, itemArray): (NumPyArray, NumPyArray)
    let (userPath, itemPath): (String, String)
    var settings: ImplicitModelFile.Settings?
    switch files.factors {
    case .arrays(let user, let item):
        (userArray, userPath) = (try NumPyArray(path: user), user)
        (itemArray, itemPath) = (try NumPyArray(path: item), item)
    case .implicit(let path):
        let model = try ImplicitModelFile(path: path)
        (userArray, userPath) = (model.userFactors, "\(path):user_factors.npy")
        (itemArray, itemPath) = (model.itemFactors, "\(path):item_factors.npy")
        settings = model.settings
    }
    try checkMatrix(userArray, userPath, ids: users, files.userIDs)
    try checkMatrix(itemArray, itemPath, ids: items, files.itemIDs)
    guard userArray.shape[1] == itemArray.shape[1] else {
        throw .mismatch(
            got: "\(userArray.shape[1]) factors a user in \(userPath), \(itemArray.shape[1]) an item in \(itemPath)",
            wanted: "the same number")
    }
    let factors = Factors(factorCount: userArray.shape[1], userFactors: userArray.values, itemFactors: itemArray.values)
    return (factors, settings)
}

/// A matrix of vectors that the model file can hold, one for each id.
private func checkMatrix(_ array: NumPyArray, _ path: String, ids: Int, _ idPath: String) throws(ImportError) {
    guard array.shape.count == 2, (1...ModelLimits.factorCountMax).contains(array.shape[1]) else {
        throw .badArray(
            path: path, got: "shape \(array.shape)",
            wanted: "[rows, factors] with 1 to \(ModelLimits.factorCountMax) factors")
    }
    guard array.shape[0] == ids else {
        throw .mismatch(
            got: "\(array.shape[0]) rows in \(path), \(ids) ids in \(idPath)",
            wanted: "one id for each row, in row order")
    }
    let columns = array.shape[1]
    for row in 0..<array.shape[0] {
        var squaredNorm: Double = 0
        for column in 0..<columns {
            let value = array.values[row * columns + column]
            guard value.isFinite else {
                throw .badArray(
                    path: path, got: "\(value) in row \(row), column \(column)", wanted: "finite float32 numbers")
            }
            squaredNorm += Double(value) * Double(value)
        }
        // Half the bound, because the model file's own check sums in float32, which rounds.
        guard squaredNorm <= Double(ModelLimits.squaredNormMax) / 2 else {
            throw .badArray(
                path: path, got: "a vector of length \(squaredNorm.squareRoot()) in row \(row)",
                wanted: "lengths whose products float32 holds, up to 7e18")
        }
    }
}
