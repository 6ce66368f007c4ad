"""Sends single requests from where the load comes from, and prints the answers as JSON.

    fetch.py '{"host": "app-crax", "port": 8080, "name": "tfb-server", "timeout_s": 5, "patience_s": 2,
               "groups": [[{"path": "/plaintext", "accept": "text/plain", "date": null}]]}'

`name` is the Host header, in place of the host's own. Prints a list of answers for each group. One connection serves a
group's requests while the server keeps it open. Each answer is {path, status, version, closing, reopened, headers:
[[name, value]], body: base64} or {path, error}: `closing` is whether it ends its connection, `reopened` whether the
server had ended the connection of the one before without a word.

After a request that got no answer the others of its group are not sent: each would wait as long as that one. For
patience_s seconds, what got no answer is asked again, and so is what came with the very Date that its request has, if
it has one.
"""

import base64
import http.client
import json
import sys
import time

RETRY_S = 0.05


def main():
    job = json.loads(sys.argv[1])
    print(json.dumps([fetched(job, requests) for requests in job["groups"]]))


def fetched(job, requests):
    over = time.monotonic() + job["patience_s"]
    connection = http.client.HTTPConnection(job["host"], job["port"], timeout=job["timeout_s"])
    answers = []
    for request in requests:
        answers.append(fetch_unless_silent(connection, request, answers, job.get("name")))
    while time.monotonic() < over and not all(map(is_awaited, requests, answers)):
        time.sleep(RETRY_S)
        answers = [
            answer
            if is_awaited(request, answer)
            else fetch(connection, request["path"], request["accept"], job.get("name"))
            for request, answer in zip(requests, answers, strict=True)
        ]
    connection.close()
    return answers


def fetch_unless_silent(connection, request, answers, name):
    silent = next((answer["path"] for answer in answers if "error" in answer), None)
    if silent is not None:
        return {"path": request["path"], "error": f"not asked: {silent} got no answer"}
    return fetch(connection, request["path"], request["accept"], name)


def is_awaited(request, answer):
    """Return whether the answer is what was waited for: one that came, with another Date than the request's."""
    return "error" not in answer and not (request["date"] and request["date"] in dates(answer))


def dates(answer):
    return [value for name, value in answer["headers"] if name.lower() == "date"]


def fetch(connection, path, accept, name=None):
    reused = connection.sock is not None
    try:
        try:
            return received(connection, path, accept, name, reopened=False)
        except ConnectionError:
            # A server may close a connection that was used; one that was just made, it closes on the request.
            connection.close()
            if not reused:
                raise
            return received(connection, path, accept, name, reopened=True)
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return {"path": path, "error": f"{type(error).__name__}: {error}"}


def received(connection, path, accept, name, reopened):
    host = {"Host": name} if name else {}
    connection.request("GET", path, headers={**host, "Accept": accept, "Connection": "keep-alive"})
    response = connection.getresponse()
    closing = response.will_close
    body = response.read()
    return {
        "path": path,
        "status": response.status,
        "version": response.version,
        "closing": closing,
        "reopened": reopened,
        "headers": response.getheaders(),
        "body": base64.b64encode(body).decode(),
    }


if __name__ == "__main__":
    main()
