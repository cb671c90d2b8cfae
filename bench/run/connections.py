"""What connections cost: handshakes, full and resumed, and those that do nothing."""

import socket
import statistics
from concurrent.futures import ThreadPoolExecutor

from .servers import tls

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def handshakes(server, count):
    """Processor time of a full and of a resumed handshake and of a small request, in microseconds, and the share that resumed."""
    request = _spent(server, lambda: _requests(server, count)) / count
    full = _spent(server, lambda: _connect_all(server, count, resume=False)) / count
    resumed = []
    again = _spent(server, lambda: resumed.extend(_connect_all(server, count, resume=True))) / count
    share = statistics.fmean(resumed)
    return {"request_us": request, "full_us": full - request,
            "resumed_us": again - request if share > 0.9 else None, "resumed_share": share}


def _spent(server, work):
    before = server.seconds()
    work()
    return (server.seconds() - before) * 1e6


def _open(server, context, session=None):
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, session=session)


def _ask(connection):
    connection.sendall(GET)
    answer = connection.recv(4096)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(4096)


def _requests(server, count):
    with _open(server, tls()) as connection:
        for _ in range(count):
            _ask(connection)


def _connect_all(server, count, resume):
    """Whether each resumed. The ticket comes with the first answer; each is used once."""
    context, session, resumed = tls(), None, []
    for _ in range(count):
        with _open(server, context, session) as connection:
            _ask(connection)
            resumed.append(connection.session_reused)
            session = connection.session if resume else None
    return resumed[1:]


def idle(server, counts):
    """KiB for each of so many TLS connections that have done their handshake and nothing since."""
    before, kept, each = server.resident(), [], {}
    context = tls()
    try:
        with ThreadPoolExecutor(8) as pool:
            for count in counts:
                missing = count - len(kept)
                kept.extend(pool.map(lambda _: _open(server, context), range(missing)))
                each[count] = (server.resident() - before) / count / 1024
    finally:
        for connection in kept:
            connection.close()
    return each
