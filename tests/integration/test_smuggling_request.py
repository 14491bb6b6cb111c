"""Request smuggling, row by row of what has broken other proxies: refused with a 4xx (or 5xx where the RFC says so) and
a close, and the backend receives nothing of it."""

import itertools

from support import EndOfStream, ProxyTest, config, http_handler, main, respond, service

HOST = b"Host: h\r\n"
END = b"\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


def post(fields: bytes, body=b"", line=b"POST /forbidden HTTP/1.1\r\n") -> bytes:
    return line + HOST + fields + END + body + SMUGGLED


def get(line: bytes, fields=HOST) -> bytes:
    return line + b"\r\n" + fields + END


CL5 = b"Content-Length: 5\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"

# (what it is, octets, statuses that are right)
FRAMING = [
    ("CL and TE", post(CL5 + TE, CHUNKS), {400}),
    ("TE and CL", post(TE + CL5, CHUNKS), {400}),
    ("CL 0 and TE", post(b"Content-Length: 0\r\n" + TE, CHUNKS), {400}),
    ("two CLs that differ", post(CL5 + b"Content-Length: 6\r\n", b"hello"), {400}),
    ("two CLs that agree", post(CL5 + CL5, b"hello"), {400}),
    ("a list of CLs", post(b"Content-Length: 5, 5\r\n", b"hello"), {400}),
    ("a list of CLs that differ", post(b"Content-Length: 5, 6\r\n", b"hello"), {400}),
    ("empty CL", post(b"Content-Length:\r\n", b""), {400}),
    ("blank CL", post(b"Content-Length: \t \r\n", b""), {400}),
    ("signed CL", post(b"Content-Length: +5\r\n", b"hello"), {400}),
    ("negative CL", post(b"Content-Length: -5\r\n", b"hello"), {400}),
    ("hexadecimal CL", post(b"Content-Length: 0x5\r\n", b"hello"), {400}),
    ("CL with an underscore", post(b"Content-Length: 1_0\r\n", b"hello"), {400}),
    ("CL with a fraction", post(b"Content-Length: 5.0\r\n", b"hello"), {400}),
    ("CL with a space inside", post(b"Content-Length: 5 0\r\n", b"hello"), {400}),
    ("CL with a vertical tab", post(b"Content-Length: \x0b5\r\n", b"hello"), {400}),
    ("CL over 64 bits", post(b"Content-Length: 18446744073709551621\r\n", b"hello"), {400}),
    ("CL with 30 digits", post(b"Content-Length: " + b"9" * 30 + b"\r\n", b"hello"), {400}),
    ("CL with a trailing comma", post(b"Content-Length: 5,\r\n", b"hello"), {400}),
    ("CL in quotes", post(b'Content-Length: "5"\r\n', b"hello"), {400}),
    ("TE chunked, identity", post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKS), {400, 501}),
    ("TE identity", post(b"Transfer-Encoding: identity\r\n", CHUNKS), {400, 501}),
    ("TE identity, chunked", post(b"Transfer-Encoding: identity, chunked\r\n", CHUNKS), {400, 501}),
    ("TE gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS), {400, 501}),
    ("TE gzip", post(b"Transfer-Encoding: gzip\r\n", CHUNKS), {400, 501}),
    ("TE xchunked", post(b"Transfer-Encoding: xchunked\r\n", CHUNKS), {400, 501}),
    ("TE chunkedx", post(b"Transfer-Encoding: chunkedx\r\n", CHUNKS), {400, 501}),
    ("TE chunked twice in a list", post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS), {400, 501}),
    ("TE chunked twice in lines", post(TE + TE, CHUNKS), {400, 501}),
    ("TE chunked and identity in lines", post(TE + b"Transfer-Encoding: identity\r\n", CHUNKS), {400, 501}),
    ("TE chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1\r\n", CHUNKS), {400, 501}),
    ("TE in quotes", post(b'Transfer-Encoding: "chunked"\r\n', CHUNKS), {400, 501}),
    ("TE with a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKS), {400, 501}),
    ("TE with a trailing comma", post(b"Transfer-Encoding: chunked,\r\n", CHUNKS), {400, 501}),
    ("empty TE", post(b"Transfer-Encoding:\r\n", b""), {400, 501}),
    ("empty TE with CL", post(b"Transfer-Encoding:\r\n" + CL5, b"hello"), {400, 501}),
    ("folded TE", post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS), {400}),
    ("HTTP/1.0 with TE", post(TE, CHUNKS, b"POST /forbidden HTTP/1.0\r\n"), {400}),
    ("HTTP/1.0 with CL and TE", post(CL5 + TE, CHUNKS, b"POST /forbidden HTTP/1.0\r\n"), {400}),
    ("Connection nominates CL", post(b"Connection: Content-Length\r\n" + CL5, b"hello"), {400}),
    ("Connection nominates TE", post(b"Connection: Transfer-Encoding\r\n" + TE, CHUNKS), {400}),
    ("Connection nominates Host", post(b"Connection: Host\r\n"), {400}),
]

