"""bin/dev as a developer uses it."""

import json
import signal
import socket
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.dev.checkout import DevServer, make_checkout, run_bin_dev
from tests.dev.owner import ROOT
from tests.support.coverage import unmeasured_children
from tests.support.ports import free_port_pair
from tests.support.waiting import STALLED_AFTER

pytestmark = pytest.mark.checkout

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
    "SMTP_HOST": "email.example.com",
}


@pytest.fixture
def small_checkout(tmp_path: Path) -> Path:
    """A checkout with an application that does nothing and starts quickly."""
    checkout = make_checkout(tmp_path / "a checkout")
    (checkout / "main.py").write_text(API)
    (checkout / "alembic").mkdir()
    (checkout / "alembic/env.py").touch()
    (checkout / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
    (checkout / "run_base_worker.py").write_text(WORKER.replace("WORD", "at work"))
    return checkout


@pytest.fixture
def port() -> str:
    return str(free_port_pair())


def get(url: str) -> bytes:
    with urlopen(url, timeout=STALLED_AFTER) as response:  # noqa: S310  our own server
        content: bytes = response.read()
        return content


def address(dev_server: DevServer, title: str) -> str:
    return dev_server.wait_for(f"  {title} ").split()[-1]


@unmeasured_children()  # coverage makes a start twice as slow; other tests measure it
def test_a_newcomer_signs_up_and_reads_the_email_also_after_a_crash(
    tmp_path: Path, port: str
) -> None:
    entry_points = [path.name for path in ROOT.glob("run_*_worker.py")]
    checkout = make_checkout(
        tmp_path / "checkout", "alembic", "alembic.ini", "main.py", *entry_points
    )
    api = f"http://localhost:{port}/api/v1/users"
    with run_bin_dev(checkout, PORT=port) as dev_server:
        dev_server.wait_for("Ready.")
        body = json.dumps({"email": "ada@example.com", "password": "a long enough password"})
        request = Request(f"{api}/signup", body.encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=STALLED_AFTER) as response:  # noqa: S310
            assert response.status == 201
        dev_server.wait_for("→ ada@example.com")
        assert dev_server.end(signal.SIGKILL) == (-signal.SIGKILL, [])
    with run_bin_dev(checkout, PORT=port) as dev_server:
        [email] = json.loads(get(f"{address(dev_server, 'Caught emails')}/messages.json"))
        assert email["to"] == ["ada@example.com"]
        assert dev_server.end(signal.SIGTERM) == (0, [])


@pytest.mark.timing
def test_all_processes_have_ended_five_seconds_after_ctrl_c(
    small_checkout: Path, port: str
) -> None:
    with run_bin_dev(small_checkout, PORT=port) as dev_server:
        dev_server.wait_for("Ready.")
        began = time.monotonic()
        assert dev_server.end(signal.SIGINT) == (0, [])

    assert time.monotonic() - began < 5


def test_fresh_starts_without_data_and_ctrl_c_removes_the_addresses(
    small_checkout: Path, port: str
) -> None:
    old = [
        small_checkout / ".dev" / name for name in ("mail/1.eml", "postgres/18/port", "valkey/port")
    ]
    for path in old:
        path.parent.mkdir(parents=True)
        path.write_text("1")
    told = small_checkout / ".dev/env"
    told.write_text("SMTP_HOST=left-behind-by-a-killed-run.example.com\n")

    with run_bin_dev(small_checkout, "--fresh", PORT=port) as dev_server:
        dev_server.wait_for("Ready.")
        assert json.loads(get(f"{address(dev_server, 'Caught emails')}/messages.json")) == []
        assert "1" not in [path.read_text() for path in old if path.exists()]
        assert told.stat().st_mode & 0o777 == 0o600
        names = [line.partition("=")[0] for line in told.read_text().splitlines()]
        assert {"DATABASE_URL", "REDIS_URL", "SMTP_HOST", "SMTP_PORT", "PUBLIC_URL"} <= {*names}
        assert dev_server.end(signal.SIGINT) == (0, [])
        assert not told.exists()


def test_a_taken_port_is_reported_with_its_process_and_the_cure(small_checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with run_bin_dev(small_checkout, PORT=str(port)) as dev_server:
            line = dev_server.wait_for(f"Port {port} is taken by pid ")
            assert "Choose another: PORT=" in line
            assert dev_server.process.wait() == 1


def test_servers_of_the_developer_are_used_and_a_second_start_names_the_first(
    small_checkout: Path, port: str
) -> None:
    with run_bin_dev(small_checkout, PORT=port, **YOURS) as first:
        first.wait_for("yours, from DATABASE_URL")
        first.wait_for("yours, from REDIS_URL")
        first.wait_for("yours, from SMTP_HOST")
        assert not [line for line in first.said if "secret" in line]
        assert (small_checkout / ".dev/env").read_text() == f"PUBLIC_URL=http://localhost:{port}\n"
        assert not (small_checkout / ".dev/postgres").exists()
        with run_bin_dev(small_checkout, PORT=port, **YOURS) as second:
            second.wait_for(f"bin/dev already runs in this checkout: pid {first.process.pid} ")
            assert second.process.wait() == 1


def test_a_worker_that_crashes_is_reported_and_started_again(
    small_checkout: Path, port: str
) -> None:
    (small_checkout / "run_base_worker.py").write_text("exit('no such queue')")
    with run_bin_dev(small_checkout, PORT=port, **YOURS) as dev_server:
        for pause in ("0.5", "1"):
            dev_server.wait_for("base worker | no such queue")
            dev_server.wait_for(f"base worker ended with exit code 1. It starts again in {pause} s")


def test_an_api_that_does_not_start_says_so_to_a_browser(small_checkout: Path, port: str) -> None:
    (small_checkout / "main.py").write_text("exit('a typo')")
    with run_bin_dev(small_checkout, PORT=port, **YOURS) as dev_server:
        dev_server.wait_for("api | a typo")
        with pytest.raises(HTTPError) as error:
            get(f"http://localhost:{port}/")
        assert error.value.code == 503
        assert b"The API does not start." in error.value.read()

        (small_checkout / "main.py").write_text(API)
        dev_server.wait_for("because of main.py")
        dev_server.wait_for("Ready.")
        assert get(f"http://localhost:{port}/") == b"small"


def test_new_code_restarts_everything_and_a_new_queue_gets_its_worker(
    small_checkout: Path, port: str
) -> None:
    with run_bin_dev(small_checkout, PORT=port, **YOURS) as dev_server:
        dev_server.wait_for("Ctrl-C")
        (small_checkout / "run_sms_worker.py").write_text(WORKER.replace("WORD", "sms at work"))
        dev_server.wait_for("sms worker | sms at work")
        (small_checkout / "run_base_worker.py").write_text(WORKER.replace("WORD", "better"))
        dev_server.wait_for("base worker | better")
        (small_checkout / "app/new.py").write_text("")
        dev_server.wait_for("because of app/new.py")
        dev_server.wait_for("base worker | better")
        assert get(f"http://localhost:{port}/") == b"small", "the port was never given up"


def test_migrations_that_fail_stop_the_start(small_checkout: Path, port: str) -> None:
    (small_checkout / "alembic/env.py").write_text("exit('no such column')")
    with run_bin_dev(small_checkout, PORT=port, **YOURS) as dev_server:
        dev_server.wait_for("migrations | no such column")
        dev_server.wait_for("The migrations failed")
        assert dev_server.process.wait() == 1
