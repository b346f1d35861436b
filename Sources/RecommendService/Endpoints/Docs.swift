import HTTPMessages

extension LoopService {
    /// `GET /docs`: a page to try every endpoint from.
    func writeDocs(into body: inout ByteBuffer) -> StaticString {
        body.append(DocsPage.html)
        return "text/html; charset=utf-8"
    }
}
