# What you may want to change. After an edit:
#
#   nix build .#console-demo && ./result/bin/run-test
#
# or, on a Debian without nixpkgs, scripts/demo.
#
# Every field but `ports` goes into vm.json as it stands; a field that does not
# exist, or a value that cannot work, fails the build and says why.
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

  # Added to the kernel's command line, after what the consoles and a quick boot
  # need. "loglevel=7" shows every kernel message on both consoles.
  # The one here leaves out self-tests of the kernel's cryptography, which this
  # guest does not use: 0.2 s of an emulated boot.
  kernelParams = [ "cryptomgr.notests" ];

  # "microvm" has no PCI bus and few devices; "q35" is a whole PC. "auto" takes
  # the one that starts reliably on the accelerator that was found.
  # machine = "auto";

  # "kvm" is the processor's own virtualization, "tcg" is emulation: slower, but
  # it works everywhere. "auto" tries KVM and believes it only if Linux boots.
  # accel = "auto";

  # What run-test checks in this guest, beside what it does in every one.
  checks = import ./checks.nix;

  # Handed to QEMU as they are, after ours.
  # qemuArgs = [ "-rtc" "base=localtime" ];
}
