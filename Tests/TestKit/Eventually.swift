/// Waits until `condition` holds; an error counts as not yet.
///
/// - Parameter what: what is waited for, for whoever reads that it did not come.
package func eventually(
    _ what: String, within limit: Duration = .seconds(120), looking interval: Duration = .milliseconds(10),
    isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    var last = ""
    repeat {
        do {
            if try await condition() { return }
        } catch {
            last = " \(error)"
        }
        try await Task.sleep(for: interval)
    } while ContinuousClock.now < deadline
    throw TestKitError("waited \(limit) in vain until \(what).\(last)")
}
