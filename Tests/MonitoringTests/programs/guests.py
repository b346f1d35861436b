"""Guests of every kind, until SIGTERM: known and unknown, with filters that leave nothing, by GET and POST, similar items,
scores, bulk, and somebody who tries paths and the admin's door. usage: guests.py PORT ADMIN-PORT USERS-FILE"""

import http.client
import itertools
import json
import pathlib
import sys
import time


def main():
    port, admin_port, users_file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    users = pathlib.Path(users_file).read_text(encoding="ascii").split()
    connections = {}

    def ask(to, method, path, body=None, headers=()):
        connection = connections.setdefault(to, http.client.HTTPConnection("127.0.0.1", to, timeout=3))
        try:
            connection.request(method, path, body, dict(headers))
            return connection.getresponse().read()
        except OSError:
            connection.close()
            return b"{}"

    known = json.loads(ask(port, "GET", f"/recommend?user_id={users[0]}"))["items"][0]["item_id"]
    json_type = {"Content-Type": "application/json"}
    for turn, user in zip(itertools.count(), itertools.cycle(users)):
        ask(port, "GET", f"/recommend?user_id={user}")
        ask(port, "POST", "/recommend", json.dumps({"user_id": f"new-{turn}", "basket": [{"item_id": known}]}), json_type)
        if turn % 5 == 0:
            ask(port, "GET", f"/recommend?user_id=nobody-{turn}")
            ask(port, "GET", f"/items/{known}/similar")
            ask(port, "GET", "/popular?k=3")
            ask(port, "POST", "/score", json.dumps({"user_id": user, "item_ids": [known]}), json_type)
            ask(port, "POST", "/recommend/bulk", json.dumps({"user_id": user}) + "\n", {"Content-Type": "application/x-ndjson"})
            ask(port, "GET", "/no-such-path")
            ask(admin_port, "GET", "/admin/items/unavailable")
        if turn % 20 == 0:
            ask(port, "GET", f"/recommend?user_id={user}&allow=no-such-item")
        time.sleep(0.01)


main()
