"""The containers have limits, only the passwords that they need, and images that can be pinned."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, object]] = YAML(typ="safe").load(COMPOSE)["services"]

DEFAULT_IMAGE = re.compile(r"\$\{(\w+)_IMAGE:-([^}]+)\}")
PINNED_BY_DOCS = re.compile(r"\b([A-Z]+)=([\w./-]+:[\w.-]+)")


def test_the_docs_pin_the_images_that_compose_and_the_dockerfile_name() -> None:
    named = set(DEFAULT_IMAGE.findall(COMPOSE.read_text()))
    docs = (ROOT / "docs/deployment.md").read_text()
    loop = docs[docs.index("for image in ") : docs.index("_IMAGE=$name@$digest")]
    python = re.search(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert set(PINNED_BY_DOCS.findall(loop)) == named
    assert python is not None
    assert ("PYTHON", python[1]) in named


def test_every_image_from_a_registry_can_be_pinned() -> None:
    images = {str(service["image"]) for service in SERVICES.values()} - {"fastapi-boilerplate"}

    assert [image for image in images if not DEFAULT_IMAGE.fullmatch(image)] == []


def test_the_image_contains_every_program_that_a_container_runs() -> None:
    command = re.search(r"^CMD (.*)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert command is not None
    commands = [command[1], *(str(service.get("command")) for service in SERVICES.values())]
    programs = {name for each in commands for name in re.findall(r"\w+\.py", each)}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [line[1:] for line in lines if line.startswith("!")]

    assert "run_api.py" in programs
    assert [name for name in programs if not any(fnmatch(name, each) for each in copied)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_limited(name: str) -> None:
    service = SERVICES[name]

    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_is_on_a_command_line(name: str) -> None:
    """Every user of the machine can read the command lines of its processes."""
    words = SERVICES[name].get("command", [])
    assert isinstance(words, list)
    started = words[-1].rpartition("exec ")[2] if words[:2] == ["sh", "-c"] else " ".join(words)

    assert not re.search("PASSWORD|SECRET|AUTH|requirepass", started)


@pytest.mark.parametrize("name", ["api", "base_worker", "email_worker"])
def test_no_process_of_the_service_knows_the_passwords_of_the_owner_and_the_administrator(
    name: str,
) -> None:
    environment = SERVICES[name]["environment"]
    assert isinstance(environment, dict)
    others = [
        *("POSTGRES_PASSWORD", "POSTGRES_OWNER_PASSWORD"),
        *("DATABASE_ADMIN_URL", "DATABASE_OWNER_URL"),
    ]

    assert [environment[variable] for variable in others] == ["", "", "", ""]
