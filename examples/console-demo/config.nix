# The settings of the demo, for you to change. After an edit:
#
#   nix build .#console-demo && ./result/bin/run-test
#
# or, on a Debian without nixpkgs, scripts/demo.
#
# Every field but `ports` is copied to vm.json. An unknown field, or a value that cannot
# work, fails the build with a message.
{
  # The guest's memory in MiB. The demo needs about 96, the kernel's own included.
  memoryMiB = 256;

  # Virtual CPUs.
  vcpus = 1;

  # TCP ports of the consoles on this host, on localhost only.
  ports = {
    serial = 4440; # ttyS0
    console = 4441; # hvc0
  };

  # Appended to the kernel's command line, after the parameters for the consoles and for
  # a quick boot. "loglevel=7" prints every kernel message on both consoles.
  # "cryptomgr.notests" skips the self-tests of the kernel's cryptography, which this guest
  # does not use. They take 0.2 s of an emulated boot.
  kernelParams = [ "cryptomgr.notests" ];

  # "microvm" has no PCI bus and few devices; "q35" is a complete PC. "auto" is the one
  # that starts reliably with the accelerator: microvm with KVM, q35 with emulation.
  # machine = "auto";

  # "kvm" uses the processor's virtualization. "tcg" is emulation, which is slower and
  # works everywhere. "auto" is kvm if Linux boots under it, else tcg.
  # accel = "auto";

  # What run-test checks in this guest, besides the checks that it does in every guest.
  checks = import ./checks.nix;

  # run-test also has the guest print numbered lines on each console, and looks for every one.
  exactness = true;

  # A warning in the kernel's log fails run-test. docs/run-test.md describes the fields.
  kernelLog.warnings = "fail";

  # Appended to QEMU's arguments.
  # qemuArgs = [ "-rtc" "base=localtime" ];
}
