"""The images, on a machine without a container engine: their RUN lines are run here, in what .dockerignore
leaves of a tree that was built in; their files exist, the compose file is one. Left unproven is only what
an engine itself does. And the tarball, which is made of the same tree."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile

import pytest
import yaml

import stack

DOCKER = stack.SOURCE / "docker"
FILES = sorted(DOCKER.glob("Dockerfile.*"))
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())


def lines(dockerfile):
    """(instruction, rest) of each line; continued lines are joined."""
    text = dockerfile.read_text().replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines()
            if line.strip() and not line.startswith("#")]


def runs(dockerfile):
    return [shlex.split(rest) for name, rest in lines(dockerfile) if name == "RUN"]


@pytest.mark.parametrize("dockerfile", FILES, ids=lambda file: file.suffix[1:])
def test_every_copied_file_exists_in_the_tree(dockerfile):
    for name, rest in lines(dockerfile):
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (stack.SOURCE / source).exists(), source


@pytest.mark.parametrize("dockerfile", FILES, ids=lambda file: file.suffix[1:])
def test_every_package_of_an_image_is_installed_here(dockerfile):
    installs = [words[2:] for words in runs(dockerfile)
                if words[:2] == ["scripts/packages", "install"]]
    assert installs
    for groups in installs:
        done = subprocess.run([stack.SOURCE / "scripts" / "packages", "missing", *groups],
                              capture_output=True, text=True, check=True)
        assert done.stdout == ""


def tracked():
    """What belongs to the tree, as paths in it."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=stack.SOURCE, capture_output=True, text=True,
                          check=True)
    return {name for name in done.stdout.split("\0") if name and (stack.SOURCE / name).is_file()}


def copy(names, source, target):
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name, follow_symlinks=False)


def command(words, folder):
    done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def used(new_folder):
    """This tree after a day's work: built in, with a secret for compose."""
    tree = new_folder() / "tree"
    copy(tracked(), stack.SOURCE, tree)
    command(["./autogen.sh"], tree)
    command(["./configure", "--enable-demo"], tree)
    command(["make", "-C", "wire"], tree)
    (tree / "docker" / "secrets").mkdir()
    (tree / "docker" / "secrets" / "database_password").write_text("word\n")
    return tree


def ignored(path, patterns):
    """As Docker reads .dockerignore: a path goes when a pattern fits it or a folder above it."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(pattern.fullmatch(name) for pattern in patterns for name in above)


def dockerignore():
    lines = (stack.SOURCE / ".dockerignore").read_text().splitlines()
    for line in lines:
        assert not re.search(r"^[!/]|[?\[\\]", line), f"a pattern that this test does not know: {line}"
    # "**/" is any number of folders, "*" does not pass a slash.
    return [re.compile(re.escape(line).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*"))
            for line in lines if line and not line.startswith("#")]


def files(tree):
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


@pytest.mark.slow_sanitized
def test_the_context_of_an_image_is_what_git_holds_and_no_secret(used):
    patterns = dockerignore()
    context = {name for name in files(used) if not ignored(name, patterns)}
    assert context == tracked()


@pytest.mark.slow_sanitized
def test_the_tarball_is_what_git_holds_and_what_autogen_makes(used):
    command(["make", "dist"], used)
    (tarball,) = used.glob("kafkacam-*.tar.gz")
    with tarfile.open(tarball) as opened:
        packed = {member.name.split("/", 1)[1] for member in opened if member.isfile()}
    made = re.compile(r"aclocal\.m4|config\.h\.in|configure|(build-aux|m4)/[^/]*|(.*/)?Makefile\.in")
    assert {name for name in packed - tracked() if not made.fullmatch(name)} == set()
    assert tracked() - packed == {".gitignore"}


@pytest.mark.deadline(600)
@pytest.mark.slow_sanitized
@pytest.mark.parametrize("name, made", [
    ("httpd", ["usr/lib/apache2/modules/mod_kafkacam.so"]),
    ("producer", ["usr/sbin/kafkacam-producer", "usr/libexec/kafkacam/kafkacam-camera"])])
def test_the_run_lines_of_an_image_do_their_work_in_a_used_tree(folder, used, name, made):
    """With /src, /build and /image in a folder of the test."""
    patterns = dockerignore()
    copy([path for path in files(used) if not ignored(path, patterns)], used, folder / "src")
    for words in runs(DOCKER / f"Dockerfile.{name}"):
        if words[:2] == ["scripts/packages", "install"]:
            continue
        assert words[0] in ("scripts/build", "make"), f"not a command that is tested: {words}"
        words = [re.sub(r"(^|=)/(build|image)$", rf"\1{folder}/\2", word) for word in words]
        command(words, folder / "src")
    for path in made:
        assert (folder / "image" / path).is_file(), path


def test_httpds_configuration_in_the_image_is_accepted(folder, build):
    environment = dict(os.environ, KAFKACAM_BROKERS="kafka:9092", KAFKACAM_PORT="8080",
                       KAFKACAM_RUN=str(folder), KAFKACAM_MODULES=str(build.module.parent))
    if build.sanitizer():
        environment.update(LD_PRELOAD=build.sanitizer(), ASAN_OPTIONS="detect_leaks=0")
    done = subprocess.run([stack.Httpd.program(), "-t", "-f", DOCKER / "httpd.conf"],
                          env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_the_producers_settings_in_the_image_are_accepted(folder, build):
    secret = folder / "secret"
    secret.write_text("word\n")
    settings = (DOCKER / "producer.conf").read_text()
    assert "/run/secrets/database_password" in settings
    conf = folder / "producer.conf"
    conf.write_text(settings.replace("/run/secrets/database_password", str(secret))
                    + f"camera_program = {build.camera}\n")
    done = subprocess.run([build.need(build.producer), "-c", conf, "--test"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_the_compose_file_fits_the_images():
    services = COMPOSE["services"]
    assert set(services) == {"kafka", "mariadb", "cameras", "producer", "httpd"}
    for service in services.values():
        assert ("image" in service) != ("build" in service)
        if "build" in service:
            assert (stack.SOURCE / service["build"]["dockerfile"]).is_file()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).exists(), source
            else:
                assert source in COMPOSE["volumes"]
        for other in service.get("depends_on", {}):
            assert "healthcheck" in services[other]
        for secret in service.get("secrets", ()):
            assert secret in COMPOSE["secrets"]
        assert not any("PASSWORD" in name and name not in
                       ("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",)
                       for name in service.get("environment", {}))


def test_the_names_in_the_containers_configurations_agree():
    producer = (DOCKER / "producer.conf").read_text()
    kafka = COMPOSE["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert "brokers = kafka:9092" in producer and kafka == "PLAINTEXT://kafka:9092"
    assert "host = mariadb" in producer
    assert "KAFKACAM_BROKERS=kafka:9092" in (DOCKER / "Dockerfile.httpd").read_text()
    demo = (DOCKER / "mariadb" / "3-demo-cameras.sql").read_text()
    assert demo.count("rtsp://cameras:8554/") == 4
    assert "--cameras\", \"4\"" in (DOCKER / "Dockerfile.cameras").read_text()


def test_the_database_script_of_the_image_is_sourced_not_run():
    script = pathlib.Path(DOCKER / "mariadb" / "2-user.sh")
    assert not os.access(script, os.X_OK) or not script.stat().st_mode & 0o111
