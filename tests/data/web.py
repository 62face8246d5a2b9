"""A web site on this computer that behaves as badly as a test wants."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def nothing() -> None:
    pass


@dataclass
class Site:
    """What the site offers, how it behaves, and what it was asked for.

    Args:
        content: The bytes behind every path.
        address: Where it is.
        knows_ranges: Whether it answers a range with the range.
        shift: By how many bytes the ranges that it answers with are late.
        cuts: For each of the next requests, the bytes after which the connection ends.
        statuses: For each of the next requests, a status instead of content; 0 for none.
        length: Whether it says how long its answers are.
        midway: Called in the middle of every answer.
        paths: Paths of the requests so far.
        ranges: `Range` headers of the requests so far.
    """

    content: bytes
    address: str = ""
    knows_ranges: bool = True
    shift: int = 0
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    length: bool = True
    midway: Callable[[], object] = nothing
    paths: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


@contextmanager
def serving(content: bytes) -> Iterator[Site]:
    site = Site(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, site)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    asked = handler.headers["Range"]
    site.paths.append(handler.path)
    site.ranges.append(asked)
    status = site.statuses.pop(0) if site.statuses else 0
    if status:
        handler.send_error(status)
        return
    start, size = 0, len(site.content)
    if asked is not None and site.knows_ranges:
        start = int(asked.removeprefix("bytes=").removesuffix("-")) + site.shift
        if start >= size:
            handler.send_error(416)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    else:
        handler.send_response(200)
    if site.length:
        handler.send_header("Content-Length", str(size - start))
    handler.end_headers()
    body = site.content[start:]
    if site.cuts:
        body = body[: site.cuts.pop(0)]
    middle = len(body) // 2
    try:
        handler.wfile.write(body[:middle])
        site.midway()
        handler.wfile.write(body[middle:])
    except OSError:  # the other side has gone
        handler.close_connection = True
