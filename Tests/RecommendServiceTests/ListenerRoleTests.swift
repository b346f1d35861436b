import HTTPServer
import Testing

@testable import RecommendService

@Suite("Routes and listeners") struct ListenerRoleTests {
    @Test("an admin listener serves operators' routes only")
    func admin() {
        for route in Route.allCases where route != .none {
            let template = "\(route.template)"
            let isTheirs =
                ["/livez", "/readyz", "/metrics"].contains(template)
                || template.hasPrefix("/admin/") || template.hasPrefix("/models")
            #expect(route.isServed(to: .admin, hasAdminListener: true) == isTheirs, "\(template)")
        }
    }

    @Test("a service listener serves everything, without /admin when operators have their own")
    func service() {
        for route in Route.allCases where route != .none {
            let isAdmin = "\(route.template)".hasPrefix("/admin/")
            #expect(route.isServed(to: .service, hasAdminListener: false), "\(route.template)")
            #expect(route.isServed(to: .service, hasAdminListener: true) == !isAdmin, "\(route.template)")
        }
    }

    @Test("a route that is not served through a listener is a 404 there")
    func notFound() throws {
        let fixture = try ServiceFixture()
        #expect(try fixture.begin("GET", "/popular", role: .admin).head.hasPrefix("HTTP/1.1 404 "))
        #expect(try fixture.begin("GET", "/livez", role: .admin).head.hasPrefix("HTTP/1.1 200 "))
        #expect(try fixture.begin("GET", "/popular").head.hasPrefix("HTTP/1.1 200 "))
    }

    @Test("probes and metrics are answered in an overload, recommendations are not")
    func essential() {
        for route in [Route.livez, .readyz, .metrics] { #expect(route.isEssential) }
        for route in [Route.recommend, .recommendBulk, .similar, .score, .popular, .user, .docs, .none] {
            #expect(!route.isEssential, "\(route.template)")
        }
    }
}
