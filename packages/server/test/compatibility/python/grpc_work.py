"""Does real work with python3-etcd3, and prints what it sees. Usage: grpc_work.py HOST PORT"""

import json
import sys
import threading

import etcd3

host, port = sys.argv[1:]
client = etcd3.client(host=host, port=int(port), timeout=10)


def show(name, value):
    print(json.dumps({name: value}, default=lambda data: data.decode("latin-1")), flush=True)


# Keys
client.put("colour", "red")
value, metadata = client.get("colour")
show("get", [value, metadata.key, metadata.create_revision, metadata.mod_revision, metadata.version])
show("absent", client.get("nothing")[0])
for number in range(5):
    client.put(f"item/{number}", str(number * number))
show("prefix", [[item, about.key] for item, about in client.get_prefix("item/", sort_order="descend", sort_target="key")])
show("range", [item for item, _ in client.get_range("item/1", "item/3")])
show("delete", [client.delete("item/0"), client.delete("item/0")])
show("delete_prefix", client.delete_prefix("item/").deleted)

# Transactions
show("put_if_not_exists", [client.put_if_not_exists("once", "first"), client.put_if_not_exists("once", "second")])
show("replace", [client.replace("once", "first", "third"), client.replace("once", "first", "fourth")])
succeeded, responses = client.transaction(
    compare=[client.transactions.value("once") == "third", client.transactions.version("nothing") == 0],
    success=[client.transactions.put("twice", "1"), client.transactions.get("once")],
    failure=[client.transactions.delete("once")],
)
show("transaction", [succeeded, responses[1][0][0]])

# Watches
events, cancel = client.watch_prefix("watched/")
def write():
    client.put("watched/a", "1")
    client.delete("watched/a")
    client.put("watched/b", "2")
writer = threading.Timer(0, write)
writer.start()
seen = []
for event in events:
    seen.append([type(event).__name__, event.key, event.value])
    if len(seen) == 3:
        break
cancel()
writer.join()
show("watch", seen)
try:
    client.watch_once("never", timeout=1)
except etcd3.exceptions.WatchTimedOut:
    show("watch_once", "timed out")

# Leases
lease = client.lease(120)
client.put("leased", "for a while", lease=lease)
show("lease", [lease.granted_ttl, lease.remaining_ttl > 100, lease.refresh()[0].TTL, [bytes(key) for key in lease.keys]])
lease.revoke()
show("revoke", client.get("leased")[0])

# Locks
with client.lock("lock", ttl=60) as lock:
    show("lock", lock.is_acquired())
show("unlock", lock.is_acquired())

# The cluster
show("members", len(list(client.members)))
show("status", client.status().db_size > 0)
client.compact(3)
client.defragment()
show("alarms", list(client.list_alarms()))
