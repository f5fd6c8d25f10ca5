#!/usr/bin/env python3
"""Judges the history of a soak from what core/README.md and the READMEs of the stores promise.

Usage: judge.py FILE. The file is a JSON object: the run, its pages, their polls with the answers (a message of a
stream is one, too), the publications with the stamps that their publishers found afterwards, and the disturbances.
Times are microseconds since 1970. The verdict is printed as JSON.

It shares no code with the judge in Go. What a disturbance may cause is listed in both, as in the README.
"""
import collections, json, sys

SECOND, TICK = 1_000_000, 10_000
# While they last, nothing need be delivered.
SUSPENDS = ["restart", "kill", "stop comet-fcgi", "descriptors", "stop worker", "worker descriptors", "away",
            "replaced", "overflow", "hang", "stop store", "failover", "move", "memcached"]
# When comet-fcgi ends, it answers polls unchanged and ends streams. When it is killed, a web server may end a
# stream as if it were complete.
ENDS_EARLY = ["restart", "kill"]
# Requests may fail: the process that has them is killed or has no descriptor for them, the web server takes
# longer than request_timeout to send one, or the connection is cut.
FAILS = ["kill", "descriptors", "worker descriptors", "stop worker", "cut"]
# Publishing may fail, too, if the store cannot be written or reached, or forgets what a publisher looks for.
FAILS_TO_PUBLISH = FAILS + ["full", "read-only", "away", "replaced", "hang", "stop store", "failover", "move",
                            "memcached", "flush"]
# core/store/redis: "If it fails, it loses publications that were neither on disk nor on a replica."
# core/store/memcached: "A restart drops all."
LOSES = ["flush", "failover", "memcached"]
# core, for legacy polls: "The store is unreachable", "The server's clock is set back", "A file's time is
# ahead".
LOSES_LEGACY = LOSES + ["clock", "away", "replaced", "hang", "stop store"]

with open(sys.argv[1], encoding="utf-8") as file:
    history = {name: records or [] for name, records in json.load(file).items()}
run, disturbances = history["run"], history["disturbances"]
verdict = dict.fromkeys(["expected", "never", "late", "invented", "disordered", "torn", "stale", "early", "overdue",
                         "ended"], 0)
verdict |= {name: collections.Counter() for name in ["excused", "closed", "failed", "errors"]}


def stamps(cursor):
    """The first and the last stamp that a cursor means, or None for "now"."""
    if not cursor or cursor == "now":
        return None
    seconds, point, fraction = str(cursor).partition(".")
    first = int(seconds) * SECOND + int(fraction or 0)
    return first, first if point else first + SECOND - 1


def during(kinds, start, end, event=None):
    """Whether one of these kinds was in a time."""
    def matters(d):
        if d["kind"] == "stop worker" and d["end"] - d["start"] < 10 * SECOND:
            return False  # request_timeout: comet-fcgi waits for the request.
        if d["kind"] != "clock":
            return d["end"] >= start
        elsewhere = d.get("target") and event not in d["target"].split(",")
        # It counts until its second has passed again, and 8 s of hold.
        return d["end"] + d["ahead"] + 8 * SECOND >= start and not elsewhere
    return any(d["kind"] in kinds and d["start"] <= end and matters(d) for d in disturbances)


def passed(page_polls, start, end, allowed):
    """How much of a time counts, and when the allowed time was over."""
    pauses = [(d["start"], d["end"]) for d in disturbances if d["kind"] in SUSPENDS]
    pauses = sorted(pauses + [(p["sent"], p["resent"]) for p in page_polls if p.get("resent")])
    counts, due, now = 0, None, start
    for begin, until in pauses + [(end, end)]:
        begin, until = max(min(begin, end), now), min(until, end)
        if due is None and counts + begin - now > allowed:
            due = now + allowed - counts
        counts, now = counts + begin - now, max(until, begin)
    return counts, min(due or end, end)


def judge_waits(page, page_polls):
    """Whether polls and streams last as long as the settings say. A page without a cursor does not wait."""
    for poll in page_polls:
        start, wait = (poll["opened"], run["age"]) if poll.get("opened") else (poll["sent"], run["wait"])
        longest = wait + run["slack"] + (8 * SECOND if page["kind"] == "legacy" else 0)  # It may be held.
        unfinished = poll.get("error") or poll.get("pending") or "now" in poll["cursors"].values()
        if not unfinished and not poll["content"].get("s") and poll["at"] - start < wait - TICK:
            verdict["early"] += not during(ENDS_EARLY, start, poll["at"])
        if poll["at"] - start > longest:
            verdict["overdue"] += passed(page_polls, start, poll["at"], longest)[0] > longest


