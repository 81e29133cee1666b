package import Shared

/// Which sums a report is made of, exactly.
///
/// Buckets of minutes and hours are read as they are: by hour where they begin with whole hours of UTC, else by minute.
/// Buckets of days and months, and the whole period, are read by day (UTC), and what is not theirs is corrected: where a
/// bucket of another zone begins between two days, the quarters of a day in between, the hours to the next quarter, and
/// the minutes to the full hour, move from the one bucket to the other. So a month in Berlin reads 31 days and two hours
/// of each, not 744 hours, and no zone needs more of a day than two quarters, three hours and half an hour.
package struct ReportPlan: Sendable, Equatable {
    /// Time from the one instant until before the other.
    package struct Segment: Sendable, Equatable {
        package var from: Timestamp
        package var to: Timestamp
        /// The number of the bucket that it is added to, and of the one that it is taken from; 0 for none.
        package var gains: Int64
        package var loses: Int64

        package init(from: Timestamp, to: Timestamp, gains: Int64, loses: Int64 = 0) {
            self.from = from
            self.to = to
            self.gains = gains
            self.loses = loses
        }
    }

    /// What is read by each level: every row in a segment, of whole rows.
    package private(set) var segments: [UsageLevel: [Segment]] = [:]

    /// - Parameters:
    ///   - boundaries: where buckets begin, in order; the first is not after `from`. Without buckets: `from` alone.
    ///   - from: a whole minute, as all of them are.
    ///   - byDay: whether days are to be read, and corrected.
    package init(boundaries: [Timestamp], from: Timestamp, to: Timestamp, byDay: Bool) {
        var edges: [(at: Timestamp, bucket: Int64)] = []
        for (index, boundary) in boundaries.enumerated() {
            let start = max(boundary, from)
            let end = index + 1 < boundaries.count ? min(boundaries[index + 1], to) : to
            if start < end { edges.append((start, Int64(index) + 1)) }
        }
        guard !edges.isEmpty else { return }
        for (index, edge) in edges.enumerated() {
            let end = index + 1 < edges.count ? edges[index + 1].at : to
            if byDay {
                self.add(
                    .day, Segment(from: Self.nearest(edge.at, .day), to: Self.nearest(end, .day), gains: edge.bucket))
                self.correct(edge.at, left: index > 0 ? edges[index - 1].bucket : 0, right: edge.bucket)
            } else {
                self.addWhole(edge.at, end, edge.bucket)
            }
        }
        if byDay, let last = edges.last { self.correct(to, left: last.bucket, right: 0) }
    }

    /// Moves what lies between a bucket's beginning and where it was read from, by ever finer levels.
    private mutating func correct(_ boundary: Timestamp, left: Int64, right: Int64) {
        var position = Self.nearest(boundary, .day)
        for level in [UsageLevel.quarterDay, .hour, .minute] {
            let next = level == .minute ? boundary : Self.nearest(boundary, level)
            if next < position {
                self.add(level, Segment(from: next, to: position, gains: right, loses: left))
            } else {
                self.add(level, Segment(from: position, to: next, gains: left, loses: right))
            }
            position = next
        }
    }

    /// A bucket by whole hours, and by minutes at its ends.
    private mutating func addWhole(_ from: Timestamp, _ to: Timestamp, _ bucket: Int64) {
        let (first, last) = (Self.up(from, .hour), Self.down(to, .hour))
        guard first < last else { return self.add(.minute, Segment(from: from, to: to, gains: bucket)) }
        self.add(.minute, Segment(from: from, to: first, gains: bucket))
        self.add(.hour, Segment(from: first, to: last, gains: bucket))
        self.add(.minute, Segment(from: last, to: to, gains: bucket))
    }

    private mutating func add(_ level: UsageLevel, _ segment: Segment) {
        guard segment.from < segment.to else { return }
        self.segments[level, default: []].append(segment)
    }

    private static func down(_ instant: Timestamp, _ level: UsageLevel) -> Timestamp {
        let (quotient, remainder) = instant.seconds.quotientAndRemainder(dividingBy: level.seconds)
        return Timestamp(microseconds: (remainder < 0 ? quotient - 1 : quotient) * level.seconds * 1_000_000)
    }

    private static func up(_ instant: Timestamp, _ level: UsageLevel) -> Timestamp {
        let down = Self.down(instant, level)
        return down == instant ? down : down.adding(seconds: level.seconds)
    }

    private static func nearest(_ instant: Timestamp, _ level: UsageLevel) -> Timestamp {
        let down = Self.down(instant, level)
        return (instant.seconds - down.seconds) * 2 > level.seconds ? down.adding(seconds: level.seconds) : down
    }
}
