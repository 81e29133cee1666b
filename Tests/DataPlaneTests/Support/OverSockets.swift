import Testing

/// All tests that run a gateway on real sockets, one at a time: what they wait for is real time, and two of them look at
/// the memory of the process.
@Suite(.serialized, .timeLimit(.minutes(10)))
enum OverSockets {}