class Subscription:
    """An event of a page."""

    def __init__(self, page, event):
        self.page, self.event, self.polls, self.published = page, event, polls[page["page"]], publications[event]
        self.legacy = page["kind"] == "legacy"

    def during(self, kinds, start, end):
        return during(kinds, start, end, self.event)

    def judge(self):
        known, deliveries, highest = None, [], 0
        for poll in self.polls:  # known: when the page joined, what it knew then, and since when
            cursor, content = stamps(poll["cursors"].get(self.event)), poll["content"]
            at = cursor if self.legacy else stamps(content.get("at", {}).get(self.event))
            if known is None and at:
                known = poll["sent"], at[1], poll["sent"] if self.legacy else poll["at"]
            if self.event not in content.get("k", {}):
                continue
            first, last = stamps(content["k" if self.legacy else "at"][self.event])
            deliveries.append((poll["at"], last))
            verdict["invented"] += not any(self.means(poll, first, last, cursor, p) for p in self.published)
            had, again = (highest, False) if self.legacy else (cursor[1] if cursor else 0, cursor and cursor[1] == last)
            set_back = self.during(LOSES + ["clock"], poll["sent"] - 30 * SECOND, poll["at"])
            verdict["disordered"] += bool(again or last + TICK < had and not set_back)
            highest = last
            if poll.get("data") and not self.legacy:
                self.judge_data(poll["at"], content.get("d", {}).get(self.event), last)
        self.judge_losses(known, deliveries)

    def means(self, poll, first, last, cursor, p):
        """Whether a delivery can be of this publication: its stamp was found, or it ran at that time."""
        if self.legacy and cursor and last <= cursor[1] and p["latest"] < poll["sent"] - SECOND \
                and not self.during(["clock"], poll["sent"], poll["at"]):
            return False  # The page had that second when it asked.
        ahead = [0] + [d["ahead"] for d in disturbances
                       if d["kind"] == "clock" and d["start"] <= p["latest"] and d["end"] >= p["start"]]
        return first - 100 <= p["stamp"] <= last + 100 or \
            any(p["start"] - TICK + a <= last and p["latest"] + TICK + a >= first for a in ahead)

    def judge_data(self, at, data, stamp):
        with_data = [p for p in self.published if p.get("data") is not None]
        before = [p for p in with_data
                  if p["done"] and p["stamp"] <= stamp and not self.during(["clock"], p["start"], at)]
        newest = max(before, key=lambda p: p["start"], default=None)
        expected = newest and not self.during(LOSES, newest["start"], at)
        source = [p for p in with_data if json.loads(p["data"]) == data and p["start"] <= at]
        if data is None:
            unreadable = any(d["kind"] == "descriptors" and d.get("target") == "previous release"  # 0.1.0
                             and d["start"] <= at and d["end"] >= at - SECOND for d in disturbances)
            writing = newest and any(p["way"] in ("rewriting", "two at once") and p["start"] <= at and (
                p["end"] >= at - SECOND or p.get("error") and p["end"] >= newest["start"]) for p in self.published)
            verdict["torn"] += bool(expected and not unreadable and not writing)
        elif not source:
            verdict["torn"] += 1
        elif expected and source[0]["latest"] < newest["start"]:
            verdict["stale"] += 1

    def judge_losses(self, known, deliveries):
        ended = bool(self.polls) and self.polls[-1].get("ended", False)
        end = self.polls[-1]["at"] if ended else run["end"]
        # The promise to a legacy page: its pause of 1 s and 2 s more, 3 s if its clock is ahead. Without
        # notifications, each page may wait for a sleep more.
        allowed = run["slack"] + (0 if run["notifies"] else run["sleep"])
        allowed += (4 if self.page["ahead"] > 0 else 3) * SECOND if self.legacy else 0
        if known is None:
            if self.polls and passed(self.polls, self.polls[0]["sent"], end, allowed)[0] > allowed:
                verdict["expected"] += 1
                verdict["never"] += 1
            return
        joined, known, since = known
        for p in self.published:
            new = p["stamp"] > known and (self.legacy or not self.during(LOSES + ["clock"], p["start"], since))
            if not p["done"] or p["start"] > end or not (new or not self.legacy and p["start"] > since):
                continue
            got = next((at for at, last in deliveries if self.covers(at, last, p)), None)
            delay, due = passed(self.polls, max(joined, p["when"]), got or end, allowed)
            if got is None and ended and delay <= allowed:
                continue  # The page ended before it was due.
            verdict["expected"] += 1
            if got is None or delay > allowed:
                kinds = LOSES_LEGACY if self.legacy else LOSES
                reasons = [kind for kind in kinds if self.during([kind], p["start"], due)]
                verdict["excused"].update(reasons[:1])
                verdict["never" if got is None else "late"] += not reasons

    def covers(self, at, last, p):
        if self.legacy:
            return last >= p["stamp"] and at >= p["when"]
        ordered = last >= p["stamp"] and not self.during(["clock"], p["start"], at)
        return at >= p["start"] and (
            ordered or any(q["stamp"] == last and q["end"] >= p["start"] for q in self.published))


publications, polls = collections.defaultdict(list), collections.defaultdict(list)
for p in history["publications"]:
    publications[p["id"]].append(p)
    p["done"] = not p.get("error") and p["stamp"] >= p["start"] - TICK
    p["when"] = min(max(p["stamp"], p["start"]), p["end"])
    p["latest"] = p["end"] + (30 * SECOND if p.get("error") else 0)  # A failed one may still be carried out.
    if not p["done"]:
        explained = during(FAILS_TO_PUBLISH, p["start"] - 2 * SECOND, p["end"], p["id"])
        error = f"publishing by {p['way']}: {p.get('error') or 'the stamp is an old one'}"
        verdict["failed" if explained else "errors"][error] += 1
kinds = {page["page"]: page["kind"] for page in history["pages"]}
for p in history["polls"]:
    polls[p["page"]].append(p)
    p["content"] = json.loads(p["answer"]) if p.get("answer") else {}
    if p.get("error"):
        kind, ended = kinds[p["page"]], p.get("ended", False)
        explained = during(FAILS, p["sent"] - 2 * SECOND, p["at"]) and (kind == "legacy" or not ended)
        if explained and ended:
            verdict["closed"][p["error"]] += 1
        else:
            verdict["failed" if explained else "errors"][f"polling {kind}: {p['error']}"] += 1
            verdict["ended"] += ended
for page in history["pages"]:
    judge_waits(page, polls[page["page"]])
    for event in page["ids"]:
        Subscription(page, event).judge()
json.dump(verdict, sys.stdout)
