"""A worker in Python, standard library only: claims jobs over HTTP, saves their steps, settles them.

    BELFRY_URL=http://127.0.0.1:3000 BELFRY_TOKEN=... python3 worker.py [--queue python] [--once]

The token needs the scope "work"; no database is reached from here. The job protocol is four calls (docs/http.md):

    POST /queues/{queue}/claim   jobs with their history, under a token that names this claim
    POST /jobs/{id}/renew        "I am still at it"; 409 when the job is another's by now
    POST /jobs/{id}/steps        what is done and need not be done again
    POST /jobs/{id}/settle       completed, failed, released, sleeping or waiting

Every call can be sent again when no answer came: a claim by its token, a step by its name, a settlement by its token.
"""

import argparse
import json
import os
import random
import secrets
import signal
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

CLAIM_SECONDS = float(os.environ.get("BELFRY_CLAIM_SECONDS", "30"))


class ClaimLost(Exception):
    """The job is no longer this worker's: nothing of what it still does is saved."""


class Stopping(Exception):
    """The worker was told to stop: the job is given back."""


class Server:
    """Calls the app, and calls again when no answer came."""

    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.token = token

    def post(self, path, body, tries=6):
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method="POST",
        )
        for attempt in range(tries):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                problem = json.load(error)
                if problem.get("code") == "CLAIM_LOST":
                    raise ClaimLost(problem["detail"]) from None
                if error.code < 500 and error.code != 429:
                    raise RuntimeError(f"{path} was refused: {problem['detail']}") from None
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                pass
            time.sleep(random.uniform(0, 0.2 * 2**attempt))
        raise RuntimeError(f"no answer to {path} after {tries} tries")


class Job:
    """A claimed job. Its steps run once, whoever holds it."""

    def __init__(self, server, claim, found):
        self.server = server
        self.token = claim
        self.id = found["id"]
        self.task = found["task"]
        self.input = found.get("input")
        self.fence = found["fence"]
        self.attempt = found["attempt"]
        self.schedule = found["schedule"]
        self.scheduled_at = found["scheduledAt"]
        self.done = {step["name"]: step.get("output") for step in found["steps"] if step["state"] == "done"}
        self.lost = threading.Event()
        self.over = threading.Event()

    def step(self, name, function):
        """Runs a function once: its output is saved, and from then on the name stands for it."""
        if name in self.done:
            return self.done[name]
        self.check()
        started = int(time.time() * 1000)
        output = function()
        step = {"name": name, "output": output, "startedAt": started}
        self.write("steps", {"steps": [step], "for": f"{int(CLAIM_SECONDS * 1000)}ms"})
        self.done[name] = output
        return output

    def progress(self, value):
        self.write("steps", {"steps": [], "progress": value})

    def check(self):
        if self.lost.is_set():
            raise ClaimLost(self.id)
        if stopping.is_set():
            raise Stopping()

    def write(self, what, body):
        return self.server.post(f"/jobs/{urllib.parse.quote(self.id, safe='')}/{what}", {"token": self.token, **body})

    def renew(self):
        """Runs beside the job: prolongs the claim at a third of its time, until the job is over or lost."""
        while not self.over.wait(CLAIM_SECONDS / 3):
            try:
                self.write("renew", {"for": f"{int(CLAIM_SECONDS * 1000)}ms"})
            except ClaimLost:
                self.lost.set()
                return
            except RuntimeError as error:
                print(f"renewing {self.id}: {error}", flush=True)


stopping = threading.Event()


def run(job, function):
    """Runs one job and settles it."""
    renewing = threading.Thread(target=job.renew, daemon=True)
    renewing.start()
    try:
        try:
            settled = {"outcome": "completed", "output": function(job)}
        except Stopping:
            settled = {"outcome": "released"}
        except ClaimLost:
            raise
        except Exception as error:  # what a task raises is the job's failure, not the worker's
            told = {"name": type(error).__name__, "message": str(error), "stack": traceback.format_exc(limit=8)}
            settled = {"outcome": "failed", "error": told}
        answer = job.write("settle", settled)
        print(f"{answer['state']} {job.task} {job.id} attempt {job.attempt}", flush=True)
    except ClaimLost:
        print(f"lost {job.task} {job.id}: another worker has it", flush=True)
    finally:
        job.over.set()


def work(server, queue, tasks, once):
    worker = f"python-{os.getpid()}"
    pause = 0.05
    while not stopping.is_set():
        claim = secrets.token_hex(16)
        found = server.post(
            f"/queues/{urllib.parse.quote(queue, safe='')}/claim",
            {"worker": worker, "tasks": list(tasks), "token": claim, "for": f"{int(CLAIM_SECONDS * 1000)}ms"},
        )
        for one in found["jobs"]:
            run(Job(server, claim, one), tasks[one["task"]])
        if found["jobs"]:
            pause = 0.05
            continue
        if once:
            return
        pause = min(pause * 2, 2)
        stopping.wait(pause * random.uniform(0.5, 1))


# ---------------------------------------------------------------- the tasks of this worker


def count_words(job):
    """Counts the words of a text, in steps."""
    words = job.step("split", lambda: job.input["text"].split())
    job.progress({"words": len(words)})
    longest = job.step("longest", lambda: max(words, key=len))
    return {"count": len(words), "longest": longest}


def stamp(job):
    """Writes a line to a file in each of three steps, slowly: to see that a killed worker's steps are not repeated."""

    def line(name):
        def write():
            with open(job.input["file"], "a", encoding="utf-8") as file:
                file.write(f"{name} {job.id} fence {job.fence}\n")
            return name

        return write

    job.step("one", line("one"))
    time.sleep(job.input.get("seconds", 0) if job.attempt == 1 else 0)
    job.step("two", line("two"))
    return job.step("three", line("three"))


def broken(_job):
    raise ValueError("this one never works")


TASKS = {"count-words": count_words, "stamp": stamp, "broken": broken}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--queue", default="python")
    parser.add_argument("--once", action="store_true", help="stop when the queue is empty")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    here = Server(os.environ.get("BELFRY_URL", "http://127.0.0.1:3000"), os.environ["BELFRY_TOKEN"])
    work(here, options.queue, TASKS, options.once)
