"""`ranges: FILE`: followed while requests go on, with the last good lists when it is wrong."""

import os
import tempfile
import threading

from support import ProxyTest, config, listener, main, service, wait_until

FRONT, OTHER, CLIENT = "127.0.30.1", "127.0.31.1", "198.51.100.79"
FIELDS = [("X-Forwarded-For", CLIENT)]


class Ranges(ProxyTest):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="telltale-test-"))
        self.file = os.path.join(self.directory, "ranges.txt")

    def replace(self, text):
        """As one is to do it."""
        with open(self.file + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(self.file + ".new", self.file)

    def write_in_place(self, text):
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(text)

    def start_with(self, text, **options):
        self.replace(text)
        self.app = self.backend()
        app = service(self.app, propagate={"x_real_ip": True})
        entry = listener(client_ip={"trusted": ["front"]})
        configuration = config(app, listeners=[entry], ranges=self.file, **options)
        self.proxy = self.start(configuration)

    def told(self, source):
        self.assertEqual(self.proxy.get("/", FIELDS, source=source).status, 200)
        return self.app.last().header("x-real-ip")

    def log_lines(self, part):
        return [line for line in self.proxy.log.lines() if part in line]

    def in_force(self, count):
        wait_until(lambda: len(self.log_lines("in force for new connections")) >= count, f"reload {count}")

    def test_a_changed_file_is_taken_however_it_was_changed(self):
        self.start_with(f"[front]\n{FRONT}\n")
        self.assertEqual((self.told(FRONT), self.told(OTHER)), (CLIENT, OTHER))
        self.replace(f"[front]\ndate: 2026-11-24\n{OTHER}\n")
        self.in_force(1)
        self.assertIn("front (1 ranges, of 2026-11-24)", self.log_lines("in force")[0])
        self.assertEqual((self.told(FRONT), self.told(OTHER)), (FRONT, CLIENT))
        self.write_in_place(f"[front]\n{FRONT}\n{OTHER}\n")
        self.in_force(2)
        self.assertEqual((self.told(FRONT), self.told(OTHER)), (CLIENT, CLIENT))

    def test_open_connections_keep_theirs(self):
        self.start_with(f"[front]\n{FRONT}\n")
        with self.proxy.client(source=FRONT) as old:
            self.assertEqual(old.get("/", FIELDS).status, 200)
            self.assertEqual(self.app.last().header("x-real-ip"), CLIENT)
            self.replace(f"[front]\n{OTHER}\n")
            self.in_force(1)
            self.assertEqual(self.told(FRONT), FRONT)
            self.assertEqual(old.get("/", FIELDS).status, 200)
            self.assertEqual(self.app.last().header("x-real-ip"), CLIENT)

    def test_a_wrong_file_is_said_once_and_the_last_good_one_stays(self):
        self.start_with(f"[front]\n{FRONT}\n")
        failures = [
            (f"[front]\n{OTHER}\n127.0.300.1\n", "line 3: \"127.0.300.1\" is not an address range"),
            ("", "there is no list in it"),
            (f"[other]\n{OTHER}\n", "there is no list \"front\", which the listener web uses"),
            ("[front]\n0.0.0.0/0\n", "line 2: \"0.0.0.0/0\" holds every address"),
        ]
        for text, problem in failures:
            with self.subTest(problem):
                self.replace(text)
                wait_until(lambda problem=problem: self.log_lines(problem), "the problem to be logged")
                self.assertEqual((self.told(FRONT), self.told(OTHER)), (CLIENT, OTHER))
        os.remove(self.file)
        wait_until(lambda: self.log_lines("No such file or directory"), "the problem to be logged")
        self.assertEqual(self.told(FRONT), CLIENT)
        self.replace(f"[front]\n{OTHER}\n")
        self.in_force(1)
        self.assertEqual((self.told(FRONT), self.told(OTHER)), (FRONT, CLIENT))
        self.assertEqual(len(self.log_lines("the last good ones stay in force")), len(failures) + 1)
        self.assertEqual(len(self.log_lines("in force for new connections")), 1)

    def test_the_same_lists_again_are_no_news(self):
        self.start_with(f"[front]\n{FRONT}\n")
        self.replace(f"# touched\n[front]\n{FRONT}\n")
        self.replace(f"[front]\n{FRONT}\n{OTHER}\n")
        self.in_force(1)
        self.assertEqual(len(self.log_lines("in force for new connections")), 1)

    def test_swapped_under_load_without_a_failed_request(self):
        self.start_with(f"[front]\n{FRONT}\n", workers=2)
        stop = threading.Event()
        connections, problems = [0] * 4, []

        def load(number):
            source = (FRONT, OTHER)[number % 2]
            while not stop.is_set():
                try:
                    with self.proxy.client(source=source) as client:
                        responses = [client.get("/", FIELDS) for _ in range(20)]
                    problems.extend(response for response in responses if response.status != 200)
                except Exception as problem:  # pylint: disable=broad-except
                    problems.append(problem)
                connections[number] += 1

        def wait_for_all():
            """Until each has had a whole connection under the lists that are in force now."""
            before = list(connections)
            wait_until(lambda: all(now >= then + 2 for now, then in zip(connections, before)), "connections of all")

        threads = [threading.Thread(target=load, args=(n,)) for n in range(len(connections))]
        for thread in threads:
            thread.start()
        try:
            wait_for_all()
            for n in range(4):
                self.replace(f"[front]\n{(OTHER, FRONT)[n % 2]}\n# {n}\n")
                self.in_force(n + 1)
                wait_for_all()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(problems, [])
        # Each request's identity is one of the two that were right: what it connected from, or the client it named.
        told = {request.header("x-real-ip") for request in self.app.requests}
        self.assertEqual(told, {CLIENT, FRONT, OTHER})
        # The pool was not begun anew: no more connections than requests at once.
        self.assertLessEqual(len(self.app.connections), 16)
        self.assertEqual((self.told(FRONT), self.told(OTHER)), (CLIENT, OTHER))


if __name__ == "__main__":
    main()
