package import Shared

/// Where a page of a report ended: the period of the report, and the last row's bucket and groups.
package struct ReportCursor: Sendable, Equatable {
    package var from: Timestamp
    package var to: Timestamp
    /// The number of the bucket, from 1 on; 0 without buckets.
    package var bucket: Int64
    /// The groups' values in the order of the dimensions: identifiers as they are, numbers in the low half.
    package var values: [UUIDValue]

    package init(from: Timestamp, to: Timestamp, bucket: Int64, values: [UUIDValue]) {
        self.from = from
        self.to = to
        self.bucket = bucket
        self.values = values
    }

    /// Reads one that belongs to a report of such groups; nil for anything else.
    package init?(_ text: String, groups: [ReportDimension], hasBucket: Bool) {
        guard let bytes = Base64URL.decode(text), bytes.count == Self.headSize + 16 * groups.count,
            bytes[0] == Self.mark(groups, hasBucket)
        else { return nil }
        func number(at position: Int) -> Int64 { Int64(bitPattern: bytes.bigEndianUInt64(at: position)) }
        self.from = Timestamp(microseconds: number(at: 1))
        self.to = Timestamp(microseconds: number(at: 9))
        self.bucket = number(at: 17)
        self.values = []
        for index in groups.indices {
            guard let value = UUIDValue(bytes: Array(bytes[(Self.headSize + 16 * index)...].prefix(16))) else {
                return nil
            }
            self.values.append(value)
        }
        let day: Int64 = 86_400_000_000
        guard self.from < self.to, self.from.microseconds >= 0, self.to.microseconds < day * 3_000_000,
            self.bucket >= 0
        else { return nil }
    }

    package func text(groups: [ReportDimension]) -> String {
        var bytes = [Self.mark(groups, self.bucket > 0)]
        bytes.appendBigEndian(UInt64(bitPattern: self.from.microseconds))
        bytes.appendBigEndian(UInt64(bitPattern: self.to.microseconds))
        bytes.appendBigEndian(UInt64(bitPattern: self.bucket))
        for value in self.values { bytes += value.bytes }
        return Base64URL.encode(bytes)
    }

    private static let headSize = 25

    /// Tells reports of other groups apart.
    private static func mark(_ groups: [ReportDimension], _ hasBucket: Bool) -> UInt8 {
        var mark: UInt32 = hasBucket ? 1 : 0
        for (index, dimension) in ReportDimension.allCases.enumerated() where groups.contains(dimension) {
            mark |= 2 << UInt32(index)
        }
        return UInt8(truncatingIfNeeded: mark ^ mark >> 8 &* 37)
    }
}
