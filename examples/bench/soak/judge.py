#!/usr/bin/env python3
"""Judges the history of a soak from what core/README.md and the READMEs of the stores promise.

Usage: judge.py FILE. Each line of the file is a JSON object: the run, a page, a poll with its answer (a message
of a stream is one, too), a publication with the stamp that its publisher found afterwards, or a disturbance.
Times are microseconds since 1970. The verdict is printed as JSON. It shares nothing with the judge in Go.
"""
import collections, json, sys

SECOND, TICK = 1_000_000, 10_000
# While they last, nothing need be delivered.
SUSPENDS = {"restart", "kill", "stop comet-fcgi", "descriptors", "stop worker", "worker descriptors", "away", "replaced",
            "overflow", "hang", "stop store", "failover", "move", "memcached"}
# Requests may fail: the process that has them is killed or has no descriptor for them, the web server takes longer
# than request_timeout to send one, or the connection is cut.
FAILS = {"kill", "descriptors", "worker descriptors", "stop worker", "cut"}
# Publishing may fail, too, where the store cannot be written or reached, or forgets what a publisher looks for.
FAILS_TO_PUBLISH = FAILS | {"full", "read-only", "away", "replaced", "hang", "stop store", "failover", "move", "memcached", "flush"}
# core/store/redis: "If it fails, it loses publications that were neither on disk nor on a replica."
# core/store/memcached: "A restart drops all."
LOSES = ["flush", "failover", "memcached"]
# core, for legacy polls: "The store is unreachable", and "The server's clock is set back" or "A file's time is ahead".
LOSES_LEGACY = LOSES + ["clock", "away", "replaced", "hang", "stop store"]


def load(path):
    records = collections.defaultdict(list)
    for line in open(path, encoding="utf-8"):
        record = json.loads(line)
        records[record["type"]].append(record)
    return records


def stamps(cursor):
    """The first and the last stamp that a cursor means, or None for "now"."""
    if not cursor or cursor == "now":
        return None
    seconds, point, fraction = str(cursor).partition(".")
    first = int(seconds) * SECOND + int(fraction or 0)
    return first, first if point else first + SECOND - 1


class Disturbances(list):
    def during(self, kinds, start, end, event=None):
        """Whether one of these kinds was in a time. A clock counts until its second has passed again, and 8 s of hold."""
        for d in self:
            until = d["end"] + (d.get("ahead", 0) + 8 * SECOND if d["kind"] == "clock" else 0)
            elsewhere = d["kind"] == "clock" and d.get("target") and event not in d["target"].split(",")
            if d["kind"] == "stop worker" and d["end"] - d["start"] < 10 * SECOND:
                continue  # request_timeout: comet-fcgi still waits for the request.
            if d["kind"] in kinds and d["start"] <= end and until >= start and not elsewhere:
                return True
        return False


