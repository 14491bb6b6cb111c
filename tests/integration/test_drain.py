"""How it ends: SIGTERM says so on /readyz first, takes no more, lets everything in flight finish, and exits with 0."""

import os
import signal
import tempfile
import threading
import time

from support import Client, Echo, HealthPort, ProxyTest, config, listener, main, respond, service, wait_until


def gated(connection):
    """Reads each request whole; answers when the test says go."""
    while (request := connection.next_request()) is not None:
        connection.backend.release.wait()
        connection.send(respond(200, f"done {len(request.body)}"))


class Drain(ProxyTest):
    def serve(self, handler=gated, **options):
        self.app = self.backend(handler)
        return self.start(config(service(self.app), **options))

    def ready_status(self, proxy):
        return proxy.ask_admin("/readyz").status

    def refuses(self, proxy):
        try:
            proxy.client().close()
            return False
        except ConnectionError:
            return True

    def test_readyz_says_503_first_while_requests_are_still_served(self):
        proxy = self.serve(drain_delay="6s")
        self.app.release.set()
        self.assertEqual(self.ready_status(proxy), 200)
        begun = time.monotonic()
        proxy.terminate()
        wait_until(lambda: self.ready_status(proxy) == 503, "/readyz to say 503")
        self.assertEqual(proxy.ask_admin("/livez").status, 200)
        self.assertEqual(proxy.get("/during-the-delay").status, 200, "new connections are welcome still")
        self.assertEqual(proxy.process.wait(), 0)
        self.assertGreaterEqual(time.monotonic() - begun, 5.8)

    def test_requests_in_flight_finish_and_new_connections_are_refused(self):
        proxy = self.serve()
        clients = [self.enterContext(proxy.client()) for _ in range(20)]
        for client in clients:
            client.request("GET", "/")
        self.app.wait_requests(20)
        proxy.terminate()
        wait_until(lambda: self.refuses(proxy), "new connections to be refused")
        self.assertTrue(proxy.process.running(), "it waits for what is in flight")
        self.app.release.set()
        for client in clients:
            response = client.read_response()
            self.assertEqual(response.body, b"done 0")
            self.assertEqual(client.closed_by_peer(), b"")
        proxy.stop()

    def test_an_upload_and_a_download_in_flight_finish(self):
        size = 8 << 20

        def serve(connection):
            request = connection.next_request()
            if request.method == "POST":
                connection.send(respond(200, f"received {len(request.body)}"))
                return
            connection.send(respond(200, b"", [("Content-Length", size)], length=False))
            connection.send(bytes(size // 2))
            connection.backend.release.wait()
            connection.send(bytes(size // 2))

        proxy = self.serve(serve)
        up, down = self.enterContext(proxy.client()), self.enterContext(proxy.client(record=False))
        down.request("GET", "/")
        down.read_response_head()
        down.discard(size // 2)
        up.request("POST", "/", [("Content-Length", size)])
        up.send(bytes(size // 2))
        self.app.wait_connection(1)
        proxy.terminate()
        wait_until(lambda: self.refuses(proxy), "new connections to be refused")
        up.send(bytes(size // 2))
        self.assertEqual(up.read_response().body, f"received {size}".encode())
        self.app.release.set()
        self.assertEqual(down.discard(size // 2), size // 2)
        proxy.stop()

    def test_a_request_whose_head_is_half_here_is_served(self):
        proxy = self.serve()
        self.app.release.set()
        with proxy.client() as client:
            client.send_apart(b"GET /half HTTP/1.1\r\nHo")
            proxy.terminate()
            wait_until(lambda: self.refuses(proxy), "new connections to be refused")
            client.send(b"st: h\r\n\r\n")
            self.assertEqual(client.read_response().body, b"done 0")
        proxy.stop()

    def test_idle_connections_are_closed_and_do_not_hold_it_up(self):
        proxy = self.serve(drain_grace="60s")
        self.app.release.set()
        idle = [self.enterContext(proxy.client()) for _ in range(10)]
        for client in idle:
            self.assertEqual(client.get("/").status, 200)
        begun = time.monotonic()
        proxy.stop()
        self.assertLess(time.monotonic() - begun, 30)
        for client in idle:
            self.assertEqual(client.closed_by_peer(), b"")

    def test_answers_while_draining_announce_the_close(self):
        proxy = self.serve()
        with proxy.client() as client:
            client.request("GET", "/")
            self.app.wait_requests(1)
            proxy.terminate()
            wait_until(lambda: self.refuses(proxy), "new connections to be refused")
            self.app.release.set()
            self.assertTrue(client.read_response().closes())
        proxy.stop()

    def test_a_connection_that_was_promised_to_go_on_takes_one_more_request_within_the_delay(self):
        def halves(connection):
            connection.next_request()
            connection.send(respond(200, b"", [("Content-Length", 2)], length=False) + b"1")
            connection.backend.release.wait()
            connection.send(b"2")
            gated(connection)

        proxy = self.serve(halves, drain_delay="60s", drain_grace="60s")
        with proxy.client() as client:
            client.request("GET", "/")
            self.assertFalse(client.read_response_head().closes())
            proxy.terminate()
            wait_until(lambda: self.ready_status(proxy) == 503, "/readyz to say 503")
            self.app.release.set()
            self.assertEqual(client.discard(2), 2)
            self.assertTrue(client.get("/again").closes())
        proxy.process.send_signal(signal.SIGINT)
        self.assertEqual(proxy.process.wait(), 0)

    def test_the_grace_time_ends_what_does_not_end(self):
        proxy = self.serve(drain_grace="500ms")
        with proxy.client() as client:
            client.request("GET", "/never")
            self.app.wait_requests(1)
            begun = time.monotonic()
            proxy.terminate()
            octets = client.closed_by_peer()
            self.assertTrue(octets == b"" or octets.startswith(b"HTTP/1.1 50"), octets)
            proxy.stop()
            self.assertGreater(time.monotonic() - begun, 0.4)

    def test_an_open_tunnel_ends_with_the_grace_time(self):
        def tunnel(connection):
            connection.next_request()
            connection.send(respond(101, fields=[("Upgrade", "x"), ("Connection", "Upgrade")], length=False))
            while connection.read_some():
                pass

        proxy = self.serve(tunnel, drain_grace="500ms")
        with proxy.client() as client:
            client.request("GET", "/", [("Upgrade", "x"), ("Connection", "Upgrade")])
            self.assertEqual(client.read_response().status, 101)
            proxy.stop()
            self.assertEqual(client.closed_by_peer(), b"")

    def test_no_request_fails_in_a_restart_behind_another(self):
        """Clients that move on when /readyz says 503, as a load balancer does, lose nothing."""
        self.app = self.backend()
        # Long enough for clients that are at their ten requests on the old one, however busy the machine.
        old = self.start(config(service(self.app), drain_delay="10s"))
        new = self.start(config(service(self.app)))
        current, failures, done = [old], [], []

        def load():
            try:
                while not done:
                    with current[0].client() as client:
                        for _ in range(10):
                            response = client.get("/")
                            if response.status != 200:
                                failures.append(response)
                            if response.closes():
                                break
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(failure)

        threads = [threading.Thread(target=load) for _ in range(6)]
        for thread in threads:
            thread.start()
        self.app.wait_requests(100)
        old.terminate()
        wait_until(lambda: self.ready_status(old) == 503, "/readyz to say 503")
        current[0] = new
        self.assertEqual(old.process.wait(), 0)
        count = len(self.app.requests)
        self.app.wait_requests(count + 100)
        done.append(True)
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_sigint_cuts_no_request_and_a_second_one_does(self):
        for second in (False, True):
            proxy = self.serve(drain_delay="60s", drain_grace="60s")
            with self.subTest(second=second), proxy.client() as client:
                client.request("GET", "/")
                self.app.wait_requests(1)
                proxy.process.send_signal(signal.SIGINT)
                wait_until(lambda p=proxy: self.refuses(p), "new connections to be refused")
                self.assertEqual(self.ready_status(proxy), 503)
                if second:
                    proxy.stop(signal.SIGINT)
                    octets = client.closed_by_peer()
                    self.assertTrue(octets == b"" or octets.startswith(b"HTTP/1.1 50"), octets)
                else:
                    self.app.release.set()
                    self.assertEqual(client.read_response().body, b"done 0")
                    self.assertEqual(proxy.process.wait(), 0)

    def test_sigint_ends_it(self):
        proxy = self.serve(drain_delay="60s")
        self.app.release.set()
        self.assertEqual(proxy.get("/").status, 200)
        begun = time.monotonic()
        proxy.stop(signal.SIGINT)
        self.assertLess(time.monotonic() - begun, 30, "SIGINT does not wait for a load balancer")

    def test_readyz_is_503_while_no_service_has_an_endpoint(self):
        health = self.enterContext(HealthPort(503))
        app = self.backend()
        node = {"name": "node-a", "address": "127.0.0.1", "port": app.port, "health_port": health.port}
        health_conf = {"http": "/healthz", "interval": "50ms", "timeout": "5s"}
        proxy = self.start(config(service(nodes=[node], health=health_conf)))
        proxy.wait_states(node_a="draining")
        self.assertEqual(self.ready_status(proxy), 503)
        health.status = 200
        proxy.wait_states(node_a="healthy")
        self.assertEqual(self.ready_status(proxy), 200)

    def test_sighup_is_survived(self):
        proxy = self.serve()
        self.app.release.set()
        proxy.process.send_signal(signal.SIGHUP)
        for _ in range(5):
            self.assertEqual(proxy.get("/").status, 200)

    def test_unix_socket_files_are_taken_away(self):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-")), "front.sock")
        proxy = self.start(config(service(self.backend()), listeners=[listener(listen="unix:" + path)]))
        with Client(path) as client:
            self.assertEqual(client.get("/").status, 200)
        proxy.stop()
        self.assertFalse(os.path.exists(path))


class EchoEnds(ProxyTest):
    def test_echo_ends_with_sigterm(self):
        with Echo() as echo, Client(echo.sockname) as client:
            self.assertEqual(client.get("/").status, 200)


if __name__ == "__main__":
    main()
