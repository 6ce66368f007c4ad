"""Sends single requests from where the load comes from, and prints the answers as JSON.

    fetch.py '{"host": "tfb-server", "port": 8080, "accept": "text/plain", "timeout_s": 5,
               "patience_s": 2, "paths": ["/plaintext"]}'

One connection serves all paths while the server keeps it open. Each answer is {path, status,
headers: [[name, value]], body: base64} or {path, error}. While nothing answers at all, the first path
is tried again for patience_s seconds. After a path that got no answer the others are not asked: each would wait
as long as that one.
"""

import base64
import http.client
import json
import sys
import time

RETRY_S = 0.05


def main():
    job = json.loads(sys.argv[1])
    connection = http.client.HTTPConnection(job["host"], job["port"], timeout=job["timeout_s"])
    headers = {"Accept": job["accept"], "Connection": "keep-alive"}
    first, *rest = job["paths"]
    answers = [patiently(connection, first, headers, time.monotonic() + job["patience_s"])]
    while rest and "error" not in answers[-1]:
        answers.append(fetch(connection, rest.pop(0), headers))
    error = f"not asked: {answers[-1]['path']} got no answer"
    print(json.dumps(answers + [{"path": path, "error": error} for path in rest]))


def patiently(connection, path, headers, deadline):
    while "error" in (answer := fetch(connection, path, headers)) and time.monotonic() < deadline:
        time.sleep(RETRY_S)
    return answer


def fetch(connection, path, headers):
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return {"path": path, "error": f"{type(error).__name__}: {error}"}
    return {
        "path": path,
        "status": response.status,
        "headers": response.getheaders(),
        "body": base64.b64encode(body).decode(),
    }


if __name__ == "__main__":
    main()
