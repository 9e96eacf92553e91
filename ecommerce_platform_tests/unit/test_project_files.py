"""Project files: make targets, documented commands, containers, and Dagster's configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dotenv import dotenv_values
from packaging.requirements import Requirement

from ecommerce_platform import cli
from ecommerce_platform.cli.terminal import ListByDefault
from ecommerce_platform.instance.home import prepare_dagster_home
from ecommerce_platform.settings import PREFIX, PROJECT_DIR, Settings

pytestmark = pytest.mark.unit

PYPROJECT = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
COMPOSE = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
ONCE = {"init", "load", "citus-nodes"}
SERVERS = sorted(set(SERVICES) - ONCE)
OURS = {name for name, service in SERVICES.items() if service.get("image") == "ecommerce-platform"}


def tracked_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (PROJECT_DIR / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run([git, "ls-files", "-z"], cwd=PROJECT_DIR, capture_output=True, check=True).stdout
    return [PROJECT_DIR / os.fsdecode(name) for name in names.split(b"\0") if name]


# Settings


def test_the_example_env_file_lists_every_setting_with_its_default_and_a_reason():
    text = (PROJECT_DIR / ".env.example").read_text()
    listed = dict(re.findall(rf"^#({PREFIX}\w+)=(.*)$", text, flags=re.MULTILINE))
    defaults = {
        f"{PREFIX}{name.upper()}": "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert listed == defaults
    assert not [line for line in text.splitlines() if line and not line.startswith("#")]
    for block in text.split("\n\n")[1:]:
        assert re.match(r"# \w", block), f"no explanation above {block!r}"


# Locks


DBT = "ecommerce_platform_tests/benchmarks/dbt"
KUBERNETES = "deploy/kubernetes/requirements.lock"


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Return the version and the number of hashes of each package in a lock file."""
    found = {}
    for entry in re.split(r"\n(?=\S)", (PROJECT_DIR / name).read_text().strip()):
        head = re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z0-9,_-]+\])?==(\S+)", entry)
        assert head, f"{name}: not a pinned package: {entry.splitlines()[0]}"
        found[head[1]] = (head[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)))
    return found


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", KUBERNETES, f"{DBT}/requirements.lock"])
def test_every_locked_package_has_hashes_and_no_address(name):
    assert [package for package, (_, hashes) in locked(name).items() if not hashes] == []
    assert "://" not in (PROJECT_DIR / name).read_text()


@pytest.mark.parametrize("name", ["requirements-dev.lock", KUBERNETES])
def test_the_locks_agree_on_every_package_of_the_runtime(name):
    runtime, other = locked("requirements.lock"), locked(name)
    assert {package: other.get(package) for package in runtime} == runtime


def test_the_build_tool_is_locked_so_that_the_install_fetches_nothing_else():
    version, _ = locked("requirements.lock")["setuptools"]
    assert int(version.split(".")[0]) >= 77
    assert PYPROJECT["build-system"]["requires"] == ["setuptools>=77"]


def test_the_lock_of_dbt_has_the_versions_that_its_project_asks_for():
    asked = [
        Requirement(line)
        for line in (PROJECT_DIR / DBT / "requirements.in").read_text().splitlines()
        if not line.startswith("#")
    ]
    versions = locked(f"{DBT}/requirements.lock")
    assert {requirement.name for requirement in asked} == {"dbt-core", "dbt-postgres"}
    assert all(requirement.specifier.contains(versions[requirement.name][0]) for requirement in asked)


def test_no_tracked_file_names_a_package_registry_or_a_folder_of_this_machine():
    registries = ["pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js.org", "conda" + ".anaconda"]
    pattern = re.compile("|".join(map(re.escape, registries)))
    guilty = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        if pattern.search(text):
            guilty.append(str(path.relative_to(PROJECT_DIR)))
    assert guilty == []


# Dagster


def test_dagster_accepts_its_instance_file():
    config, _ = dagster_instance_config(str(PROJECT_DIR))
    assert config["concurrency"]["pools"]["default_limit"] == 1
    assert config["run_monitoring"]["free_slots_after_run_end_seconds"] == 30
    assert config["telemetry"] == {"enabled": False}


