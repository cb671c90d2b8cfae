"""`make test-image`: the image, started as a container would start it: as PID 1, on a read-only root, as nobody."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = "/usr/bin/temporal-webhook-forwarder"
FOLDER = "/etc/temporal-webhook-forwarder"
SECRET = "a-secret-of-this-test"
CHROOT = shutil.which("chroot")
PATIENCE = 60
# BINARY may be one without optimisation.
LARGEST = int(os.environ.get("LARGEST_IMAGE", 30_000_000))


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, timeout=600, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def until(what, holds):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Path(tempfile.mkdtemp(prefix="forwarder-image-test."))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        storage = ["--root", str(cls.work / "images"), "--runroot", str(cls.work / "run")]
        environment = os.environ | {"BUILDAH_ARGS": " ".join(storage)}
        cls.name = run(REPOSITORY / "scripts/image.sh", env=environment).strip()
        cls.buildah = ["buildah", "--storage-driver", "vfs", *storage]
        cls.image = json.loads(run(*cls.buildah, "inspect", "--type", "image", cls.name))
        cls.config = cls.image["Docker"]["config"]
        cls.archive = cls.work / "image.tar"
        run(*cls.buildah, "push", "--quiet", cls.name, f"docker-archive:{cls.archive}")
        container = run(*cls.buildah, "from", cls.name).strip()
        cls.root = Path(run(*cls.buildah, "mount", container).strip())
        cls.certificates()
        cls.temporal_port = free_port()
        cls.temporal = cls.start(
            [os.environ["TEMPORAL_BIN"], "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(cls.temporal_port)]
        )
        until("Temporal is there", lambda: cls.in_temporal("operator", "cluster", "health").returncode == 0)

    @classmethod
    def start(cls, command, **options):
        with open(cls.work / "log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()

        cls.addClassCleanup(end)
        return process

    @classmethod
    def certificates(cls):
        """An authority that the image trusts as it trusts the others, and a certificate by it."""
        cls.mounted = cls.work / "mounted"
        cls.mounted.mkdir()
        authority, key = cls.work / "ca.pem", cls.work / "ca.key"
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        run(*new, "-subj", "/CN=authority", "-keyout", key, "-out", authority)
        leaf = ["-subj", "/CN=localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost,IP:0.0.0.0"]
        by = ["-CA", authority, "-CAkey", key]
        run(*new, *leaf, *by, "-keyout", cls.mounted / "privkey.pem", "-out", cls.mounted / "fullchain.pem")
        for file in cls.mounted.iterdir():
            os.chown(file, 65532, 65532)
        roots = cls.root / "etc/ssl/certs/ca-certificates.crt"
        cls.roots = roots.read_text()
        roots.write_text(cls.roots + authority.read_text())

    @classmethod
    def in_temporal(cls, *args):
        command = [os.environ["TEMPORAL_BIN"], *args, "--address", f"127.0.0.1:{cls.temporal_port}"]
        return subprocess.run(command, text=True, capture_output=True, timeout=30)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print((self.work / "log").read_text()[-4000:], flush=True)

    def test_it_holds_the_program_and_the_roots_and_says_how_to_run_it(self):
        config = self.config
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual((config["Entrypoint"], config["Cmd"]), ([PROGRAM], ["serve"]))
        self.assertEqual((config["WorkingDir"], config["StopSignal"]), (FOLDER, "SIGTERM"))
        self.assertEqual(list(config["ExposedPorts"]), ["5000/tcp"])
        self.assertEqual(config["Healthcheck"]["Test"], ["CMD", PROGRAM, "health", "--live"])
        files = sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())
        files = [file for file in files if not file.startswith(("proc/", "dev/", "sys/"))]
        self.assertEqual(files, ["etc/ssl/certs/ca-certificates.crt", PROGRAM[1:]])
        self.assertGreater(self.roots.count("BEGIN CERTIFICATE"), 100)
        self.assertLess(self.archive.stat().st_size, LARGEST)
        print(f"image: {self.archive.stat().st_size / 1e6:.1f} MB", flush=True)

    def test_it_serves_is_healthy_and_drains_as_pid_1(self):
        container = Container(self)
        healthcheck = self.config["Healthcheck"]["Test"][1:]
        until("it is healthy", lambda: container.run(*healthcheck).returncode == 0)
        self.assertEqual(container.pid_inside(), 1)
        self.assertEqual(container.user(), 65532)
        until("it is ready", lambda: container.run(PROGRAM, "health").returncode == 0)

        event = str(uuid.uuid4())
        first, second = (container.deliver(event) for _ in range(2))
        self.assertIn('"status":"started"', first)
        self.assertIn('"status":"duplicate"', second)
        self.assertIn(" 401 ", container.deliver(event, secret="another"))
        described = self.in_temporal("workflow", "describe", "--workflow-id", event)
        self.assertEqual(described.returncode, 0, described.stderr)

        # Past loopback's exception: by the authority that is in the image's list of roots.
        trusted = container.run(PROGRAM, "health", "--url", f"https://0.0.0.0:{container.port}")
        self.assertEqual(trusted.returncode, 0, trusted.stderr)

        late = str(uuid.uuid4())
        with container.connect() as stream:
            head, body = container.request(late)
            stream.sendall(head + body[:5])
            time.sleep(0.5)
            container.terminate()
            until("its door is closed", lambda: not answers(container.port))
            self.assertIsNone(container.process.poll(), "it waits for what is in flight")
            self.assertEqual(container.run(*healthcheck).returncode, 1)
            stream.sendall(body[5:])
            answer = b"".join(iter(lambda: stream.recv(4096), b"")).decode()
        self.assertIn('"status":"started"', answer)
        self.assertEqual(container.process.wait(PATIENCE), 0)
        self.assertEqual(self.in_temporal("workflow", "describe", "--workflow-id", late).returncode, 0)

    def test_a_wrong_configuration_ends_it_with_78(self):
        container = Container(self, TWF_PORT="none")
        self.assertEqual(container.process.wait(PATIENCE), 78)


class Container:
    """The image's root and nothing else of this machine but its network, as `docker run --network host --read-only` has it."""

    def __init__(self, test, **environment):
        self.test, self.root = test, test.root
        self.port = free_port()
        self.environment = {
            "TWF_HOST": "0.0.0.0",
            "TWF_PORT": str(self.port),
            "TEMPORAL_ENDPOINT": f"127.0.0.1:{test.temporal_port}",
            "SHOPIFY_WEBHOOKS_KEY": SECRET,
        } | environment
        (self.root / "proc").mkdir(exist_ok=True)
        script = """
            mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --bind "$2" "$1$3" && mount -o remount,ro,bind "$1" || exit 99
            shift 3 && exec env -i "$@"
        """
        folder = test.config["WorkingDir"]
        self.inside = [CHROOT, f"--userspec={test.config['User']}", str(self.root)]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        files = [f"TWF_CERT={folder}/fullchain.pem", f"TWF_KEY={folder}/privkey.pem"]
        program = [*self.inside, *test.config["Entrypoint"], *test.config["Cmd"]]
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", script, "sh"]
        self.process = test.start([*unshare, self.root, test.mounted, folder, *variables, *files, *program])

    def program(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return until("the container's first process is there", lambda: children.read_text().split())[0]

    def status(self, name):
        lines = Path(f"/proc/{self.program()}/status").read_text().splitlines()
        return next(line for line in lines if line.startswith(name)).split()

    def pid_inside(self):
        return int(self.status("NSpid")[-1])

    def user(self):
        return int(self.status("Uid")[1])

    def run(self, *command):
        """As `docker exec` and the health check do."""
        return subprocess.run([*self.inside, *command], env=self.environment, text=True, capture_output=True, timeout=30)

    def terminate(self):
        os.kill(int(self.program()), signal.SIGTERM)

    def connect(self):
        context = ssl.create_default_context(cafile=self.test.work / "ca.pem")
        stream = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return context.wrap_socket(stream, server_hostname="localhost")

    def request(self, event, secret=SECRET):
        body = b'{"id":820982911946154508,"total_price":"10.00"}'
        signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
        head = [
            "POST /temporal/shopify HTTP/1.1",
            "Host: localhost",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"X-Shopify-Webhook-Id: {event}",
            "X-Shopify-Topic: orders/create",
            "X-Shopify-Shop-Domain: one.myshopify.com",
            f"X-Shopify-Hmac-Sha256: {signature}",
        ]
        return "\r\n".join([*head, "", ""]).encode(), body

    def deliver(self, event, secret=SECRET):
        with self.connect() as stream:
            stream.sendall(b"".join(self.request(event, secret)))
            return b"".join(iter(lambda: stream.recv(4096), b"")).decode()


if __name__ == "__main__":
    unittest.main()
