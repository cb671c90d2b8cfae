"""Reads a page of OpenMetrics as strictly as Prometheus' own client does; prints its families as JSON."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    exemplars = [sample.exemplar for sample in family.samples if sample.exemplar]
    families[family.name] = {
        "type": family.type,
        "samples": len(family.samples),
        "documentation": family.documentation,
        "exemplars": [
            {"labels": exemplar.labels, "value": exemplar.value, "timestamp": float(exemplar.timestamp)}
            for exemplar in exemplars
        ],
    }
json.dump(families, sys.stdout)
