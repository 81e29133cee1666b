import ControlPlane
import Glibc
import Shared
import Synchronization
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct WebhookNetworkTests {
    private func isRefused(_ text: String, _ targets: WebhookTargets = .any, isTLS: Bool = true) throws -> Bool {
        let address = try #require(HostAddress(text), "\(text)")
        return WebhookNetworks.objection(to: address, targets: targets, isTLS: isTLS) != nil
    }

    @Test func `nothing is sent to where a cloud keeps its secrets, nor to what is no host`() throws {
        for address in [
            "169.254.169.254", "169.254.0.1", "fe80::1", "168.63.129.16", "100.100.100.200", "192.0.0.192",
            "fd00:ec2::254", "fd20:ce::254", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.255.255.250",
            "255.255.255.255", "240.0.0.1", "ff02::1",
            // The same within addresses of version 6: mapped, NAT64, 6to4, compatible, Teredo.
            "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::a9fe:a9fe", "2001::1",
        ] {
            #expect(try self.isRefused(address), "\(address)")
            #expect(try self.isRefused(address, .public), "\(address)")
        }
    }

    @Test func `private networks are for instances that allow them`() throws {
        for address in [
            "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "::1",
            "fd12:3456::1", "fec0::1", "198.18.0.1", "64:ff9b::a00:1", "2002:a00:1::1",
        ] {
            #expect(try !self.isRefused(address), "\(address)")
            #expect(try self.isRefused(address, .public), "\(address)")
        }
        for address in ["8.8.8.8", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            #expect(try !self.isRefused(address, .public), "\(address)")
        }
    }

    @Test func `without TLS only this machine is sent to`() throws {
        for address in ["127.0.0.1", "::1", "127.255.0.1"] { #expect(try !self.isRefused(address, isTLS: false)) }
        for address in ["10.0.0.1", "8.8.8.8", "fd12::1"] { #expect(try self.isRefused(address, isTLS: false)) }
        #expect(WebhookNetworks.isLoopback("localhost") && WebhookNetworks.isLoopback("127.1.1.1"))
        #expect(!WebhookNetworks.isLoopback("localhost.example") && !WebhookNetworks.isLoopback("10.0.0.1"))
    }

    @Test func `settings that are none are named`() throws {
        var settings = try Settings(environment: [
            "GATEHOUSE_DATABASE_URL": "postgresql://x", "GATEHOUSE_KEK_FILE": "x",
            "GATEHOUSE_WEBHOOK_TARGETS": "private",
        ])
        let targets = #expect(throws: SettingsError.self) { try ControlPlaneConfig(&settings, executable: "x/y") }
        #expect(targets?.description == "GATEHOUSE_WEBHOOK_TARGETS is 'private': any or public is needed")
        let authorities = #expect(throws: SettingsError.self) {
            try WebhookSender(targets: .any, authorities: RepositoryPaths.root + "/README.md")
        }
        #expect(authorities?.description.hasSuffix("README.md': a PEM file of certificates is needed") == true)
    }

    @Test func `names are resolved as the machine does it, whatever form they have`() {
        #expect(WebhookNetworks.resolve("127.0.0.1").map(\.text) == ["127.0.0.1"])
        // Forms of addresses that only the resolver knows are looked at as what they are.
        #expect(WebhookNetworks.resolve("2130706433").map(\.text) == ["127.0.0.1"])
        #expect(WebhookNetworks.resolve("0xa9fea9fe").map(\.text) == ["169.254.169.254"])
        #expect(WebhookNetworks.resolve("127.1").map(\.text) == ["127.0.0.1"])
        #expect(WebhookNetworks.resolve("nowhere.invalid").isEmpty)
    }

    /// What was checked is what is connected to: a name is looked up once for an attempt, by us.
    @Test func `the address that was checked is the one that is connected to`() async throws {
        try await WebhookReceiver.with { receiver in
            let lookups = Mutex<[String]>([])
            func sender(_ addresses: [String], _ targets: WebhookTargets = .any) throws -> WebhookSender {
                try WebhookSender(targets: targets, seconds: 5) { host in
                    lookups.withLock { $0.append(host) }
                    return addresses.compactMap { HostAddress($0) }
                }
            }
            let url = "http://hooks.invalid:\(receiver.port)/a/?".dropLast()
            func post(_ sender: WebhookSender, attempt: Int = 1) async -> WebhookSender.Result {
                await sender.post(String(url), [("webhook-id", "evt_1")], body: [123, 125], attempt: attempt)
            }
            #expect(await post(try sender(["127.0.0.1"])).status == 204)
            #expect(lookups.withLock { $0 } == ["hooks.invalid"])
            #expect(receiver.received.first?.head == "POST /a/ HTTP/1.1")
            #expect(receiver.received.first?.headers["host"] == "hooks.invalid:\(receiver.port)")
            // Of several addresses, those that are refused are passed over, and each attempt takes the next.
            let mixed = try sender(["169.254.169.254", "127.0.0.1", "127.0.0.1"])
            for attempt in 1...3 { #expect(await post(mixed, attempt: attempt).status == 204) }
            #expect(receiver.received.count == 4)
            let metadata = await post(try sender(["169.254.169.254"]))
            #expect(metadata.status == nil && metadata.error == "169.254.169.254 is an address that nothing is sent to")
            let own = await post(try sender(["127.0.0.1"], .public))
            #expect(own.status == nil && own.error?.contains("not a public address") == true)
            let plain = await post(try sender(["203.0.113.7"]))
            #expect(plain.error == "203.0.113.7 is not this machine, and the URL is not https")
            #expect(await post(try sender([])).error == "the host hooks.invalid has no address")
            #expect(await mixed.post("nonsense", [], body: [], attempt: 1).error?.hasPrefix("the URL must") == true)
            #expect(receiver.received.count == 4)
        }
    }

    @Test func `a receiver that never answers, a resolver that never does, and nobody at all are failures`()
        async throws
    {
        try await WebhookReceiver.with { receiver in
            receiver.answers(nil)
            let short = try WebhookSender(targets: .any, seconds: 1)
            let silent = await short.post(receiver.url, [], body: [], attempt: 1)
            #expect(silent.status == nil && silent.error != nil)
            let stuck = try WebhookSender(targets: .any, seconds: 1, resolvers: 1) { _ in
                usleep(3_000_000)
                return []
            }
            #expect(
                await stuck.post(receiver.url, [], body: [], attempt: 1).error
                    == "the host 127.0.0.1 was not looked up in time")
            let nobody = await short.post("http://127.0.0.1:1/", [], body: [], attempt: 1)
            #expect(nobody.status == nil && nobody.error != nil)
        }
    }

    @Test func `over TLS the receiver proves the name in the URL, to an authority that is trusted`() async throws {
        try await TestControlPlane.with { plane in
            // That it is for the address, too, does not make it the host's.
            let pair = try SelfSignedCertificate.create(
                hosts: ["localhost", "127.0.0.1"], days: 1, now: TimeSource.system.now())
            let folder = "/tmp/gatehouse-hooks-\(UInt64.random(in: 0 ... .max))"
            try Files.makeFolder(folder)
            let (certificate, key) = (folder + "/c.pem", folder + "/k.pem")
            try Files.replace(certificate, with: Array(pair.certificate.utf8))
            try Files.replace(key, with: Array(pair.key.reveal().utf8))
            defer { for file in [certificate, key] { Files.remove(file) } }
            var settings = try Settings(environment: [
                "GATEHOUSE_DATABASE_URL": "postgresql://x", "GATEHOUSE_KEK_FILE": "x",
                "GATEHOUSE_CONTROL_TLS_CERT": certificate, "GATEHOUSE_CONTROL_TLS_KEY": key,
                "GATEHOUSE_WEBHOOK_TARGETS": "public", "GATEHOUSE_WEBHOOK_CA": certificate,
            ])
            let config = try ControlPlaneConfig(&settings, executable: "x/y")
            #expect(config.webhookTargets == .public && config.webhookAuthorities == certificate)
            let port = Atomic(0)
            let server = HTTPServer(
                api: plane.api, host: "127.0.0.1", port: 0, tls: config.tls, limits: ConnectionLimits(),
                logger: plane.database.logger
            ) { port.store($0, ordering: .releasing) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                try await eventually("the server listens") { port.load(ordering: .acquiring) != 0 }
                let number = port.load(ordering: .acquiring)
                func post(_ host: String, authorities: String?) async throws -> WebhookSender.Result {
                    let sender = try WebhookSender(targets: .any, authorities: authorities, seconds: 5) { _ in
                        [HostAddress("127.0.0.1")].compactMap { $0 }
                    }
                    return await sender.post("https://\(host):\(number)/nowhere", [], body: [], attempt: 1)
                }
                #expect(try await post("localhost", authorities: certificate).status == 404)
                let other = try await post("elsewhere.example", authorities: certificate)
                #expect(other.status == nil && other.error != nil)
                let unknown = try await post("localhost", authorities: nil)
                #expect(unknown.status == nil && unknown.error != nil)
                group.cancelAll()
            }
        }
    }
}
