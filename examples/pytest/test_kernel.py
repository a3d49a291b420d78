"""Tests of a kernel. Each of them uses the VM of the fixture in conftest.py."""


def test_command(vm):
    assert vm.exec("uname", "-s") == "Linux\n"


def test_login(vm):
    vm.serial("--expect", "login: ", "--send", "root", "--expect", "# ")
    assert vm.serial("--send", "echo $((6*7))", "--expect", "^42$").endswith("\n42\n")


def test_log(vm):
    assert "Linux version" in vm.run("console-log", "serial")
