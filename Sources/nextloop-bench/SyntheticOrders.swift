import FactorModel
import Foundation

/// A long-tailed users × items matrix of a given size: a few items are ordered by nearly everyone, most by a few.
///
/// Item i is drawn with probability ∝ (i + 20)^-0.8 over a shuffled catalogue, users differ in activity by a factor of
/// some fifty, and a strength is a geometric number of orders. Same seed, same matrix.
func syntheticOrders(users: Int, items: Int, interactions: Int, seed: UInt64) -> InteractionMatrix {
    var numbers = SeededNumbers(seed: seed)
    var cumulative: [Double] = []
    var sum = 0.0
    for item in 0..<items {
        sum += pow(Double(item + 20), -0.8)
        cumulative.append(sum)
    }
    let rows = (0..<UInt32(items)).shuffled(using: &numbers)
    let activity = (0..<users).map { _ in exp(Double(numbers.normal())) }
    let activitySum = activity.reduce(0, +)

    var indptr: [UInt64] = [0]
    var indices: [UInt32] = []
    var values: [Float] = []
    for user in 0..<users {
        let wanted = min(items / 2, max(1, Int((Double(interactions) * activity[user] / activitySum).rounded())))
        var taken: Set<UInt32> = []
        while taken.count < wanted {
            let place = numbers.uniform() * sum
            var low = 0
            var high = items - 1
            while low < high {
                let middle = (low + high) / 2
                if cumulative[middle] > place { high = middle } else { low = middle + 1 }
            }
            taken.insert(rows[low])
        }
        for item in taken.sorted() {
            indices.append(item)
            var orders: Float = 1
            while orders < 50, numbers.uniform() < 0.35 { orders += 1 }
            values.append(orders)
        }
        indptr.append(UInt64(indices.count))
    }
    return InteractionMatrix(rowCount: users, columnCount: items, indptr: indptr, indices: indices, values: values)
}
