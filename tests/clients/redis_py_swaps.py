"""What programs with redis-py do while the code of their server is replaced: python redis_py_swaps.py PORT.

Several threads go on all the time, and each checks every reply. A line on the standard input says which
level the server speaks now ("4" or "7"); it is answered with "went on" when all of them have done more,
and what only Redis 7 has was done on connections that are as old as the script. "end" ends it: with
"all as with Redis", or with 1 and what was wrong first.
"""

import os
import sys
import threading
import time

import redis

PATIENCE = 30
port = int(sys.argv[1])
failures = []
over = threading.Event()


def client(protocol=2, **options):
    options.setdefault("decode_responses", True)
    return redis.Redis(port=port, protocol=protocol, socket_timeout=PATIENCE, **options)


def same(ours, wanted):
    assert ours == wanted, f"{ours!r} is not {wanted!r}"


class Loop(threading.Thread):
    """Calls `step` with 1, 2, 3, ... until the end."""

    def __init__(self, step, name):
        super().__init__(name=name, daemon=True)
        self.step, self.done = step, 0

    def run(self):
        try:
            while not over.is_set():
                self.step(self.done + 1)
                self.done += 1
        except BaseException as failure:
            failures.append(f"{self.name}: {failure!r}")
            over.set()


def pipelines():
    r = client()

    def step(n):
        with r.pipeline(transaction=False) as pipe:
            pipe.incr("piped").rpush("pushed", n).lpop("pushed").hset("h", "f", n).hget("h", "f")
            pipe.set("text", f"grüße {n} \r\n*1").get("text").setbit("bits", n % 1000, 1)
            same(pipe.execute()[:7], [n, 1, str(n), int(n == 1), str(n), True, f"grüße {n} \r\n*1"])

    return step


def bytes_as_they_are():
    r = client(decode_responses=False)

    def step(n):
        value = os.urandom(n % 5000)
        same(r.set("raw", value), True)
        same(r.get("raw"), value)
        same(r.append("raw", b"\0"), len(value) + 1)

    return step


def sorted_sets():
    r = client(protocol=2)

    def step(n):
        r.zadd("scores", {f"m{n % 50}": n})
        same(r.zscore("scores", f"m{n % 50}"), float(n))
        same(r.zrevrange("scores", 0, 0, withscores=True), [(f"m{n % 50}", float(n))])

    return step


def transactions():
    """Several of these count with WATCH, so that some have to try again."""
    r = client()

    def step(n):
        while True:
            with r.pipeline() as pipe:
                pipe.watch("counted")
                before = int(pipe.get("counted") or 0)
                pipe.multi()
                pipe.set("counted", before + 1).get("counted")
                try:
                    same(pipe.execute(), [True, str(before + 1)])
                    return
                except redis.WatchError:
                    continue

    return step


def publishing():
    """Messages come in order, by name and by pattern, and none is missing."""
    r = client()
    by_name, by_pattern = client().pubsub(), client().pubsub()
    by_name.subscribe("news")
    by_pattern.psubscribe("n*s")
    for p in (by_name, by_pattern):
        same(p.get_message(timeout=PATIENCE)["data"], 1)

    def step(n):
        same(r.publish("news", n), 2)
        for p, kind in ((by_name, "message"), (by_pattern, "pmessage")):
            message = p.get_message(timeout=PATIENCE)
            same((message["type"], message["channel"], message["data"]), (kind, "news", str(n)))

    return step


def waiting():
    """Who waits for an element gets it, in order, and a wait that is in vain ends in time."""
    pushing, popping = client(), client()
    numbers = iter(range(1, 1 << 62))

    def push():
        # To the end of the process: the last one waits for its element, too.
        while True:
            if pushing.llen("queue") < 10:
                pushing.rpush("queue", next(numbers))
            time.sleep(0.001)

    threading.Thread(target=push, daemon=True).start()

    def step(n):
        if n % 200 == 0:
            same(popping.blpop("never", timeout=1), None)
        same(popping.blpop(["nothing", "queue"], timeout=PATIENCE), ("queue", str(n)))

    return step


level = sys.stdin.readline().strip()
client().flushall()
loops = [pipelines(), bytes_as_they_are(), sorted_sets(), publishing(), waiting()]
loops = [Loop(step, step.__qualname__) for step in loops]
counting = [Loop(transactions(), f"transactions {n}") for n in range(3)]
old = [client(protocol=2), client(protocol=2)]
for connection in old:
    connection.ping()


def until(is_so, what):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end and not over.is_set(), what
        time.sleep(0.001)


def newer(turn):
    """What Redis 7 has and Redis 4 has not."""
    r, listener = old
    entry = r.xadd("events", {"turn": turn, "name": "naïve"})
    same(r.xlen("events"), turn)
    if turn == 1:
        same(r.xgroup_create("events", "readers", id="0"), True)
    same(
        r.xreadgroup("readers", "me", {"events": ">"}),
        [["events", [(entry, {"turn": str(turn), "name": "naïve"})]]],
    )
    # What was read before the last swaps and not acknowledged is still pending.
    same(r.xpending("events", "readers")["pending"], turn)
    claimed = r.xautoclaim("events", "readers", "other", min_idle_time=0)
    same(len(claimed[1]), turn)
    same(r.xclaim("events", "readers", "me", 0, [entry])[0][0], entry)
    same(r.zadd("popped", {"a": 1, "b": 2}), 2)
    same(r.zpopmin("popped", 2), [("a", 1.0), ("b", 2.0)])
    same(r.set("one", "v", get=True), None if turn == 1 else "v")
    same(r.getex("one", ex=100), "v")
    tracked = client()
    messages = client(client_name=f"messages-{turn}").pubsub()
    messages.subscribe("__redis__:invalidate")
    messages.get_message(timeout=PATIENCE)
    listeners = r.client_list(_type="pubsub")
    ids = [one["id"] for one in listeners if one["name"] == f"messages-{turn}"]
    tracked.client_tracking_on(clientid=int(ids[0]))
    same(tracked.get("one"), "v")
    listener.set("one", "v")
    same(messages.get_message(timeout=PATIENCE)["data"], ["one"])
    three = client(protocol=3)
    same(three.zrange("scores", 0, -1, withscores=True)[0][1].__class__, float)
    same(three.hgetall("h").keys(), {"f"})


def older():
    r = old[0]
    for command in (["XLEN", "events"], ["ZPOPMIN", "popped"], ["HELLO", "3"], ["GETEX", "one"]):
        try:
            r.execute_command(*command)
            raise AssertionError(f"{command[0]} is known to Redis 4")
        except redis.ResponseError as refused:
            assert str(refused).startswith("unknown command"), refused
    same(r.exists("events"), 0)


for loop in loops + counting:
    loop.start()
turns = 0
try:
    while True:
        before = [loop.done for loop in loops + counting]
        until(lambda: all(l.done > b + 3 for l, b in zip(loops + counting, before)), "all go on")
        if level == "7":
            turns += 1
            newer(turns)
        else:
            older()
        print("went on", flush=True)
        level = sys.stdin.readline().strip()
        if level == "end":
            break
    over.set()
    for loop in loops + counting:
        loop.join(PATIENCE)
    same(int(client().get("counted")), sum(loop.done for loop in counting))
except AssertionError as difference:
    failures.append(str(difference))
if failures:
    sys.exit(failures[0])
print("all as with Redis")
