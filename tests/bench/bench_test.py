#!/usr/bin/env python3
"""The harness's own arithmetic: what it reads from wrk, how medians become ratios, that its chart is XML."""

import pathlib
import sys
import unittest
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench  # noqa: E402
import report  # noqa: E402

WRK = """Running 2s test @ http://127.0.0.1:8080/128
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.35ms    1.02ms  12.31ms   81.12%
  Latency Distribution
     50%    2.10ms
     75%    2.80ms
     90%    3.50ms
     99%  950.00us
  54321 requests in 2.01s, 12.34MB read
Requests/sec:  27025.37
"""


class Wrk(unittest.TestCase):
    def test_reads_requests_time_and_latencies(self):
        got = bench.parse_wrk(WRK)
        self.assertEqual(got["requests"], 54321)
        self.assertAlmostEqual(got["seconds"], 2.01)
        self.assertAlmostEqual(got["p50"], 2100.0)
        self.assertAlmostEqual(got["p99"], 950.0)

    def test_refuses_runs_with_errors(self):
        for line in ("  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 7, write 0, timeout 0\n"):
            with self.subTest(line), self.assertRaises(RuntimeError):
                bench.parse_wrk(WRK + line)

    def test_refuses_runs_without_a_request(self):
        for text in ("", "  0 requests in 2.01s, 0.00B read\n"):
            with self.subTest(text), self.assertRaises(RuntimeError):
                bench.parse_wrk(text)

    def test_accepts_error_lines_of_zeros(self):
        bench.parse_wrk(WRK + "  Socket errors: connect 0, read 0, write 0, timeout 0\n")


class Report(unittest.TestCase):
    SAMPLES = {"get64": {"floor": [10.0, 11.0, 9.0], "haproxy": [30.0, 20.0, 25.0], "nginx": [24.0, 20.0, 22.0],
                         "telltale": [11.0, 99.0, 10.0]},
               "idle": {"haproxy": [1100.0], "nginx": [500.0], "telltale": [1000.0]}}
    TITLES = {"get64": ("GET, 64 & more", "us"), "idle": ("idle", "bytes")}
    NAMES = ["floor", "haproxy", "nginx", "telltale"]

    def test_ratio_is_of_medians_to_the_best_peer_and_the_floor(self):
        first, second = report.summarise(self.SAMPLES)
        self.assertEqual(first["best_peer"], "nginx")
        self.assertAlmostEqual(first["to_best_peer"], 0.5)
        self.assertAlmostEqual(first["to_floor"], 1.1)
        self.assertAlmostEqual(second["to_best_peer"], 2.0)
        self.assertIsNone(second["to_floor"])

    def test_runs_without_telltale_have_no_ratio(self):
        samples = {"get64": {name: [1.0] for name in ("floor", "nginx")}}
        records = report.summarise(samples)
        self.assertNotIn("to_best_peer", records[0])
        self.assertNotIn("best peer", report.markdown(records, self.TITLES, ["floor", "nginx"]))

    def test_table_has_a_line_for_each_row(self):
        lines = report.markdown(report.summarise(self.SAMPLES), self.TITLES, self.NAMES).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        self.assertIn("0.50 × nginx", lines[2])
        self.assertIn("| – |", lines[3])

    def test_chart_is_well_formed(self):
        text = report.svg(report.summarise(self.SAMPLES), self.TITLES, self.NAMES)
        document = xml.dom.minidom.parseString(text)
        self.assertEqual(len(document.getElementsByTagName("rect")), 1 + 4 + 3)
        self.assertIn("&amp;", text)


class Responses(unittest.TestCase):
    def test_length_is_head_and_body(self):
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        self.assertEqual(bench.length_of(head + b"he"), len(head) + 5)

    def test_no_length_is_refused(self):
        with self.assertRaises(OSError):
            bench.length_of(b"HTTP/1.1 200 OK\r\n\r\n")


if __name__ == "__main__":
    unittest.main()
