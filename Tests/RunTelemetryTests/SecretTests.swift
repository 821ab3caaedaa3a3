import Testing

@testable import RunTelemetry

@Suite struct SecretTests {
    @Test(arguments: [
        ("postgresql://user:pw@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user@host:5432/db", "postgresql://user@host:5432/db"),
        ("postgresql://user:p@ss?w/rd@host/db", "postgresql://user:***@host/db"),
        ("postgresql://host/db?user=a&password=b", "postgresql://host/db?user=a&password=***"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("host=h password = 'a b\\' c' dbname=d", "host=h password = *** dbname=d"),
        ("host=h PASSWORD='open", "host=h PASSWORD=***"),
        ("host=h sslpassword=x", "host=h sslpassword=***"),
        (
            "http://127.0.0.1:8086/write?db=det&u=me&p=secret&token=x&flag",
            "http://127.0.0.1:8086/write?db=det&u=me&p=***&token=***&flag"
        ),
        (
            "influx:http://a:b@[::1]:8086/write?db=det",
            "influx:http://a:***@[::1]:8086/write?db=det"
        ),
        ("elastic:pw@node1:9200", "elastic:***@node1:9200"),
        ("elastic:a=b@node1", "elastic:***@node1"), ("elastic:a@b@node1", "elastic:***@node1"),
        (
            "elasticsearch:elastic:pw@node1:9200", "elasticsearch:elastic:***@node1:9200"
        ),
        ("postgresql:host=h password=a@b", "postgresql:host=h password=***"),
        ("elastic@node1:9200", "elastic@node1:9200"), ("elastic:p:w@h", "elastic:***@h"),
        ("elasticsearch:elastic@h:1", "elasticsearch:elastic@h:1"),
        ("file:a@b:c.jsonl", "file:a@b:c.jsonl"),
        ("graphite:127.0.0.1:2003", "graphite:127.0.0.1:2003"),
        ("file:out.jsonl", "file:out.jsonl"),
        ("", ""), ("://", "://"), ("x://@", "x://@"), ("x://:@?&=", "x://:***@?&=***"),
    ])
    func `what is shown of a place has no secret in it`(place: String, shown: String) {
        #expect(ExportDestination.withoutSecrets(place) == shown)
        #expect(ExportDestination.withoutSecrets(shown) == shown)
    }

    @Test func `a destination knows whether it holds a secret`() {
        let url = "http://127.0.0.1:1/write?db=det"
        func destinations(_ secret: String?, _ url: String) -> [ExportDestination] {
            [
                .influx(url: url, token: secret, maximumBytes: 1),
                .elasticsearch(url: url, index: "i", apiKey: secret),
                .webhook(url: url, token: secret),
            ]
        }
        #expect(destinations(nil, url).allSatisfy { !$0.holdsSecret })
        #expect(destinations("x", url).allSatisfy { $0.holdsSecret })
        #expect(destinations(nil, "http://u:p@h/").allSatisfy { $0.holdsSecret })
        let open = ExportDestination.postgresql(
            url: "postgresql://u@h/db", table: "t", createsTable: true)
        let closed = ExportDestination.postgresql(
            url: "dbname=x password=y", table: "t", createsTable: true)
        #expect(!open.holdsSecret && closed.holdsSecret)
        var configuration = TelemetryConfiguration()
        #expect(!configuration.holdsSecret)
        configuration.exporters = [open, closed].map {
            ExporterConfiguration(name: "x", destination: $0)
        }
        #expect(configuration.holdsSecret)
    }
}
