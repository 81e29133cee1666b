/// The text of the Date field (RFC 9110 section 5.6.7), kept for as long as the second lasts.
package struct HTTPDate: Sendable {
    /// Such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    package private(set) var text = InlineArray<29, UInt8>(repeating: 0x20)
    private var second: Int64 = -1

    /// `second` counts from 1970-01-01T00:00:00Z.
    package init(second: Int64) { self.update(second: second) }

    /// Renders the text anew when the second has changed; the time is clamped to the years 1970…9999.
    package mutating func update(second: Int64) {
        guard second != self.second else { return }
        self.second = second
        let clamped = Int(min(max(second, 0), 253_402_300_799))
        let days = clamped / 86_400
        let clock = clamped % 86_400
        let (year, month, day) = Self.civil(days)
        // 1970-01-01 was a Thursday.
        self.put("SunMonTueWedThuFriSat", from: (days + 4) % 7 * 3, 3, at: 0)
        self.put(", ", from: 0, 2, at: 3)
        self.put(day, at: 5)
        self.put("JanFebMarAprMayJunJulAugSepOctNovDec", from: (month - 1) * 3, 3, at: 8)
        self.put(year / 100, at: 12)
        self.put(year % 100, at: 14)
        self.put(clock / 3_600, at: 17)
        self.put(":", from: 0, 1, at: 19)
        self.put(clock / 60 % 60, at: 20)
        self.put(":", from: 0, 1, at: 22)
        self.put(clock % 60, at: 23)
        self.put(" GMT", from: 0, 4, at: 25)
    }

    /// Year, month and day of a day number (Howard Hinnant, "chrono-compatible low-level date algorithms").
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private mutating func put(_ names: StaticString, from start: Int, _ length: Int, at index: Int) {
        for offset in 0..<length { self.text[index + offset] = unsafe names.utf8Start[start + offset] }
    }

    private mutating func put(_ twoDigits: Int, at index: Int) {
        self.text[index] = 0x30 &+ UInt8(truncatingIfNeeded: twoDigits / 10)
        self.text[index + 1] = 0x30 &+ UInt8(truncatingIfNeeded: twoDigits % 10)
    }
}
