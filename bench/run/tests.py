"""Run by `make check`: what can be wrong without anything being built."""

import struct
import tempfile
import unittest
from pathlib import Path

from . import __main__ as main
from . import deliveries, load, report, scaling
from .servers import NAMES


def result():
    median = lambda cpu: {"cpu_us": cpu, "rps": 1000.0, "p50": 1500, "p99": 3000, "p999": 9000, "peak_mib": 12.5}
    plan = main.cases(quick=False)
    for case in plan:
        case["median"] = {name: median(100.0 + 50 * at) for at, name in enumerate(case["servers"])}
    server = {"full_us": 400.0, "resumed_us": None, "resumed_share": 0.0, "startup_ms": 50.0, "size_mib": 5.0, "fresh_mib": 8.0,
              "idle_kib": {2000: 30.0}}
    return {"date": "2026-11-26", "quick": False, "rounds": 5, "seconds": 3, "versions": {"go": "1.26"}, "allocations": ["12"],
            "machine": {"processor": "x", "cores": 2, "memory_gib": 4, "system": "y"}, "servers": dict.fromkeys(NAMES, server), "cases": plan}


class Deliveries(unittest.TestCase):
    def test_bodies_have_about_the_size_asked_for(self):
        for size in main.SIZES:
            for event_id in (None, "evt_1"):
                self.assertAlmostEqual(len(deliveries.order(size, event_id)) / size, 1, delta=0.1)

    def test_signatures_are_those_of_openssl(self):
        self.assertEqual(deliveries.shopify(b"{}", "1", "secret")["X-Shopify-Hmac-Sha256"], "dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM=")
        self.assertEqual(deliveries.stripe(b"{}", "secret", 1)["Stripe-Signature"], "t=1,v1=1122767b193110cfec322b6f199b599edbf608ed087f2d27afb0b97d99523908")

    def test_the_pool_is_requests_with_their_lengths(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pool"
            deliveries.write_pool(file, "stripe", 3_000, "/stripe", "localhost")
            data, ids = file.read_bytes(), []
            while data:
                length, = struct.unpack_from("<I", data)
                head, _, body = data[4:4 + length].partition(b"\r\n\r\n")
                self.assertIn(b"Content-Length: %d" % len(body), head)
                ids.append(body[:24])
                data = data[4 + length:]
            self.assertEqual(len(ids), len(set(ids)))


class Report(unittest.TestCase):
    def test_ratios_are_to_the_floor_and_to_go(self):
        self.assertIn("| 3 kB, 32 connections | 100 | 150 | 200 | 250 | 300 | 350 | 1.67 | 0.83 | 0.71 |", report.markdown(result()))

    def test_a_failure_leaves_the_rest(self):
        broken = result()
        del broken["cases"][1]["median"]["go"]
        self.assertIn("| 3 kB, 32 connections | 100 | 150 | 200 | 250 | failed | 350 | 1.67 | failed | 0.71 |", report.markdown(broken))
        self.assertIn("</svg>", report.plot(broken))

    def test_every_case_has_a_title_of_its_own(self):
        titles = [load.title(case) for case in main.cases(quick=False)]
        self.assertEqual(len(titles), len(set(titles)))

    def test_the_rest_of_the_page_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "page.md"
            file.write_text(f"# Head\n{report.BEGIN}\nold\n{report.END}\ntail\n")
            for text in ("one", "two"):
                report.put(file, text)
            self.assertEqual(file.read_text(), f"# Head\n{report.BEGIN}\ntwo\n{report.END}\ntail\n")

    def test_the_plot_has_a_bar_for_each(self):
        self.assertEqual(report.plot(result()).count('font-size="10"'), len(NAMES) * len(report.of_all(result())))


class Scaling(unittest.TestCase):
    def test_a_replica_with_room_answers_all_and_one_without_sends_some_back(self):
        share, middle, _ = scaling.replica(50e-6, 200, seconds=4)
        self.assertEqual(share, 1.0)
        self.assertAlmostEqual(middle, 10, delta=2)
        # More than its permits let through.
        share, *_ = scaling.replica(1e-3, 4_000, seconds=3)
        self.assertLess(share, 1.0)

    def test_a_stop_is_felt_and_outlived(self):
        share, _, late = scaling.replica(50e-6, 50, stop=2.0)
        self.assertEqual(share, 1.0)
        self.assertGreater(late, 1000)
        share, *_ = scaling.replica(50e-6, 50, stop=4.5)
        self.assertLess(share, 1.0)

    def test_two_replicas_at_least_and_as_many_as_the_calls_in_flight_need(self):
        rows = {row[0]: row for row in scaling.on_paper(50e-6)}
        self.assertEqual(rows["10"][2], "2")
        self.assertEqual(rows["100,000"][2], "11")