def test_every_class_of_the_instance_file_exists_and_takes_the_configuration_given():
    config, _ = dagster_instance_config(str(PROJECT_DIR))
    for section in (config["storage"]["custom"], config["local_artifact_storage"], config["compute_logs"]):
        module = __import__(section["module"], fromlist=[section["class"]])
        assert set(section["config"]) <= set(getattr(module, section["class"]).config_type())


def test_the_workspace_pyproject_and_the_containers_mean_one_code_location():
    name = PYPROJECT["tool"]["dagster"]["code_location_name"]
    assert PYPROJECT["tool"]["dg"]["project"]["code_location_name"] == name
    for path in ("workspace.yaml", "docker/workspace.yaml"):
        origins = location_origins_from_yaml_paths([str(PROJECT_DIR / path)])
        assert [origin.location_name for origin in origins] == [name]


def test_the_dagster_home_is_remembered_and_the_users_own_lines_stay(tmp_path):
    project = tmp_path / "my own shop's data"
    project.mkdir()
    env_file = project / ".env"
    env_file.write_text("# mine\nECOMMERCE_SEED=7\nDAGSTER_HOME=/gone")
    settings = Settings(data_dir=project / "data")  # ty: ignore[missing-argument]

    variables = prepare_dagster_home(settings, project)
    assert dotenv_values(env_file) == {"ECOMMERCE_SEED": "7", **variables}
    assert variables["DAGSTER_HOME"] == str(project)
    assert env_file.read_text().startswith("# mine\n")
    assert settings.dagster_home.is_dir()

    before = env_file.stat()
    prepare_dagster_home(settings, project)
    assert env_file.stat() == before


# Commands


def make(*arguments: str, cwd: Path = PROJECT_DIR) -> str:
    program = shutil.which("make")
    if program is None:
        pytest.skip("make is not installed")
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_alone_lists_every_target():
    makefile = (PROJECT_DIR / "Makefile").read_text()
    targets = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[0].split()
    assert set("install up test lint bench bench-dbt soak lock clean clean-data help".split()) == set(targets)  # noqa: SIM905
    assert sorted(re.findall(r"^  make ([a-z-]+) ", make(), flags=re.MULTILINE)) == sorted(targets)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/operations.md", ".ci/run"])
def test_every_make_command_of_the_documents_exists(document):
    path = PROJECT_DIR / document
    if not path.exists():
        pytest.skip(f"{document} is not written yet")
    commands = re.findall(r"(?:^|`|&& |m )make ([a-z][a-z-]*)(?=[\s`\"]|$)", path.read_text(), flags=re.MULTILINE)
    assert commands
    targets = re.findall(r"^  make ([a-z-]+) ", make(), flags=re.MULTILINE)
    assert set(commands) <= set(targets)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_every_command_and_query_of_the_documents_exists(document):
    text = (PROJECT_DIR / document).read_text()
    found = re.findall(r"ecommerce-platform ((?:[a-z]+(?:-[a-z]+)* ?)+)(--[a-z-]+)?", text)
    assert len(found) > 5
    for words, option in found:
        command: click.Command = cli.main
        for word in words.split():
            if not isinstance(command, click.Group) or word not in command.commands:
                break
            command = command.commands[word]
        assert command is not cli.main, f"ecommerce-platform {words}"
        options = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
        is_a_default = isinstance(command, ListByDefault)
        assert not option or option in ("--help", "--") or option in options or is_a_default, f"{words} {option}"
    for path in re.findall(r"sql/queries/\w+\.sql", text):
        assert (PROJECT_DIR / path).exists(), path
    for name in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text):
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields, name


def test_every_link_of_the_runbook_leads_somewhere():
    text = (PROJECT_DIR / "docs" / "operations.md").read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    }
    links = re.findall(r"\]\(#([a-z0-9-]+)\)", text)
    assert len(links) > 15
    assert set(links) <= anchors


