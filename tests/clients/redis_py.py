"""What redis-py does with a Redis, done with kv: python redis_py.py PORT PROTOCOL.

Ends with 1 and the first difference, or prints "all as with Redis".
"""

import sys
import threading

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])


def client(**options):
    return redis.Redis(port=port, protocol=protocol, decode_responses=True, **options)


r = client()
r.flushall()


def same(ours, wanted):
    assert ours == wanted, f"{ours!r} is not {wanted!r}"


def strings():
    same(r.set("k", "v", ex=100), True)
    assert 90 < r.ttl("k") <= 100
    same(r.set("k", "w", nx=True), None)
    same(r.set("k", "w", get=True), "v")
    same(r.mset({"a": 1, "b": 2}), True)
    same(r.mget("a", "b", "none"), ["1", "2", None])
    same(r.incrbyfloat("a", 0.5), 1.5)
    same(r.getrange("k", 0, 0), "w")
    same(r.setbit("bits", 7, 1), 0)
    same(r.bitcount("bits"), 1)
    same(r.bitfield("bits").incrby("i8", 0, 1).get("u8", 0).execute(), [2, 2])


def collections():
    same(r.rpush("l", "a", "b", "c"), 3)
    same(r.lpos("l", "b"), 1)
    same(r.lrange("l", 0, -1), ["a", "b", "c"])
    same(r.lmove("l", "m", "LEFT", "RIGHT"), "a")
    same(r.blpop("m", 1), ("m", "a") if protocol == 2 else ["m", "a"])
    same(r.hset("h", mapping={"f": "1", "g": "2"}), 2)
    same(r.hgetall("h"), {"f": "1", "g": "2"})
    same(r.hincrby("h", "f", 2), 3)
    same(r.sadd("s", 1, 2, 3), 3)
    same(r.smembers("s"), {"1", "2", "3"})
    same(r.smismember("s", ["1", "9"]), [1, 0])
    same(dict(r.hscan_iter("h")), {"f": "3", "g": "2"})


def sorted_sets():
    same(r.zadd("z", {"x": 1, "y": 2.5, "z": 3}), 3)
    pairs = [("x", 1.0), ("y", 2.5)]
    wanted = pairs if protocol == 2 else [list(pair) for pair in pairs]
    same([type(wanted[0])(pair) for pair in r.zrange("z", 0, 1, withscores=True)], wanted)
    same(r.zscore("z", "y"), 2.5)
    same(r.zrangebyscore("z", "(1", "+inf"), ["y", "z"])
    same(r.zrank("z", "z"), 2)
    same(r.zunionstore("u", {"z": 2}), 3)
    same(r.zmscore("u", ["x", "none"]), [2.0, None])


def transactions():
    with r.pipeline() as pipe:
        pipe.watch("n")
        pipe.multi()
        pipe.incr("n").incr("n")
        same(pipe.execute(), [1, 2])
    with r.pipeline() as pipe:
        pipe.watch("n")
        client().incr("n")
        pipe.multi()
        pipe.incr("n")
        try:
            pipe.execute()
        except redis.WatchError:
            return
    raise AssertionError("a watched key was changed, and EXEC did not notice")


def publishing():
    p = r.pubsub()
    p.subscribe("c")
    p.psubscribe("d*")
    for _ in range(2):
        assert p.get_message(timeout=5)["type"] in ("subscribe", "psubscribe")
    same(r.publish("c", "hello"), 1)
    same(p.get_message(timeout=5)["data"], "hello")
    same(r.publish("dx", "again"), 1)
    same(p.get_message(timeout=5)["pattern"], "d*")
    p.close()


def waiting():
    threading.Thread(target=lambda: client().rpush("later", "came")).start()
    same(list(client().blpop("later", 5)), ["later", "came"])


def errors():
    for command, error in [
        (lambda: r.lpush("k", 1), redis.ResponseError),
        (lambda: r.execute_command("NOSUCH"), redis.ResponseError),
        (lambda: r.incr("k"), redis.ResponseError),
    ]:
        try:
            command()
        except error as refused:
            assert str(refused), "an error has a text"
            continue
        raise AssertionError("no error")


def telling():
    assert r.info("server")["redis_version"].startswith("7.")
    same(r.config_set("slowlog-max-len", 64), True)
    same(r.config_get("slowlog-max-len"), {"slowlog-max-len": "64"})
    assert r.client_id() > 0
    same(r.client_setname("me"), True)
    same(r.client_getname(), "me")
    assert any(one["name"] == "me" for one in r.client_list())
    assert r.command_count() > 150
    same(sorted(r.scan_iter(match="[hl]")), ["h", "l"])
    same(r.object("encoding", "h"), "listpack")
    assert r.dbsize() > 5


for part in [strings, collections, sorted_sets, transactions, publishing, waiting, errors, telling]:
    try:
        part()
    except AssertionError as difference:
        sys.exit(f"{part.__name__}: {difference}")
r.flushall()
print("all as with Redis")
