"""Sends a known number of requests over several connections at once, for verification.

    burst.py '{"host": "app-crax", "port": 8080, "name": "tfb-server", "timeout_s": 30, "path": "/queries?queries=20",
               "accept": "application/json", "requests": 512, "connections": 32, "shown": 32}'

Prints {"right": how many were answered with 200, "answers": some as fetch.py prints them}: what is no 200 comes first,
then others in equal steps, `shown` in all at most. After one that did not come no more are sent.
"""

import http.client
import json
import sys
import threading

from fetch import fetch


def main():
    job = json.loads(sys.argv[1])
    # All threads draw from it: each number is given out once.
    numbers = iter(range(job["requests"]))
    answers = []
    threads = [threading.Thread(target=send, args=(job, numbers, answers)) for _ in range(job["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [answer for answer in answers if answer.get("status") != 200]
    right = [answer for answer in answers if answer.get("status") == 200]
    step = max(1, len(right) // job["shown"])
    print(json.dumps({"right": len(right), "answers": [*wrong, *right[::step]][: job["shown"]]}))


def send(job, numbers, answers):
    connection = http.client.HTTPConnection(job["host"], job["port"], timeout=job["timeout_s"])
    for _ in numbers:
        answer = fetch(connection, job["path"], job["accept"], job.get("name"))
        answers.append(answer)
        if "error" in answer:
            use_up(numbers)
    connection.close()


def use_up(numbers):
    for _ in numbers:
        pass


if __name__ == "__main__":
    main()
