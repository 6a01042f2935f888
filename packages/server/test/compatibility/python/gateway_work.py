"""Does real work with python3-etcd3gw, and prints what it sees. Usage: gateway_work.py HOST PORT API_PATH"""

import json
import sys
import threading

import etcd3gw
from etcd3gw import exceptions

host, port, api_path = sys.argv[1:]
client = etcd3gw.Etcd3Client(host=host, port=int(port), api_path=api_path, timeout=10)


def show(name, value):
    print(json.dumps({name: value}, default=lambda data: data.decode("latin-1")), flush=True)


def fields(item):
    return {name: item.get(name) for name in ("key", "create_revision", "mod_revision", "version", "lease")}


# Keys
show("put", client.put("colour", "red"))
show("get", client.get("colour"))
show("absent", client.get("nothing"))
client.put(b"\x00\xff", b"\xfe\x00binary")
show("binary", client.get(b"\x00\xff"))
for number in range(5):
    client.put(f"item/{number}", str(number * number))
show("prefix", [(value, fields(item)) for value, item in client.get_prefix("item/", sort_order="descend")])
show("get_all", len(client.get_all(sort_order="ascend", sort_target="mod")))
show("delete", client.delete("item/0"))
show("delete again", client.delete("item/0"))
show("delete_prefix", client.delete_prefix("item/"))

# Transactions
show("create", [client.create("once", "first"), client.create("once", "second"), client.get("once")])
show("replace", [client.replace("once", "first", "third"), client.replace("once", "first", "fourth"), client.get("once")])
text = etcd3gw.utils._encode
show("transaction", client.transaction({
    "compare": [{"key": text("once"), "result": "EQUAL", "target": "VALUE", "value": text("third")}],
    "success": [{"request_put": {"key": text("twice"), "value": text("1")}}, {"request_range": {"key": text("once")}}],
    "failure": [{"request_range": {"key": text("twice")}}],
})["responses"][1]["response_range"]["kvs"][0]["value"])

# Watches: each event must come in a piece of its own
events, cancel = client.watch_prefix("watched/")
def write():
    client.put("watched/a", "1")
    client.delete("watched/a")
    client.put("watched/b", "2")
writer = threading.Timer(0, write)
writer.start()
seen = []
for event in events:
    seen.append([event.get("type", "PUT"), event["kv"]["key"], event["kv"].get("value")])
    if len(seen) == 3:
        break
cancel()
writer.join()
show("watch", seen)
try:
    client.watch_once("never", timeout=1)
except exceptions.WatchTimedOut:
    show("watch_once", "timed out")

# Leases
lease = client.lease(ttl=120)
client.put("leased", "for a while", lease=lease)
show("lease", [lease.ttl() > 100, lease.refresh(), lease.keys(), client.get("leased")])
show("revoke", [lease.revoke(), client.get("leased")])

# Locks
first, second = client.lock(id="lock", ttl=60), client.lock(id="lock", ttl=60)
show("lock", [first.acquire(), second.acquire(), first.is_acquired(), first.refresh()])
show("unlock", [first.release(), second.acquire(), second.release()])

# The cluster
show("members", len(client.members()))
show("status", sorted(set(client.status()) & {"version", "dbSize", "leader", "raftIndex", "raftTerm"}))

# Refusals
try:
    client.put("", "no key")
except exceptions.Etcd3Exception as refusal:
    show("refused", json.loads(refusal.detail_text)["error"])
