/// A word of a command line that gives a field its value.
///
/// `name=value` by the field's type, `a.b=value` inside of an object, `name:=JSON` as it stands, `name=@file` and
/// `name:=@file` from a file (`@-` is standard input).
package struct Assignment: Sendable, Equatable {
    package enum Value: Sendable, Equatable {
        case text(String)
        case json(JSON)
    }

    /// Where it is, with dots: `tag.name`.
    package let path: String
    package let value: Value

    /// - Parameter read: the text of a file.
    package init(_ word: String, read: (String) throws(ClientError) -> String) throws(ClientError) {
        guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
            throw .usage("'\(TerminalText.line(word))' is no field=value")
        }
        var path = word[..<equals]
        let isRaw = path.last == ":"
        if isRaw { path = path.dropLast() }
        guard !path.isEmpty else { throw .usage("'\(TerminalText.line(word))' is no field=value") }
        var text = String(word[word.index(after: equals)...])
        if text.hasPrefix("@") {
            text = try read(String(text.dropFirst()))
            // Editors and `echo` end a file with one, and no secret has it.
            if text.hasSuffix("\r\n") || text.hasSuffix("\n") { text.removeLast() }
        }
        self.path = String(path)
        guard isRaw else {
            self.value = .text(text)
            return
        }
        do {
            self.value = .json(try JSON(parsing: text))
        } catch {
            throw .usage("\(path):= is not JSON: \(error)", notes: ["For a text: \(path)=…"])
        }
    }
}
