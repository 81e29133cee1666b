import Shared
import Testing

@Suite struct TimestampTests {
    /// Counts days one by one.
    private struct SlowCalendar {
        var year = 1970
        var month = 1
        var day = 1

        static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        static func days(_ month: Int, _ year: Int) -> Int {
            [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        }

        mutating func forward() {
            self.day += 1
            guard self.day > Self.days(self.month, self.year) else { return }
            self.day = 1
            self.month += 1
            guard self.month > 12 else { return }
            self.month = 1
            self.year += 1
        }

        mutating func back() {
            self.day -= 1
            guard self.day == 0 else { return }
            self.month -= 1
            if self.month == 0 {
                self.month = 12
                self.year -= 1
            }
            self.day = Self.days(self.month, self.year)
        }

        var text: String {
            func pad(_ value: Int, _ width: Int) -> String {
                let text = String(value)
                return String(repeating: "0", count: width - text.count) + text
            }
            return "\(pad(self.year, 4))-\(pad(self.month, 2))-\(pad(self.day, 2))"
        }
    }

    @Test func `every day from the year 1 to 2500 is the one that counting finds`() {
        var sampler = Sampler("days")
        for direction in [1, -1] {
            var calendar = SlowCalendar()
            let bound = direction > 0 ? 193_600 : -719_162
            for day in stride(from: 0, through: bound, by: direction) {
                // All days would be slow; leap days, ends of months and a sample of the rest are enough.
                if calendar.day >= 28 || calendar.day == 1 && sampler.below(4) == 0 {
                    let ofDay = Int64(sampler.below(86_400))
                    let microsecond = Int64(sampler.below(1_000_000))
                    let instant = Timestamp(
                        microseconds: (Int64(day) * 86_400 + ofDay) * 1_000_000 + microsecond)
                    let text = instant.description
                    #expect(text.hasPrefix(calendar.text + "T"))
                    #expect(Timestamp(text) == instant)
                    #expect(instant.seconds == Int64(day) * 86_400 + ofDay)
                    #expect(instant.milliseconds == (Int64(day) * 86_400 + ofDay) * 1000 + microsecond / 1000)
                }
                if direction > 0 { calendar.forward() } else { calendar.back() }
            }
        }
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-11-22T19:40:00.5Z", 1_795_376_400_500_000),
        ("2000-02-29T12:00:00+05:30", 951_805_800_000_000), ("2024-12-31t23:59:59.123456789z", 1_735_689_599_123_456),
        ("1970-01-01T00:00:00-00:01", 60_000_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ])
    func `RFC 3339 is read`(_ text: String, _ microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "2026-11-22", "2026-11-22T19:40:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Zx", "2026-1-01T00:00:00Z",
        "2026-01-01 00:00:00Z", "+026-01-01T00:00:00Z", "２026-01-01T00:00:00Z", "2026-01-01T00:00:00,5Z",
    ])
    func `another text is no instant`(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `the ends of the range are printed and reached without a trap`() {
        #expect(Timestamp(microseconds: .min).description == "-290308-12-21T19:59:05.224192Z")
        #expect(Timestamp(microseconds: .max).description == "294247-01-10T04:00:54.775807Z")
        #expect(Timestamp(microseconds: -62_167_219_200_000_001).description == "-0001-12-31T23:59:59.999999Z")
        #expect(Timestamp(microseconds: .max).adding(seconds: 1).microseconds == .max)
        #expect(Timestamp(microseconds: .min).adding(seconds: -1).microseconds == .min)
        #expect(Timestamp(microseconds: 0).adding(seconds: .max).microseconds == .max)
        #expect(Timestamp(microseconds: 0).adding(seconds: .min).microseconds == .min)
        #expect(Timestamp(microseconds: 5).adding(seconds: -1).microseconds == -999_995)
    }
}