def test_make_up_passes_its_options_on(tmp_path):
    project = tmp_path / "a shop"
    project.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT_DIR / name, project)

    def command(*arguments: str) -> str:
        lines = make("-n", "up", *arguments, cwd=project).splitlines()
        return " ".join(lines[-1].split())

    assert command() == "exec .venv/bin/ecommerce-platform up"
    assert command("SERVE=0") == "exec .venv/bin/ecommerce-platform up --no-serve"
    assert command("SERVE=0", "DAYS=30") == "exec .venv/bin/ecommerce-platform up --no-serve --days 30"


def test_the_python_that_make_takes_must_be_new_enough(tmp_path):
    shutil.copy(PROJECT_DIR / "Makefile", tmp_path)
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / name).touch()
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    program = shutil.which("make")
    if program is None:
        pytest.skip("make is not installed")
    for python, complaint in ((str(old), "is not Python 3.11 or newer"), ("", "none was found")):
        done = subprocess.run(
            [program, "install", f"PYTHON={python}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert complaint in done.stderr
        assert not (tmp_path / ".venv").exists()


def test_the_ci_script_is_executable_and_parses():
    script = PROJECT_DIR / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_license_is_the_one_that_pyproject_names():
    text = (PROJECT_DIR / "LICENSE").read_text()
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


# Containers


def test_no_password_is_written_down():
    for name in ("docker-compose.yml", "Dockerfile", "dagster.yaml", "docker/workspace.yaml"):
        text = (PROJECT_DIR / name).read_text()
        assert not re.search(r"://[^/\s:@]+:[^@\s]+@", text), f"a password in a URL in {name}"
        for value in re.findall(r"PASSWORD\w*\s*[:=]\s*(\S+)", text):
            assert value.startswith("/run/secrets/"), f"{name}: {value}"


def test_secrets_stay_out_of_git_and_out_of_the_image():
    assert ".env" in (PROJECT_DIR / ".dockerignore").read_text().splitlines()
    assert "/.env" in (PROJECT_DIR / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_is_not_root_and_writes_only_to_its_volumes(name):
    service = SERVICES[name]
    assert str(service["user"]).split(":")[0] not in ("", "0", "root")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    volumes = service.get("volumes", [])
    written = [volume for volume in volumes if isinstance(volume, str) or not volume["read_only"]]
    assert {volume.split(":")[0] for volume in written} <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted(OURS - {"dashboards"}))
def test_a_container_reads_the_landing_folder_that_its_settings_name(name):
    service = SERVICES[name]
    (mount,) = [volume for volume in service["volumes"] if isinstance(volume, dict)]
    assert (mount["type"], mount["target"]) == ("bind", service["environment"]["ECOMMERCE_LANDING_DIR"])
    # On the host, the setting and its default are the same as without containers.
    default = Settings.model_fields["landing_dir"].default
    assert mount["source"] == f"${{{PREFIX}LANDING_DIR:-./{default}}}"
    assert {"data", str(default)} <= set((PROJECT_DIR / ".dockerignore").read_text().splitlines())


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_has_a_health_check_and_comes_back(name):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_only_the_own_machine_can_connect():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    # Only the login may be reached from other machines, and it is started on demand.
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == SERVICES["login"]["ports"]
    assert SERVICES["login"]["profiles"] == ["login"]


def test_a_service_waits_until_what_it_needs_is_healthy():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONCE else "service_healthy"
            assert how["condition"] == expected, f"{name} on {needed}"


def test_each_service_logs_in_as_somebody_who_can_do_no_more_than_it_needs():
    users = {name: urlsplit(SERVICES[name]["environment"]["ECOMMERCE_DATABASE_URL"]).username for name in OURS}
    assert {name for name, user in users.items() if user == "ecommerce"} == {"init"}
    assert {name for name, user in users.items() if user == "ecommerce_dashboards"} == {"dashboards"}
    for name in OURS:
        secret = SERVICES[name]["environment"]["ECOMMERCE_DATABASE_PASSWORD_FILE"].removeprefix("/run/secrets/")
        assert secret in SERVICES[name]["secrets"]
        assert name == "init" or SERVICES[name]["secrets"] == [secret], f"{name} has the password of another service"
    assert SERVICES["dashboards"]["volumes"] == []
    # Container engines reject a read-only container with any other type of secret.
    assert [name for name, secret in COMPOSE["secrets"].items() if set(secret) != {"file"}] == []
    for name in (".gitignore", ".dockerignore"):
        assert {"secrets", "deploy/login"} <= {
            line.lstrip("/") for line in (PROJECT_DIR / name).read_text().splitlines()
        }


def test_the_dashboards_are_given_no_key_of_anything_but_the_database():
    """.env may hold keys of object stores, mail, alerts and lineage: the dashboards do not get the file."""
    dashboards = SERVICES["dashboards"]
    assert dashboards["env_file"] == []
    given = {name.removeprefix(PREFIX).lower() for name in dashboards["environment"] if name.startswith(PREFIX)}
    assert given <= set(Settings.model_fields)
    kept = {name for name, field in Settings.model_fields.items() if field.repr is False or name.endswith("_file")}
    assert given & kept == {"database_url", "database_password_file", "targets_file", "notes_file"}
    others = {name for name in dashboards["environment"] if not name.startswith(PREFIX)}
    assert others == {"DAGSTER_HOME", "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS"}


def test_the_dashboards_reach_neither_the_code_server_nor_what_the_database_does_not_need():
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    for name in ("dashboards", "login", "prometheus", "grafana"):
        assert not networks[name] & networks["code"], f"{name} can reach the code server's port"
    assert all(COMPOSE["networks"][name]["internal"] for name in networks["postgres"])
    assert not networks["dashboards"] & networks["webserver"], (
        "the dashboards can reach Dagster, which requires no password"
    )
    assert networks["login"] == {"front_dagster", "front_dashboards"}


def test_the_workers_of_citus_ask_for_no_password_and_nobody_but_the_coordinator_can_reach_them():
    workers = {"citus-worker-1", "citus-worker-2"}
    trusting = {name for name, each in SERVICES.items() if "POSTGRES_HOST_AUTH_METHOD" in each.get("environment", {})}
    assert trusting == workers
    assert COMPOSE["networks"]["citus"] == {"internal": True}
    assert {name for name, each in SERVICES.items() if "citus" in each["networks"]} == {"citus", *workers}
    added = SERVICES["citus-nodes"]["command"][-1]
    assert all(f"citus_add_node('{worker}', 5432)" in added for worker in workers)
    assert set(SERVICES["citus"]["networks"]) > set(SERVICES["postgres"]["networks"])
    optional = {name for name, each in SERVICES.items() if each.get("profiles")}
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed not in optional or name in optional or how["required"] is False, f"{name} on {needed}"
    volumes = [mount for name in ("citus", *workers) for mount in SERVICES[name]["volumes"]]
    assert len({mount.split(":")[0] for mount in volumes}) == 3


def test_every_service_has_a_limit_of_memory_and_every_foreign_image_a_version():
    assert [name for name, service in SERVICES.items() if "mem_limit" not in service] == []
    images = {service["image"] for name, service in SERVICES.items() if name not in OURS}
    images |= set(re.findall(r"^FROM (\S+)", (PROJECT_DIR / "Dockerfile").read_text(), flags=re.MULTILINE))
    assert [image for image in images if not re.search(r":v?\d+\.\d+", image)] == []


def test_nothing_waits_for_the_load():
    assert [name for name, service in SERVICES.items() if "load" in service.get("depends_on", {})] == []
    assert SERVICES["init"]["command"][:3] == ["ecommerce-platform", "db", "prepare"]


def test_the_image_is_built_from_hashes_and_runs_as_a_user():
    text = (PROJECT_DIR / "Dockerfile").read_text()
    assert "--require-hashes" in text
    users = re.findall(r"^USER (\S+)", text, flags=re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in ("0", "root")
    sources = re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)
    minor = int(sources[-1].split(":")[1].split("-")[0].split(".")[1])
    assert (3, minor) >= (3, 11)
