#!/usr/bin/python3 -E
# SPDX-License-Identifier: Apache-2.0
"""Reads OpenMetrics from standard input by the parser of the Prometheus project, which refuses what is not valid, and prints it as JSON:
{"types": {family: type}, "samples": {name{label="value",...}: value}}."""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

types, samples = {}, {}
for family in text_string_to_metric_families(sys.stdin.read()):
    types[family.name] = family.type
    for sample in family.samples:
        labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
        samples[sample.name + ("{" + labels + "}" if labels else "")] = sample.value
json.dump({"types": types, "samples": samples}, sys.stdout)
