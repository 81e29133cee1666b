import ControlPlane
import Testing

@Suite struct PermissionSetTests {
    @Test func `each permission has an index of its own below 256`() {
        let indices = Permission.allCases.map(\.index)
        #expect(Set(indices).count == Permission.allCases.count)
        // 255 is what one that is not in the catalogue would have.
        #expect(indices.allSatisfy { (0..<255).contains($0) })
    }

    @Test func `a set holds what was put into it and nothing else`() {
        for permission in Permission.allCases {
            let set = PermissionSet([permission])
            #expect(set.permissions == [permission])
            #expect(set.contains(index: permission.index))
        }
    }
}