class Judge:
    def __init__(self, records):
        self.run, self.disturbances = records["run"][0], Disturbances(records["disturbance"])
        self.verdict = dict.fromkeys(["expected", "never", "late", "invented", "disordered", "torn", "stale", "ended"], 0)
        for name in "excused", "closed", "failed", "errors":
            self.verdict[name] = collections.Counter()
        self.publications, self.polls = collections.defaultdict(list), collections.defaultdict(list)
        kinds = {page["page"]: page["kind"] for page in records["page"]}
        for p in records["publication"]:
            p["done"] = not p.get("error") and p["stamp"] >= p["start"] - TICK
            p["latest"] = p["end"] + (30 * SECOND if p.get("error") else 0)  # A failed one may still be carried out.
            self.publications[p["id"]].append(p)
            if not p["done"]:
                error = f"publishing by {p['way']}: {p.get('error') or 'the stamp is an old one'}"
                self.count_error(error, self.disturbances.during(FAILS_TO_PUBLISH, p["start"] - 2 * SECOND, p["end"], p["id"]))
        for p in records["poll"]:
            p["content"] = {} if p.get("error") else json.loads(p["answer"])
            self.polls[p["page"]].append(p)
            if p.get("error"):
                self.judge_failure(p, kinds[p["page"]])
        for page in records["page"]:
            for event in page["ids"]:
                self.judge_subscription(page, event)

    def count_error(self, error, explained):
        self.verdict["failed" if explained else "errors"][error] += 1

    def judge_failure(self, poll, kind):
        ended = poll.get("ended", False)
        explained = self.disturbances.during(FAILS, poll["sent"] - 2 * SECOND, poll["at"]) and (kind == "legacy" or not ended)
        if explained and ended:
            self.verdict["closed"][poll["error"]] += 1
            return
        self.count_error(f"polling {kind}: {poll['error']}", explained)
        self.verdict["ended"] += ended

    def judge_subscription(self, page, event):
        legacy, polls, published = page["kind"] == "legacy", self.polls[page["page"]], self.publications[event]
        known, deliveries = None, []
        for poll in polls:  # known: when the page joined, what it knew then, and since when
            cursor = stamps(poll["cursors"].get(event))
            at = cursor if legacy else stamps(poll["content"].get("at", {}).get(event))
            if known is None and at:
                known = poll["sent"], at[1], poll["sent"] if legacy else poll["at"]
            if event in poll["content"].get("k", {}):
                changed = poll["content"]["at"][event] if not legacy else poll["content"]["k"][event]
                deliveries.append((poll, *stamps(changed), cursor))
        highest = 0
        for poll, first, last, cursor in deliveries:
            set_back = self.disturbances.during(LOSES + ["clock"], poll["sent"] - 30 * SECOND, poll["at"], event)
            if not any(self.means(legacy, poll, first, last, cursor, p, event) for p in published):
                self.verdict["invented"] += 1
            had, again = (highest, False) if legacy else (cursor[1] if cursor else 0, cursor and cursor[1] == last)
            if again or last + TICK < had and not set_back:
                self.verdict["disordered"] += 1
            highest = last
            if poll.get("data") and not legacy:
                self.judge_data(poll, last, event, published)
        self.judge_losses(page, event, polls, known, deliveries)

    def means(self, legacy, poll, first, last, cursor, p, event):
        """Whether a delivery can be of this publication: its stamp was found, or it ran at that time."""
        if legacy and cursor and last <= cursor[1] and p["latest"] < poll["sent"] - SECOND \
                and not self.disturbances.during(["clock"], poll["sent"], poll["at"], event):
            return False  # The page had that second when it asked.
        ahead = [0] + [d["ahead"] for d in self.disturbances
                       if d["kind"] == "clock" and d["start"] <= p["latest"] and d["end"] >= p["start"]]
        return first - 100 <= p["stamp"] <= last + 100 or \
            any(p["start"] - TICK + a <= last and p["latest"] + TICK + a >= first for a in ahead)

    def judge_data(self, poll, stamp, event, published):
        at, data = poll["at"], poll["content"].get("d", {}).get(event)
        with_data = [p for p in published if p.get("data") is not None]
        before = [p for p in with_data if p["done"] and p["stamp"] <= stamp
                  and not self.disturbances.during(["clock"], p["start"], at, event)]
        newest = max(before, key=lambda p: p["start"], default=None)
        forgotten = newest and self.disturbances.during(LOSES, newest["start"], at)
        if data is None:
            unreadable = self.run["previous"] and self.disturbances.during(["descriptors"], at - SECOND, at)  # 0.1.0
            writing = newest and any(p["way"] in ("rewriting", "two at once") and p["start"] <= at and (
                p["end"] >= at - SECOND or p.get("error") and p["end"] >= newest["start"]) for p in published)
            self.verdict["torn"] += bool(newest and not forgotten and not unreadable and not writing)
            return
        source = [p for p in with_data if json.loads(p["data"]) == data and p["start"] <= at]
        if not source:
            self.verdict["torn"] += 1
        elif newest and source[0]["latest"] < newest["start"] and not forgotten:
            self.verdict["stale"] += 1

    def judge_losses(self, page, event, polls, known, deliveries):
        legacy, ended = page["kind"] == "legacy", bool(polls) and polls[-1].get("ended", False)
        end = polls[-1]["at"] if ended else self.run["end"]
        # The promise: the client's pause of 1 s and 2 s more, 3 s if its clock is ahead; one sleep without notifications.
        allowed = self.run["slack"] + (0 if self.run["notifies"] else self.run["sleep"])
        allowed += (4 if page["ahead"] > 0 else 3) * SECOND if legacy else 0
        pauses = [(d["start"], d["end"]) for d in self.disturbances if d["kind"] in SUSPENDS]
        pauses = sorted(pauses + [(p["sent"], p["resent"]) for p in polls if p.get("resent")])
        if known is None:
            if polls and self.passed(pauses, polls[0]["sent"], end, allowed)[0] > allowed:
                self.verdict["expected"], self.verdict["never"] = self.verdict["expected"] + 1, self.verdict["never"] + 1
            return
        for p in self.publications[event]:
            new = p["stamp"] > known[1] and (
                legacy or not self.disturbances.during(LOSES + ["clock"], p["start"], known[2], event))
            new = new or not legacy and p["start"] > known[2]
            if not p["done"] or not new or p["start"] > end:
                continue
            start = max(known[0], min(max(p["stamp"], p["start"]), p["end"]))
            got = next((poll["at"] for poll, _, last, _ in deliveries if self.covers(legacy, poll, last, p, event)), None)
            delay, due = self.passed(pauses, start, got or end, allowed)
            if got is None and ended and delay <= allowed:
                continue  # The page ended before it was due.
            self.verdict["expected"] += 1
            if got is None or delay > allowed:
                reason = next((kind for kind in (LOSES_LEGACY if legacy else LOSES)
                               if self.disturbances.during([kind], p["start"], due, event)), None)
                if reason:
                    self.verdict["excused"][reason] += 1
                else:
                    self.verdict["never" if got is None else "late"] += 1

    def covers(self, legacy, poll, last, p, event):
        if legacy:
            return last >= p["stamp"] and poll["at"] >= min(max(p["stamp"], p["start"]), p["end"])
        ordered = last >= p["stamp"] and not self.disturbances.during(["clock"], p["start"], poll["at"], event)
        return poll["at"] >= p["start"] and (
            ordered or any(q["stamp"] == last and q["end"] >= p["start"] for q in self.publications[event]))

    @staticmethod
    def passed(pauses, start, end, allowed):
        """How much of a time counts, and when the allowed time was over."""
        counts, due, now = 0, None, start
        for begin, until in pauses + [(end, end)]:
            begin, until = max(min(begin, end), now), min(until, end)
            if due is None and counts + begin - now > allowed:
                due = now + allowed - counts
            counts, now = counts + begin - now, max(until, begin)
        return counts, min(due or end, end)


if __name__ == "__main__":
    json.dump(Judge(load(sys.argv[1])).verdict, sys.stdout)
