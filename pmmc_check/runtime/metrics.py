"""What Prometheus is told of a cluster, in its text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4"
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_COUNTED = {
    "bad frames": ("pmmc_frames_refused", "Frames that are none of this cluster's."),
    "sent again": ("pmmc_retransmissions", "Messages sent once more."),
    "unsent": ("pmmc_messages_unsent", "Messages dropped because the peer could not be reached."),
    "too large to send": ("pmmc_messages_too_large", "Messages dropped because they were longer than 128 MiB."),
    "snapshots too large": ("pmmc_snapshots_too_large", "Times a replica's state was too large for a snapshot, 96 MiB."),
    "preemptions": ("pmmc_preemptions", "Times a leader met a higher ballot."),
    "takeovers": ("pmmc_takeovers", "Times a leader took over from one that seemed to have failed."),
}


class Latencies:
    """How long the front's requests took."""

    def __init__(self) -> None:
        self.answered = self.unanswered = 0
        self.seconds = 0.0
        self.buckets: Counter[float] = Counter()

    def took(self, seconds: float) -> None:
        """One was answered after so many seconds."""
        self.seconds += seconds
        self.answered += 1
        self.buckets[next((each for each in _BUCKETS if seconds <= each), float("inf"))] += 1


def metrics_text(statuses: Mapping[str, dict[str, Any] | str], latencies: Latencies) -> bytes:
    """Everything, as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(_Cluster(statuses, latencies))
    return generate_latest(registry)


class _Cluster(Collector):
    def __init__(self, statuses: Mapping[str, dict[str, Any] | str], latencies: Latencies) -> None:
        self.statuses, self.latencies = statuses, latencies

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        up = GaugeMetricFamily("pmmc_up", "Whether the node answers.", labels=["node"])
        found = {node: each for node, each in self.statuses.items() if isinstance(each, dict)}
        for node in self.statuses:
            up.add_metric([node], node in found)
        yield up
        for key, text in (
            ("decided", "Slots that the replica knows the decision of."),
            ("performed", "Slots that the replica has performed."),
        ):
            gauge = GaugeMetricFamily(f"pmmc_{key}_slots", text, labels=["node"])
            for node, each in found.items():
                if node.startswith("R"):
                    gauge.add_metric([node], each[key])
            yield gauge
        paused = GaugeMetricFamily("pmmc_paused", "Whether the node was told to pause.", labels=["node"])
        for node, each in found.items():
            paused.add_metric([node], each["paused"])
        yield paused
        for way in ("sent", "received"):
            messages = CounterMetricFamily(f"pmmc_messages_{way}", f"Messages of the protocol that were {way}.", labels=["node", "kind"])
            for node, each in found.items():
                for name, count in each["counts"].items():
                    if name.startswith(f"{way} ") and name != "sent again":
                        messages.add_metric([node, name.removeprefix(f"{way} ")], count)
            yield messages
        for name, (metric, text) in _COUNTED.items():
            counter = CounterMetricFamily(metric, text, labels=["node"])
            for node, each in found.items():
                counter.add_metric([node], each["counts"].get(name, 0))
            yield counter
        yield from self._requests()

    def _requests(self) -> Iterator[Metric]:
        total, buckets = 0, []
        for edge in (*_BUCKETS, float("inf")):
            total += self.latencies.buckets[edge]
            buckets.append(("+Inf" if edge == float("inf") else str(edge), total))
        yield HistogramMetricFamily(
            "pmmc_request_seconds", "How long answers to requests of this front took.", buckets=buckets, sum_value=self.latencies.seconds
        )
        yield CounterMetricFamily("pmmc_requests_unanswered", "Requests of this front without an answer.", value=self.latencies.unanswered)
