#!/usr/bin/env python3
"""Tells every page that subscribed to "sensor" what a sensor measured, by HTTP, from anywhere:

    sensor.py http://localhost/comet.php 21.5
"""
import json
import sys
import urllib.request

url, value = sys.argv[1], float(sys.argv[2])
body = json.dumps({"celsius": value}).encode()
request = urllib.request.Request(url + "?publish=sensor", body, {"Content-Type": "application/json"}, method="PUT")
with urllib.request.urlopen(request, timeout=10) as answer:
    if json.load(answer) is not True:
        sys.exit("the server could not publish it")
