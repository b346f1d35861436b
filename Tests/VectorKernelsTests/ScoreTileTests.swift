import TestSupport
import Testing
import VectorKernels

@Suite("Score tile") struct ScoreTileTests {
    private func scores(_ tile: ScoreTile, _ user: Int, _ count: Int) -> [UInt32] {
        var bits: [UInt32] = []
        tile.withScores(ofUser: user, count: count) { scores in
            for place in 0..<scores.count { bits.append(scores[place].bitPattern) }
        }
        return bits
    }

    @Test("scores of many users have the bits of dot", arguments: Kernels.available)
    func bits(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        let tile = ScoreTile(kernels)
        var rng = SplitMix64(seed: 3)
        // One tile goes from length to length: nothing of the last may be left.
        for factorCount in [64, 1, 5, 16, 17, 31, 32, 33, 48, 50, 64, 100, 128, 130, 200] {
            let rowCount = 75
            let matrix = awkwardValues(factorCount * rowCount, using: &rng)
            for userCount in [1, 2, 3, 4, 7, 64] {
                let users = (0..<userCount).map { _ in awkwardValues(factorCount, using: &rng) }
                tile.begin(factorCount: factorCount)
                for user in users { tile.add(user.span) }
                #expect(tile.userCount == userCount)
                for rows in [0..<0, 0..<1, 3..<18, 0..<16, 5..<22, 0..<31, 1..<33, 10..<43, 0..<64, 0..<75] {
                    tile.score(matrix.span, rows: rows)
                    check(tile, users, matrix, rows.map { UInt32($0) })
                }
                for count in [0, 1, 15, 16, 17, 33, 70] {
                    let rows = (0..<count).map { _ in UInt32(rng.next() % UInt64(rowCount)) }
                    tile.score(matrix.span, rows: rows.span)
                    check(tile, users, matrix, rows)
                }
            }
        }
    }

    private func check(_ tile: ScoreTile, _ users: [[Float]], _ matrix: [Float], _ rows: [UInt32]) {
        for (place, user) in users.enumerated() where place < 4 || place > 60 {
            let n = user.count
            let expected = rows.map { row in
                dotInDocumentedOrder(user, Array(matrix[Int(row) * n..<(Int(row) + 1) * n])).bitPattern
            }
            #expect(
                scores(tile, place, rows.count) == expected, "\(n) factors, \(users.count) users, \(rows.count) rows")
        }
    }

    @Test("a tile without users scores nothing") func empty() {
        let tile = ScoreTile()
        tile.begin(factorCount: 2)
        let matrix: [Float] = [1, 2, 3, 4]
        tile.score(matrix.span, rows: 0..<2)
        #expect(tile.userCount == 0)
    }

    @Test("a row outside the matrix, too many rows or users are our bug, not a wild access") func bounds() async {
        await #expect(processExitsWith: .failure) {
            let tile = ScoreTile()
            tile.begin(factorCount: 2)
            let matrix: [Float] = [1, 2, 3, 4]
            tile.score(matrix.span, rows: 1..<3)
        }
        await #expect(processExitsWith: .failure) {
            let tile = ScoreTile()
            tile.begin(factorCount: 2)
            let matrix: [Float] = [1, 2, 3, 4]
            let rows: [UInt32] = [2]
            tile.score(matrix.span, rows: rows.span)
        }
        await #expect(processExitsWith: .failure) {
            let tile = ScoreTile()
            tile.begin(factorCount: 1)
            let matrix = [Float](repeating: 1, count: 513)
            tile.add([Float(1)].span)
            tile.score(matrix.span, rows: 0..<513)
        }
        await #expect(processExitsWith: .failure) {
            let tile = ScoreTile()
            tile.begin(factorCount: 1)
            for _ in 0..<65 { tile.add([Float(1)].span) }
        }
    }
}
