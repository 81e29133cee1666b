/// Names that somebody may have meant.
package enum Nearest {
    /// At most three, nearest first; none when nothing is near.
    package static func names(to name: String, among names: some Sequence<String>) -> [String] {
        let name = Array(name.lowercased().prefix(64))
        let limit = max(1, name.count / 3)
        return Set(names).compactMap { candidate -> (Int, String)? in
            let text = Array(candidate.lowercased().prefix(64))
            let begins = name.count >= 3 && text.starts(with: name)
            let distance = begins ? 1 : Self.distance(name, text)
            return distance <= limit ? (distance, candidate) : nil
        }.sorted { $0 < $1 }.prefix(3).map(\.1)
    }

    /// Letters to insert, delete, replace or swap.
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var before: [Int] = []
        var last = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var best = min(last[column] + (letter == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    best = min(best, before[column - 1] + 1)
                }
                current.append(best)
            }
            (before, last) = (last, current)
        }
        return last[right.count]
    }
}
