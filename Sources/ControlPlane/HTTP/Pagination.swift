package import Shared

/// How much of a list is wanted, and from where on.
package struct PageRequest: Sendable {
    package let limit: Int
    /// The position of the last item of the page before, as the list encodes it.
    package let after: [UInt8]?

    package static let limits: ClosedRange<Int64> = 1...200
    package static let defaultLimit = 50

    package init(limit: Int = Self.defaultLimit, after: [UInt8]? = nil) {
        self.limit = limit
        self.after = after
    }

    package static let parameters = [
        QueryParameter("limit", .integer(Self.limits), "Most items of the page; 50 when absent."),
        QueryParameter("cursor", .string(.length(1...200)), "The next_cursor of the page before."),
    ]

    /// - Parameter size: bytes of a position.
    package init(_ call: Call, size: Int = 16) throws(ControlError) {
        var after: [UInt8]?
        if let text = call.query["cursor"]?.string {
            guard let bytes = Base64URL.decode(text), bytes.count == size else {
                throw ControlError(.invalid, "invalid_cursor", "The cursor is not one of this list.", pointer: "cursor")
            }
            after = bytes
        }
        self.init(limit: Int(call.query["limit"]?.integer ?? Int64(Self.defaultLimit)), after: after)
    }

    /// The position as an identifier.
    package var afterID: UUIDValue? { self.after.flatMap { UUIDValue(bytes: $0) } }
    /// Rows to ask for: one more than wanted says whether there are more.
    package var fetchLimit: Int { self.limit + 1 }
}

/// One page of a list.
package struct Page<Item: Sendable>: Sendable {
    package let items: [Item]
    package let nextCursor: String?

    /// - Parameter fetched: what was found for `fetchLimit`.
    package init(_ fetched: [Item], _ request: PageRequest, position: (Item) -> [UInt8]) {
        self.items = Array(fetched.prefix(request.limit))
        let hasMore = fetched.count > request.limit
        self.nextCursor = hasMore ? self.items.last.map { Base64URL.encode(position($0)) } : nil
    }

    package func answer(_ json: (Item) -> JSONValue) -> Answer {
        .json(["items": .array(self.items.map(json)), "next_cursor": JSONValue(self.nextCursor)])
    }
}

extension Schema {
    /// A page of what `schema` describes.
    package static func page(of schema: Schema) -> Schema {
        .object([
            .required("items", .list(of: schema)),
            .required("next_cursor", .string(.length(1...200)).orNull),
        ])
    }
}
