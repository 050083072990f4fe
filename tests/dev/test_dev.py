"""bin/dev from outside: what a developer types, sees, and is left with."""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from app.dev.__main__ import main
from app.dev.processes import is_free
from tests.dev.checkout import Running, bin_dev, make_checkout
from tests.dev.owner import ROOT

API = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"small"})
"""
WORKER = "import time; print('WORD', flush=True); time.sleep(60)"
YOURS = {
    "DATABASE_URL": "postgresql://me:secret@db.example.com/mine",
    "REDIS_URL": "redis://:secret@redis.example.com",
    "SMTP_HOST": "mail.example.com",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkout with an application that does nothing, and starts at once."""
    checkout = make_checkout(tmp_path / "a checkout")
    (checkout / "main.py").write_text(API)
    (checkout / "alembic").mkdir()
    (checkout / "alembic/env.py").touch()
    (checkout / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
    (checkout / "run_base_worker.py").write_text(WORKER.replace("WORD", "at work"))
    return checkout


@pytest.fixture
def port() -> str:
    """Two free ports below those that the system gives away, so that nobody gets them by chance."""
    start = 10_000 + os.getpid() * 20 % 20_000
    return str(
        next(port for port in range(start, 32_000, 2) if is_free(port) and is_free(port + 1))
    )


def get(url: str) -> bytes:
    with urlopen(url, timeout=10) as response:  # noqa: S310  our own server
        content: bytes = response.read()
        return content


def address(running: Running, title: str) -> str:
    return running.wait_for(f"  {title} ").split()[-1]


def test_a_newcomer_signs_up_and_reads_the_mail_also_after_a_crash(
    tmp_path: Path, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)  # others measure this code; here it counts seconds
    entry_points = [path.name for path in ROOT.glob("run_*_worker.py")]
    checkout = make_checkout(
        tmp_path / "checkout", "alembic", "alembic.ini", "main.py", *entry_points
    )
    api = f"http://localhost:{port}/api/v1/users"
    with bin_dev(checkout, PORT=port) as running:
        running.wait_for("Ready.")
        body = json.dumps({"email": "ada@example.com", "password": "a long enough password"})
        request = Request(f"{api}/signup", body.encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=10) as response:  # noqa: S310
            assert response.status == 201
        running.wait_for("→ ada@example.com")
        assert running.end(signal.SIGKILL) == (-signal.SIGKILL, [])
    with bin_dev(checkout, PORT=port) as running:
        [mail] = json.loads(get(f"{address(running, 'Caught mails')}/messages.json"))
        assert mail["to"] == ["ada@example.com"]
        assert running.end(signal.SIGTERM) == (0, [])


def test_fresh_starts_from_empty_and_ctrl_c_takes_its_addresses_back(
    small: Path, port: str
) -> None:
    old = [small / ".dev" / name for name in ("mail/1.eml", "postgres/18/port", "valkey/port")]
    for path in old:
        path.parent.mkdir(parents=True)
        path.write_text("1")
    told = small / ".dev/env"
    told.write_text("SMTP_HOST=left-behind-by-a-killed-run.example.com\n")

    with bin_dev(small, "--fresh", PORT=port) as running:
        running.wait_for("Ready.")
        assert json.loads(get(f"{address(running, 'Caught mails')}/messages.json")) == []
        assert "1" not in [path.read_text() for path in old if path.exists()]
        assert told.stat().st_mode & 0o777 == 0o600
        names = [line.partition("=")[0] for line in told.read_text().splitlines()]
        assert {"DATABASE_URL", "REDIS_URL", "SMTP_HOST", "SMTP_PORT", "PUBLIC_URL"} <= {*names}
        assert running.end(signal.SIGINT) == (0, [])
        assert not told.exists()


def test_a_busy_port_is_named_with_its_holder_and_the_way_out(small: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with bin_dev(small, PORT=str(port)) as running:
            line = running.wait_for(f"Port {port} is taken by pid ")
            assert "Choose another: PORT=" in line
            assert running.process.wait() == 1


def test_servers_of_the_developer_are_used_and_a_second_start_names_the_first(
    small: Path, port: str
) -> None:
    with bin_dev(small, PORT=port, **YOURS) as first:
        first.wait_for("yours, from DATABASE_URL")
        first.wait_for("yours, from REDIS_URL")
        first.wait_for("yours, from SMTP_HOST")
        assert not [line for line in first.said if "secret" in line]
        assert (small / ".dev/env").read_text() == f"PUBLIC_URL=http://localhost:{port}\n"
        assert not (small / ".dev/postgres").exists()
        with bin_dev(small, PORT=port, **YOURS) as second:
            second.wait_for(f"bin/dev runs in this checkout already: pid {first.process.pid} ")
            assert second.process.wait() == 1


def test_a_worker_that_crashes_is_reported_and_started_again(small: Path, port: str) -> None:
    (small / "run_base_worker.py").write_text("exit('no such queue')")
    with bin_dev(small, PORT=port, **YOURS) as running:
        for pause in ("0.5", "1"):
            running.wait_for("base worker | no such queue")
            running.wait_for(f"base worker ended with exit code 1: again in {pause} s")


def test_new_code_restarts_everything_and_a_new_queue_gets_its_worker(
    small: Path, port: str
) -> None:
    with bin_dev(small, PORT=port, **YOURS) as running:
        running.wait_for("Ctrl-C")
        (small / "run_sms_worker.py").write_text(WORKER.replace("WORD", "sms at work"))
        running.wait_for("sms worker | sms at work")
        (small / "run_base_worker.py").write_text(WORKER.replace("WORD", "better"))
        running.wait_for("base worker | better")
        (small / "app/new.py").write_text("")
        running.wait_for("because of app/new.py")
        running.wait_for("base worker | better")
        assert get(f"http://localhost:{port}/") == b"small", "the port was never given up"


def test_migrations_that_fail_stop_the_start(small: Path, port: str) -> None:
    (small / "alembic/env.py").write_text("exit('no such column')")
    with bin_dev(small, PORT=port, **YOURS) as running:
        running.wait_for("migrations | no such column")
        running.wait_for("The migrations failed")
        assert running.process.wait() == 1


@pytest.mark.parametrize(
    ("arguments", "port", "exit_code", "said"),
    [
        (["--help"], "8000", 0, "Data is kept in .dev/"),
        (["--frehs"], "8000", 2, "unrecognized arguments: --frehs"),
        ([], "http", 2, "PORT is 'http', but a port is a number"),
    ],
)
def test_a_wrong_command_is_explained(  # noqa: PLR0913, PLR0917  a table and two fixtures
    arguments: list[str],
    port: str,
    exit_code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["bin/dev", *arguments])
    monkeypatch.setenv("PORT", port)
    with pytest.raises(SystemExit) as end:
        main()

    assert end.value.code == exit_code
    assert said in "".join(capsys.readouterr())