SYNTAX = [
    ("bare LF ends the request line", b"GET /forbidden HTTP/1.1\nHost: h\r\n\r\n", {400}),
    ("bare LF ends a field", b"GET /forbidden HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", {400}),
    ("bare LF ends the head", b"GET /forbidden HTTP/1.1\r\nHost: h\r\n\n" + SMUGGLED, {400}),
    ("LF LF ends the head", b"GET /forbidden HTTP/1.1\r\nHost: h\n\n" + SMUGGLED, {400}),
    ("bare CR ends a field", b"GET /forbidden HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", {400}),
    ("bare CR in a value", post(b"X: a\rb\r\n"), {400}),
    ("CR CR LF", post(b"X: a\r\r\n"), {400}),
    ("NUL in a value", post(b"X: a\0b\r\n"), {400}),
    ("NUL in a name", post(b"X\0: a\r\n"), {400}),
    ("control octet in a value", post(b"X: a\x01b\r\n"), {400}),
    ("DEL in a value", post(b"X: a\x7fb\r\n"), {400}),
    ("folded field", post(b"X: a\r\n b\r\n"), {400}),
    ("folded with a tab", post(b"X: a\r\n\tb\r\n"), {400}),
    ("first field folded", b"GET /forbidden HTTP/1.1\r\n Host: h\r\nHost: h\r\n\r\n", {400}),
    ("space before the colon", post(b"X : a\r\n"), {400}),
    ("tab before the colon", post(b"X\t: a\r\n"), {400}),
    ("space before the colon of CL", post(b"Content-Length : 5\r\n", b"hello"), {400}),
    ("space before the colon of TE", post(b"Transfer-Encoding : chunked\r\n", CHUNKS), {400}),
    ("empty field name", post(b": a\r\n"), {400}),
    ("field without a colon", post(b"nocolon\r\n"), {400}),
    ("space in a name", post(b"X Y: a\r\n"), {400}),
    ("parenthesis in a name", post(b"X(Y): a\r\n"), {400}),
    ("8-bit octet in a name", post(b"X\xe9: a\r\n"), {400}),
    ("two Hosts", post(b"Host: other\r\n"), {400}),
    ("two Hosts that agree", post(HOST), {400}),
    ("no Host", get(b"GET /forbidden HTTP/1.1", b"X: y\r\n"), {400}),
    ("Host with a space", get(b"GET /forbidden HTTP/1.1", b"Host: a b\r\n"), {400}),
    ("Host with a path", get(b"GET /forbidden HTTP/1.1", b"Host: a/b\r\n"), {400}),
    ("Host with user info", get(b"GET /forbidden HTTP/1.1", b"Host: a@b\r\n"), {400}),
    ("Host list", get(b"GET /forbidden HTTP/1.1", b"Host: a, b\r\n"), {400}),
    ("Host with a bad port", get(b"GET /forbidden HTTP/1.1", b"Host: a:b\r\n"), {400}),
    ("Host with an open bracket", get(b"GET /forbidden HTTP/1.1", b"Host: [::1\r\n"), {400}),
    ("absolute-form against Host", get(b"GET http://a.example/forbidden HTTP/1.1", b"Host: b.example\r\n"), {400}),
    ("absolute-form with user info", get(b"GET http://u@h/forbidden HTTP/1.1"), {400}),
    ("absolute-form of another scheme", get(b"GET ftp://h/forbidden HTTP/1.1"), {400}),
    ("fragment in the target", get(b"GET /forbidden#x HTTP/1.1"), {400}),
    ("control octet in the target", get(b"GET /forbidden\x01 HTTP/1.1"), {400}),
    ("NUL in the target", get(b"GET /forbidden\0 HTTP/1.1"), {400}),
    ("DEL in the target", get(b"GET /forbidden\x7f HTTP/1.1"), {400}),
    ("tab in the target", get(b"GET /forbidden\tx HTTP/1.1"), {400}),
    ("CR in the target", get(b"GET /forbidden\rx HTTP/1.1"), {400}),
    ("space in the target", get(b"GET /forbidden x HTTP/1.1"), {400}),
    ("target without a slash", get(b"GET forbidden HTTP/1.1"), {400}),
    ("asterisk for another method", get(b"GET * HTTP/1.1"), {400}),
    ("authority-form for another method", get(b"GET h:80 HTTP/1.1"), {400}),
    ("two spaces in the request line", get(b"GET  /forbidden HTTP/1.1"), {400}),
    ("tabs in the request line", get(b"GET\t/forbidden\tHTTP/1.1"), {400}),
    ("space after the version", get(b"GET /forbidden HTTP/1.1 "), {400}),
    ("no version", get(b"GET /forbidden"), {400, 505}),
    ("HTTP/0.9", get(b"GET /forbidden HTTP/0.9"), {400, 505}),
    ("HTTP/1.2", get(b"GET /forbidden HTTP/1.2"), {400, 505}),
    ("HTTP/2.0", get(b"GET /forbidden HTTP/2.0"), {400, 505}),
    ("HTTP/1.10", get(b"GET /forbidden HTTP/1.10"), {400, 505}),
    ("HTTP/11", get(b"GET /forbidden HTTP/11"), {400, 505}),
    ("lower-case version", get(b"GET /forbidden http/1.1"), {400, 505}),
    ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505}),
    ("space before the method", get(b" GET /forbidden HTTP/1.1"), {400}),
    ("colon in the method", get(b"GE:T /forbidden HTTP/1.1"), {400}),
    ("empty method", get(b" /forbidden HTTP/1.1"), {400}),
    ("three leading empty lines", b"\r\n\r\n\r\n" + get(b"GET /forbidden HTTP/1.1"), {400}),
    ("a leading bare LF", b"\n" + get(b"GET /forbidden HTTP/1.1"), {400}),
    ("a TLS ClientHello", bytes.fromhex("16030100c8010000c40303") + bytes(200), {400}),
    ("eleven nominations", post(b"Connection: a,b,c,d,e,f,g,h,i,j,k\r\n"), {400}),
]

