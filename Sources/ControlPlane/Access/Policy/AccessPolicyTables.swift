import Shared

/// Records by id: each has a handle, which is where it lies, for as long as it is there.
struct AccessTable<Key: Hashable & Sendable, Record: Sendable>: Sendable {
    private var handles: [Key: Int32] = [:]
    private(set) var records: ContiguousArray<Record> = []
    /// Handles whose records are gone.
    private var free: [Int32] = []

    var count: Int { self.handles.count }

    func handle(of key: Key) -> Int32? { self.handles[key] }

    subscript(handle: Int32) -> Record {
        get { self.records[Int(handle)] }
        _modify { yield &self.records[Int(handle)] }
    }

    mutating func insert(_ key: Key, _ record: Record) -> Int32 {
        let handle: Int32
        if let last = self.free.popLast() {
            handle = last
            self.records[Int(handle)] = record
        } else {
            handle = Int32(self.records.count)
            self.records.append(record)
        }
        self.handles[key] = handle
        return handle
    }

    /// The handle of what is there, or of what is made now.
    mutating func handle(of key: Key, orInsert record: @autoclosure () -> Record) -> Int32 {
        if let handle = self.handles[key] { return handle }
        return self.insert(key, record())
    }

    /// Forgets a record; `blank` lies in its place until the handle is used again.
    mutating func remove(_ key: Key, leaving blank: Record) {
        guard let handle = self.handles.removeValue(forKey: key) else { return }
        self.records[Int(handle)] = blank
        self.free.append(handle)
    }

    mutating func reserve(_ count: Int) {
        self.handles.reserveCapacity(count)
        self.records.reserveCapacity(count)
    }

    /// Every handle that has a record.
    var all: Dictionary<Key, Int32>.Values { self.handles.values }
    var keys: Dictionary<Key, Int32>.Keys { self.handles.keys }
}

/// A user or a service account.
struct AccessActorKey: Sendable, Hashable, Comparable {
    let id: UUIDValue
    let isServiceAccount: Bool

    /// Nil for a group.
    init?(_ subject: AccessSubject) {
        switch subject.kind {
        case .user: self.isServiceAccount = false
        case .serviceAccount: self.isServiceAccount = true
        case .group: return nil
        }
        self.id = subject.id
    }

    var subject: AccessSubject { AccessSubject(self.isServiceAccount ? .serviceAccount : .user, self.id) }

    static func < (left: Self, right: Self) -> Bool {
        left.id != right.id ? left.id < right.id : !left.isServiceAccount && right.isServiceAccount
    }
}

/// A subject's handle, or everybody's; those of groups sort first.
struct AccessWho: Sendable, Hashable, Comparable {
    let raw: UInt32

    private static let actorBit: UInt32 = 0x8000_0000

    static let everybody = AccessWho(raw: .max)
    /// The first that is not a group.
    static let firstActor = AccessWho(raw: Self.actorBit)

    init(raw: UInt32) { self.raw = raw }
    init(group: Int32) { self.raw = UInt32(bitPattern: group) }
    init(actor: Int32) { self.raw = UInt32(bitPattern: actor) | Self.actorBit }

    var isGroup: Bool { self.raw < Self.actorBit }
    var isEverybody: Bool { self.raw == .max }
    /// In the table of groups, or in that of users and service accounts.
    var handle: Int32 { Int32(bitPattern: self.raw & ~Self.actorBit) }

    static func < (left: Self, right: Self) -> Bool { left.raw < right.raw }
}

/// A subject: of its own, or only because a membership, a binding or a deny rule speaks of it.
struct AccessParty: Sendable {
    let subject: AccessSubject
    var isKnown = false
    var isActive = false
    /// The groups it is a member of.
    var groups: [Int32] = []
    /// A group's members.
    var members: [AccessWho] = []
    var bindings: [Int32] = []
    var denials: [Int32] = []

    init(_ subject: AccessSubject) { self.subject = subject }

    /// Whether nothing speaks of it.
    var isNeedless: Bool {
        !self.isKnown && self.groups.isEmpty && self.members.isEmpty && self.bindings.isEmpty && self.denials.isEmpty
    }
}

/// The instance or a node, and what is said at it.
struct AccessPlace: Sendable {
    let scope: AccessScope
    var isKnown = false
    /// The instance's handle for an organization.
    var parent = AccessPolicy.instance
    /// How many nodes hang on it.
    var children: Int32 = 0
    var grants = AccessEntries()
    var denials = AccessEntries()

    init(_ scope: AccessScope) { self.scope = scope }

    /// Whether nothing speaks of it.
    var isNeedless: Bool { !self.isKnown && self.children == 0 && self.grants.isEmpty && self.denials.isEmpty }
}

struct AccessRole: Sendable {
    let id: RoleID
    /// None while it is not there.
    var permissions = PermissionSet()
    var isKnown = false
    /// How many bindings name it.
    var bindings: Int32 = 0

    init(_ id: RoleID) { self.id = id }

    var isNeedless: Bool { !self.isKnown && self.bindings == 0 }
}

struct AccessBindingRecord: Sendable {
    let id: BindingID
    let who: AccessWho
    let role: Int32
    let place: Int32
    /// Microseconds; `Int64.max` for as long as it is there.
    let expires: Int64

    static let blank = AccessBindingRecord(
        id: BindingID(UUIDValue(high: 0, low: 0)), who: .everybody, role: 0, place: 0, expires: 0)
}

struct AccessDenialRecord: Sendable {
    let id: DenyRuleID
    let who: AccessWho
    let permissions: PermissionSet
    let place: Int32
    /// Microseconds; `Int64.max` for as long as it is there.
    let expires: Int64

    static let blank = AccessDenialRecord(
        id: DenyRuleID(UUIDValue(high: 0, low: 0)), who: .everybody, permissions: PermissionSet(), place: 0, expires: 0)
}
