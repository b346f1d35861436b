import HTTPMessages
import PrometheusText

extension LoopService {
    /// `GET /metrics`: everything counted, in Prometheus' text format.
    func writeMetrics(into body: inout ByteBuffer) -> StaticString {
        body.append(service.metricsText())
        return Exposition.contentType
    }
}
