package import Shared

/// Where a page of a report ended: the period of the report, and the last row's bucket and groups.
package struct ReportCursor: Sendable, Equatable {
    package var from: Timestamp
    package var to: Timestamp
    /// The number of the bucket, from 1 on; 0 without buckets.
    package var bucket: Int64
    /// The groups' values in the order of the dimensions: identifiers as they are, numbers in the low half.
    package var values: [UUIDValue]
    /// The values of the tags that are grouped by, empty for none.
    package var tags: [String]

    /// Characters of its text at most.
    package static let textLimit = 1000

    package init(from: Timestamp, to: Timestamp, bucket: Int64, values: [UUIDValue], tags: [String] = []) {
        self.from = from
        self.to = to
        self.bucket = bucket
        self.values = values
        self.tags = tags
    }

    /// Reads one that belongs to a report of such groups; nil for anything else.
    package init?(_ text: String, groups: [ReportDimension], tagNames: [String] = [], hasBucket: Bool) {
        guard let bytes = Base64URL.decode(text), bytes.count >= Self.headSize + 16 * groups.count,
            bytes[0] == Self.mark(groups, tagNames, hasBucket),
            let tags = Self.tags(bytes[(Self.headSize + 16 * groups.count)...], count: tagNames.count)
        else { return nil }
        self.tags = tags
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

    package func text(groups: [ReportDimension], tagNames: [String] = []) -> String {
        var bytes = [Self.mark(groups, tagNames, self.bucket > 0)]
        bytes.appendBigEndian(UInt64(bitPattern: self.from.microseconds))
        bytes.appendBigEndian(UInt64(bitPattern: self.to.microseconds))
        bytes.appendBigEndian(UInt64(bitPattern: self.bucket))
        for value in self.values { bytes += value.bytes }
        for tag in self.tags { bytes += [UInt8(truncatingIfNeeded: tag.utf8.count)] + tag.utf8 }
        return Base64URL.encode(bytes)
    }

    /// So many texts, each behind its length, and nothing after them.
    private static func tags(_ bytes: ArraySlice<UInt8>, count: Int) -> [String]? {
        var rest = bytes
        var tags: [String] = []
        for _ in 0..<count {
            guard let length = rest.popFirst(), Int(length) <= min(rest.count, TagText.valueLimit),
                let text = String(validating: rest.prefix(Int(length)), as: UTF8.self), !text.utf8.contains(0)
            else { return nil }
            tags.append(text)
            rest = rest.dropFirst(Int(length))
        }
        return rest.isEmpty ? tags : nil
    }

    private static let headSize = 25

    /// Tells reports of other groups apart.
    private static func mark(_ groups: [ReportDimension], _ tagNames: [String], _ hasBucket: Bool) -> UInt8 {
        var mark: UInt32 = hasBucket ? 1 : 0
        for (index, dimension) in ReportDimension.allCases.enumerated() where groups.contains(dimension) {
            mark |= 2 << UInt32(index)
        }
        for byte in tagNames.joined(separator: ",").utf8 { mark = (mark ^ UInt32(byte)) &* 16_777_619 }
        return UInt8(truncatingIfNeeded: mark ^ mark >> 8 &* 37)
    }
}
