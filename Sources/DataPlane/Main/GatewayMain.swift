import DataPlane
import Shared

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `gatehouse-gateway`: configuration, run, exit code.
@main
enum GatewayMain {
    static func main() async {
        let config: GatewayConfig
        do {
            var settings = try Settings.ofProcess()
            config = try GatewayConfig(settings: &settings, cores: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        } catch {
            StandardError.print("gatehouse-gateway: \(error)")
            exit(64)  // EX_USAGE: restarting will not help
        }
        do {
            let logger = JSONLogHandler.logger("gatehouse.gateway", level: config.logLevel)
            try await GatewayApp(config: config, time: .system, logger: logger).run()
        } catch let error as SettingsError {
            StandardError.print("gatehouse-gateway: \(error)")
            exit(64)
        } catch {
            StandardError.print("gatehouse-gateway: stopped: \(error)")
            exit(1)
        }
    }
}
