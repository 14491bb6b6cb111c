"""TLS with thousands of clients: those that are connected do not wait for those that come, and nothing that changes on
the way - certificates, ticket keys - costs anybody a request."""

import base64
import concurrent.futures
import os
import resource
import select
import signal
import threading

from support import config, listener, main, service
from support.tls import TlsClient, client_hello, der_of, tls_context
from support.tls_case import TlsTest, tls
from support.waiting import SANITIZER, wait_until


class Storm(TlsTest):
    def test_who_is_connected_does_not_wait_for_all_who_come(self):
        """One worker, 500 ClientHellos at once, and a request that comes behind them."""
        count = 100 if SANITIZER else 500
        rsa = self.issue("rsa", "DNS:rsa.test", key_type="rsa")  # the slow ones
        proxy = self.start(config(service(self.backend()), listeners=[listener(tls=tls(rsa))], workers=1))
        kept = self.client(proxy)
        hello = client_hello()

        def answered_first() -> bool:
            comers = [self.enterContext(proxy.client(record=False)) for _ in range(count)]
            kept.get("/")
            proxy.process.send_signal(signal.SIGSTOP)  # SIGSTOP: they all come at once
            try:
                for client in comers:
                    client.send(hello)
                kept.request("GET", "/")
            finally:
                proxy.process.send_signal(signal.SIGCONT)
            self.assertEqual(kept.read_response("GET").status, 200)
            done = len(select.select([client.sock for client in comers], [], [], 0)[0])
            for client in comers:
                client.close()
            return done < count // 2

        # A machine that does not let us look in time shows nothing: look again.
        wait_until(answered_first, "an answer before half of the handshakes are through")


class Many(TlsTest):
    """Nobody's request fails, and no connection that waits, while all changes."""

    def setUp(self):
        self.keys = [os.urandom(80)]
        self.file = os.path.join(self.directory, "served.pem")
        self.copy(self.a, self.file)
        tickets = self.write_keys(self.keys)
        served = listener(
            tls=tls(self.file, ticket_key_file=tickets, handshake_timeout="5m"), timeouts={"idle": "30m", "header": "5m"}
        )
        self.proxy = self.start(config(service(self.backend(record=False)), listeners=[served], access_log="off"))
        self.failed, self.over, self.served = [], threading.Event(), 0

    def write_keys(self, keys) -> str:
        return self.write("tickets", "".join(base64.b64encode(key).decode() + "\n" for key in keys))

    def key_changes(self) -> int:
        return sum("new session ticket keys" in line for line in self.proxy.log.lines())

    def connections(self) -> int:
        """As many as the limit of descriptors allows: a connection is one here, and one in the proxy."""
        wanted = 300 if SANITIZER else 5000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        possible = min(wanted, hard - 500)
        if possible < wanted:
            print(f"{possible} connections instead of {wanted}: RLIMIT_NOFILE is {hard}")
        return possible

    def load(self):
        """New connections, kept ones, and sessions that are resumed."""
        kept = TlsClient(self.proxy.address(), record=False)
        context, session = tls_context(), None
        try:
            while not self.over.is_set():
                with TlsClient(self.proxy.address(), context=context, session=session, record=False) as client:
                    if session is not None and not client.sock.session_reused:
                        self.failed.append("a session was not resumed")
                    statuses = [client.get("/").status, kept.get("/").status]
                    session = client.sock.session
                if statuses != [200, 200]:
                    self.failed.append(statuses)
                self.served += 2
        except Exception as fault:  # pylint: disable=broad-except
            self.failed.append(repr(fault))
        finally:
            kept.close()

    def certificate(self) -> bytes:
        with TlsClient(self.proxy.address()) as client:
            return client.certificate()

    def change(self):
        """Another certificate, and another key: one that opens, then one that seals. Each when the last one is in
        use."""
        changed = 0
        for source in (self.b, self.a, self.b, self.a):
            self.copy(source, self.file)
            new = os.urandom(80)
            for keys in ([*self.keys, new], [new, *self.keys]):
                self.write_keys(keys)
                changed += 1
                wait_until(lambda c=changed: self.key_changes() == c, "the new keys to be in use")
            self.keys.insert(0, new)
            wait_until(lambda s=source: self.certificate() == der_of(s), "the new certificate")
            before = self.served
            wait_until(lambda b=before: self.served > b + 20 or self.failed, "more requests")

    def ask_all(self, clients):
        """One request each; some at once, as each alone would wait for four processes in turn."""
        for at in range(0, len(clients), 100):
            for client in clients[at : at + 100]:
                client.request("GET", "/")
            self.assertEqual({client.read_response("GET").status for client in clients[at : at + 100]}, {200})

    def test_idle_connections_outlive_all_that_changes(self):
        context = tls_context()

        def connect(_):
            return TlsClient(self.proxy.address(), context=context, record=False)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            idle = list(pool.map(connect, range(self.connections())))
        for client in idle:
            self.addCleanup(client.close)
        self.ask_all(idle)
        threads = [threading.Thread(target=self.load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            self.change()
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.failed, [])
        self.ask_all(idle)
        metrics = self.proxy.metrics()
        self.assertEqual(metrics.sum("telltale_tls_failures_total"), 0)


if __name__ == "__main__":
    main()
