import Shared

/// Who calls: what a request needs of its key, copied out of the policy.
struct Caller {
    let key: VirtualKeyID
    let project: NodeID
    let owner: UUIDValue?
    let node: Handle
    let policy: Handle
    /// Where the budgets of its owner and its own stand in the policy's `budgetPaths`.
    let budgets: Range<Int32>
    /// Where the rate limits of its owner and its own stand in the policy's `rateLimitPaths`.
    let rateLimits: Range<Int32>
    /// Whether its project declares tags.
    let isTagged: Bool
}

/// One request from its head to its settlement, and everything decided about it.
///
/// Knows no channel. The decisions are the files of this folder, in the order of their names in DESIGN 4: authenticate,
/// read intent, authorize, choose route, settle.
struct Exchange {
    let id: RequestID
    let text: RequestIDText
    /// When its first byte was there.
    let began: Timestamp
    let beganUptime: UInt64
    let operation: Operation
    let caller: Caller
    /// The policy that the handles below mean something in; kept for the life of the request.
    let policy: PolicyIndex
    var intent = Intent()
    var route: Handle = -1
    var target = TargetCursor()
    var model: Handle = -1
    var credential: Handle = -1
    /// When its last byte was there; 0 before.
    var receivedUptime: UInt64 = 0
    /// When it was handed to a provider's connection, the last time; 0 before.
    var sentUptime: UInt64 = 0
    /// When the answer's first byte came; 0 before.
    var firstByteUptime: UInt64 = 0
    var attempts = 0
    /// Its tags, by their number in the loop's table; 0 for none.
    var tags = 0
    /// What it counts for by them.
    var tagged = TaggedHandles()
    /// Bytes of answer relayed to the client.
    var relayedBytes = 0
    /// Status sent to the client; 0 before.
    var status = 0
    /// Written down as open in the journal: must be closed there.
    var isOpen = false

    init(
        id: RequestID, began: Timestamp, uptime: UInt64, operation: Operation, caller: Caller, policy: PolicyIndex
    ) {
        self.id = id
        self.text = RequestIDText(id)
        self.began = began
        self.beganUptime = uptime
        self.operation = operation
        self.caller = caller
        self.policy = policy
    }

    /// Microseconds from the last byte of the request to its handing to a provider; nil when it never was.
    var addedMicroseconds: Int64? { Self.microseconds(from: self.receivedUptime, to: self.sentUptime) }

    /// Microseconds from then to the first byte of the answer; nil when none came.
    var upstreamMicroseconds: Int64? { Self.microseconds(from: self.sentUptime, to: self.firstByteUptime) }

    private static func microseconds(from start: UInt64, to end: UInt64) -> Int64? {
        start > 0 && end >= start ? Int64(clamping: (end - start) / 1000) : nil
    }
}
