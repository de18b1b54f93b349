#!/usr/bin/env python3
"""The partners' systems of the sample county: a web server that keeps each request's body as a file. It stands for the
council's duty desk and the commissioner's case list."""
import argparse
import http.server
import json
import pathlib
import sys


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--into", type=pathlib.Path, required=True)
    options = arguments.parse_args()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 8 << 20))
            name = "".join(c for c in self.path if c.isalnum() or c == "-")
            # One file an entry of the hub's ledger: a delivery that comes twice is the same file, an event that was
            # wrongly taken in twice is another.
            told = json.loads(body)
            event = "".join(c for c in f"{told['sequence']}-{told['id']}" if c.isalnum() or c == "-")
            folder = options.into / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{event}.json").write_bytes(body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *unused):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print(f"listening on 127.0.0.1:{options.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
