/// Permissions, as bits.
package struct PermissionSet: Sendable, Hashable {
    private var words: SIMD4<UInt64>

    private init(words: SIMD4<UInt64>) { self.words = words }

    package init() { self.words = .zero }

    package init(_ permissions: some Sequence<Permission>) {
        self.words = .zero
        for permission in permissions { self.insert(permission) }
    }

    /// Every permission there is.
    package static let all = PermissionSet(Permission.allCases)

    package var isEmpty: Bool { self.words == .zero }

    package func contains(_ permission: Permission) -> Bool { self.contains(index: permission.index) }

    /// Whether the permission with this index is among them: for loops that look it up once.
    package func contains(index: Int) -> Bool { self.words[index / 64] & (1 << UInt64(index % 64)) != 0 }

    package mutating func insert(_ permission: Permission) {
        let bit = permission.index
        self.words[bit / 64] |= 1 << UInt64(bit % 64)
    }

    package func union(_ other: PermissionSet) -> PermissionSet { PermissionSet(words: self.words | other.words) }

    package func intersection(_ other: PermissionSet) -> PermissionSet {
        PermissionSet(words: self.words & other.words)
    }

    package func subtracting(_ other: PermissionSet) -> PermissionSet {
        PermissionSet(words: self.words & ~other.words)
    }

    package func isSubset(of other: PermissionSet) -> Bool { self.subtracting(other).isEmpty }

    /// In the order of the catalogue.
    package var permissions: [Permission] { Permission.allCases.filter { self.contains($0) } }
}

extension Permission {
    private static let indices = Dictionary(
        uniqueKeysWithValues: Permission.allCases.enumerated().map { ($0.element, $0.offset) })

    /// Where it stands in the catalogue: below 256, which a test holds it to; of no meaning outside the process.
    package var index: Int { Self.indices[self] ?? 255 }
}
