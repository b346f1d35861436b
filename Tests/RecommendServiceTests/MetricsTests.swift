import RecommendService
import Testing

@Suite("GET /metrics") struct MetricsTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    @Test("counts requests by method, status class and route, never by raw path") func requests() throws {
        _ = try fixture.get("/recommend?user_id=ann")
        _ = try fixture.get("/recommend?user_id=ann")
        _ = try fixture.get("/recommend")
        _ = try fixture.get("/wp-admin/setup.php")
        _ = try fixture.send("BREW", "/livez")
        let text = try fixture.get("/metrics").body
        for line in [
            #"http_requests_total{method="GET",status="2xx",handler="/recommend"} 2"#,
            #"http_requests_total{method="GET",status="4xx",handler="/recommend"} 1"#,
            #"http_requests_total{method="GET",status="4xx",handler="none"} 1"#,
            #"http_requests_total{method="OTHER",status="4xx",handler="/livez"} 1"#,
            #"http_request_size_bytes_sum{handler="/recommend"} 0.0"#,
            #"http_request_duration_seconds_count{method="GET",handler="/recommend",status="2xx"} 2"#,
            "http_request_duration_highr_seconds_count 5",
            "http_requests_inprogress 1.0",
        ] {
            #expect(text.contains(line + "\n"), "missing: \(line)")
        }
        #expect(!text.contains("wp-admin"))
        #expect(!text.contains("\"ann\""))
    }

    @Test("counts answers by strategy, fallbacks by reason, empty answers, scores and what was shown") func model()
        throws
    {
        _ = try fixture.get("/recommend?user_id=ann&k=2")
        _ = try fixture.get("/recommend?user_id=zoe&k=1")
        _ = try fixture.get("/recommend?user_id=nil&hotel_id=none")
        let text = try fixture.get("/metrics").body
        for line in [
            #"nextloop_recommendations_total{model="room-service",version="7",strategy="als"} 1"#,
            #"nextloop_recommendations_total{model="room-service",version="7",strategy="popular"} 2"#,
            #"nextloop_recommendation_fallbacks_total{model="room-service",version="7",reason="unknown_user"} 1"#,
            #"nextloop_recommendation_fallbacks_total{model="room-service",version="7",reason="no_factors"} 1"#,
            #"nextloop_recommendation_fallbacks_total{model="room-service",version="7",reason="too_few_items"} 0"#,
            #"nextloop_recommendation_empty_total{model="room-service",version="7"} 1"#,
            #"nextloop_recommendation_score_count{model="room-service",version="7"} 2"#,
            #"nextloop_recommendation_score_sum{model="room-service",version="7"} 1.5"#,
            #"nextloop_topk_duration_seconds_count{model="room-service",version="7"} 3"#,
            #"nextloop_recommended_items_ratio{model="room-service",version="7"} 0.6"#,
            #"nextloop_model_info{model="room-service",version="7",alias="production"} 1.0"#,
            #"nextloop_model_created_timestamp_seconds{model="room-service"} 1000.0"#,
            #"nextloop_model_loaded_timestamp_seconds{model="room-service"} 2000.0"#,
            #"nextloop_model_load_duration_seconds{model="room-service"} 0.5"#,
            #"nextloop_model_reloads_total{result="success"} 1.0"#,
            #"nextloop_build_info{version="1.2.3",commit="abc"} 1.0"#,
        ] {
            #expect(text.contains(line + "\n"), "missing: \(line)")
        }
    }

    @Test("has the process metrics of every client library") func process() throws {
        let text = try fixture.get("/metrics").body
        for name in [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
            "process_start_time_seconds", "process_open_fds", "process_max_fds",
        ] {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            let value = line.flatMap { Double($0.dropFirst(name.count + 1)) }
            #expect((value ?? 0) > 0, "\(name): \(line ?? "missing")")
        }
    }

    @Test("without a model there are request metrics and no model metrics") func withoutModel() throws {
        let text = try ServiceFixture(loaded: false).get("/metrics").body
        #expect(!text.contains("nextloop_model_info"))
        #expect(text.contains("nextloop_connections 0.0"))
    }
}
