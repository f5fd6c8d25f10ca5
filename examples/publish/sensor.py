#!/usr/bin/env python3
"""Publishes what a sensor has measured as the event "sensor", by URL, from any machine:

    sensor.py http://localhost/comet.php 21.5

publish.allow in comet.yaml must allow it.
"""
import json
import sys
import urllib.request

url, value = sys.argv[1], float(sys.argv[2])
body = json.dumps({"celsius": value}).encode()
request = urllib.request.Request(url + "?publish=sensor", body, {"Content-Type": "application/json"}, method="PUT")
with urllib.request.urlopen(request, timeout=10) as answer:
    if json.load(answer) is not True:
        sys.exit("the server could not publish it; its log has the reason")
