/// English as far as the names of the API need it.
enum Words {
    /// `deliveries` -> `delivery`, `virtual-keys` -> `virtual-key`; what is no plural stays.
    static func singular(_ word: String) -> String {
        for ending in ["ss", "us", "is"] where word.hasSuffix(ending) { return word }
        if word.hasSuffix("ies") { return word.dropLast(3) + "y" }
        for ending in ["ches", "shes", "sses", "xes"] where word.hasSuffix(ending) { return String(word.dropLast(2)) }
        return word.hasSuffix("s") ? String(word.dropLast()) : word
    }

    /// Whether a text has the form of Gatehouse's identifiers: `org_01jd3x0r7ze4qbt0xq4v6m2k5n`.
    static func isIdentifier(_ text: some StringProtocol) -> Bool {
        guard let underscore = text.lastIndex(of: "_") else { return false }
        let prefix = text[..<underscore], rest = text[text.index(after: underscore)...]
        return !prefix.isEmpty && prefix.allSatisfy { $0.isASCII && $0.isLowercase }
            && rest.utf8.count == 26
            && rest.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }
    }

    /// `org` of `org_…`.
    static func prefix(ofIdentifier text: some StringProtocol) -> String? {
        Self.isIdentifier(text) ? text.lastIndex(of: "_").map { String(text[..<$0]) } : nil
    }
}