# Sent after `POST … Transfer-Encoding: chunked`, with a smuggled request behind.
CHUNK_TRICKS = [
    ("0x prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
    ("plus sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("minus sign", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("space before the size", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("empty size", b"\r\nhello\r\n0\r\n\r\n"),
    ("no hexadecimal digit", b"g\r\nhello\r\n0\r\n\r\n"),
    ("bare LF after the size", b"5\nhello\r\n0\r\n\r\n"),
    ("bare CR after the size", b"5\rhello\r\n0\r\n\r\n"),
    ("newline in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("bare CR in an extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("NUL in an extension", b"5;a\0b\r\nhello\r\n0\r\n\r\n"),
    ("size over 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("size of twenty digits", b"F" * 20 + b"\r\nhello\r\n0\r\n\r\n"),
    ("thousands of zeros", b"0" * 5000 + b"5\r\nhello\r\n0\r\n\r\n"),
    ("chunk longer than said", b"5\r\nhelloworld\r\n0\r\n\r\n"),
    ("bare LF after the data", b"5\r\nhello\n0\r\n\r\n"),
    ("no end of line after the data", b"5\r\nhello0\r\n\r\n"),
    ("bare LF after the last chunk", b"0\n\r\n"),
    ("bare LF ends the trailers", b"0\r\n\n"),
    ("folded trailer", b"0\r\nX: a\r\n b\r\n\r\n"),
    ("space before a trailer's colon", b"0\r\nX : a\r\n\r\n"),
    ("trailer without a colon", b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
    ("endless extension", b"5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n"),
    ("endless trailers", b"0\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n"),
    ("a thousand trailers", b"0\r\n" + b"X: a\r\n" * 1000 + b"\r\n"),
]


class RequestSmuggling(ProxyTest):
    @classmethod
    def setUpClass(cls):
        cls.app = cls.class_backend(http_handler(lambda request: respond(200, "ok")))
        cls.proxy = cls.class_start(config(service(cls.app), workers=1))
        cls.numbers = itertools.count(1000)

    def refused(self, octets, statuses):
        # Marked, so that one that comes through is not blamed on those after it.
        marks = [b"forbidden-%d" % next(self.numbers), b"smuggled-%d" % next(self.numbers)]
        octets = octets.replace(b"forbidden", marks[0]).replace(b"smuggled", marks[1])
        with self.proxy.client() as client:
            try:
                client.send(octets)
            except ConnectionError:
                pass  # refused before all of it was sent
            response = client.read_response()
            self.assertIn(response.status, statuses)
            self.assertTrue(response.closes(), "the answer must announce the close")
            self.assertEqual(client.closed_by_peer(), b"", "one answer, then the end")
        # A fence on the same worker: whatever would have been forwarded is there by now.
        self.assertEqual(self.proxy.get("/fence").status, 200)
        for mark in marks:
            self.assertNotIn(mark, self.app.received())

    def test_ambiguous_framing(self):
        for what, octets, statuses in FRAMING:
            with self.subTest(what=what):
                self.refused(octets, statuses)

    def test_ambiguous_syntax(self):
        for what, octets, statuses in SYNTAX:
            with self.subTest(what=what):
                self.refused(octets, statuses)

    def test_chunked_coding_tricks_end_the_exchange(self):
        """The head may have left already; but no complete request, and nothing of what is behind it."""
        for what, body in CHUNK_TRICKS:
            for apart in (False, True):
                target = f"/cut-{next(self.numbers)}"
                head = f"POST {target} HTTP/1.1\r\n".encode() + HOST + TE + END
                behind = SMUGGLED.replace(b"smuggled", f"smuggled{target}".encode())
                with self.subTest(what=what, apart=apart), self.proxy.client() as client:
                    try:
                        if apart:
                            client.send_apart(head)
                            client.send(body + behind)
                        else:
                            client.send(head + body + behind)
                    except ConnectionError:
                        pass
                    try:
                        response = client.response_or_close()
                    except EndOfStream:
                        self.fail("a cut response")
                    if response is not None:
                        self.assertIn(response.status, (400, 431), "431: too many or too large trailers")
                    self.assertEqual(client.closed_by_peer(), b"")
                    self.assertEqual(self.proxy.get("/fence").status, 200)
                    self.assertNotIn(target, [r.target for r in self.app.requests])
                    self.assertNotIn(b"smuggled" + target.encode(), self.app.received())

    def test_what_is_right_still_passes(self):
        """The strictness must not refuse what is legal, odd as it looks."""
        for what, octets, body in [
            ("upper-case coding", post_ok(b"Transfer-Encoding: CHUNKED\r\n", CHUNKS), b"hello"),
            ("spaces around the CL", post_ok(b"Content-Length: \t 5  \r\n", b"hello"), b"hello"),
            ("leading zeros in the CL", post_ok(b"Content-Length: 0005\r\n", b"hello"), b"hello"),
            ("chunk extension", post_ok(TE, b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n'), b"hello"),
            ("upper and lower case sizes", post_ok(TE, b"A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n"), b"0123456789" * 2),
            ("zeros before the size", post_ok(TE, b"0005\r\nhello\r\n000\r\n\r\n"), b"hello"),
            ("empty field value", post_ok(b"X:\r\nContent-Length: 5\r\n", b"hello"), b"hello"),
            ("8-bit octets in a value", post_ok(b"X: \xe9\xff\r\nContent-Length: 5\r\n", b"hello"), b"hello"),
            ("ten nominations", post_ok(b"Connection: a,b,c,d,e,f,g,h,i,j\r\nContent-Length: 5\r\n", b"hello"), b"hello"),
        ]:
            with self.subTest(what=what), self.proxy.client() as client:
                client.send(octets)
                self.assertEqual(client.read_response().status, 200)
                request = next(r for r in reversed(self.app.requests) if r.target == "/fence")
                self.assertEqual(request.body, body)

    def test_underscore_spelling_of_framing_fields_never_reaches_the_backend(self):
        """A backend that folds `_` to `-` would frame the message by them."""
        for field in (b"Content_Length: 5\r\n", b"Transfer_Encoding: chunked\r\n", b"content_length: 0\r\n"):
            with self.subTest(field=field), self.proxy.client() as client:
                client.send(b"GET /fence HTTP/1.1\r\n" + HOST + field + END)
                status = client.read_response().status
                self.assertIn(status, (200, 400))
                if status == 200:
                    self.assertFalse({"content_length", "transfer_encoding"} & set(self.app.last().fields.names()))

    def test_h2c_upgrade_is_not_passed_on(self):
        """A backend that takes it would be spoken to behind the proxy's back."""
        fields = [("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
        self.proxy.get("/fence", fields)
        names = self.app.last().fields.names()
        self.assertNotIn("http2-settings", names)
        self.assertNotIn("upgrade", names)

    def test_bad_requests_are_counted(self):
        before = self.proxy.metrics().sum("telltale_bad_requests_total")
        self.refused(post(CL5 + TE, CHUNKS), {400})
        self.assertEqual(self.proxy.metrics().sum("telltale_bad_requests_total"), before + 1)


def post_ok(fields: bytes, body: bytes) -> bytes:
    return b"POST /fence HTTP/1.1\r\n" + HOST + fields + END + body


if __name__ == "__main__":
    main()
