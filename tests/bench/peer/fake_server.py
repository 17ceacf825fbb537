"""Answers like llama-server, with one event for each word of the prompt; the tests' stand-in.

Its options are llama-server's own; a model named `broken` ends it at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.path == "/v1/chat/completions"
        prompt = " ".join(t["content"] for t in request["messages"]) if chat else request["prompt"]
        words = prompt.split()[: request["max_tokens" if chat else "n_predict"]]
        if not words:
            self.send_error(400, "no words")
            return
        self.send_response(200)
        self.end_headers()
        for word in ["", *words]:
            said: dict[str, Any] = {"choices": [{"delta": {"content": word or None}}]}
            self._event(said if chat else {"content": word, "stop": False})
        timings = {"cache_n": 0, "prompt_n": len(words), "prompt_ms": 1.0}
        timings |= {"predicted_n": len(words), "predicted_ms": 2.0}
        if request["temperature"] == 0 and request["cache_prompt"]:
            said = {"choices": [{"delta": {}, "finish_reason": "length"}]}
            end = said if chat else {"content": "", "stop": True}
            self._event(end | {"timings": timings})
        if chat:
            self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, fields: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(fields).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("-m")
    options, _ = parser.parse_known_args()
    if options.m == "broken":
        sys.exit("this is no model")
    sys.stderr.write("listening\n")
    ThreadingHTTPServer((options.host, options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
