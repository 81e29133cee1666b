/// Why the control plane refused a call, in the word that programs go by (RFC 9457 with a member `code`).
enum ProblemCode {
    private static let table = JSONTable([
        JSONWanted("code", capture: Limits.shortStringBytes, oversize: .forget)
    ])

    /// The code of a problem document; empty when it is none or has none.
    static func read(_ bytes: [UInt8]) -> String {
        var scanner = JSONScanner(Self.table)
        do throws(JSONError) {
            try scanner.scan(bytes.span)
            try scanner.finish()
        } catch {
            return ""
        }
        guard let value = scanner.value(0), value.kind == .string else { return "" }
        return String(validating: scanner.captures[value.captured], as: UTF8.self) ?? ""
    }
}
