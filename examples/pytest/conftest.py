"""The fixture vm: a VM that has booted, for the tests of a module."""

import os
import pathlib
import subprocess
import uuid

import pytest

CONFIG = pathlib.Path(os.environ.get("MICROVM_CONFIG", "vm.json")).resolve()


class VM:
    """A VM under a name of its own, so that tests may run in parallel."""

    def __init__(self, state):
        self.name = f"pytest-{uuid.uuid4().hex[:8]}"
        self.environment = os.environ | {"XDG_STATE_HOME": str(state)}

    def run(self, program, *arguments, statuses=(0,)):
        """Run a program on the VM and return its output, with line ends as "\\n".

        The test fails unless the program ends with one of the statuses.
        """
        __tracebackhide__ = True  # a failure shows the line of the test
        done = subprocess.run(
            [program, "--config", CONFIG, "--name", self.name, *arguments],
            cwd=CONFIG.parent,  # where the relative paths of vm.json start
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        if done.returncode not in statuses:
            pytest.fail(f"{program} {' '.join(arguments)}: status {done.returncode}\n{done.stdout}")
        return done.stdout

    def exec(self, *command):
        """Run a command in the guest, without a login."""
        return self.run("microvm-exec", "--", *command)

    def serial(self, *steps):
        """Type on the serial port and wait for answers."""
        return self.run("connect-serial", *steps)


@pytest.fixture(scope="module")
def vm(tmp_path_factory):
    vm = VM(tmp_path_factory.mktemp("state"))  # the last logs are kept there
    vm.run("microvm-run", "--auto-ports", "--detach", "--timeout", "2m")
    yield vm
    vm.run("microvm-shutdown", statuses=(0, 3))  # 3: the VM has ended, as after a panic
    vm.run("console-log", "--verdict")  # fails if the kernel has reported a bug meanwhile
