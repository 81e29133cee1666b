package import Shared

/// Which sums a report is made of: those of whole days where its buckets allow it, else of whole hours, else of minutes.
///
/// Every row that is read lies in one bucket as a whole, so that the report is exact: a day in Berlin is made of hours,
/// one in Kathmandu (UTC+5:45) of hours and, at its ends, of minutes; a month, of days but for its ends.
package struct ReportPlan: Sendable, Equatable {
    /// Time from the one instant until before the other.
    package struct Segment: Sendable, Equatable {
        package var from: Timestamp
        package var to: Timestamp

        package init(from: Timestamp, to: Timestamp) {
            self.from = from
            self.to = to
        }
    }

    /// In order, and no two of one level touch each other.
    package private(set) var segments: [UsageLevel: [Segment]] = [:]

    /// - Parameters:
    ///   - boundaries: where buckets begin, in order; the first is not after `from`. Without buckets: `from` alone.
    ///   - from: a whole minute, as all of them are.
    package init(boundaries: [Timestamp], from: Timestamp, to: Timestamp) {
        for (index, boundary) in boundaries.enumerated() {
            let start = max(boundary, from)
            let end = index + 1 < boundaries.count ? min(boundaries[index + 1], to) : to
            guard start < end else { continue }
            self.add(start, end, .day)
        }
    }

    /// The whole rows of a level, and what is left on both sides by the next finer one.
    private mutating func add(_ from: Timestamp, _ to: Timestamp, _ level: UsageLevel) {
        guard from < to else { return }
        let finer: UsageLevel? =
            switch level {
            case .day: .hour
            case .hour: .minute
            case .minute: nil
            }
        guard let finer else { return self.append(Segment(from: from, to: to), to: level) }
        let (first, last) = (Self.up(from, level.seconds), Self.down(to, level.seconds))
        guard first < last else { return self.add(from, to, finer) }
        self.add(from, first, finer)
        self.append(Segment(from: first, to: last), to: level)
        self.add(last, to, finer)
    }

    private mutating func append(_ segment: Segment, to level: UsageLevel) {
        var list = self.segments[level] ?? []
        if let last = list.indices.last, list[last].to == segment.from {
            list[last].to = segment.to
        } else {
            list.append(segment)
        }
        self.segments[level] = list
    }

    private static func down(_ instant: Timestamp, _ seconds: Int64) -> Timestamp {
        let whole = instant.seconds >= 0 ? instant.seconds / seconds : (instant.seconds - seconds + 1) / seconds
        return Timestamp(microseconds: whole * seconds * 1_000_000)
    }

    private static func up(_ instant: Timestamp, _ seconds: Int64) -> Timestamp {
        let down = Self.down(instant, seconds)
        return down == instant ? down : down.adding(seconds: seconds)
    }
}
