import RunTelemetry
import Testing

@Suite struct PageAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9400", "127.0.0.1", 9400), (":0", "127.0.0.1", 0), ("[::1]:80", "::1", 80),
        ("::1:80", "::1", 80),
    ])
    func `an address is a host and a port`(text: String, host: String, port: UInt16) throws {
        let address = try #require(PageAddress(text: text))
        #expect(address.host == host && address.port == port)
        #expect(PageAddress(text: address.description) == address)
    }

    @Test(arguments: ["", "9400", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "[::1:80", "a:-1"])
    func `anything else is none`(text: String) {
        #expect(PageAddress(text: text) == nil)
    }
}
